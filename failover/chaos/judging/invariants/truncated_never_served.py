"""Half an answer is never served as a whole one."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptEnded, CallEnded
from failover.core.failures import FailureKind
from failover.core.vocabulary import Outcome

SUCCESS = Outcome.SUCCESS
BROKEN = (FailureKind.TRUNCATED_STREAM, FailureKind.MALFORMED_REPLY)


class TruncatedNeverServed(Invariant):
    """A served call was answered by an attempt that succeeded at that target, and saw no failure."""

    name = "truncated_never_served"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._whole: dict[str, str] = {}
        self._broken: dict[str, tuple[str, FailureKind]] = {}

    def attempt_ended(self, event: AttemptEnded) -> None:
        """Is this an answer?"""
        failure = event.failure
        if failure is None:
            if event.outcome is SUCCESS:
                self._whole[event.call] = event.target
            return
        if failure in BROKEN:
            self._broken[event.call] = (event.target, failure)
        if event.outcome is SUCCESS:
            what = f"attempt {event.attempt} ended in {failure} and passes for a success"
            self.violated(event.at_s, event.call, event.target, what)

    def call_ended(self, event: CallEnded) -> None:
        """Which attempt served it?"""
        whole = self._whole.pop(event.call, None)
        broken = self._broken.pop(event.call, None) if self._broken else None
        if event.target is None:
            return
        self.checked += 1
        if whole != event.target:
            served_broken = broken is not None and broken[0] == event.target
            what = (
                f"served though its answer was a {broken[1]}"
                if broken and served_broken
                else ("served by a target at which no attempt succeeded")
            )
            self.violated(event.at_s, event.call, event.target, what)
