"""Who asked us to stay away is left alone until then."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptEnded, AttemptStarted, CallEnded, CooldownStarted

ROUNDING_S = 1e-6


class RetryAfterHonoured(Invariant):
    """No attempt at a target before the end of its cooldown, and no retry before the hint in its failure."""

    name = "retry_after_honoured"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._until_s: dict[str, float] = {}
        self._hints: dict[str, dict[str, float]] = {}

    def cooldown_started(self, event: CooldownStarted) -> None:
        """A later, shorter hint does not cut an earlier, longer one."""
        for target in event.targets:
            self._until_s[target] = max(event.until_s, self._until_s.get(target, 0.0))

    def attempt_ended(self, event: AttemptEnded) -> None:
        """A failure that starts no cooldown may still say when to come back."""
        if event.retry_after_s is not None:
            hints = self._hints.setdefault(event.call, {})
            hints[event.target] = event.at_s + event.retry_after_s

    def attempt_started(self, event: AttemptStarted) -> None:
        """Is it too early?"""
        until_s = self._until_s.get(event.target)
        if self._hints and event.call in self._hints:
            hint_s = self._hints[event.call].get(event.target)
            if hint_s is not None:
                until_s = max(hint_s, until_s or 0.0)
        if until_s is None:
            return
        self.checked += 1
        if event.at_s < until_s - ROUNDING_S:
            what = f"attempt {event.attempt} came before {until_s:.3f} s, when it may be asked again"
            self.violated(event.at_s, event.call, event.target, what)

    def call_ended(self, event: CallEnded) -> None:
        """The hints within the call are of no use any more."""
        if self._hints:
            self._hints.pop(event.call, None)
