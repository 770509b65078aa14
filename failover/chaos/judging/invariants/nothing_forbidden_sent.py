"""Nothing is sent to whom governance forbids it, by whichever path: it fails closed."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptStarted, CallEnded, CallStarted
from failover.core.world_events import TermsInForce


class NothingForbiddenSent(Invariant):
    """By the terms as far as the config knew them when it was sent. Without any, nothing is checked."""

    name = "nothing_forbidden_sent"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._forbidden: dict[str, tuple[str, ...]] = {}
        self._classes: dict[str, str] = {}

    def terms_in_force(self, event: TermsInForce) -> None:
        """From now on."""
        self._forbidden[event.target] = event.forbidden

    def call_started(self, event: CallStarted) -> None:
        """Of which class is it?"""
        if self._forbidden:
            self._classes[event.call] = event.data_class

    def attempt_started(self, event: AttemptStarted) -> None:
        """May it go there?"""
        if not self._forbidden:
            return
        self.checked += 1
        data_class = self._classes.get(event.call, "")
        if data_class in self._forbidden.get(event.target, ()):
            named = f"data of class {data_class}" if data_class else "data of no class"
            what = f"attempt {event.attempt} took {named} to who may not have it"
            self.violated(event.at_s, event.call, event.target, what)

    def call_ended(self, event: CallEnded) -> None:
        """Its story is over."""
        self._classes.pop(event.call, None)
