"""The pictures of a drill: which there are, what each shows, and how it is to be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from failover.chaos.judging.absences import AbsenceCause
from failover.chaos.judging.timeline import Spread, TargetLine, Timeline
from failover.chaos.judging.verdict import Verdict
from failover.core.prices import NUSD_PER_USD
from failover.report import findings
from failover.report.drawing import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    Figure,
    area,
    bars,
    curve,
    label,
    layout,
    scale_of,
    strip,
)
from failover.report.figures import moment, seconds, trimmed

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW)
PATTERNS = ("", "/", ".", "x", "-", "+")
MINUTE_S = 60.0

OUTLINED_MOST = 200
"""Short absences are drawn a pixel wide to be seen at all; of many that would hide the long ones."""

TARGETS_MOST = 6
"""The others are drawn together."""

STATES = {
    AbsenceCause.OPEN: ("open: nothing is sent", VERMILLION, ""),
    AbsenceCause.HALF_OPEN: ("half-open: single requests probe it", YELLOW, "/"),
    AbsenceCause.COOLDOWN: ("cooling down, as it asked", SKY, "."),
    AbsenceCause.RETIRED: ("retired: taken for gone", INK, "x"),
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with the finding it shows, how it is to be read, the unit of its y axis, and its height."""

    key: str
    finding: str
    how: str
    unit: str
    height_px: int
    figure: Figure


def charts(verdict: Verdict, timeline: Timeline) -> Iterator[Chart]:
    """The charts of one drill; what did not happen has none."""
    yield _requests(verdict, timeline)
    yield _traffic(timeline)
    if any(sum(each.failures) for each in timeline.targets):
        yield _failures(verdict, timeline)
    yield _breakers(timeline)
    if timeline.first_token_s is not None:
        finding = findings.first_token_finding(verdict, timeline)
        yield _latency("first-token", finding, timeline, timeline.first_token_s)
    yield _latency("latency", findings.latency_finding(verdict, timeline), timeline, timeline.latency_s)
    if timeline.cost_nusd is not None:
        yield _cost(verdict, timeline, timeline.cost_nusd)


def _requests(verdict: Verdict, timeline: Timeline) -> Chart:
    traces = [bars("served", timeline.served, timeline, SKY, "")]
    if any(timeline.unserved):
        traces.append(bars("not served", timeline.unserved, timeline, VERMILLION, "x"))
    how = "Requests by the time they arrived."
    return Chart(
        "requests",
        findings.requests_finding(verdict, timeline),
        how,
        _per_bin("requests", timeline),
        220,
        {"data": traces, "layout": layout(timeline, barmode="stack", showlegend=len(traces) > 1)},
    )


def _traffic(timeline: Timeline) -> Chart:
    traces = [
        area(each.name, each.served, timeline, *_style(number))
        for number, each in enumerate(_drawn(timeline))
        if any(each.served)
    ]
    if any(timeline.unserved):
        traces.append(area("not served", timeline.unserved, timeline, VERMILLION, "\\"))
    how = "Who served the requests that arrived at that time: the shares of all of them."
    axes = layout(timeline)
    axes["yaxis"] |= {"range": [0, 100], "ticksuffix": " %", "hoverformat": ".1f"}
    figure = {"data": traces, "layout": axes}
    return Chart("traffic", findings.traffic_finding(timeline), how, "share of requests", 240, figure)


def _failures(verdict: Verdict, timeline: Timeline) -> Chart:
    traces = [
        bars(each.name, each.failures, timeline, *_style(number))
        for number, each in enumerate(_drawn(timeline))
        if any(each.failures)
    ]
    how = "Attempts that failed, by the time they were sent and the target they were sent to."
    return Chart(
        "failures",
        findings.failures_finding(verdict),
        how,
        _per_bin("failed attempts", timeline),
        200,
        {"data": traces, "layout": layout(timeline, barmode="stack")},
    )


def _breakers(timeline: Timeline) -> Chart:
    names = [each.name for each in timeline.targets]
    scale = scale_of(timeline)
    until_s = timeline.ends_s if timeline.absences_until_s is None else timeline.absences_until_s
    traces = [
        strip("in use", names, [0.0] * len(names), [until_s * scale] * len(names), GREEN, "")
        | {"width": 0.1, "hoverinfo": "skip"}
    ]
    traces += [row for cause in STATES if (row := _absences(timeline, cause))]
    axes = layout(timeline, barmode="overlay", hovermode="closest")
    axes["yaxis"] |= {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": [label(name) for name in reversed(names)],
        "automargin": True,
        "showgrid": False,
    }
    how = "A row for each target: a thin line while it is in use, a thick bar while it is kept away."
    if timeline.absences_until_s is not None:
        until = moment(timeline.absences_until_s)
        how += f" There were too many changes to keep: none is shown after {until}."
    height_px = 96 + 34 * len(names)
    figure = {"data": traces, "layout": axes}
    return Chart("breakers", findings.breakers_finding(timeline), how, "targets", height_px, figure)


