"""Retries and further fallbacks stay within what requests and time pay for."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import Invariant
from failover.chaos.scenario import Scenario
from failover.core.budget import BURST_MIN, BURST_S
from failover.core.events import AttemptStarted, CallEnded, CallStarted
from failover.core.vocabulary import AttemptCause, Route

ROUNDING = 1e-6

FIRST, FALLBACK = AttemptCause.FIRST, AttemptCause.FALLBACK
LAST_RESORT = AttemptCause.LAST_RESORT


class _Tried:
    """Which (provider, region) a call has asked, and whether it had its free fallback."""

    __slots__ = ("domains", "free_used")

    def __init__(self) -> None:
        self.domains: set[tuple[str, str]] = set()
        self.free_used = False


class RetryBudgetKept(Invariant):
    """In every stretch of time at most `burst + share x requests + floor x seconds` attempts are extra.

    Extra are retries, and fallbacks but the first of a call to another fault domain. Counted as a
    bucket: it holds at most the burst, requests and time fill it, an extra attempt takes one.
    """

    name = "retry_budget_kept"

    def __init__(self, scenario: Scenario, route: Route) -> None:
        super().__init__(scenario, route)
        policy = route.policy.retry_budget
        self._share = policy.share
        self._floor_per_s = policy.floor_per_s
        self._burst = BURST_MIN + policy.floor_per_s * BURST_S
        self._left = self._burst
        self._filled_s = 0.0
        self._domains = {target.name: (target.provider, target.region) for target in route.targets()}
        self._calls: dict[str, _Tried] = {}

    def call_started(self, event: CallStarted) -> None:
        """A request pays its share."""
        self._fill(event.at_s, self._share)

    def attempt_started(self, event: AttemptStarted) -> None:
        """Is it extra, and is it paid for?"""
        tried = self._calls.get(event.call)
        if tried is None:
            tried = self._calls[event.call] = _Tried()
        domain = self._domains.get(event.target, ("", event.target))
        if self._is_extra(event.cause, tried, domain):
            self.checked += 1
            self._fill(event.at_s, 0.0)
            self._left -= 1.0
            if self._left < -ROUNDING:
                what = f"attempt {event.attempt} ({event.cause}) is beyond the retry budget"
                self.violated(event.at_s, event.call, event.target, what)
                self._left = 0.0
        tried.domains.add(domain)

    def call_ended(self, event: CallEnded) -> None:
        """Its story is over."""
        self._calls.pop(event.call, None)

    def _is_extra(self, cause: AttemptCause, tried: _Tried, domain: tuple[str, str]) -> bool:
        if cause is FIRST or cause is LAST_RESORT:
            return False
        if cause is FALLBACK and not tried.free_used and domain not in tried.domains:
            tried.free_used = True
            return False
        return True

    def _fill(self, at_s: float, paid: float) -> None:
        gained = (at_s - self._filled_s) * self._floor_per_s + paid
        self._left = min(self._burst, self._left + gained)
        self._filled_s = at_s
