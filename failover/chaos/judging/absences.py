"""When a target was not simply in use: its breaker open or probed, cooling down, or retired."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from failover.core.breaker import CLOSED, OPEN
from failover.core.calendar_events import RetirementReached
from failover.core.events import BreakerChanged, CooldownStarted, TargetRetired

ABSENCES_MOST = 3000
"""More are no picture any more: what comes later is not kept, and said to be missing."""


class AbsenceCause(StrEnum):
    """Why a target was away: `half_open` lets single requests through."""

    OPEN = "open"
    HALF_OPEN = "half_open"
    COOLDOWN = "cooldown"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Absence:
    """A target was away from `from_s` to `to_s`, in seconds."""

    target: str
    cause: AbsenceCause
    from_s: float
    to_s: float


class AbsenceTally:
    """Listens to what keeps targets away. `cut_off_s`: from then on nothing was kept, None: all was."""

    def __init__(self) -> None:
        self.cut_off_s: float | None = None
        self._kept: list[Absence] = []
        self._breakers: dict[str, tuple[AbsenceCause, float]] = {}
        self._cooling: dict[str, tuple[float, float]] = {}
        self._retired: dict[str, float] = {}

    def breaker_changed(self, event: BreakerChanged) -> None:
        """One state ends, another begins."""
        before = self._breakers.pop(event.target, None)
        if before is not None:
            self._keep(event.target, before[0], before[1], event.at_s)
        if event.state_to != CLOSED:
            cause = AbsenceCause.OPEN if event.state_to == OPEN else AbsenceCause.HALF_OPEN
            self._breakers[event.target] = cause, event.at_s

    def cooldown_started(self, event: CooldownStarted) -> None:
        """A target asked to be left alone; once more while it cools down makes it longer."""
        for target in event.targets:
            from_s, until_s = self._cooling.get(target, (event.at_s, -inf))
            if until_s < event.at_s:
                if until_s > -inf:
                    self._keep(target, AbsenceCause.COOLDOWN, from_s, until_s)
                from_s = event.at_s
            self._cooling[target] = from_s, max(until_s, event.until_s)

    def target_retired(self, event: TargetRetired) -> None:
        """Gone for good."""
        self._retired.setdefault(event.target, event.at_s)

    def retirement_reached(self, event: RetirementReached) -> None:
        """So does a date, as far as anybody else is left."""
        if event.keeps_away:
            self._retired.setdefault(event.target, event.at_s)

    def absences(self, ends_s: float) -> tuple[Absence, ...]:
        """All of them by time, those that still last up to `ends_s`."""
        last = [Absence(target, cause, from_s, ends_s) for target, (cause, from_s) in self._breakers.items()]
        last += [
            Absence(target, AbsenceCause.COOLDOWN, from_s, min(until_s, ends_s))
            for target, (from_s, until_s) in self._cooling.items()
        ]
        last += [
            Absence(target, AbsenceCause.RETIRED, from_s, ends_s) for target, from_s in self._retired.items()
        ]
        kept = [*self._kept, *(each for each in last if each.from_s < ends_s)]
        if self.cut_off_s is not None:
            cut_off_s = self.cut_off_s
            kept = [each for each in kept if each.from_s <= cut_off_s]
        return tuple(sorted(kept, key=lambda each: (each.from_s, each.target)))

    def _keep(self, target: str, cause: AbsenceCause, from_s: float, to_s: float) -> None:
        if len(self._kept) < ABSENCES_MOST:
            self._kept.append(Absence(target, cause, from_s, to_s))
        elif self.cut_off_s is None:
            self.cut_off_s = from_s
