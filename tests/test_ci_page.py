"""The jobs of docs/ci.md: what a reader copies must run as it stands."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from failover.cli import COMMANDS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "ci.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


WORKFLOWS: list[dict[Any, Any]] = [
    yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
]
STEPS = [step for workflow in WORKFLOWS for job in workflow["jobs"].values() for step in job["steps"]]


def commands(program: str) -> Iterator[list[str]]:
    """The words after `program`, each time a step runs it."""
    for step in STEPS:
        for line in step.get("run", "").replace("\\\n", " ").splitlines():
            words = shlex.split(line)
            if words and words[0] == program:
                yield words[1:]


def options(words: list[str]) -> set[str]:
    """The options among these words."""
    return {word for word in words if word.startswith("-")}


def test_every_workflow_says_when_it_runs_what_and_no_longer_than_that() -> None:
    assert WORKFLOWS
    for workflow in WORKFLOWS:
        assert workflow["name"]
        assert workflow[True], "YAML reads `on` as a truth"
        assert workflow["permissions"] == {"contents": "read"}
        assert all(job["runs-on"] and job["timeout-minutes"] for job in workflow["jobs"].values())


def test_every_step_runs_a_command_or_an_action_pinned_by_its_major_version() -> None:
    for step in STEPS:
        assert ("run" in step) != ("uses" in step)
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/none@v1"))


@pytest.mark.parametrize("words", list(commands("failover")), ids=" ".join)
def test_every_command_and_option_of_ours_exists(words) -> None:
    assert words[0] in COMMANDS
    command = importlib.import_module(f"failover.cli.{words[0]}").command
    known = {name for parameter in command.params for name in parameter.opts}
    unknown = options(words) - known
    assert not unknown


def test_the_options_that_pytest_is_given_are_our_plugins_or_its_own() -> None:
    plugin = (ROOT / "failover" / "pytest_plugin.py").read_text("utf-8")
    ours = set(re.findall(r'"(--failover-[a-z]+)"', plugin))
    given = {option for words in commands("pytest") for option in options(words)}
    assert ours & given
    assert given - ours == {"--junitxml"}


def test_what_is_installed_is_what_the_package_offers() -> None:
    asked = [
        extra
        for words in commands("pip")
        for named in re.findall(r"failover\[([\w,]+)\]", " ".join(words))
        for extra in named.split(",")
    ]
    assert asked
    assert set(asked) <= set(PROJECT["optional-dependencies"])


def test_every_report_lies_in_the_folder_that_is_kept() -> None:
    """A report that nobody uploads is lost with the machine."""
    kept = tuple(step["with"]["path"] for step in STEPS if "upload-artifact" in step.get("uses", ""))
    written = [
        words[words.index(option) + 1]
        for words in [*commands("failover"), *commands("pytest")]
        for option in ("--junit", "--json", "--markdown", "--html", "--junitxml")
        if option in words
    ]
    assert len(written) == 5
    assert all(file.startswith(kept) for file in written)
    summary = next(words for words in commands("cat"))
    assert summary[0] in written
    assert summary[1:] == [">>", "$GITHUB_STEP_SUMMARY"]
