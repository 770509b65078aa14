"""No call makes more attempts than the policy allows."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import NONE, Invariant
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptStarted, CallEnded
from failover.core.vocabulary import Route


class AttemptsWithinLimit(Invariant):
    """At most `policy.attempts` in one call, and the call's own count is the true one."""

    name = "attempts_within_limit"

    def __init__(self, scenario: Scenario, route: Route) -> None:
        super().__init__(scenario, route)
        self._counts: dict[str, int] = {}
        self._most = route.policy.attempts

    def attempt_started(self, event: AttemptStarted) -> None:
        """One more."""
        self.checked += 1
        call = event.call
        count = self._counts[call] = self._counts.get(call, 0) + 1
        if count > self._most:
            what = f"attempt number {count}, at most {self._most} are allowed"
            self.violated(event.at_s, call, event.target, what)

    def call_ended(self, event: CallEnded) -> None:
        """What it says of itself must be what happened."""
        count = self._counts.pop(event.call, 0)
        if count != event.attempts:
            what = f"says it made {event.attempts} attempts, {count} were seen"
            self.violated(event.at_s, event.call, event.target or NONE, what)
