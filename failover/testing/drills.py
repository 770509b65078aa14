"""Drills in Python: a scenario written in code, judged as one that was written in a file."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from failover.chaos.drill import run_drill
from failover.chaos.judging.verdict import Conclusion, Verdict
from failover.chaos.scenario import load_scenario
from failover.documents import Section, shown
from failover.errors import Complaint, ConfigError
from failover.report.terminal import print_verdict
from failover.testing.injecting import Injecting

Fields = Mapping[str, Any] | Section
"""A part of a scenario: as a mapping, or as the class of `failover.chaos.scenario`."""

_COLUMNS = 110


class DrillFailedError(AssertionError):
    """A drill did not pass; the message is what there is to read, `verdict` what there is to compute with."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        # The first line is the one that a summary shows.
        word = "nothing was shown" if verdict.verdict is Conclusion.UNKNOWN else verdict.verdict.value
        super().__init__(f"{word}: {'; '.join(verdict.reasons)}\n\n{readable(verdict)}")


def drill(  # noqa: PLR0913  # they are the keys of a scenario file
    config: str | Path | Mapping[str, Any],
    *,
    workload: Fields,
    inject: Sequence[Injecting] = (),
    expect: Fields | None = None,
    steady_state: Fields | None = None,
    cassettes: str | Path | None = None,
    title: str = "A drill in Python",
    mode: str | None = None,
    seed: int = 0,
) -> Verdict:
    """Run a scenario that is written here instead of in a file, and judge it.

    Each part has the keys of `docs/scenarios.md`. `mode` left out: `simulate`. Unless it passed, the
    scenario stays behind as a file, so that the verdict's `reproduce` runs. Raises `ConfigError` with every
    complaint at once, and `CassetteError`.
    """
    folder = Path(tempfile.mkdtemp(prefix="failover-drill-"))
    parts = {"workload": workload, "expect": expect, "steady_state": steady_state}
    story = {
        "title": title,
        "config": str(_config_file(config, folder)),
        **({} if cassettes is None else {"cassettes": str(Path(cassettes).resolve())}),
        **{name: _plain(part) for name, part in parts.items() if part is not None},
        "inject": [dict(each) for each in inject],
    }
    file = folder / f"{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-') or 'drill'}.yaml"
    file.write_text(_yaml(story, "scenario"), "utf-8")
    scenario = load_scenario(file)
    chosen = mode or next(each for each in ("simulate", "replay") if each in scenario.modes)
    if chosen not in scenario.modes:
        shutil.rmtree(folder, ignore_errors=True)
        raise ValueError(f"mode={mode!r}: this scenario is only for {', '.join(scenario.modes)}")
    verdict = run_drill(scenario, seed=seed, mode=chosen)
    if verdict.verdict is Conclusion.PASSED:
        shutil.rmtree(folder, ignore_errors=True)
    return verdict


def assert_survives(
    config: str | Path | Mapping[str, Any], *, seeds: Iterable[int] = (0,), **options: Any
) -> list[Verdict]:
    """Drill with each seed, with the options of `drill`; the verdicts, all passed.

    Raises `DrillFailedError`, an `AssertionError`, at the first that failed or showed nothing; its message
    says why, and the command that runs it again.
    """
    verdicts = []
    for seed in seeds:
        verdict = drill(config, seed=seed, **options)
        if verdict.verdict is not Conclusion.PASSED:
            raise DrillFailedError(verdict)
        verdicts.append(verdict)
    if not verdicts:
        raise ValueError("seeds is empty: nothing was drilled")
    return verdicts


def readable(verdict: Verdict) -> str:
    """The verdict as the command line prints it: figures, reasons, and how to see it again."""
    from rich.console import Console

    text = StringIO()
    console = Console(
        file=text, width=_COLUMNS, color_system=None, highlight=False, markup=False, emoji=False
    )
    print_verdict(console, verdict)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())


def _config_file(config: str | Path | Mapping[str, Any], folder: Path) -> Path:
    if not isinstance(config, Mapping):
        return Path(config).resolve()
    file = folder / "failover.yaml"
    file.write_text(_yaml(dict(config), "config"), "utf-8")
    return file


def _yaml(value: dict[str, Any], where: str) -> str:
    try:
        return yaml.safe_dump(value, sort_keys=False)
    except yaml.YAMLError as error:
        # The last argument is the object that has no form in YAML.
        what = f"a drill takes what a YAML file can hold, got {shown(error.args[-1])}"
        raise ConfigError([Complaint("<dict>", 0, where, what)]) from error


def _plain(part: Fields) -> dict[str, Any]:
    if isinstance(part, Section):
        return part.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return dict(part)
