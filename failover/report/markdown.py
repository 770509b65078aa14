"""A run's drills for a pull request: GitHub's Markdown, short enough for one comment.

Names come from files: in tables they stand in code spans, where nothing is markup, a mention or a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from failover.chaos.judging.timeline import Band, Timeline
from failover.chaos.judging.verdict import Conclusion, Refused, Skipped, Verdict
from failover.chaos.pictured import Pictured
from failover.report.figures import dollars, percent, seconds
from failover.report.findings import band_words, letter
from failover.report.plain_words import SIGNS, told
from failover.report.printable import printable
from failover.report.totals import totals

CHARACTERS_MOST = 60_000
"""GitHub refuses a comment of more than 65,536."""

ROWS_MOST, ROW_SHARE = 150, 0.4
"""At most so many rows in the table, in so much of the page."""

VIOLATIONS_MOST = 5
BLOCK_MOST, WORDS_MOST = 12_000, 600
"""A code block or a sentence longer than this is cut."""

COLUMNS_DRAWN, BANDS_MOST = 60, 10
BLOCKS = " ▁▂▃▄▅▆▇█"
WORST_FIRST = (Conclusion.FAILED, Conclusion.UNKNOWN, Conclusion.PASSED)
HEAD = ("", "scenario", "served", "oracle", "regret", "95 % within", "cost", "detected", "recovered")


def markdown_report(
    drills: Sequence[Verdict | Pictured], skipped: Sequence[Skipped] = (), refused: Sequence[Refused] = ()
) -> str:
    """The page as text; what was cut off is said at its place."""
    ordered = sorted(drills, key=lambda drill: WORST_FIRST.index(_verdict(drill).verdict))
    verdicts = [_verdict(drill) for drill in ordered]
    parts = [f"## Drills: {totals(verdicts, skipped, refused)}\n", *_table(verdicts)]
    length = sum(map(len, parts))
    blocks = [*(_explained(drill) for drill in ordered if not _passed(drill)), *_refused(refused)]
    for index, block in enumerate(blocks):
        if length + len(block) > CHARACTERS_MOST:
            parts.append(f"\n_{len(blocks) - index} more are not told here: the other reports hold them._\n")
            break
        parts.append(block)
        length += len(block)
    return "".join(parts)


def _table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    if not verdicts:
        return
    yield f"\n| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}\n"
    length = 0
    for index, verdict in enumerate(verdicts):
        row = f"| {' | '.join(_cells(verdict))} |\n"
        length += len(row)
        if index == ROWS_MOST or length > CHARACTERS_MOST * ROW_SHARE:
            yield f"\n_{len(verdicts) - index} more drills are not in this table._\n"
            return
        yield row


def _cells(verdict: Verdict) -> tuple[str, ...]:
    return (
        f"{SIGNS[verdict.verdict]} {verdict.verdict.value}",
        f"{in_table(code(verdict.scenario))} {verdict.mode}, seed {verdict.seed}",
        percent(verdict.success_ratio),
        percent(verdict.oracle.success_ratio),
        percent(verdict.regret.success_ratio),
        seconds(verdict.latency_s.p95),
        dollars(verdict.cost_usd),
        seconds(verdict.detected_after_s),
        seconds(verdict.recovered_after_s),
    )


def _explained(drill: Verdict | Pictured) -> str:
    verdict = _verdict(drill)
    lines = [f"\n### {SIGNS[verdict.verdict]} {code(verdict.scenario)} {verdict.verdict.value}\n\n"]
    lines += [f"- {prose(told(each).sentence)}\n" for each in verdict.expectations if not each.ok]
    known = tuple(f"expectation {each.name}:" for each in verdict.expectations)
    lines += [f"- {prose(reason)}\n" for reason in verdict.reasons if not reason.startswith(known)]
    for invariant in verdict.invariants:
        told_again = invariant.violations[1:VIOLATIONS_MOST]
        lines += [f"  - {prose(violation)}\n" for violation in told_again]
        if len(invariant.violations) > VIOLATIONS_MOST:
            lines.append("  - and more: the JSON report lists them\n")
    if isinstance(drill, Pictured):
        lines.append("\n" + fenced(_sketch(drill.timeline)))
    lines.append("\n" + fenced(printable(verdict.reproduce), "sh"))
    return "".join(lines)


def _refused(refused: Sequence[Refused]) -> Iterator[str]:
    for each in refused:
        lines = [f"- {prose(complaint)}\n" for complaint in each.complaints]
        yield "".join([f"\n### {code(each.name)} could not be drilled\n\n", *lines])


def _sketch(timeline: Timeline) -> str:
    """A picture of letters: what was served, and below it a row for each injection."""
    length = len(timeline.arrivals)
    columns = min(COLUMNS_DRAWN, length)
    edges = [round(column * length / columns) for column in range(columns + 1)]
    parts = [slice(start, stop) for start, stop in pairwise(edges)]
    rows = [f"{''.join(_height(timeline, part) for part in parts)}  served"]
    for index, band in enumerate(timeline.bands[:BANDS_MOST]):
        marks = [letter(index)[0] if _lies_in(band, part, timeline.bin_s) else "·" for part in parts]
        words = f"{letter(index)} {printable(band_words(band))}"
        rows.append(f"{''.join(marks)}  {words[:WORDS_MOST]}")
    if len(timeline.bands) > BANDS_MOST:
        rows.append(f"and {len(timeline.bands) - BANDS_MOST} more injections")
    return "\n".join(rows)


def _height(timeline: Timeline, part: slice) -> str:
    arrived, served = sum(timeline.arrivals[part]), sum(timeline.served[part])
    return BLOCKS[round(served / arrived * (len(BLOCKS) - 1))] if arrived else "·"


def _lies_in(band: Band, part: slice, bin_s: float) -> bool:
    return band.starts_s < part.stop * bin_s and (band.ends_s is None or band.ends_s > part.start * bin_s)


def code(words: str) -> str:
    """A code span that nothing in `words` can end."""
    shown = printable(words)[:WORDS_MOST]
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if "`" in shown or not shown.strip() else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def in_table(words: str) -> str:
    """What a cell may hold: a bar would end it, even inside of a code span."""
    return words.replace("|", "\\|")


def prose(words: str) -> str:
    """Words as they are: no markup, no HTML, and nobody is notified of them."""
    shown = printable(words)
    shown = shown if len(shown) <= WORDS_MOST else f"{shown[:WORDS_MOST]}…"
    shown = re.sub(r"([\\`*_{}\[\]#|~$]|^[-+!=]|:(?=[\w/])|^\d+(?=[.)]))", _escaped, shown)
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # An empty comment keeps GitHub from reading a mention or a link to an issue into them.
    return shown.replace("@", "@<!-- -->").replace("\\#", "\\#<!-- -->")


def _escaped(found: re.Match[str]) -> str:
    """A backslash before punctuation; after a number, so that it begins no list."""
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def fenced(words: str, language: str = "text") -> str:
    """A code block that nothing in `words` can end."""
    shown = words if len(words) <= BLOCK_MOST else f"{words[:BLOCK_MOST]}…"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence}{language}\n{shown}\n{fence}\n"


def _verdict(drill: Verdict | Pictured) -> Verdict:
    return drill.verdict if isinstance(drill, Pictured) else drill


def _passed(drill: Verdict | Pictured) -> bool:
    return _verdict(drill).verdict is Conclusion.PASSED
