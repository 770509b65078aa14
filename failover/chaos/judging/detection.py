"""How long the router takes to turn away from what the first fault hits."""

from __future__ import annotations

from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.breaker import OPEN
from failover.core.calendar_events import RetirementReached
from failover.core.events import BreakerChanged, CooldownStarted, TargetRetired
from failover.core.world_events import InjectionEnded, InjectionStarted


class Detection:
    """From the start of the first fault to the first breaker opened, cooldown or retirement it caused.

    Only targets that the fault hits count, and only until attempts that met it must have ended: a
    deadline after its end. Times are seconds; `detected_after_s` None: never.
    """

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        self._injections = scenario.injections
        self._targets = routes.targets()
        self._deadline_s = scenario.workload.deadline_s or routes.deadline_max_s()
        self._index: int | None = None
        self._started_s = 0.0
        self._until_s = float("inf")
        self._hit: frozenset[str] = frozenset()
        self.detected_after_s: float | None = None

    def injection_started(self, event: InjectionStarted) -> None:
        """The first fault is the one that is timed."""
        injection = self._injections[event.index]
        if self._index is None and injection.is_fault:
            self._index = event.index
            self._started_s = event.at_s
            self._hit = frozenset(target.name for target in self._targets if injection.hits(target))

    def injection_ended(self, event: InjectionEnded) -> None:
        """What happens long after its end is not its doing."""
        if event.index == self._index:
            self._until_s = event.at_s + self._deadline_s

    def breaker_changed(self, event: BreakerChanged) -> None:
        """An open breaker keeps calls away."""
        if event.state_to == OPEN and event.state_from != OPEN:
            self._turned_away(event.at_s, event.target)

    def cooldown_started(self, event: CooldownStarted) -> None:
        """So does a cooldown."""
        self._turned_away(event.at_s, *event.targets)

    def target_retired(self, event: TargetRetired) -> None:
        """So does a retirement."""
        self._turned_away(event.at_s, event.target)

    def retirement_reached(self, event: RetirementReached) -> None:
        """So does a date that was known."""
        if event.keeps_away:
            self._turned_away(event.at_s, event.target)

    def _turned_away(self, at_s: float, *targets: str) -> None:
        if self.detected_after_s is None and at_s <= self._until_s and not self._hit.isdisjoint(targets):
            self.detected_after_s = at_s - self._started_s
