"""What a workload costs, as one HTML file: a chart of the bills, and the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from failover.costs.answer import Answer
from failover.costs.bill import Bill
from failover.report.charts import COLOURS, PATTERNS
from failover.report.cost_terminal import HEADERS, cost_notes, cost_rows, heading, whole_dollars
from failover.report.drawing import CLEAR, GRID, INK, VERMILLION, label
from failover.report.markup import Markup, prose, tag
from failover.report.page import page, picture
from failover.report.tables import table

ROW_PX, FRAME_PX = 34, 90


def cost_html(answer: Answer, *, made: str = "") -> str:
    """The page as text. `made` says by what and when."""
    now = whole_dollars(answer.now.usd)
    title = f"{now} in {answer.days:g} days"
    parts = [
        tag("h1", title),
        tag("p", f"{heading(answer)}, for {answer.config}. {made}", class_="about"),
        _chart(answer),
        tag("h3", "The bills"),
        table(HEADERS, cost_rows(answer), caption="What happens, and what it costs then", class_="plain"),
        tag("ul", *(tag("li", prose(note)) for note in _notes(answer))),
    ]
    return page(title, tag("section", *parts))


def _notes(answer: Answer) -> Iterator[str]:
    yield from cost_notes(answer)
    yield (
        "“all at” a target: the others refuse every request all the time. “at the very most” is a bound, "
        "which no month should reach: every request makes every attempt its policy allows, at the dearest "
        "target, and pays for all of them."
    )


def _chart(answer: Answer) -> Markup:
    bills = [("as things are", answer.now), *((row.name, row.bill) for row in answer.rows)]
    stories = [story for story in answer.stories if not story.why_not]
    names = [label(name) for name, _ in bills]
    targets = list(dict.fromkeys(name for _, bill in bills for name in bill.targets))
    data = [_bar(number, name, [bill for _, bill in bills], names) for number, name in enumerate(targets)]
    if stories:
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": "a story, up to its worst draw",
                "y": [label(story.name) for story in stories],
                "x": [story.expected_usd for story in stories],
                "marker": {"color": VERMILLION},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [(story.worst_usd or 0.0) - (story.expected_usd or 0.0) for story in stories],
                    "arrayminus": [0.0 for _ in stories],
                    "color": INK,
                },
            }
        )
    height_px = FRAME_PX + ROW_PX * (len(bills) + len(stories))
    finding = f"As things are, the bill is {whole_dollars(answer.now.usd)}; this is what changes it"
    how = "Each bar is the bill of the same days if that happened all the time; its parts are who is paid."
    order = [*names, *(label(story.name) for story in stories)]
    figure = {"data": data, "layout": _layout(order)}
    return picture("bills", figure, finding, how, unit="dollars", height_px=height_px)


def _bar(number: int, target: str, bills: list[Bill], names: list[str]) -> dict[str, Any]:
    colour, pattern = COLOURS[number % len(COLOURS)], PATTERNS[number // len(COLOURS) % len(PATTERNS)]
    return {
        "type": "bar",
        "orientation": "h",
        "name": label(target),
        "y": names,
        "x": [round(bill.targets[target].usd, 2) if target in bill.targets else 0.0 for bill in bills],
        "marker": {"color": colour, "line": {"width": 0}, "pattern": {"shape": pattern}},
    }


def _layout(order: list[str]) -> dict[str, Any]:
    axis = {"gridcolor": GRID, "zeroline": False, "fixedrange": True, "linecolor": GRID}
    return {
        "barmode": "stack",
        "margin": {"l": 150, "r": 14, "t": 10, "b": 30},
        "font": {"size": 12, "color": INK},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "hoverlabel": {"bgcolor": "@paper", "font": {"color": INK}, "namelength": -1},
        "dragmode": False,
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.08, "yanchor": "top", "x": 0, "traceorder": "normal"},
        "xaxis": {**axis, "tickprefix": "$", "rangemode": "tozero", "nticks": 6},
        "yaxis": {
            **axis,
            "autorange": "reversed",
            "categoryorder": "array",
            "categoryarray": order,
            "automargin": True,
        },
    }