def _absences(timeline: Timeline, cause: AbsenceCause) -> Figure | None:
    found = [each for each in timeline.absences if each.cause is cause]
    if not found:
        return None
    (words, colour, pattern), scale = STATES[cause], scale_of(timeline)
    from_s = [each.from_s * scale for each in found]
    lasts = [(each.to_s - each.from_s) * scale for each in found]
    state = words.partition(":")[0]
    told = [
        f"{each.target}: {state} from {moment(each.from_s)} to {moment(each.to_s)} "
        f"({seconds(each.to_s - each.from_s)})"
        for each in found
    ]
    row = strip(words, [each.target for each in found], from_s, lasts, colour, pattern)
    if len(timeline.absences) > OUTLINED_MOST:
        row["marker"]["line"]["width"] = 0
    return row | {"hovertext": list(map(label, told)), "hoverinfo": "text"}


def _latency(key: str, finding: str, timeline: Timeline, spread: Spread) -> Chart:
    traces = [
        curve("slowest", spread.longest, timeline, "@muted", "dot", 1.0),
        curve("95 % within", spread.p95, timeline, ORANGE, "dash", 1.8),
        curve("half within", spread.p50, timeline, BLUE, "solid", 2.4),
    ]
    how = "From the request to the whole answer, by the time the request arrived."
    if key == "first-token":
        how = "From the request to the first token of its streamed answer, by the time the request arrived."
    elif timeline.oracle is not None:
        words = "half within, at best possible (oracle)"
        traces.append(curve(words, timeline.oracle.p50_s, timeline, GREEN, "dashdot", 1.8))
    axes = layout(timeline)
    axes["yaxis"] |= {"ticksuffix": " s", "hoverformat": ".3~f"}
    return Chart(key, finding, how, "seconds", 240, {"data": traces, "layout": axes})


def _cost(verdict: Verdict, timeline: Timeline, cost_nusd: Sequence[int]) -> Chart:
    traces = [curve("spent", [each / NUSD_PER_USD for each in cost_nusd], timeline, BLUE, "solid", 2.4)]
    how = "What all requests that had arrived by then cost, failed attempts included."
    if timeline.oracle is not None and timeline.oracle.cost_nusd is not None:
        best = [each / NUSD_PER_USD for each in timeline.oracle.cost_nusd]
        traces.append(curve("cheapest possible (oracle)", best, timeline, GREEN, "dashdot", 2.0))
        how += " The gap between the lines is the regret."
    for trace in traces:
        trace["x0"] = timeline.bin_s * scale_of(timeline)
    axes = layout(timeline, showlegend=len(traces) > 1)
    axes["yaxis"] |= {"tickprefix": "$", "hoverformat": ".4f"}
    finding = findings.cost_finding(verdict, timeline)
    return Chart("cost", finding, how, "dollars so far", 220, {"data": traces, "layout": axes})


def _drawn(timeline: Timeline) -> list[TargetLine]:
    """The targets, those with the fewest attempts drawn together where they are many."""
    lines = list(timeline.targets)
    if len(lines) <= TARGETS_MOST:
        return lines
    busiest = sorted(lines, key=lambda each: -sum(each.attempts))[: TARGETS_MOST - 1]
    rest = [each for each in lines if each not in busiest]
    together = (
        tuple(map(sum, zip(*(getattr(each, row) for each in rest), strict=True)))
        for row in ("attempts", "served", "failures")
    )
    return [*(each for each in lines if each in busiest), TargetLine(f"{len(rest)} others", *together)]


def _style(number: int) -> tuple[str, str]:
    return COLOURS[number % len(COLOURS)], PATTERNS[number % len(PATTERNS)]


def _per_bin(what: str, timeline: Timeline) -> str:
    minutes = timeline.bin_s / MINUTE_S
    width = f"{trimmed(minutes, 0)} min" if minutes >= 1.0 else f"{trimmed(timeline.bin_s, 2)} s"
    return f"{what} per {width}"
