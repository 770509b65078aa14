"""No attempt starts at or after its call's deadline, and nothing is planned beyond it."""

from __future__ import annotations

from math import inf

from failover.chaos.judging.invariants.base import NONE, Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptStarted, CallEnded, CallStarted, WaitStarted

ROUNDING_S = 0.001
"""Virtual times are rounded to microseconds, so that a time limit may end a hair late."""


class DeadlineKept(Invariant):
    """One deadline per call: for its attempts, their limits, its waits and its end."""

    name = "deadline_kept"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._deadlines: dict[str, float] = {}

    def call_started(self, event: CallStarted) -> None:
        """Until then it must be answered."""
        self._deadlines[event.call] = event.deadline_s

    def attempt_started(self, event: AttemptStarted) -> None:
        """It must start before the deadline, and be limited by it."""
        self.checked += 1
        deadline_s = self._deadlines.get(event.call, inf)
        if event.at_s >= deadline_s:
            what = f"attempt {event.attempt} started at or after the deadline, {deadline_s:.3f} s"
            self.violated(event.at_s, event.call, event.target, what)
        elif event.at_s + event.total_limit_s > deadline_s + ROUNDING_S:
            what = f"attempt {event.attempt} may run beyond the deadline, {deadline_s:.3f} s"
            self.violated(event.at_s, event.call, event.target, what)

    def wait_started(self, event: WaitStarted) -> None:
        """Nobody sleeps past the deadline."""
        deadline_s = self._deadlines.get(event.call, inf)
        if event.until_s > deadline_s + ROUNDING_S:
            what = f"waits until {event.until_s:.3f} s, beyond the deadline, {deadline_s:.3f} s"
            self.violated(event.at_s, event.call, NONE, what)

    def call_ended(self, event: CallEnded) -> None:
        """An answer after the deadline is one that nobody waits for."""
        deadline_s = self._deadlines.pop(event.call, inf)
        if event.at_s > deadline_s + ROUNDING_S:
            what = f"ended after its deadline, {deadline_s:.3f} s"
            self.violated(event.at_s, event.call, event.target or NONE, what)
