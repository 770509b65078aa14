"""A page that plots recorded quantiles against drawn ones: on the diagonal the model is right."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.latencies.checking import Check, quantile

COLUMNS = 4
ROW_HEIGHT = 320


def write_plot(file: Path, checks: Sequence[tuple[str, Check]]) -> None:
    """One small plot for each check, on logarithmic axes in seconds, in a page that needs no network."""
    rows = ceil(len(checks) / COLUMNS)
    figure = make_subplots(
        rows, COLUMNS, subplot_titles=[title for title, _ in checks], vertical_spacing=0.3 / rows
    )
    for place, (_, check) in enumerate(checks):
        row, column = place // COLUMNS + 1, place % COLUMNS + 1
        count = len(check.recorded_s)
        shares = [(number + 0.5) / count for number in range(count)]
        drawn = [quantile(check.drawn_s, share) for share in shares]
        ends = [min(check.recorded_s[0], drawn[0]), max(check.recorded_s[-1], drawn[-1])]
        figure.add_scatter(
            x=ends,
            y=ends,
            mode="lines",
            line={"color": "#999", "width": 1},
            hoverinfo="skip",
            row=row,
            col=column,
        )
        figure.add_scatter(
            x=check.recorded_s,
            y=drawn,
            mode="markers",
            marker={"size": 4, "color": "#1f5fa8"},
            customdata=[round(100 * share, 1) for share in shares],
            hovertemplate="p%{customdata}: recorded %{x:.2f} s, drawn %{y:.2f} s<extra></extra>",
            row=row,
            col=column,
        )
    figure.update_xaxes(type="log", title="recorded, s")
    figure.update_yaxes(type="log", title="drawn, s")
    figure.update_layout(
        title="How long answers take: recorded quantiles against those the fitted model draws",
        height=ROW_HEIGHT * rows,
        showlegend=False,
        template=go.layout.Template(),
    )
    figure.update_annotations(font_size=12)
    figure.write_html(file, include_plotlyjs=True)
