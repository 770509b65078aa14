"""A target that is known to be gone is not asked any more."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.calendar_events import RetirementReached
from failover.core.events import AttemptStarted, CallEnded, CallStarted, TargetRetired
from failover.core.vocabulary import AttemptCause


class RetiredLeftAlone(Invariant):
    """Counts the attempts made after something was retired; none of them may go there.

    A date that bars is as good as evidence. One that may be wrong allows an attempt where nobody else of
    the call is left: nobody else stood in its order, or it was asked as the last resort.
    """

    name = "retired_left_alone"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._retired_s: dict[str, float] = {}
        self._due_s: dict[str, float] = {}
        self._others_left: dict[str, bool] = {}

    def target_retired(self, event: TargetRetired) -> None:
        """From now on nobody asks it."""
        self._retired_s.setdefault(event.target, event.at_s)

    def retirement_reached(self, event: RetirementReached) -> None:
        """From now on nobody asks it, or only who has nobody else."""
        if not event.keeps_away:
            return
        (self._retired_s if event.bars else self._due_s).setdefault(event.target, event.at_s)

    def call_started(self, event: CallStarted) -> None:
        """Who else could be asked, where somebody is due?"""
        if self._due_s:
            self._others_left[event.call] = not self._due_s.keys() >= set(event.order)

    def attempt_started(self, event: AttemptStarted) -> None:
        """Does anybody?"""
        if not self._retired_s and not self._due_s:
            return
        self.checked += 1
        retired_s = self._retired_s.get(event.target)
        if retired_s is not None:
            what = f"attempt {event.attempt} went to a target retired at {retired_s:.3f} s"
            self.violated(event.at_s, event.call, event.target, what)
        elif event.target in self._due_s:
            self._asked_though_due(event)

    def _asked_though_due(self, event: AttemptStarted) -> None:
        if event.cause is AttemptCause.LAST_RESORT:
            self._others_left[event.call] = False
        elif self._others_left.get(event.call):
            due_s = self._due_s[event.target]
            what = f"attempt {event.attempt} went to a target due since {due_s:.3f} s, and others were left"
            self.violated(event.at_s, event.call, event.target, what)

    def call_ended(self, event: CallEnded) -> None:
        """Its story is over."""
        if self._others_left:
            self._others_left.pop(event.call, None)
