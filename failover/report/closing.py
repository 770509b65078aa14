"""What all drills together say, in plain words: which stories were come through, which not, and why.

Plain text: it is printed at the very end, when rich may be half imported.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from failover.chaos.judging.verdict import Conclusion, Skipped, Verdict
from failover.report.printable import printable

STORIES_MIN = 3
"""Fewer are seen at a glance."""

WIDTH = 80


def closing(verdicts: Sequence[Verdict], skipped: Sequence[Skipped]) -> list[str]:
    """Lines for who drilled several stories and did not come through all of them; else none.

    A story that was drilled several times, with other seeds or modes, was come through when all passed.
    """
    stories: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        stories.setdefault(verdict.scenario, []).append(verdict)
    told = {*stories, *(each.name for each in skipped)}
    passed = [name for name, drills in stories.items() if not _not_passed(drills)]
    if len(told) < STORIES_MIN or len(passed) == len(told):
        return []
    return [f"Of {len(told)} stories:", *_lines(stories, passed, skipped), ""]


def _lines(
    stories: Mapping[str, Sequence[Verdict]], passed: Sequence[str], skipped: Sequence[Skipped]
) -> Iterator[str]:
    failed = [name for name, drills in stories.items() if _failed(drills)]
    unknown = [name for name in stories if name not in passed and name not in failed]
    if passed:
        yield from _group(f"came through {len(passed)}", passed)
    if failed:
        yield f"  did not come through {len(failed)}:"
        for name in failed:
            yield from _wrapped(f"{printable(name)}: {_worst(stories[name])}", "      ")
    if unknown:
        yield from _group(f"nothing was shown in {len(unknown)}", unknown)
    for reason in dict.fromkeys(each.reason for each in skipped):
        names = [each.name for each in skipped if each.reason == reason]
        yield from _group(f"skipped {len(names)}, {printable(reason)}", names)


def _not_passed(drills: Sequence[Verdict]) -> list[Verdict]:
    return [each for each in drills if each.verdict is not Conclusion.PASSED]


def _failed(drills: Sequence[Verdict]) -> list[Verdict]:
    return [each for each in drills if each.verdict is Conclusion.FAILED]


def _worst(drills: Sequence[Verdict]) -> str:
    """Of several drills, the one that served least."""
    failed = _failed(drills)
    worst = min(failed, key=lambda each: each.success_ratio or 0.0)
    if len(drills) == 1:
        return _loss(worst)
    return f"failed {len(failed)} of {len(drills)} times; with seed {worst.seed} {_loss(worst)}"


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
