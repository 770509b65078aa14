"""Traces and axes for Plotly, of a drill's bins: plain mappings.

Colours are Okabe's and Ito's, which are told apart whatever one's eyes; beside each stands a pattern, a
dash or a letter. `@ink` and its like are taken from the page when it draws, light or dark.
Plotly obeys some markup in its texts, so that names from files are escaped for it, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from failover.chaos.judging.timeline import Band, Timeline
from failover.report.figures import HOUR_S, LONG_S
from failover.report.findings import letter
from failover.report.printable import printable

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, VERMILLION, YELLOW = "#56B4E9", "#D55E00", "#F0E442"
INK, GRID, CLEAR = "@ink", "@grid", "rgba(0,0,0,0)"

Figure = dict[str, Any]


def label(words: str) -> str:
    """Words for a text of Plotly's, which takes some for markup."""
    return escape(printable(words), quote=False)


def bars(name: str, row: Sequence[int], timeline: Timeline, colour: str, pattern: str) -> Figure:
    """A count for each bin, as bars that can be stacked."""
    width = timeline.bin_s * scale_of(timeline)
    return {
        "type": "bar",
        "name": label(name),
        "x0": width / 2.0,
        "dx": width,
        "y": list(row),
        "width": width,
        "marker": {"color": colour, "line": {"width": 0}, "pattern": _pattern(pattern, colour)},
    }


def area(name: str, row: Sequence[int], timeline: Timeline, colour: str, pattern: str) -> Figure:
    """A share of all that is stacked; the last value stands until its bin ends."""
    width = timeline.bin_s * scale_of(timeline)
    filled = {"fillpattern": {"shape": pattern, "bgcolor": colour, "fgcolor": "@paper", "size": 6}}
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label(name),
        "x0": 0.0,
        "dx": width,
        "y": [*row, row[-1]],
        "stackgroup": "targets",
        "groupnorm": "percent",
        "fillcolor": colour,
        "line": {"width": 0.5, "color": colour, "shape": "hv"},
        **(filled if pattern else {}),
    }


def curve(
    name: str,
    row: Sequence[float | None],
    timeline: Timeline,
    colour: str,
    dash: str,
    width_px: float,
) -> Figure:
    """A value for each bin; None leaves a gap."""
    width = timeline.bin_s * scale_of(timeline)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label(name),
        "x0": width / 2.0,
        "dx": width,
        "y": [None if value is None else float(f"{value:.5g}") for value in row],
        "line": {"width": width_px, "color": colour, "dash": dash},
    }


def strip(
    name: str, targets: list[str], base: list[float], length: list[float], colour: str, pattern: str
) -> Figure:
    """Bars that lie in the row of a target, from `base` on, `length` long."""
    return {
        "type": "bar",
        "orientation": "h",
        "name": label(name),
        "y": [label(target) for target in targets],
        "base": [float(f"{each:.7g}") for each in base],
        "x": [float(f"{each:.7g}") for each in length],
        "width": 0.62,
        "marker": {
            "color": colour,
            "line": {"width": 1, "color": colour},
            "pattern": _pattern(pattern, colour),
        },
    }


def _pattern(shape: str, colour: str) -> Figure:
    drawn_in = "#000000" if colour == YELLOW else "@paper"
    return {"shape": shape, "fgcolor": drawn_in, "fillmode": "overlay", "size": 6, "solidity": 0.25}


def layout(timeline: Timeline, **more: Any) -> Figure:
    """Axes, bands and legend of one chart; `more` goes before."""
    scale = scale_of(timeline)
    shapes, notes = [], []
    for index, band in enumerate(timeline.bands):
        shapes += [_band(band, timeline), *_edges(band, timeline)]
        notes.append(_note(band, letter(index), scale))
    unit = " h" if scale < 1.0 else " s"
    axis = {"gridcolor": GRID, "zeroline": False, "fixedrange": True, "linecolor": GRID}
    return {
        "margin": {"l": 52, "r": 14, "t": 20, "b": 30},
        "font": {"size": 12, "color": INK},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "@paper", "font": {"color": INK}, "namelength": -1},
        "dragmode": False,
        "bargap": 0,
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.16, "yanchor": "top", "x": 0, "traceorder": "normal"},
        "xaxis": {
            **axis,
            "range": [0.0, timeline.ends_s * scale],
            "ticksuffix": unit,
            "hoverformat": ".6~g",
            "ticks": "outside",
            "tickcolor": GRID,
            "nticks": 8,
        },
        "yaxis": {**axis, "rangemode": "tozero", "nticks": 5},
        "shapes": shapes,
        "annotations": notes,
        **more,
    }


def _band(band: Band, timeline: Timeline) -> Figure:
    scale = scale_of(timeline)
    ends_s = timeline.ends_s if band.ends_s is None else min(band.ends_s, timeline.ends_s)
    return {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": band.starts_s * scale,
        "x1": ends_s * scale,
        "y0": 0,
        "y1": 1,
        "fillcolor": "@fault" if band.is_fault else "@change",
        "line": {"width": 0},
        "layer": "below",
    }


def _edges(band: Band, timeline: Timeline) -> Iterator[Figure]:
    """Its beginning and end, also where areas cover the band itself."""
    for at_s in (band.starts_s, band.ends_s):
        if at_s is not None and at_s < timeline.ends_s:
            at = at_s * scale_of(timeline)
            line = {"width": 1, "color": "@edge", "dash": "dot"}
            place = {"xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1}
            yield {"type": "line", **place, "line": line, "layer": "above"}


def _note(band: Band, name: str, scale: float) -> Figure:
    return {
        "x": band.starts_s * scale,
        "xref": "x",
        "y": 1,
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "text": f"<b>{name}</b>",
        "showarrow": False,
        "font": {"size": 12, "color": INK},
    }


def scale_of(timeline: Timeline) -> float:
    """What seconds are multiplied by: 1, or to hours where they are many."""
    return 1.0 if timeline.ends_s <= LONG_S * 1.1 else 1.0 / HOUR_S
