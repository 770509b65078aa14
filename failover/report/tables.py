"""The tables of the HTML report: each scrolls or restacks where the screen is narrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from failover.chaos.judging.regret import Figures
from failover.chaos.judging.verdict import Conclusion, Verdict
from failover.report.figures import NOTHING, dollars, percent, seconds
from failover.report.markup import Markup, join, tag
from failover.report.plain_words import SIGNS, rule, told

Row = Sequence[str]

COLUMNS: tuple[tuple[str, str], ...] = (
    ("result", "passed, failed, or unknown: nothing was shown"),
    ("scenario", "The story that was drilled; leads to its section"),
    ("mode", "simulate: the deciding code alone; replay: the whole router. Both in virtual time"),
    ("seed", "What chance depends on"),
    ("served", "Share of the requests that got an answer"),
    ("oracle", "The share that a router which knows the future could have served"),
    ("regret", "What the oracle would have served beyond us"),
    ("95 % within", "Time in which 95 % of the answers were complete"),
    ("cost", "What all attempts cost"),
    ("detected", "From the start of the first fault until a target was kept away because of it"),
    ("recovered", "From the end of the last fault until the preferred target served again"),
)


def table(head: Row, rows: Iterable[Row], *, caption: str = "", class_: str = "plain") -> Markup:
    """A table that scrolls inside its box."""
    named = [tag("th", word, scope="col") for word in head]
    body = [
        tag("tr", *(tag("td", cell, data_label=label) for label, cell in zip(head, row, strict=True)))
        for row in rows
    ]
    parts = [tag("caption", caption)] if caption else []
    inner = tag("table", *parts, tag("thead", tag("tr", *named)), tag("tbody", *body), class_=class_)
    return tag("div", inner, class_="scrolls", tabindex="0", role="region", aria_label=caption or "table")


def badge(conclusion: Conclusion) -> Markup:
    """The verdict's word, its sign and its colour."""
    return tag("span", f"{SIGNS[conclusion]} {conclusion.value}", class_=f"badge {conclusion.value}")


def overview(verdicts: Sequence[tuple[str, Verdict]]) -> Markup:
    """All drills, each with the anchor of its section."""
    head = [tag("th", tag("abbr", name, title=why), scope="col") for name, why in COLUMNS]
    rows = [_overview_row(anchor, verdict) for anchor, verdict in verdicts]
    inner = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows), class_="cards")
    return tag("div", inner, class_="scrolls")


def _overview_row(anchor: str, verdict: Verdict) -> Markup:
    cells = (
        badge(verdict.verdict),
        tag("a", verdict.scenario, href=f"#{anchor}"),
        verdict.mode,
        str(verdict.seed),
        percent(verdict.success_ratio),
        percent(verdict.oracle.success_ratio),
        percent(verdict.regret.success_ratio),
        seconds(verdict.latency_s.p95),
        dollars(verdict.cost_usd),
        seconds(verdict.detected_after_s),
        seconds(verdict.recovered_after_s),
    )
    named = zip(COLUMNS, cells, strict=True)
    return tag("tr", *(tag("td", cell, data_label=name) for (name, _), cell in named))


def expectations(verdict: Verdict) -> Markup:
    """What was asked and what was measured."""
    if not verdict.expectations:
        return tag("p", "This scenario expects nothing beside the rules.")
    rows = []
    for each in verdict.expectations:
        words = told(each)
        met = tag("span", "✔ met" if each.ok else "✘ missed", class_="yes" if each.ok else "no")
        rows.append((met, tag("abbr", words.what, title=each.name), words.limit, words.measured))
    return table(("", "what", "expected", "measured"), rows, class_="plain words")


def invariants(verdict: Verdict) -> Markup:
    """The rules, how often they applied, and where they were broken."""
    rows: list[Row] = []
    for each in verdict.invariants:
        kept = "✔ kept" if each.checked else "– no occasion"
        word = tag("span", "✘ broken", class_="no") if each.violations else tag("span", kept, class_="yes")
        violations = join(*(tag("div", line, class_="violation") for line in each.violations))
        about = join(tag("abbr", rule(each.name), title=each.name), violations)
        rows.append((word, about, str(each.checked), str(_violations(each.violations))))
    return table(("", "rule", "checked", "broken"), rows, class_="plain words")


def _violations(lines: Sequence[str]) -> int:
    """How often: the last line may count those that are not told."""
    if lines and lines[-1].startswith("and ") and lines[-1].endswith(" more"):
        return len(lines) - 1 + int(lines[-1].split()[1])
    return len(lines)


def regret(verdict: Verdict) -> Markup:
    """Ours beside the best that was possible."""
    rows = list(_regret_rows(verdict.oracle, verdict.regret))
    note = "The oracle knows the future: what it could not do, nobody could."
    if not rows:
        return tag("p", "The oracle was not asked.")
    return join(table(("", "best possible", "what we missed by"), rows), tag("p", note, class_="how"))


def _regret_rows(oracle: Figures, missed: Figures) -> Iterator[Row]:
    rows = (
        ("requests served", oracle.success_ratio, missed.success_ratio, percent),
        ("cost", oracle.cost_usd, missed.cost_usd, dollars),
        ("time to the answer", oracle.latency_s, missed.latency_s, seconds),
    )
    for what, best, by, shown in rows:
        if best is not None:
            yield what, shown(best), shown(by)


def targets(verdict: Verdict) -> Markup:
    """What each target did."""
    rows = [
        (
            name,
            str(each.attempts),
            str(each.served),
            ", ".join(f"{number} {kind}" for kind, number in each.failures.items()) or NOTHING,
            dollars(each.cost_usd),
        )
        for name, each in verdict.targets.items()
    ]
    return table(("target", "attempts", "served", "failed attempts", "cost"), rows)


def coverage(verdict: Verdict) -> Markup:
    """What the drill exercised: a path that was not tried is not shown to hold."""
    seen = verdict.coverage
    rows = [
        ("fallbacks from one target to the next", _counts(seen.fallback_edges)),
        ("breaker changes", _counts(seen.breaker_transitions)),
        ("kinds of failure", _counts(seen.failures)),
        ("what followed from them", _counts(seen.dispositions)),
        ("errors that callers saw", _counts(verdict.errors)),
    ]
    met = [
        (
            f"{each.kind} of {each.selector}",
            "yes" if each.exercised else "NO: it shows nothing",
            str(each.attempts),
        )
        for each in seen.injections
    ]
    parts = [table(("what was exercised", "how often"), rows, class_="plain words")]
    if met:
        parts.append(table(("injection", "was met", "attempts that met it"), met))
    return join(*parts)


def _counts(counts: object) -> str:
    items = counts.items() if hasattr(counts, "items") else ()
    return ", ".join(f"{name} × {number}" for name, number in items) or NOTHING
