"""`failover drill PATH...`: does the plan hold when providers break?"""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path
from typing import Any

import click

from failover.cli.drill_asked import Asked
from failover.cli.drill_reached import Reached
from failover.cli.drill_reports import Reports, report_options
from failover.cli.exits import EXTRA, INTERRUPTED, INVALID, missing
from failover.cli.interruption import Interruption
from failover.cli.outlets import STANDARD_OUTPUT

_FILE = click.Path(path_type=Path, allow_dash=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(name="drill")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--config", type=_FILE, help="Drill this config instead of the one a scenario names.")
@click.option("--cassettes", type=_FOLDER, help="Play these cassettes instead.")
@click.option("--seed", type=int, default=0, show_default=True, help="Chance is a function of it.")
@click.option(
    "--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="So many, from --seed on."
)
@click.option(
    "--mode",
    type=click.Choice(["simulate", "replay", "both"]),
    help="Default: simulate, where the scenario allows it.",
)
@click.option(
    "--compare",
    type=_FILE,
    metavar="CONFIG",
    help="Run everything under this config too, over the same worlds, and tell what changes.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="How many drills run at a time, each in a process.  [default: one per cpu, for many drills]",
)
@click.option("--dask", metavar="ADDRESS", help="Run the drills on the Dask cluster with this scheduler.")
@click.option(
    "--subject",
    metavar="MODULE:FUNCTION",
    help="Drill another client in the router's place, replayed (docs/other-clients.md).",
)
@report_options
@click.option("--journal", type=_FOLDER, help="Write the events of each drill to a file in this folder.")
@click.option("--quiet", is_flag=True, help="Print only what did not pass.")
def command(**options: Any) -> None:
    """Run the scenarios in PATHS, files and folders, and judge them.

    Exit code: 0 when all passed (skipped ones do not count), 1 when one failed, 2 when one is unknown
    or the input is invalid, 130 after Ctrl-C. With --compare: 0 when nothing got worse, 1 when something
    did, 2 when the input is invalid.
    """
    reports = Reports.taken_from(options)
    asked = Asked(reports=reports, **options)
    _refuse_contradictions(asked)
    sys.exit(_run(asked))


def _refuse_contradictions(asked: Asked) -> None:
    reports = asked.reports
    if asked.compare is not None and (reports.junit_file or reports.html_file or reports.report_folder):
        words = "--junit, --html and --report judge drills, and --compare compares them"
        raise click.UsageError(f"{words}: ask for --json and --markdown")
    if asked.compare == STANDARD_OUTPUT:
        raise click.UsageError("--compare names a file")
    if asked.jobs is not None and asked.dask is not None:
        raise click.UsageError("--jobs is for this machine, --dask for a cluster: name one")
    if asked.subject is not None and asked.mode not in {None, "replay"}:
        raise click.UsageError("--subject is replayed: another client sends for itself; leave out --mode")


def _run(asked: Asked) -> int:
    reached, began_s = Reached(asked), time.perf_counter()
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
        wall_s = time.perf_counter() - began_s
        written = reached.conclude(wall_s, struck=interruption.struck)
        if interruption.struck:
            return INTERRUPTED
        return reached.exit_code() if written else INVALID


def _drill_all(asked: Asked, reached: Reached, interruption: Interruption) -> None:
    asked.reports.check()
    # pydantic, litellm and rich load from here on, so that `failover --help` stays quick.
    from failover.cli.drilling import drill_all

    drill_all(asked, reached, interruption)


def _tell_crash(error: Exception) -> None:
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRA:
        click.echo(missing(error.name), err=True)
    elif isinstance(error, OSError):
        click.echo(str(error), err=True)
    else:
        traceback.print_exception(error)
        click.echo("this is a bug of failover: nothing was found out about the scenario above", err=True)
