"""`failover search CONFIG`: which faults would break it that nobody thought of?"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from failover.cli.exits import DEVIATED, HOLDS, INTERRUPTED, INVALID, run
from failover.cli.interruption import Interruption
from failover.cli.outlets import console_on, human_stream, write_report
from failover.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from failover.chaos.search.asking import Asked, Prepared
    from failover.chaos.search.hunt import Hunt
    from failover.report.search_account import Searched

_FILE = click.Path(path_type=Path, allow_dash=True, dir_okay=False)
BUDGET_S = 60.0
SEED_MOST = 2**63


@click.command(name="search")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--route", help="Search this route only; default: each route in turn, sharing the budget.")
@click.option(
    "--objective",
    multiple=True,
    metavar="NAME=NUMBER",
    help="A limit of a scenario's `expect` to break, beside the invariants; may be given several times.",
)
@click.option(
    "--seed",
    default=0,
    type=click.IntRange(-SEED_MOST, SEED_MOST),
    show_default=True,
    help="What is tried, and what chance is a function of.",
)
@click.option(
    "--for", "for_s", default=300, type=click.IntRange(1), show_default=True, help="Seconds a drill."
)
@click.option(
    "--rate",
    "rate_per_s",
    default=2.0,
    type=click.FloatRange(0.0, 10_000.0, min_open=True),
    show_default=True,
    help="Requests per second.",
)
@click.option("--stream", is_flag=True, help="Ask for streamed replies.")
@click.option("--budget-s", type=click.FloatRange(0.0, min_open=True), help="Look for so long; default: 60.")
@click.option(
    "--drills", type=click.IntRange(1), help="Look in so many drills instead: the same search each time."
)
@click.option("--kinds", default="", metavar="KIND,...", help="Kinds of injection to try; default: all.")
@click.option(
    "--faults-max", default=4, type=click.IntRange(1, 20), show_default=True, help="Most injections at once."
)
@click.option(
    "--spare",
    default=1,
    type=click.IntRange(0),
    show_default=True,
    help="Limits count only where faults leave so many targets alone.",
)
@click.option("--cassettes", type=click.Path(path_type=Path, file_okay=False), help="Play these cassettes.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to write what is found."
)
@click.option("--replay/--no-replay", default=True, help="See whether replay mode shows the finding too.")
@click.option("--json", "json_file", type=_FILE, help="Write the account as JSON; - is standard output.")
@click.option("--quiet", is_flag=True, help="Print only what was found.")
def command(
    output: Path | None,
    json_file: Path | None,
    *,
    replay: bool,
    quiet: bool,
    budget_s: float | None,
    drills: int | None,
    **options: Any,
) -> None:
    """Look for the smallest fault schedule that breaks an invariant or a limit with CONFIG.

    What is found is written as a scenario file, to be committed and drilled. Exit code: 0 when nothing was
    found, which proves nothing; 1 when something was; 2 when the input is invalid; 130 after Ctrl-C.
    """
    if budget_s is not None and drills is not None:
        raise click.UsageError("--budget-s and --drills are two ways to say when to stop: give one")
    run(lambda: _search(options, (budget_s, drills), output, json_file, replay=replay, quiet=quiet))


def _search(
    options: dict[str, Any],
    budget: tuple[float | None, int | None],
    output: Path | None,
    json_file: Path | None,
    *,
    replay: bool,
    quiet: bool,
) -> int:
    _keep_to_the_cache()
    console = console_on(human_stream(json_file))
    searches: list[Searched] = []
    with Interruption() as interruption:
        for searched in _searches(_asked(options, *budget), console, interruption, quiet=quiet):
            interruption.closing = interruption.struck
            done = _written(searched, output, replay=replay and not interruption.struck)
            searches.append(done)
            _tell(console, done, quiet=quiet)
            if done.prepared.hunt.found is not None or interruption.struck:
                break
        interruption.closing = True
        if json_file is not None and not _report(json_file, searches):
            return INVALID
    if interruption.struck:
        click.echo("interrupted", err=True)
        return INTERRUPTED
    return DEVIATED if any(each.prepared.hunt.found for each in searches) else HOLDS


def _keep_to_the_cache() -> None:
    """No library may look on the network, or leave a folder of its own where we were called."""
    from failover.chaos.modes.outcomes import cache_folder

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache_folder() / "hypothesis"))


def _asked(options: dict[str, Any], budget_s: float | None, drills: int | None) -> Asked:
    # pydantic and hypothesis load from here on, so that `failover --help` stays quick.
    from failover.chaos.search.asking import Asked
    from failover.chaos.search.hunt import Budget

    seconds = None if drills is not None else BUDGET_S if budget_s is None else budget_s
    kinds = tuple(name.strip() for name in options.pop("kinds").split(",") if name.strip())
    return Asked(**options, kinds=kinds, budget=Budget(drills, seconds))


def _searches(
    asked: Asked, console: Console, interruption: Interruption, *, quiet: bool
) -> Iterator[Searched]:
    from failover.chaos.search.asking import prepare
    from failover.report.search_account import Searched

    with _progress(console, quiet=quiet) as progress:
        prepared = prepare(asked, progress, _left_out)
    for each in prepared:
        began_s = time.perf_counter()
        with _progress(console, quiet=quiet) as each.hunt.progress:
            try:
                each.hunt.run()
            except KeyboardInterrupt:
                interruption.struck = True
        yield Searched(each, time.perf_counter() - began_s, interrupted=interruption.struck)


def _left_out(error: ConfigError) -> None:
    click.echo(f"left out: {error}", err=True)


@contextmanager
def _progress(console: Console, *, quiet: bool) -> Iterator[Any]:
    """A line that is kept up to date on a terminal, and nothing elsewhere."""
    if quiet or not console.is_terminal:
        yield lambda _hunt: None
        return
    from rich.text import Text

    with console.status(Text("reading the config")) as status:
        yield lambda hunt: status.update(Text(_standing(hunt)))


def _standing(hunt: Hunt) -> str:
    route, drills = hunt.trials.story.workload["route"], hunt.trials.covered.drills
    if hunt.found is not None:
        return f"{route}: found {hunt.found.violation.name}; making it small, drill {drills}"
    return f"{route}: drill {drills}"


def _written(searched: Searched, output: Path | None, *, replay: bool) -> Searched:
    """With the file of what was found, and whether a drill of it shows that again."""
    from dataclasses import replace

    from failover.chaos.search.checking import seen_again
    from failover.chaos.search.writing import scenario_text, write

    prepared: Prepared = searched.prepared
    found, story = prepared.hunt.found, prepared.hunt.trials.story
    if found is None:
        return searched
    command_line = prepared.command(found.after_drills)
    try:
        file = write(found, story, command_line, output)
    except OSError as error:
        text = scenario_text(found, story, command_line, output or Path("found.yaml"))
        click.echo(f"the scenario could not be written: {error}\nthis is what it says:\n{text}", err=True)
        return searched
    modes = ("simulate", "replay") if replay else ("simulate",)
    replays = dict.fromkeys(modes, "not asked: interrupted")
    with suppress(KeyboardInterrupt):
        for mode in modes:
            replays[mode] = seen_again(file, found.violation, story.seed, mode)
    return replace(searched, file=file, replays=replays)


def _tell(console: Console, searched: Searched, *, quiet: bool) -> None:
    from failover.report.search_account import print_search

    if not quiet or searched.prepared.hunt.found is not None:
        print_search(console, searched)


def _report(json_file: Path, searches: list[Searched]) -> bool:
    from failover.report.search_account import json_search

    try:
        write_report(json_file, json_search(searches))
    except OSError as error:
        click.echo(f"the report could not be written: {error}", err=True)
        return False
    return True
