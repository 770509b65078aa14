"""What the README shows of a drill is what a drill prints."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from failover.cli.drill import command

ROOT = Path(__file__).parents[2]


def test_the_report_in_the_readme_is_what_the_scenarios_print() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = re.search(r"^\$ make drill\n(.*?)^\.\.\.$", readme, re.MULTILINE | re.DOTALL)
    assert shown is not None
    names = re.findall(r"^PASSED  ([\w-]+) ", shown[1], re.MULTILINE)
    files = [str(ROOT / "scenarios" / f"{name}.yaml") for name in names]
    printed = [line.rstrip() for line in CliRunner().invoke(command, files).output.splitlines()]
    assert len(files) == 2
    assert shown[1].splitlines() == printed[: len(shown[1].splitlines())]
