"""`failover drill PATH...`: does the plan hold when providers break?"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from failover.cli.drill_reports import Reports, report_options, write_reports
from failover.cli.exits import DEVIATED, EXTRA, HOLDS, INTERRUPTED, INVALID, missing
from failover.cli.interruption import Interruption
from failover.cli.outlets import console_on, human_stream, write_line
from failover.errors import CassetteError, ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from failover.chaos.judging.verdict import Refused, Skipped, Verdict
    from failover.chaos.pictured import Pictured
    from failover.chaos.scenario import Scenario

_FILE = click.Path(path_type=Path, allow_dash=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for. `mode` None: what the scenario names, `simulate` before `replay`."""

    paths: tuple[Path, ...]
    config: Path | None
    cassettes: Path | None
    seed: int
    mode: str | None
    reports: Reports
    journal: Path | None
    quiet: bool


@dataclass(slots=True)
class Reached:
    """What was reached so far, and which scenario is running."""

    verdicts: list[Verdict] = field(default_factory=list)
    pictures: list[Pictured] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    complaints: dict[str, None] = field(default_factory=dict)
    journals: set[str] = field(default_factory=set)
    running: str = ""
    invalid: bool = False


@click.command(name="drill")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--config", type=_FILE, help="Drill this config instead of the one a scenario names.")
@click.option("--cassettes", type=_FOLDER, help="Play these cassettes instead.")
@click.option("--seed", type=int, default=0, show_default=True, help="Chance is a function of it.")
@click.option(
    "--mode",
    type=click.Choice(["simulate", "replay"]),
    help="Default: simulate, where the scenario allows it.",
)
@report_options
@click.option("--journal", type=_FOLDER, help="Write the events of each drill to a file in this folder.")
@click.option("--quiet", is_flag=True, help="Print only what did not pass.")
def command(**options: Any) -> None:
    """Run the scenarios in PATHS, files and folders, and judge them.

    Exit code: 0 when all passed (skipped ones do not count), 1 when one failed, 2 when one is unknown
    or the input is invalid, 130 after Ctrl-C.
    """
    reports = Reports.taken_from(options)
    sys.exit(_run(Asked(reports=reports, **options)))


def _run(asked: Asked) -> int:
    reached, began_s = Reached(), time.perf_counter()
    with Interruption() as interruption:
        try:
            _drill_all(asked, reached, interruption)
        except KeyboardInterrupt:
            interruption.struck = True
        except Exception as error:  # noqa: BLE001  an import that Ctrl-C struck may raise anything
            if not interruption.struck:
                _tell_crash(error)
                reached.invalid = True
        interruption.closing = True
        _tell_end(asked, reached, time.perf_counter() - began_s, struck=interruption.struck)
        written = _write(asked, reached)
    if interruption.struck:
        return INTERRUPTED
    return _exit_code(reached) if written else INVALID


def _drill_all(asked: Asked, reached: Reached, interruption: Interruption) -> None:
    # Where a reply tells no usage litellm counts tokens, and would look for tokenizers on the network.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    asked.reports.check()
    # pydantic, litellm and rich load from here on, so that `failover --help` stays quick.
    from failover.chaos.finding import find_scenarios

    console = console_on(human_stream(*asked.reports.machine))
    try:
        scenarios = find_scenarios(asked.paths)
    except ConfigError as error:
        _complain(reached, [str(complaint) for complaint in error.complaints])
        return
    if not scenarios:
        _complain(reached, [f"no scenario in {', '.join(map(str, asked.paths))}"])
    for number, scenario in enumerate(scenarios, start=1):
        reached.running = scenario.name
        _drill(scenario, f"{number} of {len(scenarios)}", asked, reached, console)
        if interruption.struck:
            raise KeyboardInterrupt
        reached.running = ""


def _drill(scenario: Scenario, which: str, asked: Asked, reached: Reached, console: Console) -> None:
    from failover.chaos.judging.verdict import Conclusion, Refused, Skipped
    from failover.chaos.meeting import SkippedDrill
    from failover.report.terminal import print_skipped, print_verdict

    try:
        verdict = _verdict(scenario, which, asked, reached, console)
    except SkippedDrill as skip:
        reached.skipped.append(Skipped(scenario.name, str(skip)))
        if not asked.quiet:
            print_skipped(console, scenario.name, str(skip))
    except (ConfigError, CassetteError) as error:
        complaints = error.complaints if isinstance(error, ConfigError) else (error,)
        refused = Refused(scenario.name, tuple(map(str, complaints)))
        reached.refused.append(refused)
        _complain(reached, refused.complaints)
    else:
        reached.verdicts.append(verdict)
        if not asked.quiet or verdict.verdict is not Conclusion.PASSED:
            print_verdict(console, verdict)


