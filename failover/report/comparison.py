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
SEEDS_SHOWN = 10
HEADERS = ("measure", "base", "other", "difference", "95 % interval", "change")

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
    """A row of the table, in words, in the order of `HEADERS`."""

    cells: tuple[str, str, str, str, str]
    change: Change


def comparison_json(comparison: Comparison) -> str:
    """`failover/comparison@1` as text, keys in the order of the fields, with a line break at its end."""
    import orjson

    return orjson.dumps(comparison, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def comparison_terminal(console: Console, comparison: Comparison) -> None:
    """The table, the drills that turned with the commands that show them, and the answer in a line."""
    from rich.text import Text

    tables = [(scenario, _rows(scenario)) for scenario in comparison.scenarios]
    rows = [row.cells for _, rows in tables for row in rows]
    widths = [max(map(len, column)) for column in zip(HEADERS[:-1], *rows, strict=True)]
    for number, (scenario, rows_of_it) in enumerate(tables):
        console.print(Text(printable(_about(scenario)), style="bold"), soft_wrap=True)
        if number == 0:
            console.print(Text(_aligned(HEADERS, widths), style="dim"), soft_wrap=True)
        for row in rows_of_it:
            line = Text(_aligned((*row.cells, ""), widths))
            console.print(line.append(row.change.value, style=STYLES[row.change]), soft_wrap=True)
        if equal := _equal(scenario):
            console.print(Text(f"  {equal}", style="dim"), soft_wrap=True)
    console.print()
    for told, commands in _turned(comparison.turned):
        console.print(Text(printable(told)), soft_wrap=True)
        for command in commands:
            console.print(Text(f"  {printable(command)}"), soft_wrap=True)
    console.print(Text(QUESTION, style="bold"))
    console.print(Text(printable(_sentence(comparison)), style=STYLES[comparison.change]))


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The first and the last two to the left, figures to the right."""
    measure, base, other, difference, interval, change = cells
    wide = f"  {measure:<{widths[0]}}  {base:>{widths[1]}}  {other:>{widths[2]}}"
    return f"{wide}  {difference:>{widths[3]}}  {interval:<{widths[4]}}  {change}"


def comparison_markdown(comparison: Comparison) -> str:
    """The same for a pull request: the answer first, then the table. Nothing in it acts as markup."""
    lines = [f"### {QUESTION}", "", f"**{_markdown(_sentence(comparison))}**", ""]
    base = comparison.base or "each scenario's own config"
    lines += [f"Base: {_code(base)}. Other: {_code(comparison.other)}. Both met the same worlds.", ""]
    if comparison.scenarios:
        lines += [f"| scenario | {' | '.join(HEADERS)} |", "| --- | --- | ---: | ---: | ---: | --- | --- |"]
    for scenario in comparison.scenarios:
        lines += _markdown_rows(scenario)
    lines.append("")
    for told, commands in _turned(comparison.turned):
        lines += [f"- {_markdown(told)}", *(f"  - {_code(command)}" for command in commands)]
    return "\n".join(lines) + "\n"


_LOUD = {Change.BETTER, Change.WORSE}


def _markdown_rows(scenario: ScenarioComparison) -> Iterator[str]:
    about = _markdown(_about(scenario))
    for row in _rows(scenario):
        change = f"**{row.change.value}**" if row.change in _LOUD else row.change.value
        yield f"| {' | '.join([about, *map(_markdown, row.cells), change])} |"
        about = ""
    if equal := _equal(scenario):
        yield f"| {about} | {_markdown(equal)} | | | | | same |"


def _about(scenario: ScenarioComparison) -> str:
    return f"{scenario.scenario}  ({scenario.mode}, {scenario.seeds} seed{'s' if scenario.seeds > 1 else ''})"


def _rows(scenario: ScenarioComparison) -> list[_Row]:
    """A row for each measure that differs in some world."""
    base, other = scenario.base[Conclusion.PASSED], scenario.other[Conclusion.PASSED]
    rows = [_row(each) for each in scenario.measures if not _unchanged(each)]
    if base != other:
        change = Change.WORSE if other < base else Change.BETTER
        rows.insert(0, _Row(("passed", str(base), str(other), f"{other - base:+d}", ""), change))
    return rows


def _equal(scenario: ScenarioComparison) -> str:
    """What is the same in each of the worlds, in a line."""
    equal = [each for each in scenario.measures if _unchanged(each)]
    if len(equal) == len(scenario.measures):
        return "the same in every world"
    told = ", ".join(f"{_TITLES[each.name]} {_figure(each.base, each.unit)}" for each in equal)
    return told and f"the same in every world: {told}"


def _unchanged(measure: MeasureComparison) -> bool:
    """No world at all in which it differs."""
    interval = measure.interval
    still = interval is None or interval.low == interval.high == 0.0
    return measure.change is Change.SAME and measure.difference == 0.0 and still


def _row(measure: MeasureComparison) -> _Row:
    base, other = _figure(measure.base, measure.unit), _figure(measure.other, measure.unit)
    difference = _difference(measure.difference, measure.unit)
    if measure.interval is None:
        said = f"none: {measure.seeds} seed{'s' if measure.seeds > 1 else ''}"
    else:
        low = _difference(measure.interval.low, measure.unit)
        said = f"[{low}, {_difference(measure.interval.high, measure.unit)}]"
    return _Row((_TITLES[measure.name], base, other, difference, said), measure.change)


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


def _turned(turned: Sequence[Turned]) -> Iterator[tuple[str, tuple[str, str]]]:
    """What turned into what, by scenario, each with the commands that show the first such seed."""
    groups: dict[tuple[str, str, str, str], list[Turned]] = {}
    for each in turned:
        groups.setdefault((each.scenario, each.mode, each.base.value, each.other.value), []).append(each)
    for (scenario, mode, base, other), drills in groups.items():
        seeds = [str(each.seed) for each in drills]
        more = f" and {len(seeds) - SEEDS_SHOWN} more" if len(seeds) > SEEDS_SHOWN else ""
        which = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds[:SEEDS_SHOWN])}{more}"
        first = drills[0]
        yield (
            f"{scenario} ({mode}): {base}, now {other} with {which}",
            (first.reproduce_base, first.reproduce_other),
        )


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
