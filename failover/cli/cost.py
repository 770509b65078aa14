"""`failover cost CONFIG`: what does a month cost, and what may make it dearer?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from failover.cli.exits import HOLDS, INVALID, run
from failover.cli.outlets import console_on, human_stream, write_report
from failover.report.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

    from failover.chaos.scenario import Scenario
    from failover.costs.answer import Answer
    from failover.costs.question import Question

_FILE = click.Path(path_type=Path, allow_dash=True, dir_okay=False)
_PATH = click.Path(path_type=Path)


@click.command(name="cost")
@click.argument("config", type=_PATH)
@click.option(
    "--workload", required=True, type=_PATH, help="A file with a `workload`, or a scenario, whose own counts."
)
@click.option(
    "--under",
    multiple=True,
    type=_PATH,
    help="A scenario, or a folder of them: what its failures add; may be given several times.",
)
@click.option(
    "--times", default=1, type=click.IntRange(1, 1000), show_default=True, help="How often each happens."
)
@click.option("--as-of", type=click.DateTime(), help="The first day, UTC; default: now.")
@click.option(
    "--days", default=30.0, type=click.FloatRange(1.0, 366.0), show_default=True, help="How many of them."
)
@click.option(
    "--requests",
    default=4000,
    type=click.IntRange(80, 1_000_000),
    show_default=True,
    help="Requests simulated for each row: the more, the less is left to chance.",
)
@click.option(
    "--seeds", default=20, type=click.IntRange(1, 1000), show_default=True, help="Draws of each scenario."
)
@click.option("--seed", default=0, type=int, show_default=True, help="What chance is a function of.")
@click.option("--cassettes", type=click.Path(path_type=Path, file_okay=False), help="Play these cassettes.")
@click.option("--json", "json_file", type=_FILE, help="Write the answer as JSON; - is standard output.")
@click.option("--html", "html_file", type=_FILE, help="Write it as one HTML file, with a chart.")
def command(json_file: Path | None, html_file: Path | None, **options: Any) -> None:
    """Simulate a month of a workload with CONFIG; what doubled prices, lost targets and bad days do to it.

    Exit code: 0 when there is a bill, 2 when a price is unknown or the input is invalid.
    """
    run(lambda: _cost(options, json_file, html_file))


def _cost(options: dict[str, Any], json_file: Path | None, html_file: Path | None) -> int:
    # pydantic and the harness load here, so that `failover --help` stays quick.
    from failover.report.cost_terminal import cost_terminal

    console = console_on(human_stream(json_file, html_file))
    found = _answered(options, console)
    cost_terminal(console, found)
    if json_file is not None:
        from failover.costs.answer import answer_json

        write_report(json_file, answer_json(found))
    if html_file is not None:
        from failover.report.cost_html import cost_html

        write_report(html_file, cost_html(found))
    return INVALID if found.now.usd is None else HOLDS


def _answered(options: dict[str, Any], console: Console) -> Answer:
    """Simulated, with a line that says what is simulated now where somebody watches."""
    if not console.is_terminal:
        return _simulated(options, lambda _what: None)
    with console.status("reading") as status:
        return _simulated(options, lambda what: status.update(f"simulating: {printable(what)}"))


def _simulated(options: dict[str, Any], told: Callable[[str], None]) -> Answer:
    from failover.chaos.materials import Materials
    from failover.costs.answer import answer
    from failover.costs.sampling import Sampler

    question = _question(options)
    return answer(question, Sampler(question), Materials().config(question.config), told)


def _question(options: dict[str, Any]) -> Question:
    from failover.costs.question import Question, load_workload

    workload, trace = load_workload(options["workload"])
    asked: dt.datetime | None = options["as_of"]
    begins = dt.datetime.now(dt.UTC) if asked is None else asked.replace(tzinfo=dt.UTC)
    return Question(
        config=options["config"],
        workload=workload,
        begins_s=begins.timestamp(),
        days=options["days"],
        trace=trace,
        under=tuple(_stories(options["under"])),
        times=options["times"],
        seeds=options["seeds"],
        seed=options["seed"],
        requests=options["requests"],
        cassettes=options["cassettes"],
    )


def _stories(paths: tuple[Path, ...]) -> list[Scenario]:
    from failover.chaos.finding import find_scenarios

    return find_scenarios(paths)
