"""Which target is preferred, and when it serves again after the last fault that ends."""

from __future__ import annotations

from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import CallEnded, CallStarted
from failover.core.vocabulary import Route
from failover.core.world_events import InjectionEnded, InjectionStarted


class Recoveries:
    """One `Recovery` for each route that is called; each sees the calls of its own route only."""

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        self.by_route = {route.name: Recovery(scenario, route) for route in routes.called}

    def injection_started(self, event: InjectionStarted) -> None:
        """All of them see it."""
        for recovery in self.by_route.values():
            recovery.injection_started(event)

    def injection_ended(self, event: InjectionEnded) -> None:
        """All of them see it."""
        for recovery in self.by_route.values():
            recovery.injection_ended(event)

    def call_started(self, event: CallStarted) -> None:
        """Its own route sees it."""
        self.by_route[event.route].call_started(event)

    def call_ended(self, event: CallEnded) -> None:
        """Its own route sees it."""
        self.by_route[event.route].call_ended(event)

    @property
    def recovered_after_s(self) -> float | None:
        """Until the last route had its preferred target again; None: one never had, or none needed to."""
        awaited = [each for each in self.by_route.values() if each.preferred and each.ended_s is not None]
        times_s = [each.recovered_after_s for each in awaited]
        returned_s = [time_s for time_s in times_s if time_s is not None]
        return max(returned_s) if returned_s and len(returned_s) == len(times_s) else None


class Recovery:
    """Listens to calls and injections. The preferred target served most before the first injection.

    `ended_s`: when the last fault ended that ends while requests still arrive, None: none did.
    `returned_s`: when the first call ended that started after that and was served by the preferred
    target, `tier_returned_s` the same for any target of its tier. `requests_after` counts the
    requests that arrived after `ended_s`.
    """

    def __init__(self, scenario: Scenario, route: Route) -> None:
        self._ends_s = scenario.workload.for_s
        self._faults = {index for index, each in enumerate(scenario.injections) if each.is_fault}
        self._tiers = [frozenset(target.name for target in tier) for tier in route.chain]
        self._served = {target.name: 0 for target in route.targets()}
        self._calm = True
        self._tier: frozenset[str] = frozenset()
        self.preferred: str | None = None
        self.ended_s: float | None = None
        self.returned_s: float | None = None
        self.tier_returned_s: float | None = None
        self.requests_after = 0

    def injection_started(self, _event: InjectionStarted) -> None:
        """The first one ends the steady state: it is known now who is preferred."""
        if not self._calm:
            return
        self._calm = False
        most = max(self._served, key=self._served.__getitem__)
        if self._served[most]:
            self.preferred = most
            self._tier = next((tier for tier in self._tiers if most in tier), frozenset())

    def injection_ended(self, event: InjectionEnded) -> None:
        """A fault that ends begins a recovery, and makes the one before it no longer the last."""
        if event.index in self._faults and event.at_s < self._ends_s:
            self.ended_s = event.at_s
            self.returned_s = self.tier_returned_s = None
            self.requests_after = 0

    def call_started(self, _event: CallStarted) -> None:
        """A request that a recovered target could serve."""
        if self.ended_s is not None:
            self.requests_after += 1

    def call_ended(self, event: CallEnded) -> None:
        """Who served it?"""
        name = event.target
        if name is None:
            return
        if self._calm:
            self._served[name] = self._served.get(name, 0) + 1
        elif self.ended_s is not None and self.returned_s is None and event.started_s >= self.ended_s:
            if name == self.preferred:
                self.returned_s = event.at_s
            if self.tier_returned_s is None and name in self._tier:
                self.tier_returned_s = event.at_s

    @property
    def recovered_after_s(self) -> float | None:
        """Seconds from the end of the last ending fault until the preferred target served again."""
        if self.ended_s is None or self.returned_s is None:
            return None
        return self.returned_s - self.ended_s
