"""A target that is known to be gone is not asked any more."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptStarted, TargetRetired


class RetiredLeftAlone(Invariant):
    """Counts the attempts made after something was retired; none of them may go there."""

    name = "retired_left_alone"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._retired_s: dict[str, float] = {}

    def target_retired(self, event: TargetRetired) -> None:
        """From now on nobody asks it."""
        self._retired_s.setdefault(event.target, event.at_s)

    def attempt_started(self, event: AttemptStarted) -> None:
        """Does anybody?"""
        if not self._retired_s:
            return
        self.checked += 1
        retired_s = self._retired_s.get(event.target)
        if retired_s is not None:
            what = f"attempt {event.attempt} went to a target retired at {retired_s:.3f} s"
            self.violated(event.at_s, event.call, event.target, what)
