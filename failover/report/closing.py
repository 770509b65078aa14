"""What all drills together say, in plain words: which stories were come through, which not, and why.

Plain text: it is printed at the very end, when rich may be half imported.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from failover.chaos.judging.verdict import Conclusion, Skipped, Verdict
from failover.report.printable import printable

STORIES_MIN = 3
"""Fewer are seen at a glance."""

WIDTH = 80


def closing(verdicts: Sequence[Verdict], skipped: Sequence[Skipped]) -> list[str]:
    """Lines for who drilled several stories and did not come through all of them; else none."""
    told = len(verdicts) + len(skipped)
    passed = [each for each in verdicts if each.verdict is Conclusion.PASSED]
    if told < STORIES_MIN or len(passed) == told:
        return []
    return [f"Of {told} stories:", *_lines(verdicts, passed, skipped), ""]


def _lines(
    verdicts: Sequence[Verdict], passed: Sequence[Verdict], skipped: Sequence[Skipped]
) -> Iterator[str]:
    failed = [each for each in verdicts if each.verdict is Conclusion.FAILED]
    unknown = [each for each in verdicts if each.verdict is Conclusion.UNKNOWN]
    if passed:
        yield from _group(f"came through {len(passed)}", [each.scenario for each in passed])
    if failed:
        yield f"  did not come through {len(failed)}:"
        for each in failed:
            yield from _wrapped(f"{printable(each.scenario)}: {_loss(each)}", "      ")
    if unknown:
        yield from _group(f"nothing was shown in {len(unknown)}", [each.scenario for each in unknown])
    for reason in dict.fromkeys(each.reason for each in skipped):
        names = [each.name for each in skipped if each.reason == reason]
        yield from _group(f"skipped {len(names)}, {printable(reason)}", names)


def _group(what: str, names: Sequence[str]) -> Iterator[str]:
    yield f"  {what}:"
    yield from _wrapped(", ".join(map(printable, names)))


def _loss(verdict: Verdict) -> str:
    """What was served, and whose it is that it was not more."""
    ours, best = verdict.success_ratio, verdict.oracle.success_ratio
    if ours is None or best is None:
        return "no request arrived"
    unmet = [each for each in verdict.expectations if not each.ok]
    served = f"served {_percent(ours)}{_worst_route(verdict)}"
    asked = [each.limit for each in unmet if each.name == "success_ratio_min"]
    if asked and best < max(asked):
        return f"{served}, and nobody could have served more than {_percent(best)} with these targets"
    if asked or any(each.name == "regret_success_ratio_max" for each in unmet):
        return f"{served} of {_percent(best)} that could have been"
    names = ", ".join(each.name for each in unmet)
    return f"{served}, and not as expected: {names}" if names else f"{served}, and an invariant is violated"


def _worst_route(verdict: Verdict) -> str:
    ratios = {name: route.success_ratio for name, route in verdict.routes.items()}
    known = {name: ratio for name, ratio in ratios.items() if ratio is not None}
    if len(set(known.values())) <= 1:  # of one route alone the share is that of all
        return ""
    worst = min(known, key=lambda name: known[name])
    return f" (route {printable(worst)}: {_percent(known[worst])})"


def _percent(share: float) -> str:
    return f"{share * 100.0:.2f} %"


def _wrapped(text: str, later: str = "    ") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="    ",
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