def _verdict(scenario: Scenario, which: str, asked: Asked, reached: Reached, console: Console) -> Verdict:
    from rich.text import Text

    from failover.chaos import drill, meeting
    from failover.chaos.pictured import pictured_drill
    from failover.report.printable import printable

    mode = asked.mode or next(mode for mode in ("simulate", "replay") if mode in scenario.modes)
    if mode not in scenario.modes:
        raise meeting.SkippedDrill(f"asked to {mode}, and it is only for: {', '.join(scenario.modes)}")
    journal = _journal(scenario.name, mode, asked, reached)
    shown = Text(f"{printable(scenario.name)} ({which})")
    with console.status(shown) if console.is_terminal and not asked.quiet else nullcontext():
        how: dict[str, Any] = {"seed": asked.seed, "mode": mode, "config": asked.config}
        how |= {"cassettes": asked.cassettes, "journal": journal}
        if not asked.reports.pictured:
            return drill.run_drill(scenario, **how)
        reached.pictures.append(pictured_drill(scenario, **how))
        return reached.pictures[-1].verdict


def _journal(name: str, mode: str, asked: Asked, reached: Reached) -> Path | None:
    """A file of its own for each drill, also where two folders hold scenarios of one name."""
    folder = asked.reports.journals(asked.journal)
    if folder is None:
        return None
    stem, number = f"{name}.{mode}.seed-{asked.seed}", 1
    while (file := f"{stem}.{number}.jsonl" if number > 1 else f"{stem}.jsonl") in reached.journals:
        number += 1
    reached.journals.add(file)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / file


def _complain(reached: Reached, complaints: Iterable[str]) -> None:
    """Each complaint once: many scenarios may share one broken config."""
    from failover.report.printable import printable

    reached.invalid = True
    for complaint in complaints:
        if complaint not in reached.complaints:
            reached.complaints[complaint] = None
            click.echo("\n".join(map(printable, complaint.splitlines())), err=True)


def _tell_crash(error: Exception) -> None:
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRA:
        click.echo(missing(error.name), err=True)
    elif isinstance(error, OSError):
        click.echo(str(error), err=True)
    else:
        traceback.print_exception(error)
        click.echo("this is a bug of failover: nothing was found out about the scenario above", err=True)


def _tell_end(asked: Asked, reached: Reached, wall_s: float, *, struck: bool) -> None:
    """The totals. Without rich, which may be half imported when Ctrl-C strikes."""
    if not (reached.verdicts or reached.skipped or reached.refused or struck):
        return
    from failover.report.closing import closing
    from failover.report.printable import printable
    from failover.report.totals import summary

    line = summary(reached.verdicts, reached.skipped, wall_s, reached.refused)
    if struck:
        where = f" while drilling {printable(reached.running)}" if reached.running else " before any drill"
        line = f"interrupted{where}; so far: {line}"
    if struck or not asked.quiet or _exit_code(reached) != HOLDS:
        lines = [*closing(reached.verdicts, reached.skipped), line]
        write_line(human_stream(*asked.reports.machine), "\n".join(lines))


def _write(asked: Asked, reached: Reached) -> bool:
    """Write what was asked for; whether that went well."""
    from failover.chaos.judging.verdict import Refused

    stopped = [Refused(reached.running, ("stopped before its end",))] if reached.running else []
    refused = [*reached.refused, *stopped]
    try:
        write_reports(asked.reports, reached.verdicts, reached.pictures, reached.skipped, refused)
    except OSError as error:
        click.echo(f"the report could not be written: {error}", err=True)
        return False
    return True


def _exit_code(reached: Reached) -> int:
    words = {verdict.verdict.value for verdict in reached.verdicts}
    if "failed" in words:
        return DEVIATED
    return INVALID if reached.invalid or "unknown" in words else HOLDS
