"""Many seeds of one scenario for people: one block instead of as many as there are seeds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from failover.chaos.campaign.seeds import SeedsSummary
from failover.chaos.judging.verdict import Conclusion
from failover.report.printable import printable
from failover.report.terminal import STYLES

if TYPE_CHECKING:
    from rich.console import Console

REASONS_SHOWN = 5


def print_seeds(console: Console, summary: SeedsSummary) -> None:
    """One block: how often it held, the usual and the worst figures, and how to see the worst seed."""
    from rich.table import Table
    from rich.text import Text

    word = summary.verdict.value.upper()
    seeds = f"{summary.seeds} seed{'s' if summary.seeds > 1 else ''}"
    about = f"{printable(summary.scenario)}  ({summary.mode}, {seeds})"
    console.print(Text.assemble((f"{word:<8}", STYLES[summary.verdict]), about), soft_wrap=True)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for label, value in _rows(summary):
        table.add_row(Text(f"  {label}"), Text(printable(value)))
    console.print(table)
    # Never wrapped: it is there to be copied.
    command = Text(f"  worst: {printable(summary.worst.reproduce)}")
    console.print(command, soft_wrap=True, no_wrap=True, overflow="ignore", crop=False)
    console.print()


def _rows(summary: SeedsSummary) -> Iterator[tuple[str, str]]:
    counts = summary.verdicts
    yield "seeds", ", ".join(f"{counts[each]} {each.value}" for each in Conclusion if counts[each])
    usual, least = _percent(summary.success_ratio_median), _percent(summary.success_ratio_min)
    yield "served", f"median {usual}, least {least}"
    usual, most = _seconds(summary.latency_p95_median_s), _seconds(summary.latency_p95_max_s)
    yield "latency", f"p95 median {usual}, most {most}"
    cost_usd = summary.cost_per_1k_median_usd
    yield "cost", "not known" if cost_usd is None else f"median ${cost_usd:.4f} for 1000 requests"
    for reason, seeds in summary.reasons[:REASONS_SHOWN]:
        yield "why", f"{reason}: {seeds} of {summary.seeds} seeds"
    worst = summary.worst
    if worst.reasons:
        yield f"seed {worst.seed}", worst.reasons[0]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100.0:.3f} %"


def _seconds(value_s: float | None) -> str:
    return "-" if value_s is None else f"{value_s:.3f} s"
