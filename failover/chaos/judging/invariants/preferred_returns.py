"""When the last fault is over, the preferred target serves again: nothing is given up for ever."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import NONE, Invariant
from failover.chaos.judging.recovery import Recoveries, Recovery
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.calendar_events import RetirementReached
from failover.core.events import BreakerChanged, CallStarted, CooldownStarted, TargetRetired
from failover.core.vocabulary import Reason, Route
from failover.core.world_events import InjectionEnded, InjectionStarted, TermsInForce

NOT_FOR_ALL = (Reason.PARAMETER_REFUSED, Reason.FORBIDDEN_BY_TERMS)
"""Why a target that is well may rightly serve none of the requests that come."""

ROOM_S = 60.0
"""A minute of requests is enough for any breaker of a sane policy to be probed."""


class PreferredReturns(Invariant):
    """Liveness, judged at the end, and only where it can be: otherwise `checked` stays 0.

    There must have been a steady state that shows who is preferred, an ending fault, and after it
    (and after the time the target was told to be left alone) at least `ROOM_S` and the longest open
    time of workload with enough requests. The target must not be retired, nor hit by a fault that
    goes on, and no terms may have changed: then another may rightly be preferred. A strategy that ranks by
    what it learned may rightly prefer another of the same tier afterwards: there any target of the tier
    counts.
    """

    name = "preferred_returns"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._recoveries = Recoveries(scenario, routes)
        self._deadline_s = scenario.workload.deadline_s or routes.deadline_max_s()
        self._faults = {index for index, each in enumerate(scenario.injections) if each.is_fault}
        self._hurt: set[int] = set()
        self._ended_s: float | None = None
        self._retired: set[str] = set()
        self._away_until_s: dict[str, float] = {}
        self._refusing: set[str] = set()
        self._terms_changed = False
        self.call_ended = self._recoveries.call_ended

    def call_started(self, event: CallStarted) -> None:
        """A request that a recovered target could serve, unless it does not take what requests carry."""
        self._recoveries.call_started(event)
        if event.passed_over:
            self._refusing.update(name for name, reason in event.passed_over if reason in NOT_FOR_ALL)

    def injection_started(self, event: InjectionStarted) -> None:
        """It goes on until it ends."""
        self._recoveries.injection_started(event)
        self._hurt.add(event.index)

    def injection_ended(self, event: InjectionEnded) -> None:
        """One fault less."""
        self._recoveries.injection_ended(event)
        self._ended_s = next(iter(self._recoveries.by_route.values())).ended_s
        self._hurt.discard(event.index)

    def breaker_changed(self, event: BreakerChanged) -> None:
        """An open breaker keeps calls away until then."""
        self._away(event.at_s, event.target, event.open_until_s or 0.0)

    def cooldown_started(self, event: CooldownStarted) -> None:
        """So does a cooldown."""
        for target in event.targets:
            self._away(event.at_s, target, event.until_s)

    def target_retired(self, event: TargetRetired) -> None:
        """Retired is for ever: until the config says otherwise."""
        self._retired.add(event.target)

    def retirement_reached(self, event: RetirementReached) -> None:
        """So is an end whose date was known."""
        if event.keeps_away:
            self._retired.add(event.target)

    def terms_in_force(self, event: TermsInForce) -> None:
        """From the beginning, or since then."""
        self._terms_changed = self._terms_changed or event.at_s > 0.0

    def _away(self, at_s: float, target: str, until_s: float) -> None:
        ended_s = self._ended_s
        in_a_fault = not self._faults.isdisjoint(self._hurt)
        # Attempts that met the fault end within a deadline after it; what comes later is no aftermath.
        if in_a_fault or ended_s is None or at_s <= ended_s + self._deadline_s:
            self._away_until_s[target] = max(until_s, self._away_until_s.get(target, 0.0))

    def at_end(self, now: float) -> None:
        """Did it return, on every route?"""
        for route in self.routes.called:
            recovery = self._recoveries.by_route[route.name]
            preferred, ended_s = recovery.preferred, recovery.ended_s
            if preferred is None or ended_s is None or not self._can_be_judged(route, preferred, recovery):
                continue
            self.checked += 1
            by_order = route.strategy == "priority"
            returned_s = recovery.returned_s if by_order else recovery.tier_returned_s
            if returned_s is None:
                what = f"was preferred on route {route.name}, and never served again after the last fault"
                self.violated(now, NONE, preferred, f"{what} ended at {ended_s:g} s")

    def _can_be_judged(self, route: Route, preferred: str, recovery: Recovery) -> bool:
        room_s = max(ROOM_S, self.routes.learning_policy(preferred).breaker.open_max_s)
        since_s = max(recovery.ended_s or 0.0, self._away_until_s.get(preferred, 0.0))
        return (
            self.scenario.workload.for_s - since_s >= room_s
            and recovery.requests_after >= self.scenario.steady_state.requests_min
            and preferred not in self._retired
            and preferred not in self._refusing
            and not self._terms_changed
            and not self._is_hurt(route, preferred)
        )

    def _is_hurt(self, route: Route, preferred: str) -> bool:
        target = next(each for each in route.targets() if each.name == preferred)
        faults = (self.scenario.injections[index] for index in self._hurt)
        return any(fault.is_fault and fault.hits(target) for fault in faults)
