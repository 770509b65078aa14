"""No target is sent more than its config allows."""

from __future__ import annotations

from collections import deque

from failover.chaos.judging.invariants.base import Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptEnded, AttemptStarted

MINUTE_S = 60.0
ROUNDING_S = 1e-6
"""Virtual times are whole microseconds."""


class _Sends:
    """Of one target: the attempts that started within the last minute, and those under way."""

    __slots__ = ("concurrency", "per_minute", "running", "started_s")

    def __init__(self, per_minute: int | None, concurrency: int | None) -> None:
        self.per_minute = per_minute
        self.concurrency = concurrency
        self.started_s: deque[float] = deque()
        self.running = 0


class LimitsKept(Invariant):
    """At most `limits.rpm` attempts start in any 60 seconds, and at most `limits.concurrency` run at once.

    The whole of a minute may be one burst. Targets without such limits are not looked at.
    """

    name = "limits_kept"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._sends = {
            target.name: _Sends(target.requests_per_minute, target.concurrency)
            for target in routes.targets()
            if target.requests_per_minute is not None or target.concurrency is not None
        }

    def attempt_started(self, event: AttemptStarted) -> None:
        """Is there room for it?"""
        sends = self._sends.get(event.target)
        if sends is None:
            return
        self.checked += 1
        sends.running += 1
        if sends.concurrency is not None and sends.running > sends.concurrency:
            what = f"attempt {event.attempt} makes {sends.running} at once, {sends.concurrency} may run"
            self.violated(event.at_s, event.call, event.target, what)
        if sends.per_minute is not None:
            self._count(event, sends, sends.per_minute)

    def attempt_ended(self, event: AttemptEnded) -> None:
        """It makes room for the next."""
        sends = self._sends.get(event.target)
        if sends is not None:
            sends.running -= 1

    def _count(self, event: AttemptStarted, sends: _Sends, most: int) -> None:
        started_s = sends.started_s
        while started_s and started_s[0] + MINUTE_S <= event.at_s + ROUNDING_S:
            started_s.popleft()
        started_s.append(event.at_s)
        if len(started_s) > most:
            what = f"attempt {event.attempt} is number {len(started_s)} in a minute, {most} are allowed"
            self.violated(event.at_s, event.call, event.target, what)
