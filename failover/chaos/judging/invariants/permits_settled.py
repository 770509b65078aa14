"""Every permit is settled once: an attempt that starts ends, and none is open when all is over."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptEnded, AttemptStarted


class PermitsSettled(Invariant):
    """A permit that is never settled blocks a half-open breaker for ever; one settled twice frees two."""

    name = "permits_settled"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._open: dict[tuple[str, int], AttemptStarted] = {}

    def attempt_started(self, event: AttemptStarted) -> None:
        """A permit was opened."""
        self.checked += 1
        key = (event.call, event.attempt)
        if key in self._open:
            what = f"attempt {event.attempt} started while it was running"
            self.violated(event.at_s, event.call, event.target, what)
        self._open[key] = event

    def attempt_ended(self, event: AttemptEnded) -> None:
        """A permit was settled."""
        started = self._open.pop((event.call, event.attempt), None)
        if started is None:
            what = f"attempt {event.attempt} ended without running: never started, or ended before"
            self.violated(event.at_s, event.call, event.target, what)
        elif started.target != event.target:
            what = f"attempt {event.attempt} was sent to {started.target} and ended at another target"
            self.violated(event.at_s, event.call, event.target, what)

    def at_end(self, now: float) -> None:
        """Nothing may be left open."""
        for started in self._open.values():
            what = f"attempt {started.attempt} of {started.at_s:.3f} s never ended"
            self.violated(now, started.call, started.target, what)
