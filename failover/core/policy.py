"""The limits of a route, frozen: every key of `policy` in a config, with its default.

Units stand in the names: `_s` seconds, `_share` a fraction of one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Full-jitter exponential waits before the same target is asked again."""

    initial_s: float = 0.25
    max_s: float = 8.0


@dataclass(frozen=True, slots=True)
class RetryBudgetPolicy:
    """Requests deposit `share` of a token each, time deposits `floor_per_s`; a retry withdraws one.

    Source of the figures: Finagle's RetryBudget (20 % of requests plus a floor).
    """

    share: float = 0.2
    floor_per_s: float = 1.0


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a target's breaker opens, for how long, and how many probes it lets through.

    Opens on `failures` in a row, *or* on `failure_share` or `slow_share` of at least `min_requests`
    in `window_s`. An attempt is slow when its first token takes longer than `slow_s`. Each opening
    in a row doubles the open time, from `open_s` up to `open_max_s`. Closed by a probe, the target's
    share of the requests grows from a tenth to all of them in `ramp_s`; 0: it has all at once.
    """

    failures: int = 5
    failure_share: float = 0.5
    slow_share: float = 0.8
    slow_s: float = 10.0
    window_s: float = 30.0
    min_requests: int = 20
    open_s: float = 10.0
    open_max_s: float = 30.0
    probes: int = 1
    ramp_s: float = 10.0


class LastResort(StrEnum):
    """What a call does when every target is away for now."""

    WAIT = "wait"
    """Wait for the target that returns soonest, if the deadline allows."""
    FAIL = "fail"
    """Raise at once."""


class StreamRecovery(StrEnum):
    """What becomes of a live stream that breaks after its commit point."""

    FAIL = "fail"
    """Raise; the error carries the partial text."""
    RESTART = "restart"
    """A marker chunk says "clear what you have", then comes the whole answer of the next target."""
    RESUME = "resume"
    """The next target continues the partial text where it takes a prefill; else as `restart`."""


class Delivery(StrEnum):
    """When the chunks of a stream are handed on."""

    LIVE = "live"
    """As they come."""
    WHOLE = "whole"
    """When the answer is complete: until then every break can be rescued."""


class OnDoubt(StrEnum):
    """What becomes of an answer that is complete, but perhaps not what was asked for."""

    FAIL = "fail"
    """The attempt failed."""
    WARN = "warn"
    """It is handed on, and told."""
    PASS = "pass"  # a policy's word, no password
    """It is handed on, and nobody looks."""


@dataclass(frozen=True, slots=True)
class HedgePolicy:
    """When a second target is asked while the first is still silent.

    After that quantile of the first target's own times to the first token (whole replies: to the
    end), at most for `share` of the requests, and within `usd_share` of what the route spends. None:
    dollars do not limit it; else a target without a known price is never a hedge.
    Source: Dean and Barroso, "The Tail at Scale", 2013 (hedge after the 95th percentile: 5 % more load).
    """

    after_quantile: float = 0.95
    share: float = 0.05
    usd_share: float | None = 0.05


class OnContentFiltered(StrEnum):
    """Whether a safety refusal may be taken to the next target."""

    FAIL = "fail"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Policy:
    """The frozen bundle of limits of a route.

    `attempt_s`, when set, bounds one attempt. Unset, an attempt may use half of what is left of the
    deadline while somebody else could still be asked, and all of it when nobody could.
    `attempts` is the most in one call, whatever the chain's length. `stream_upstream`: targets stream
    to us what the caller wants whole, so that a stall is seen early. `max_cost_nusd` is what all attempts of
    a call may cost together (`max_cost_usd` in a config).
    """

    deadline_s: float = 60.0
    attempt_s: float | None = None
    connect_s: float = 5.0
    first_token_s: float = 20.0
    idle_s: float = 20.0
    attempts: int = 6
    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    retry_budget: RetryBudgetPolicy = field(default_factory=RetryBudgetPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    on_content_filtered: OnContentFiltered = OnContentFiltered.FAIL
    last_resort: LastResort = LastResort.WAIT
    hedge: HedgePolicy | None = None
    stream_recovery: StreamRecovery = StreamRecovery.FAIL
    delivery: Delivery = Delivery.LIVE
    stream_upstream: bool = False
    on_wrong_model: OnDoubt = OnDoubt.WARN
    on_unsound_tool_call: OnDoubt = OnDoubt.FAIL
    max_cost_nusd: int | None = None
