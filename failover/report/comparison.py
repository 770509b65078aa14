"""Two configs over the same worlds, for people: one table for a terminal, and one for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from failover.chaos.campaign.comparison import (
    Change,
    Comparison,
    MeasureComparison,
    ScenarioComparison,
    Turned,
)
from failover.chaos.judging.verdict import Conclusion
from failover.report.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

QUESTION = "What does this change do to survivability?"
TURNED_SHOWN = 5
HEADERS = ("scenario", "measure", "base → other", "difference, 95 % interval", "")

STYLES = {
    Change.BETTER: "bold green",
    Change.WORSE: "bold red",
    Change.UNCLEAR: "yellow",
    Change.SAME: "dim",
}

_TITLES = {
    "success_ratio": "served",
    "regret_success_ratio": "regret",
    "latency_p95_s": "p95",
    "first_token_p95_s": "first token p95",
    "cost_per_1k_usd": "cost of 1000",
    "amplification": "attempts each",
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table, in words; `scenario` stands in the first of its rows only."""

    scenario: str
    measure: str
    sides: str
    difference: str
    change: Change


def comparison_json(comparison: Comparison) -> str:
    """`failover/comparison@1` as text, keys in the order of the fields, with a line break at its end."""
    import orjson

    return orjson.dumps(comparison, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def comparison_terminal(console: Console, comparison: Comparison) -> None:
    """The table, the drills that turned with the commands that show them, and the answer in a line."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="dim")
    for header in HEADERS:
        table.add_column(header, overflow="fold")
    for scenario in comparison.scenarios:
        for row in _rows(scenario):
            cells = (row.scenario, row.measure, row.sides, row.difference)
            change = Text(row.change.value, style=STYLES[row.change])
            table.add_row(*(Text(printable(cell)) for cell in cells), change)
    if comparison.scenarios:
        console.print(table)
    for turned in comparison.turned[:TURNED_SHOWN]:
        console.print(Text(printable(_turned(turned))), soft_wrap=True)
        for command in _commands(turned):
            console.print(Text(f"  {printable(command)}"), soft_wrap=True)
    if len(comparison.turned) > TURNED_SHOWN:
        console.print(Text(f"and {len(comparison.turned) - TURNED_SHOWN} more: the JSON form lists them"))
    console.print(Text(QUESTION, style="bold"))
    console.print(Text(printable(_sentence(comparison)), style=STYLES[comparison.change]), soft_wrap=True)


def comparison_markdown(comparison: Comparison) -> str:
    """The same for a pull request: the answer first, then the table. Nothing in it acts as markup."""
    lines = [f"### {QUESTION}", "", f"**{_markdown(_sentence(comparison))}**", ""]
    base = comparison.base or "each scenario's own config"
    lines += [f"Base: {_code(base)}. Other: {_code(comparison.other)}. Both met the same worlds.", ""]
    if comparison.scenarios:
        lines += [f"| {' | '.join((*HEADERS[:4], 'change'))} |", "| --- | --- | --- | --- | --- |"]
    for scenario in comparison.scenarios:
        for row in _rows(scenario):
            change = f"**{row.change.value}**" if row.change in _LOUD else row.change.value
            cells = [_markdown(cell) for cell in (row.scenario, row.measure, row.sides, row.difference)]
            lines.append(f"| {' | '.join([*cells, change])} |")
    if comparison.turned:
        lines += ["", *_markdown_turned(comparison.turned)]
    return "\n".join(lines) + "\n"


_LOUD = {Change.BETTER, Change.WORSE}


def _markdown_turned(turned: Sequence[Turned]) -> Iterator[str]:
    for each in turned[:TURNED_SHOWN]:
        yield f"- {_markdown(_turned(each))}"
        for command in _commands(each):
            yield f"  - {_code(command)}"
    if len(turned) > TURNED_SHOWN:
        yield f"- and {len(turned) - TURNED_SHOWN} more"


def _rows(scenario: ScenarioComparison) -> Iterator[_Row]:
    """A row for each measure, one for all that are equal in every world."""
    seeds = f"{scenario.seeds} seed{'s' if scenario.seeds > 1 else ''}"
    name = f"{scenario.scenario} ({scenario.mode}, {seeds})"
    base, other = scenario.base[Conclusion.PASSED], scenario.other[Conclusion.PASSED]
    equal = [each for each in scenario.measures if _unchanged(each)]
    if base != other:
        change = Change.WORSE if other < base else Change.BETTER
        yield _Row(name, "passed", f"{base} → {other} of {scenario.seeds}", f"{other - base:+d}", change)
        name = ""
    for measure in scenario.measures:
        if not _unchanged(measure):
            yield _row(name, measure)
            name = ""
    if equal:
        what = ", ".join(f"{_TITLES[each.name]} {_figure(each.base, each.unit)}" for each in equal)
        yield _Row(name, what if len(equal) < len(scenario.measures) else "all", "", "none", Change.SAME)


def _unchanged(measure: MeasureComparison) -> bool:
    """No world at all in which it differs."""
    interval = measure.interval
    still = interval is None or interval.low == interval.high == 0.0
    return measure.change is Change.SAME and measure.difference == 0.0 and still


def _row(name: str, measure: MeasureComparison) -> _Row:
    base, other = _figure(measure.base, measure.unit), _figure(measure.other, measure.unit)
    difference = _difference(measure.difference, measure.unit)
    if measure.interval is None:
        said = f"{difference}, {measure.seeds} seed{'s are' if measure.seeds > 1 else ' is'} too few"
    else:
        low = _difference(measure.interval.low, measure.unit)
        high = _difference(measure.interval.high, measure.unit)
        said = f"{difference} [{low}, {high}]"
    return _Row(name, _TITLES[measure.name], f"{base} → {other}", said, measure.change)


def _figure(value: float, unit: str) -> str:
    match unit:
        case "ratio":
            return f"{value * 100.0:.3f} %"
        case "s":
            return f"{value:.3f} s"
        case "usd":
            return f"${value:.4f}"
        case _:
            return f"{value:.3f}"


def _difference(value: float, unit: str) -> str:
    """Signed; of shares in points of a hundred."""
    match unit:
        case "ratio":
            return f"{value * 100.0:+.3f}"
        case "usd":
            return f"{value:+.4f}"
        case _:
            return f"{value:+.3f}"


def _sentence(comparison: Comparison) -> str:
    return comparison.answer[:1].upper() + comparison.answer[1:] + "."


def _turned(turned: Turned) -> str:
    words = f"{turned.base.value}, now {turned.other.value}"
    return f"{turned.scenario} ({turned.mode}, seed {turned.seed}): {words}"


def _commands(turned: Turned) -> tuple[str, str]:
    return turned.reproduce_base, turned.reproduce_other


def _markdown(text: str) -> str:
    """Text that stays text: every mark of Markdown and of HTML escaped."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|!~&@" else char for char in printable(text))


def _code(text: str) -> str:
    """A code span that its content cannot close."""
    shown = printable(text)
    fence = "`" * (max((len(run) for run in _runs(shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _runs(text: str) -> Iterator[str]:
    run = ""
    for char in f"{text} ":
        if char == "`":
            run += char
        elif run:
            yield run
            run = ""
