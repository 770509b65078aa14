"""Every call ends exactly once, with a reply or with an error, and nothing is sent outside of a call."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import NONE, Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptStarted, CallEnded, CallStarted
from failover.core.vocabulary import AttemptCause


class CallsEndOnce(Invariant):
    """A caller who is answered twice, or never, cannot be helped by anything else that is right."""

    name = "calls_end_once"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._open: dict[str, float] = {}

    def call_started(self, event: CallStarted) -> None:
        """A caller waits from now on."""
        self.checked += 1
        if event.call in self._open:
            self.violated(event.at_s, event.call, NONE, "started while it was running")
        self._open[event.call] = event.at_s

    def attempt_started(self, event: AttemptStarted) -> None:
        """Somebody must be waiting for the answer, unless it is a canary."""
        if event.call not in self._open and event.cause is not AttemptCause.KEEP_WARM:
            self.violated(event.at_s, event.call, event.target, "sent for a call that is not running")

    def call_ended(self, event: CallEnded) -> None:
        """The caller has a reply or an error, and not both."""
        target = event.target or NONE
        started_s = self._open.pop(event.call, None)
        if started_s is None:
            what = "ended without running: never started, or ended before"
            self.violated(event.at_s, event.call, target, what)
        elif started_s != event.started_s:
            what = f"started at {started_s:.3f} s, and says {event.started_s:.3f} s"
            self.violated(event.at_s, event.call, target, what)
        if (event.target is None) == (event.error is None):
            what = "ended with neither a reply nor an error" if event.error is None else "ended with both"
            self.violated(event.at_s, event.call, target, what)

    def at_end(self, now: float) -> None:
        """Nobody may be left waiting."""
        for call, started_s in self._open.items():
            self.violated(now, call, NONE, f"started at {started_s:.3f} s and never ended")
