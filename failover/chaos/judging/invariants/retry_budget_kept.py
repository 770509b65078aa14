"""Retries and further fallbacks stay within what requests and time pay for."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.budget import BURST_MIN, BURST_S
from failover.core.events import AttemptStarted, CallEnded, CallStarted
from failover.core.policy import RetryBudgetPolicy
from failover.core.vocabulary import AttemptCause

ROUNDING = 1e-6

FIRST, FALLBACK = AttemptCause.FIRST, AttemptCause.FALLBACK
LAST_RESORT = AttemptCause.LAST_RESORT


class _Bucket:
    """What a route may spend on extra attempts, filled by its requests and by time."""

    __slots__ = ("_burst", "_filled_s", "_floor_per_s", "left", "share")

    def __init__(self, policy: RetryBudgetPolicy) -> None:
        self.share = policy.share
        self._floor_per_s = policy.floor_per_s
        self._burst = self.left = BURST_MIN + policy.floor_per_s * BURST_S
        self._filled_s = 0.0

    def fill(self, at_s: float, paid: float) -> None:
        gained = (at_s - self._filled_s) * self._floor_per_s + paid
        self.left = min(self._burst, self.left + gained)
        self._filled_s = at_s


class _Tried:
    """Which (provider, region) a call has asked, and whether it had its free fallback."""

    __slots__ = ("bucket", "domains", "free_used")

    def __init__(self, bucket: _Bucket) -> None:
        self.bucket = bucket
        self.domains: set[tuple[str, str]] = set()
        self.free_used = False


class RetryBudgetKept(Invariant):
    """In every stretch of time at most `burst + share x requests + floor x seconds` attempts are extra.

    Extra are retries, and fallbacks but the first of a call to another fault domain. Counted as a
    bucket: it holds at most the burst, requests and time fill it, an extra attempt takes one.
    """

    name = "retry_budget_kept"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._buckets = {route.name: _Bucket(route.policy.retry_budget) for route in routes.called}
        self._domains = {target.name: (target.provider, target.region) for target in routes.targets()}
        self._calls: dict[str, _Tried] = {}

    def call_started(self, event: CallStarted) -> None:
        """A request pays its share."""
        bucket = self._buckets[event.route]
        bucket.fill(event.at_s, bucket.share)
        self._calls[event.call] = _Tried(bucket)

    def attempt_started(self, event: AttemptStarted) -> None:
        """Is it extra, and is it paid for?"""
        tried = self._calls.get(event.call)
        if tried is None:
            return  # `calls_end_once` says that this call never started
        domain = self._domains.get(event.target, ("", event.target))
        if self._is_extra(event.cause, tried, domain):
            self.checked += 1
            bucket = tried.bucket
            bucket.fill(event.at_s, 0.0)
            bucket.left -= 1.0
            if bucket.left < -ROUNDING:
                what = f"attempt {event.attempt} ({event.cause}) is beyond the retry budget"
                self.violated(event.at_s, event.call, event.target, what)
                bucket.left = 0.0
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
