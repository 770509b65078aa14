"""Announced, deprecated, retired, successor: dated facts of a target, and what follows from them when.

A date is a day somewhere: `2026-12-01` begins at midnight UTC here, fourteen hours after the first place on
Earth has that date and eight before a provider in California has. So a date that a list gives is believed
as far as it costs nothing: whoever is due is passed over while somebody else is left. Only a date of your
own bars for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heapify, heappop
from math import ceil, inf
from types import MappingProxyType

from failover.core.calendar_events import RetirementAhead, RetirementReached
from failover.core.quick import quick
from failover.core.vocabulary import ByDate, RetirementShape

DAY_S = 86_400.0
FIRST_PLACE_S = 14 * 3600.0
"""So long before midnight UTC a date begins in the first place on Earth (UTC+14)."""
WARN_DAYS = (90, 30, 14, 7, 1)

Tell = Callable[[RetirementAhead | RetirementReached], None]


class Stage(StrEnum):
    """How far the end of a model has come."""

    ACTIVE = "active"
    ANNOUNCED = "announced"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What is known of one target's end. Times are epoch seconds; None: nobody said.

    `successor` is a target that takes its place, `replacement` the model that its provider recommends:
    advice. `source` says who gave the date. `by_date`: what the date alone does.
    """

    announced_s: float | None = None
    deprecated_s: float | None = None
    retired_s: float | None = None
    successor: str = ""
    replacement: str = ""
    shape: RetirementShape = RetirementShape.HARD_ERROR
    source: str = ""
    by_date: ByDate = ByDate.PASS_OVER

    def stage(self, as_of_s: float) -> Stage:
        """How far it has come at `as_of_s`. An end that nobody dated the announcement of was always known."""
        if self.retired_s is not None and self.retired_s <= as_of_s:
            return Stage.RETIRED
        if self.deprecated_s is not None and self.deprecated_s <= as_of_s:
            return Stage.DEPRECATED
        known_s = self.announced_s
        if known_s is None:
            known_s = inf if self.retired_s is None and self.deprecated_s is None else -inf
        return Stage.ANNOUNCED if known_s <= as_of_s else Stage.ACTIVE

    @property
    def due_s(self) -> float | None:
        """From when the router acts by the date alone: not before the announcement, and None for never."""
        if self.retired_s is None or not self.shape.ends or self.by_date is ByDate.IGNORE:
            return None
        return max(self.retired_s, -inf if self.announced_s is None else self.announced_s)

    @property
    def named_successor(self) -> str:
        """Who is to come after it: a target, else the model that its provider recommends."""
        return self.successor or self.replacement


@quick
@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one target, in seconds of the driver's clock.

    It is due at `due_s`; from `near_s` on one refusal proves it. `barred`: not asked any more from then on.
    `successor` is a target; `named` is whom to name.
    """

    due_s: float
    near_s: float
    barred: bool
    successor: str
    named: str


def _ending(lifecycle: Lifecycle, epoch_s: float) -> Ending:
    due_s = lifecycle.due_s
    at_s = inf if due_s is None else due_s - epoch_s
    # Of an end that came without notice nobody can know before it is announced.
    earliest_s = -inf if lifecycle.announced_s is None else lifecycle.announced_s - epoch_s
    near_s = max(at_s - FIRST_PLACE_S, earliest_s)
    barred = lifecycle.by_date is ByDate.BAR and due_s is not None
    return Ending(at_s, near_s, barred, lifecycle.successor, lifecycle.named_successor)


def days_until(at_s: float, since_s: float) -> int:
    """Days, a begun one counted; negative: so many whole ones ago."""
    # Wall times are sums of clocks: a second's part must not make a day.
    return ceil((at_s - since_s - 1.0) / DAY_S)


def thresholds(lifecycle: Lifecycle, warn_days: Iterable[int]) -> tuple[tuple[float, int], ...]:
    """When to warn, in epoch seconds, and as how many days ahead; 0 is the end itself. In order of time.

    Nobody is warned before the announcement: what it came too late for is told once, at its instant.
    """
    if lifecycle.retired_s is None:
        return ()
    known_s = -inf if lifecycle.announced_s is None else lifecycle.announced_s
    at: dict[float, int] = {}
    for days in sorted({0, *warn_days}, reverse=True):
        at[max(lifecycle.retired_s - days * DAY_S, known_s)] = days
    return tuple(at.items())


class Calendar:
    """What is due when, of the targets of one config: compared with the clock at every call.

    `epoch_s` is the wall time at driver time zero. `endings` are by target; the first is due at
    `first_due_s`. `told` is what a config before this one warned of already.
    """

    __slots__ = (
        "_epoch_s",
        "_next_s",
        "_pending",
        "endings",
        "first_due_s",
        "has_successors",
        "lifecycles",
        "told",
    )

    def __init__(
        self,
        lifecycles: Mapping[str, Lifecycle] = MappingProxyType({}),
        epoch_s: float = 0.0,
        warn_days: Iterable[int] = WARN_DAYS,
        told: Iterable[tuple[str, float, int]] = (),
    ) -> None:
        self.lifecycles = lifecycles
        self.told = set(told)
        self._epoch_s = epoch_s
        self.endings = {name: _ending(each, epoch_s) for name, each in lifecycles.items()}
        self.first_due_s = min((each.due_s for each in self.endings.values()), default=inf)
        self.has_successors = any(each.successor for each in self.endings.values())
        warn_days = tuple(warn_days)
        self._pending = [
            (at_s - epoch_s, days, name)
            for name, each in lifecycles.items()
            for at_s, days in thresholds(each, warn_days)
        ]
        heapify(self._pending)
        self._next_s = self._pending[0][0] if self._pending else inf

    def announce(self, now: float, tell: Tell) -> None:
        """Tell what has come nearer since the last time: of each target once, and no threshold twice."""
        if now < self._next_s:
            return
        reached: dict[str, int] = {}
        while self._pending and self._pending[0][0] <= now:
            _, days, name = heappop(self._pending)
            reached[name] = min(days, reached.get(name, days))
        self._next_s = self._pending[0][0] if self._pending else inf
        for name, days in reached.items():
            retired_s = self.lifecycles[name].retired_s or 0.0
            if (name, retired_s, days) not in self.told:
                self.told.add((name, retired_s, days))
                tell(self._event(name, days, now))

    def _event(self, name: str, days: int, now: float) -> RetirementAhead | RetirementReached:
        each = self.lifecycles[name]
        about = each.shape, each.named_successor, each.source
        if days == 0:
            return RetirementReached(now, name, each.by_date, *about)
        return RetirementAhead(now, name, days_until(each.retired_s or 0.0, self._epoch_s + now), *about)


NO_CALENDAR = Calendar()


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two sources that give different dates of the end of one target, epoch seconds."""

    target: str
    used_s: float | None
    used_source: str
    other_s: float | None
    other_source: str


@dataclass(frozen=True, slots=True)
class Known:
    """What all sources together say of a config's targets, and where they contradict each other."""

    lifecycles: Mapping[str, Lifecycle] = field(default_factory=lambda: MappingProxyType({}))
    contradictions: tuple[Contradiction, ...] = ()
