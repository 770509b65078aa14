"""What a chart shows, as a sentence: its title, so that nobody has to find it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_uppercase

from failover.chaos.judging.timeline import Band, Timeline
from failover.chaos.judging.verdict import Verdict
from failover.core.prices import NUSD_PER_USD
from failover.report.figures import counted, dollars, listed, moment, percent, seconds

JOIN_S = 1.0
"""Absences that follow each other so closely are one."""

TWICE = 2

TOLD_MOST = 2
"""So many targets are told of in one sentence."""

PEAK_REQUESTS_MIN = 20
"""Of fewer requests a 95 % quantile says nothing."""

Span = tuple[float, float]


def letter(index: int) -> str:
    """The name of a band: A to Z, then A1 to Z1."""
    again, place = divmod(index, len(ascii_uppercase))
    return f"{ascii_uppercase[place]}{again or ''}"


def band_words(band: Band) -> str:
    """`outage of provider openai, from 300 s to 900 s`, and what it hits."""
    until = "to the end" if band.ends_s is None else f"to {moment(band.ends_s)}"
    share = "" if band.share == 1.0 else f"{percent(band.share)} of attempts, "
    hits = listed(list(band.hits)) or "nobody"
    kind = band.kind.replace("_", " ")
    return f"{kind} of {band.selector}, {share}from {moment(band.starts_s)} {until} (hits {hits})"


def away(timeline: Timeline, target: str) -> list[Span]:
    """When a target was kept away, by breaker, cooldown or retirement: seconds."""
    spans: list[Span] = []
    for each in timeline.absences:
        if each.target == target:
            if spans and each.from_s <= spans[-1][1] + JOIN_S:
                spans[-1] = spans[-1][0], max(spans[-1][1], each.to_s)
            else:
                spans.append((each.from_s, each.to_s))
    return spans


def requests_finding(verdict: Verdict, timeline: Timeline) -> str:
    """How many were served, and when the others arrived."""
    lost = verdict.requests - verdict.served
    if not verdict.requests:
        return "No request arrived"
    if not lost:
        return f"All {verdict.requests} requests were served"
    bins = [index for index, number in enumerate(timeline.unserved) if number]
    first_s = bins[0] * timeline.bin_s if bins else 0.0
    last_s = min(timeline.for_s, (bins[-1] + 1) * timeline.bin_s) if bins else 0.0
    when = f"between {moment(first_s)} and {moment(last_s)}"
    were = "was" if lost == 1 else "were"
    return (
        f"{verdict.served} of {verdict.requests} requests were served; {lost} that arrived {when} {were} not"
    )


def traffic_finding(timeline: Timeline) -> str:
    """Who was kept away, and who took over."""
    told = [
        (line.name, spans)
        for line in timeline.targets
        if (spans := away(timeline, line.name)) and any(line.attempts)
    ]
    if not told:
        shares = sorted(((sum(line.served), line.name) for line in timeline.targets), reverse=True)
        served = sum(timeline.served)
        if not served:
            return "Nobody served anything"
        return f"Nobody was kept away; {shares[0][1]} served {percent(shares[0][0] / served)} of the answers"
    sentences = [_absence(timeline, name, spans) for name, spans in told[:TOLD_MOST]]
    if len(told) > TOLD_MOST:
        rest = listed([name for name, _ in told[TOLD_MOST:]])
        sentences.append(f"so {'was' if len(told) == TOLD_MOST + 1 else 'were'} {rest}")
    return "; ".join(sentences)


def _absence(timeline: Timeline, name: str, spans: Sequence[Span]) -> str:
    longest = max(spans, key=lambda span: span[1] - span[0])
    until = "the end" if longest[1] >= timeline.for_s else moment(longest[1])
    when = f"from {moment(longest[0])} to {until}"
    if len(spans) > 1:
        total_s = sum(to_s - from_s for from_s, to_s in spans)
        times = "twice" if len(spans) == TWICE else f"{len(spans)} times"
        when = f"{times}, {moment(total_s)} in all, the longest {when}"
    return f"{name} was kept away {when}{_stand_in(timeline, name, longest)}"


def _stand_in(timeline: Timeline, name: str, span: Span) -> str:
    first, last = -int(-span[0] // timeline.bin_s), int(span[1] // timeline.bin_s)
    arrived = sum(timeline.arrivals[first:last])
    if not arrived:
        return ""
    shares = [
        (sum(each.served[first:last]) / arrived, each.name) for each in timeline.targets if each.name != name
    ]
    share, other = max(shares, default=(0.0, ""))
    lost = any(timeline.unserved[int(span[0] / timeline.bin_s) : last + 1])
    how_many = "all" if share == 1.0 and not lost else f"{min(max(round(share * 100.0), 1), 99)} %"
    return f", and {other} served {how_many} of the requests meanwhile" if share > 0.0 else ""


def failures_finding(verdict: Verdict) -> str:
    """Who failed how often, and how."""
    parts = []
    for name, target in verdict.targets.items():
        if target.failures:
            total = sum(target.failures.values())
            kinds = listed([f"{number} {kind}" for kind, number in target.failures.items()])
            parts.append(f"{counted(total, 'attempt')} at {name} failed ({kinds.replace('_', ' ')})")
    return "; ".join(parts) or "No attempt failed"


def latency_finding(verdict: Verdict, timeline: Timeline) -> str:
    """How long answers took, and when it was worst."""
    quantiles = verdict.latency_s
    if quantiles.p50 is None or quantiles.p95 is None:
        return "Nothing was served, so that nothing could be timed"
    line = f"Half of the answers were complete in {seconds(quantiles.p50)}, 95 % in {seconds(quantiles.p95)}"
    return line + _peak(timeline, timeline.latency_s.p95, quantiles.p95)


def first_token_finding(verdict: Verdict, timeline: Timeline) -> str:
    """When readers began to read."""
    quantiles, spread = verdict.first_token_s, timeline.first_token_s
    if quantiles.p50 is None or quantiles.p95 is None or spread is None:
        return "Nothing was streamed"
    line = f"Half of the first tokens came in {seconds(quantiles.p50)}, 95 % in {seconds(quantiles.p95)}"
    return line + _peak(timeline, spread.p95, quantiles.p95)


def _peak(timeline: Timeline, row: Sequence[float | None], usual_s: float) -> str:
    worst = max(
        (
            (value_s, index)
            for index, value_s in enumerate(row)
            if value_s is not None and timeline.served[index] >= PEAK_REQUESTS_MIN
        ),
        default=None,
    )
    if worst is None or worst[0] < 1.2 * usual_s:
        return ""
    return f"; it was worst around {moment((worst[1] + 0.5) * timeline.bin_s)}: 95 % in {seconds(worst[0])}"


def cost_finding(verdict: Verdict, timeline: Timeline) -> str:
    """What it cost, and what it could have cost."""
    if verdict.cost_usd is None:
        unpriced = [name for name, target in verdict.targets.items() if target.cost_usd is None]
        return f"The cost is not known: there is no price for {listed(unpriced) or 'a target'}"
    line = f"{dollars(verdict.cost_usd)} in all, {dollars(verdict.cost_per_1k_usd)} for 1000 requests"
    best_usd = verdict.oracle.cost_usd
    if best_usd is None and timeline.oracle is not None and timeline.oracle.cost_nusd is not None:
        best_usd = timeline.oracle.cost_nusd[-1] / NUSD_PER_USD
    return line if best_usd is None else f"{line}; {dollars(best_usd)} would have been possible"


def breakers_finding(timeline: Timeline) -> str:
    """Who was kept away, how often and how long."""
    parts = []
    for line in timeline.targets:
        if spans := away(timeline, line.name):
            total_s = sum(to_s - from_s for from_s, to_s in spans)
            times = {1: "once", TWICE: "twice"}.get(len(spans), f"{len(spans)} times")
            parts.append(f"{line.name} {times}, {moment(total_s)} in all")
    return f"Kept away: {'; '.join(parts)}" if parts else "Nobody was kept away"


def story(verdict: Verdict, timeline: Timeline) -> Iterator[str]:
    """The drill in a few sentences, for who reads nothing else."""
    yield f"{requests_finding(verdict, timeline)}."
    yield f"{traffic_finding(timeline)}."
    faults = [band for band in timeline.bands if band.is_fault]
    if faults and verdict.detected_after_s is not None:
        yield f"The router turned away from the first fault after {seconds(verdict.detected_after_s)}."
    if faults and verdict.recovered_after_s is not None:
        after = seconds(verdict.recovered_after_s)
        yield f"The preferred target served again {after} after the last fault had ended."
