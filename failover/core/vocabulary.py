"""The nouns: one word, one meaning, in config, code, events, metrics, reports and errors.

Units stand in the names: `_s` seconds, `_nusd` integer nano-dollars, `_share` a fraction of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FaultDomain(StrEnum):
    """What fails together. Every target lies in one of each kind that it names."""

    TARGET = "target"
    PROVIDER = "provider"
    MODEL = "model"
    REGION = "region"
    CLOUD = "cloud"
    EDGE = "edge"
    CREDENTIAL = "credential"


@dataclass(frozen=True, slots=True)
class Target:
    """Provider + model + region + credential: what is ranked, sent to, priced, broken, injected.

    `model` is the name litellm knows (`anthropic/claude-sonnet-5`). `credential` is the *name* of an
    environment variable, never its value. A target that names a `callable` is a plain function.
    Of `weight` only the ratio within the tier counts. `vector_space`: of its embeddings; empty: its model's.
    """

    name: str
    provider: str
    model: str = ""
    region: str = ""
    credential: str = ""
    cloud: str = ""
    edge: str = ""
    api_base: str = ""
    callable: str = ""
    context_window_tokens: int | None = None
    tokens_per_minute: int | None = None
    weight: float = 1.0
    vector_space: str = ""

    def domain(self, kind: FaultDomain) -> str:
        """The name of this target's fault domain of `kind`, empty when it lies in none."""
        return str(self.name if kind is FaultDomain.TARGET else getattr(self, kind.value))


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


class OnContentFiltered(StrEnum):
    """Whether a safety refusal may be taken to the next target."""

    FAIL = "fail"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Policy:
    """The frozen bundle of limits of a route.

    `attempt_s`, when set, bounds one attempt. Unset, an attempt may use half of what is left of the
    deadline while somebody else could still be asked, and all of it when nobody could.
    `attempts` is the most in one call, whatever the chain's length.
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


Tiers = tuple[tuple[Target, ...], ...]
"""A chain: tiers in the author's order. Ranking happens within a tier, never across."""

StrategyFunction = Callable[[Sequence[Any], Any], Sequence[Any]]
"""A `strategies.Strategy`, named here without what only it looks at."""


class Operation(StrEnum):
    """What a target is asked to do, as litellm calls it; `call` is a plain function."""

    COMPLETION = "completion"
    CALL = "call"
    EMBEDDING = "embedding"
    RESPONSES = "responses"
    IMAGE_GENERATION = "image_generation"
    TRANSCRIPTION = "transcription"
    SPEECH = "speech"
    RERANK = "rerank"
    MODERATION = "moderation"


@dataclass(frozen=True, slots=True)
class Route:
    """The name callers ask for; binds a chain, a strategy (its name, or a function) and a policy."""

    name: str
    chain: Tiers
    strategy: str | StrategyFunction = "priority"
    policy: Policy = field(default_factory=Policy)

    @property
    def strategy_name(self) -> str:
        """What its strategy is called: as the config calls it, or as the function is named."""
        if isinstance(self.strategy, str):
            return self.strategy
        return str(getattr(self.strategy, "__name__", type(self.strategy).__name__))

    def targets(self) -> tuple[Target, ...]:
        """Every target of the chain, in the author's order."""
        return tuple(target for tier in self.chain for target in tier)


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller asked, as far as deciding needs to know: never its content.

    `tokens_out` is the expected length of the answer; None lets the router use what it learned.
    """

    id: str
    tokens_in: int = 0
    tokens_out: int | None = None
    stream: bool = False
    deadline_s: float | None = None
    operation: str = Operation.COMPLETION


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt, as its provider counted them."""

    tokens_in: int = 0
    tokens_out: int = 0


class Reason(StrEnum):
    """Why a target was passed over."""

    BREAKER_OPEN = "breaker_open"
    PROBE_RUNNING = "probe_running"
    COOLDOWN = "cooldown"
    RETIRED = "retired"
    DRAINED = "drained"
    TOO_SLOW = "too_slow"
    WINDOW_TOO_SMALL = "window_too_small"
    OTHER_VECTOR_SPACE = "other_vector_space"


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A target that may not be tried now, why, and until when (None: not known, or never)."""

    target: Target
    reason: Reason
    until_s: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """For one request: targets in the order they will be tried, and those passed over, with reasons.

    `strategy_failed`: a strategy of your own raised, so that the author's order stands in its place.
    `held_back` came back a moment ago: they would be first, and are last while their ramp lasts.
    """

    route: str
    strategy: str
    order: tuple[Target, ...]
    passed_over: tuple[PassedOver, ...] = ()
    strategy_failed: bool = False
    held_back: tuple[Target, ...] = ()


class Outcome(StrEnum):
    """How an attempt ended, and how its permit is settled."""

    SUCCESS = "success"
    FAILURE = "failure"
    ABANDONED = "abandoned"


class AttemptCause(StrEnum):
    """Why an attempt was made."""

    FIRST = "first"
    RETRY = "retry"
    FALLBACK = "fallback"
    LAST_RESORT = "last_resort"


@dataclass(frozen=True, slots=True)
class Limits:
    """The time limits of one attempt, each at most what is left of the call's deadline."""

    connect_s: float
    first_token_s: float
    idle_s: float
    total_s: float
