"""All drills of a run as one HTML file that needs nothing else: no address is ever fetched.

The charting library stands in the file, and makes up most of its 5 MB. A content security policy lets
nothing run but the two scripts written here, and nothing load from anywhere.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files

from failover.chaos.judging.verdict import Conclusion, Refused, Skipped, Verdict
from failover.chaos.pictured import Pictured
from failover.report import tables
from failover.report.figures import counted
from failover.report.markup import Markup, tag
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
    from plotly.offline import get_plotlyjs

    ordered = sorted(drills, key=lambda drill: WORST_FIRST.index(_verdict(drill).verdict))
    plotly, page = Markup(get_plotlyjs()), Markup(_resource("page.js"))
    body = [_top(ordered, skipped, refused, made)]
    body += [
        section(_anchor(index), _verdict(drill), _picture(drill, index))
        for index, drill in enumerate(ordered)
    ]
    body.append(_glossary())
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(plotly, page)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", headline(ordered, skipped, refused)),
        tag("style", Markup(_resource("page.css"))),
    )
    scripts = tag("script", plotly), tag("script", page)
    document = tag("html", head, tag("body", tag("main", *body), *scripts), lang="en")
    return f"<!DOCTYPE html>\n{document}\n"


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


def _policy(*scripts: str) -> str:
    hashes = " ".join(f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in scripts)
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:"


def _resource(name: str) -> str:
    return files("failover.report").joinpath(name).read_text("utf-8")


def _anchor(index: int) -> str:
    return f"drill-{index + 1}"


def _verdict(drill: Verdict | Pictured) -> Verdict:
    return drill.verdict if isinstance(drill, Pictured) else drill


def _picture(drill: Verdict | Pictured, index: int) -> Pictured | None:
    return drill if isinstance(drill, Pictured) and index < PICTURED_MOST else None
