"""The journal around each expectation and invariant that does not hold: what to read first.

Which moment explains a broken limit is one table below; a drill that passed needs no explanation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import orjson

from failover.chaos.judging.event_lines import event_line
from failover.chaos.judging.expectations import ExpectationResult
from failover.chaos.judging.moments import NONE, Moments, Story, Violation
from failover.chaos.judging.verdict import Verdict
from failover.core.events import Event, WaitStarted

LINES_MOST = 60
"""A longer story is cut in its middle."""


@dataclass(frozen=True, slots=True)
class ExcerptLine:
    """One event: its time in seconds, a line for people, and the journal's own object."""

    at_s: float
    text: str
    record: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What happened around a broken rule. `about` is its name, `why` says why this moment was chosen.

    `left_out` lines are missing after line `cut_after`, since there were too many.
    """

    about: str
    is_invariant: bool
    why: str
    lines: tuple[ExcerptLine, ...]
    left_out: int
    cut_after: int


Moment = tuple[str, Story]
Finder = Callable[[Moments], Moment]


def excerpts(verdict: Verdict, moments: Moments) -> tuple[Excerpt, ...]:
    """One for each invariant and expectation of `verdict` that does not hold, in its order."""
    violations = moments.violations()
    broken = [
        _excerpt(each.name, _violation(violations[each.name]), is_invariant=True)
        for each in verdict.invariants
        if each.violations and each.name in violations
    ]
    unmet = [_excerpt(each.name, _unmet(each, moments)) for each in verdict.expectations if not each.ok]
    return (*broken, *unmet)


def _excerpt(about: str, moment: Moment, *, is_invariant: bool = False) -> Excerpt:
    why, story = moment
    told = _lines(story)
    half, left_out = LINES_MOST // 2, max(0, len(told) - LINES_MOST)
    shown = [*told[:half], *told[-half:]] if left_out else told
    return Excerpt(about, is_invariant, why, tuple(shown), left_out, half if left_out else len(shown))


def _lines(story: Story) -> list[ExcerptLine]:
    """A line for each event; a call that waits and waits is told once."""
    lines = []
    for kind, group in groupby(story, key=type):
        events = list(group)
        if kind is WaitStarted and len(events) > 1:
            often = f", and again up to {events[-1].at_s:.3f} s ({len(events)} times in all)"
            first = events[0]
            lines.append(ExcerptLine(first.at_s, event_line(first) + often, _record(first)))
        else:
            lines += [ExcerptLine(event.at_s, event_line(event), _record(event)) for event in events]
    return lines


def _record(event: Event) -> dict[str, Any]:
    return {"event": event.event, **orjson.loads(orjson.dumps(event))}


def _violation(violation: Violation) -> Moment:
    if violation.call == NONE:
        return (
            f"It was first broken at {violation.at_s:.3f} s; this is what happened before, as far as kept.",
            violation.story,
        )
    return (
        f"It was first broken at {violation.at_s:.3f} s in call {violation.call}: this is that whole call.",
        violation.story,
    )


def _unmet(result: ExpectationResult, moments: Moments) -> Moment:
    key, _, of = result.name.partition(".")
    if key == "served_share_min":
        return _kept_from(of, moments)
    if key == "served_share_max":
        return f"The first call that {of} served.", moments.first_served.get(of, ())
    why, story = _FINDERS.get(key, _fault_began)(moments)
    return (why, story) if story else _fault_began(moments)


def _kept_from(target: str, moments: Moments) -> Moment:
    story = moments.first_failure.get(target, ())
    if story:
        return f"The first call in which an attempt at {target} failed.", story
    others = (each for name, each in moments.first_served.items() if name != target)
    return f"The first call that another target than {target} served.", next(others, ())


def _fault_began(moments: Moments) -> Moment:
    why = "What followed the start of the first injection: failures, probes, breakers, cooldowns."
    return why, tuple(moments.fault_began)


def _fault_ended(moments: Moments) -> Moment:
    why = "What followed the end of the last injection that ended: failures, probes, breakers, cooldowns."
    return why, tuple(moments.fault_ended)


_FINDERS: Mapping[str, Finder] = {
    "success_ratio_min": lambda kept: ("The first call that was not served.", kept.first_unserved),
    "regret_success_ratio_max": lambda kept: ("The first call that was not served.", kept.first_unserved),
    "latency_p95_max_s": lambda kept: ("The served call that took longest.", kept.slowest.story),
    "first_token_p95_max_s": lambda kept: (
        "The served call whose first token came last.",
        kept.slowest_first_token.story,
    ),
    "cost_per_1k_max_usd": lambda kept: ("The call that cost most.", kept.dearest.story),
    "amplification_max": lambda kept: ("The call with the most attempts.", kept.most_attempts.story),
    "detected_within_s": _fault_began,
    "recovered_within_s": _fault_ended,
    "sometimes": _fault_began,
}
