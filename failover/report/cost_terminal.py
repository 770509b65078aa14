"""What a workload costs, for people at a terminal: one table, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from failover.costs.answer import Answer, StoryRow
from failover.costs.bill import Bill
from failover.costs.budgets import BudgetRow
from failover.report.figures import NOTHING, percent
from failover.report.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

HEADERS = ("what happens", "bill", "of now", "served", "who is paid")
PAID_SHARE = 0.005

Cells = tuple[str, str, str, str, str]


def cost_terminal(console: Console, answer: Answer) -> None:
    """The table and the notes beneath it."""
    from rich.table import Table
    from rich.text import Text

    console.print(printable(heading(answer)), soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, header in enumerate(HEADERS):
        table.add_column(header, justify="right" if number in (1, 2, 3) else "left", overflow="fold")
    for cells in cost_rows(answer):
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console.print(table)
    for note in cost_notes(answer):
        console.print(printable(note), soft_wrap=True)


def heading(answer: Answer) -> str:
    """`5,184,000 requests in 30 days from 2026-11-20`."""
    return f"{answer.requests:,} requests in {answer.days:g} days from {answer.begins}"


def cost_rows(answer: Answer) -> Iterator[Cells]:
    """What happens, the bill, as a multiple of now, the share served, who is paid."""
    yield (
        "as things are",
        whole_dollars(answer.now.usd),
        "1",
        percent(answer.now.served_share),
        paid(answer.now),
    )
    for row in answer.rows:
        times = NOTHING if row.of_now is None else f"{row.of_now:.2f}"
        yield row.name, whole_dollars(row.bill.usd), times, percent(row.bill.served_share), paid(row.bill)
    for story in answer.stories:
        yield from _story_rows(answer, story)
    of_now = _of_now(answer, answer.most_usd)
    why = f"{answer.attempts_most} attempts each, all billed, at {answer.dearest or 'the only target'}"
    yield "at the very most", whole_dollars(answer.most_usd), of_now, "", why


def _story_rows(answer: Answer, story: StoryRow) -> Iterator[Cells]:
    if story.why_not:
        yield story.name, NOTHING, NOTHING, NOTHING, story.why_not
        return
    served = f"{percent(story.served_share)} meanwhile"
    for word, usd in (("expected", story.expected_usd), ("p95", story.p95_usd), ("worst", story.worst_usd)):
        yield f"{story.name}, {word}", whole_dollars(usd), _of_now(answer, usd), served, ""


def cost_notes(answer: Answer) -> Iterator[str]:
    """How far off it may be, and what is not in it."""
    if answer.now.unpriced:
        names = ", ".join(answer.now.unpriced)
        yield f"no bill: nobody knows the price of {names}; say it in the config, under prices"
    interval = answer.now.interval
    if interval is not None and answer.now.usd:
        spread = (interval.high - interval.low) / 2.0 / answer.now.usd
        simulated = f"{answer.simulated:,} requests were simulated for each row"
        yield f"{simulated}: a bill may be {spread:.1%} off by chance"
    for budget in answer.budgets:
        yield _budget(budget)
    thinned = [story.name for story in answer.stories if story.thinned < 1.0]
    if thinned:
        yield f"too many requests to simulate all: a part of them stands for the rest in {', '.join(thinned)}"


def _budget(row: BudgetRow) -> str:
    kind = "hard" if row.hard else "soft"
    about = f"the {kind} budget of {row.scope}, {whole_dollars(row.limit_usd)} per {row.per}"
    if row.expected_usd is None:
        return f"{about}: the workload does not tell whose requests are whose"
    told = f"{about}: {whole_dollars(row.expected_usd)} are spent of it on average"
    if not row.is_exceeded:
        return told
    return f"{told}, MORE than it allows" + (": requests will be refused" if row.hard else "")


def paid(bill: Bill) -> str:
    """`gpt 98 %, mistral 2 %`: the targets by their shares of the bill."""
    total = sum(each.usd for each in bill.targets.values())
    if not total:
        return ""
    shares = sorted(((each.usd / total, name) for name, each in bill.targets.items()), reverse=True)
    return ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= PAID_SHARE)


def whole_dollars(usd: float | None) -> str:
    """`$2,099`, and cents where it is little."""
    if usd is None:
        return NOTHING
    return f"${usd:,.2f}" if usd < 100.0 else f"${usd:,.0f}"  # noqa: PLR2004  # cents no longer count


def _of_now(answer: Answer, usd: float | None) -> str:
    return NOTHING if usd is None or not answer.now.usd else f"{usd / answer.now.usd:.2f}"
