"""No call makes more attempts than the policy allows."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import NONE, Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptStarted, CallEnded, CallStarted


class AttemptsWithinLimit(Invariant):
    """At most `policy.attempts` in one call, and the call's own count is the true one."""

    name = "attempts_within_limit"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._counts: dict[str, int] = {}
        self._most = {route.name: route.policy.attempts for route in routes.called}
        self._most_of_call: dict[str, int] = {}

    def call_started(self, event: CallStarted) -> None:
        """Its route says how many."""
        self._most_of_call[event.call] = self._most[event.route]

    def attempt_started(self, event: AttemptStarted) -> None:
        """One more."""
        self.checked += 1
        call = event.call
        count = self._counts[call] = self._counts.get(call, 0) + 1
        most = self._most_of_call.get(call, count)
        if count > most:
            what = f"attempt number {count}, at most {most} are allowed"
            self.violated(event.at_s, call, event.target, what)

    def call_ended(self, event: CallEnded) -> None:
        """What it says of itself must be what happened."""
        count = self._counts.pop(event.call, 0)
        self._most_of_call.pop(event.call, None)
        if count != event.attempts:
            what = f"says it made {event.attempts} attempts, {count} were seen"
            self.violated(event.at_s, event.call, event.target or NONE, what)
