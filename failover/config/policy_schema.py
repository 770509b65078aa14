"""The schema of `policy` in a config file: the limits of a route."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from failover.config.values import Flag, Seconds, Share, Usd, WaitSeconds, Whole
from failover.core.policy import (
    Delivery,
    HedgePolicy,
    LastResort,
    OnContentFiltered,
    OnDoubt,
    Policy,
    StreamRecovery,
)
from failover.documents import Section

DEFAULTS = Policy()
"""The only place defaults come from."""

GOVERNANCE = frozenset({"lifecycle", "tags"})
"""Keys that nothing obeys yet: refused wherever they are written, since a safety key must not be ignored."""


class Backoff(Section):
    """Full-jitter waits before the same target is asked again."""

    initial_s: WaitSeconds = Field(default=DEFAULTS.backoff.initial_s, description="Longest first wait.")
    max_s: WaitSeconds = Field(default=DEFAULTS.backoff.max_s, description="Longest wait of all.")


class RetryBudget(Section):
    """The allowance that retries and further fallbacks of a route draw on."""

    share: float = Field(
        default=DEFAULTS.retry_budget.share,
        strict=True,
        ge=0,
        le=1,
        description="Retries per request, at most.",
    )
    floor_per_s: float = Field(
        default=DEFAULTS.retry_budget.floor_per_s,
        strict=True,
        ge=0,
        le=1000,
        description="Retries per second allowed however few the requests.",
    )


class Breaker(Section):
    """When a target's breaker opens, and for how long."""

    failures: Whole = Field(
        default=DEFAULTS.breaker.failures, description="Opens on so many failures in a row."
    )
    failure_share: Share = Field(
        default=DEFAULTS.breaker.failure_share, description="Opens on this share of failures in the window."
    )
    slow_share: Share = Field(
        default=DEFAULTS.breaker.slow_share, description="Opens on this share of slow attempts in the window."
    )
    slow_s: Seconds = Field(default=DEFAULTS.breaker.slow_s, description="First token later than this: slow.")
    window_s: Seconds = Field(
        default=DEFAULTS.breaker.window_s, description="Length of the window of both shares."
    )
    min_requests: Whole = Field(
        default=DEFAULTS.breaker.min_requests,
        description="Fewer attempts in the window open nothing by share.",
    )
    open_s: Seconds = Field(default=DEFAULTS.breaker.open_s, description="Open time at the first opening.")
    open_max_s: Seconds = Field(
        default=DEFAULTS.breaker.open_max_s,
        description="Longest open time; it doubles with each opening in a row.",
    )
    probes: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(
        default=DEFAULTS.breaker.probes, description="Attempts let through at a time while half-open."
    )
    ramp_s: WaitSeconds = Field(
        default=DEFAULTS.breaker.ramp_s,
        description="Closed by a probe, its share of requests grows to 1 in this time; 0: at once.",
    )


class Hedge(Section):
    """When a second target is asked while the first is still silent."""

    after_quantile: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(
        default=HedgePolicy().after_quantile,
        description="After this quantile of the first target's own times to the first token.",
    )
    share: Share = Field(default=HedgePolicy().share, description="Hedges per request, at most.")
    usd_share: Share | None = Field(
        default=HedgePolicy().usd_share,
        description="Dollars for hedges per dollar spent, at most; null: dollars do not limit them.",
    )


class PolicySection(Section):
    """The limits of a route."""

    later: ClassVar[frozenset[str]] = GOVERNANCE

    deadline_s: Seconds = Field(
        default=DEFAULTS.deadline_s, description="Time of a whole call, all attempts included."
    )
    attempt_s: Seconds | None = Field(
        default=DEFAULTS.attempt_s,
        description=(
            "Time of one attempt; left out, half of what is left of the deadline while another target "
            "could still be asked, else all of it."
        ),
    )
    connect_s: Seconds = Field(default=DEFAULTS.connect_s, description="Time to connect.")
    first_token_s: Seconds = Field(default=DEFAULTS.first_token_s, description="Time to the first token.")
    idle_s: Seconds = Field(default=DEFAULTS.idle_s, description="Time between two pieces of a stream.")
    attempts: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(
        default=DEFAULTS.attempts, description="Most attempts in one call."
    )
    backoff: Backoff = Backoff()
    retry_budget: RetryBudget = RetryBudget()
    breaker: Breaker = Breaker()
    on_content_filtered: OnContentFiltered = Field(
        default=DEFAULTS.on_content_filtered,
        description="Whether a safety refusal may go to the next target.",
    )
    last_resort: LastResort = Field(
        default=DEFAULTS.last_resort, description="What a call does when every target is away for now."
    )
    hedge: Hedge | None = Field(default=None, description="Ask a second target; left out: never.")
    stream_recovery: StreamRecovery = Field(
        default=DEFAULTS.stream_recovery,
        description="What becomes of a live stream that breaks after its first token.",
    )
    delivery: Delivery = Field(
        default=DEFAULTS.delivery, description="Hand a stream's chunks on as they come, or when it is whole."
    )
    stream_upstream: Flag = Field(
        default=DEFAULTS.stream_upstream,
        description="Let targets stream what the caller wants whole, so that a stall is seen early.",
    )
    on_wrong_model: OnDoubt = Field(
        default=DEFAULTS.on_wrong_model, description="What becomes of an answer by another model than asked."
    )
    on_unsound_tool_call: OnDoubt = Field(
        default=DEFAULTS.on_unsound_tool_call,
        description="What becomes of a tool call that does not parse, or names a tool that was not offered.",
    )
    max_cost_usd: Usd | None = Field(
        default=DEFAULTS.max_cost_nusd,
        description="What all attempts of one call may cost together; left out, whatever budgets allow.",
    )
