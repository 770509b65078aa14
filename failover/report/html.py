"""All drills of a run as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from failover.chaos.judging.verdict import Conclusion, Refused, Skipped, Verdict
from failover.chaos.pictured import Pictured
from failover.report import tables
from failover.report.figures import counted
from failover.report.markup import Markup, tag
from failover.report.page import page
from failover.report.plain_words import GLOSSARY
from failover.report.sections import section
from failover.report.totals import totals

PICTURED_MOST = 150
"""Of more drills only so many have charts, those that did not pass first; the page says so."""

WORST_FIRST = (Conclusion.FAILED, Conclusion.UNKNOWN, Conclusion.PASSED)


def html_report(
    drills: Sequence[Verdict | Pictured],
    skipped: Sequence[Skipped] = (),
    refused: Sequence[Refused] = (),
    *,
    made: str = "",
) -> str:
    """The page as text. `made` says by what and when; a drill without its picture has no charts."""
    ordered = sorted(drills, key=lambda drill: WORST_FIRST.index(_verdict(drill).verdict))
    body = [_top(ordered, skipped, refused, made)]
    body += [
        section(_anchor(index), _verdict(drill), _picture(drill, index))
        for index, drill in enumerate(ordered)
    ]
    body.append(_glossary())
    return page(headline(ordered, skipped, refused), *body)


def headline(
    drills: Sequence[Verdict | Pictured], skipped: Sequence[Skipped], refused: Sequence[Refused]
) -> str:
    """`1 of 11 drills failed`: the whole run in a line."""
    words = [_verdict(drill).verdict for drill in drills]
    failed, unknown = words.count(Conclusion.FAILED), words.count(Conclusion.UNKNOWN)
    if failed:
        return f"{failed} of {counted(len(words), 'drill')} failed"
    if unknown or refused:
        return f"{unknown + len(refused)} of {counted(len(words) + len(refused), 'drill')} showed nothing"
    if not words:
        return "Nothing was drilled"
    return "The drill passed" if len(words) == 1 else f"All {len(words)} drills passed"


def _top(
    drills: Sequence[Verdict | Pictured], skipped: Sequence[Skipped], refused: Sequence[Refused], made: str
) -> Markup:
    verdicts = [_verdict(drill) for drill in drills]
    parts = [
        tag("h1", headline(drills, skipped, refused)),
        tag("p", f"Drills of failover: {totals(verdicts, skipped, refused)}. {made}", class_="about"),
    ]
    if verdicts:
        parts.append(tables.overview([(_anchor(index), each) for index, each in enumerate(verdicts)]))
    if len(verdicts) > PICTURED_MOST:
        parts.append(tag("p", f"Only the first {PICTURED_MOST} drills of this table have charts below."))
    for title, names in (
        ("Not drilled, since they do not apply here", [(each.name, (each.reason,)) for each in skipped]),
        ("Could not be drilled", [(each.name, each.complaints) for each in refused]),
    ):
        if names:
            rows = [tag("li", tag("b", name), ": ", "; ".join(why)) for name, why in names]
            parts += [tag("h3", title), tag("ul", *rows)]
    parts.append(tag("noscript", tag("p", "The charts are drawn by a script, and none may run here.")))
    return tag("header", *parts, id="top")


def _glossary() -> Markup:
    pairs = [tag("div", tag("dt", word), tag("dd", meaning)) for word, meaning in GLOSSARY.items()]
    return tag("footer", tag("h2", "Words used here"), tag("dl", *pairs, class_="glossary"))


def _anchor(index: int) -> str:
    return f"drill-{index + 1}"


def _verdict(drill: Verdict | Pictured) -> Verdict:
    return drill.verdict if isinstance(drill, Pictured) else drill


def _picture(drill: Verdict | Pictured, index: int) -> Pictured | None:
    return drill if isinstance(drill, Pictured) and index < PICTURED_MOST else None
