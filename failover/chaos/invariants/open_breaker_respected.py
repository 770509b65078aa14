"""Nothing is sent through an open breaker, and only probes through a half-open one."""

from __future__ import annotations

from failover.chaos.invariants.base import NONE, Invariant
from failover.chaos.scenario import Scenario
from failover.core.breaker import CLOSED, HALF_OPEN, OPEN
from failover.core.events import AttemptEnded, AttemptStarted, BreakerChanged
from failover.core.vocabulary import Route


class OpenBreakerRespected(Invariant):
    """At most `policy.breaker.probes` probes run at once, and no breaker half-opens before its time.

    Every change of state begins a new generation: a probe of an older one counts no more.
    """

    name = "open_breaker_respected"

    def __init__(self, scenario: Scenario, route: Route) -> None:
        super().__init__(scenario, route)
        self._states: dict[str, str] = {}
        self._until_s: dict[str, float] = {}
        self._probes: dict[str, set[tuple[str, int]]] = {}

    def breaker_changed(self, event: BreakerChanged) -> None:
        """Follow the state, and when an open breaker may be probed."""
        target = event.target
        early = event.state_to == HALF_OPEN and event.at_s < self._until_s.get(target, 0.0)
        if early:
            what = f"half-opened before {self._until_s[target]:.3f} s"
            self.violated(event.at_s, NONE, target, what)
        self._states[target] = event.state_to
        self._until_s[target] = event.open_until_s or 0.0
        self._probes[target] = set()

    def attempt_started(self, event: AttemptStarted) -> None:
        """May anything be sent there now?"""
        self.checked += 1
        state = self._states.get(event.target, CLOSED)
        if state == CLOSED:
            return
        if state == OPEN:
            what = f"attempt {event.attempt} went through an open breaker"
            self.violated(event.at_s, event.call, event.target, what)
        elif not event.probe:
            what = f"attempt {event.attempt} went through a half-open breaker and is no probe"
            self.violated(event.at_s, event.call, event.target, what)
        else:
            self._probe(event)

    def _probe(self, event: AttemptStarted) -> None:
        running = self._probes[event.target]
        running.add((event.call, event.attempt))
        most = self.route.policy.breaker.probes
        if len(running) > most:
            what = f"attempt {event.attempt} makes {len(running)} probes at once, {most} may run"
            self.violated(event.at_s, event.call, event.target, what)

    def attempt_ended(self, event: AttemptEnded) -> None:
        """A probe that ended makes room for the next."""
        running = self._probes.get(event.target)
        if running:
            running.discard((event.call, event.attempt))
