"""The section of one drill in the HTML report."""

from __future__ import annotations

from collections.abc import Iterator

from failover.chaos.judging.excerpts import Excerpt, ExcerptLine
from failover.chaos.judging.expectations import ExpectationResult
from failover.chaos.judging.timeline import Band, Timeline
from failover.chaos.judging.verdict import Conclusion, Verdict
from failover.chaos.pictured import Pictured
from failover.report import tables
from failover.report.charts import charts
from failover.report.figures import dollars, moment, percent, seconds
from failover.report.findings import band_words, letter, story
from failover.report.markup import Markup, join, prose, tag
from failover.report.page import picture as picture_of
from failover.report.plain_words import CONCLUSIONS, told


def section(anchor: str, verdict: Verdict, picture: Pictured | None) -> Markup:
    """Everything about one drill; without its picture only what the verdict tells."""
    parts = [_head(verdict, picture), _reasons(verdict), _command(verdict), _tiles(verdict)]
    if picture is not None:
        parts += [_story(verdict, picture.timeline), *_charts(anchor, picture), *_excerpts(picture)]
    parts += [
        tag("h3", "What was expected"),
        tables.expectations(verdict),
        tag("h3", "Compared with the best possible"),
        tables.regret(verdict),
        tag("h3", "What each target did"),
        tables.targets(verdict),
        _folded("Rules that must hold in every drill", tables.invariants(verdict), opened=_broken(verdict)),
        _folded("What the drill exercised", tables.coverage(verdict), opened=False),
        tag("p", tag("a", "↑ all drills", href="#top"), class_="back"),
    ]
    return tag("section", *parts, id=anchor, class_=f"drill {verdict.verdict.value}")


def _head(verdict: Verdict, picture: Pictured | None) -> Markup:
    about = f"{verdict.mode}, seed {verdict.seed}, {moment(verdict.simulated_s)} of virtual time"
    title = picture.title if picture is not None and picture.title else ""
    return join(
        tag("h2", tables.badge(verdict.verdict), " ", verdict.scenario),
        tag("p", title, class_="title") if title else "",
        tag("p", about, class_="about"),
    )


def _reasons(verdict: Verdict) -> Markup:
    """Why, in plain words; the words of the log stay within reach."""
    lines = [told(each).sentence for each in verdict.expectations if not each.ok]
    lines += [
        f"Rule broken, {each.name}: {each.violations[0]}" for each in verdict.invariants if each.violations
    ]
    known = {_start(each) for each in verdict.expectations}
    known |= {f"invariant {each.name} " for each in verdict.invariants}
    lines += [reason for reason in verdict.reasons if not reason.startswith(tuple(known))]
    if verdict.verdict is Conclusion.PASSED:
        return tag("p", CONCLUSIONS[verdict.verdict], class_="conclusion")
    items = tag("ul", *(tag("li", prose(line)) for line in lines))
    return tag("div", tag("p", CONCLUSIONS[verdict.verdict]), items, class_="conclusion")


def _start(result: ExpectationResult) -> str:
    return f"expectation {result.name}:"


def _command(verdict: Verdict) -> Markup:
    code = tag("code", verdict.reproduce)
    button = tag("button", "copy", type="button", class_="copy", aria_label="copy the command")
    return tag("div", tag("span", "Run it again, the very same:"), code, button, class_="command")


def _tiles(verdict: Verdict) -> Markup:
    figures = [
        ("served", percent(verdict.success_ratio), f"{verdict.served} of {verdict.requests}"),
        ("95 % within", seconds(verdict.latency_s.p95), f"half within {seconds(verdict.latency_s.p50)}"),
        ("cost", dollars(verdict.cost_usd), f"{dollars(verdict.cost_per_1k_usd)} for 1000 requests"),
        ("attempts", str(verdict.attempts), f"{verdict.fallbacks} fallbacks, {verdict.retries} retries"),
        ("regret", percent(verdict.regret.success_ratio), "served less than was possible"),
    ]
    if verdict.first_token_s.p95 is not None:
        half = f"half within {seconds(verdict.first_token_s.p50)}"
        figures.insert(2, ("first token, 95 % within", seconds(verdict.first_token_s.p95), half))
    if any(each.is_fault for each in verdict.coverage.injections):
        figures.append(("detected after", seconds(verdict.detected_after_s), "the first fault began"))
        figures.append(("recovered after", seconds(verdict.recovered_after_s), "the last fault ended"))
    tiles = [
        tag("div", tag("dt", prose(name)), tag("dd", prose(value), tag("small", prose(more))))
        for name, value, more in figures
    ]
    return tag("dl", *tiles, class_="tiles")


def _story(verdict: Verdict, timeline: Timeline) -> Markup:
    told_words = " ".join(story(verdict, timeline))
    bands = [
        tag(
            "li",
            tag("b", letter(index)),
            " ",
            band_words(band),
            class_="fault" if band.is_fault else "change",
        )
        for index, band in enumerate(timeline.bands)
    ]
    legend = tag("ul", *bands, class_="bands") if bands else tag("p", "Nothing was injected.")
    return join(
        tag("h3", "What happened"),
        tag("p", prose(told_words)),
        tag("p", "Injected, and shaded in every chart:", class_="how") if bands else "",
        legend,
    )


def _band(index: int, band: Band) -> Markup:
    kind = "fault" if band.is_fault else "change"
    return tag("li", tag("b", letter(index)), " ", prose(band_words(band)), class_=kind)


def _excerpts(picture: Pictured) -> Iterator[Markup]:
    """One box for each moment, also where it explains several limits."""
    moments: dict[tuple[str, tuple[ExcerptLine, ...]], list[Excerpt]] = {}
    for excerpt in picture.excerpts:
        moments.setdefault((excerpt.why, excerpt.lines), []).append(excerpt)
    if moments:
        yield tag("h3", "The journal where it did not hold")
    for index, same in enumerate(moments.values()):
        names = [f"{'rule' if each.is_invariant else 'expectation'} {each.about}" for each in same]
        title = tag("summary", tag("b", ", ".join(names)), ": ", same[0].why)
        yield tag("details", title, _journal(same[0]), class_="excerpt", open=index == 0)


def _journal(excerpt: Excerpt) -> Markup:
    if not excerpt.lines:
        return tag("p", "The journal holds nothing about it.", class_="how")
    rows = [
        tag("li", tag("time", f"{line.at_s:.3f} s"), tag("span", line.text), class_=_weight(line.text))
        for line in excerpt.lines
    ]
    if excerpt.left_out:
        rows.insert(
            excerpt.cut_after,
            tag("li", tag("time", "…"), tag("span", f"{excerpt.left_out} events are left out here")),
        )
    return tag("ol", *rows, class_="journal")


def _weight(line: str) -> str:
    return "bad" if " failed " in line or "NOT served" in line else ""


def _charts(anchor: str, picture: Pictured) -> Iterator[Markup]:
    yield tag("h3", "How it went")
    for chart in charts(picture.verdict, picture.timeline):
        name = f"{anchor}-{chart.key}"
        words = chart.finding, chart.how
        yield picture_of(name, chart.figure, *words, unit=chart.unit, height_px=chart.height_px)


def _folded(title: str, content: Markup, *, opened: bool) -> Markup:
    return tag("details", tag("summary", tag("h3", title)), content, open=opened)


def _broken(verdict: Verdict) -> bool:
    return any(each.violations for each in verdict.invariants)
