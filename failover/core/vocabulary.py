"""The nouns: one word, one meaning, in config, code, events, metrics, reports and errors.

Units stand in the names: `_s` seconds, `_nusd` integer nano-dollars, `_share` a fraction of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from failover.core.capabilities import NOTHING, UNKNOWN, Capabilities, Needs
from failover.core.policy import Delivery, Policy
from failover.core.quick import quick


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
    requests_per_minute: int | None = None
    concurrency: int | None = None
    weight: float = 1.0
    vector_space: str = ""
    # No part of its hash, which every send takes: targets that differ only in this are few.
    capabilities: Capabilities = field(default=UNKNOWN, hash=False)

    def domain(self, kind: FaultDomain) -> str:
        """The name of this target's fault domain of `kind`, empty when it lies in none."""
        return str(self.name if kind is FaultDomain.TARGET else getattr(self, kind.value))


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
    """The name callers ask for; binds a chain, a strategy (its name, or a function) and a policy.

    `is_canary`: nobody asks for it; what it sends keeps a target warm.
    """

    name: str
    chain: Tiers
    strategy: str | StrategyFunction = "priority"
    policy: Policy = field(default_factory=Policy)
    is_canary: bool = False

    @property
    def strategy_name(self) -> str:
        """What its strategy is called: as the config calls it, or as the function is named."""
        if isinstance(self.strategy, str):
            return self.strategy
        return str(getattr(self.strategy, "__name__", type(self.strategy).__name__))

    def targets(self) -> tuple[Target, ...]:
        """Every target of the chain, in the author's order."""
        return tuple(target for tier in self.chain for target in tier)


@quick
@dataclass(frozen=True, slots=True)
class Request:
    """What the caller asked, as far as deciding needs to know: never its content.

    `tokens_out` is the expected length of the answer; None lets the router use what it learned.
    `tokens_out_max` is the longest that its caller lets it become: a bound, and no expectation. `count`
    counts the prompt as a target would; without it, `tokens_in` stands for all.
    `delivery` None: the policy's. One that is not `replay_safe` is never hedged. `data_class`: which of the
    config's its data are. `tenant` and `tags`: for whom and for what it is. `max_cost_nusd`: what all of
    its attempts may cost together.
    """

    id: str
    tokens_in: int = 0
    tokens_out: int | None = None
    stream: bool = False
    deadline_s: float | None = None
    operation: str = Operation.COMPLETION
    delivery: Delivery | None = None
    replay_safe: bool = True
    needs: Needs = NOTHING
    data_class: str = ""
    tenant: str = ""
    tags: frozenset[str] = frozenset()
    max_cost_nusd: int | None = None
    tokens_out_max: int | None = None
    count: Callable[[Target], int] | None = field(default=None, compare=False)

    def tokens_in_at(self, target: Target) -> int:
        """The length of the prompt in the tokens of `target`."""
        return self.tokens_in if self.count is None else self.count(target)

    def expected_out(self, learned: float) -> int:
        """The expected length of the answer, where `learned` is what is usual: never above its bound."""
        expected = int(learned) if self.tokens_out is None else self.tokens_out
        bound = self.tokens_out_max
        return expected if bound is None or expected < bound else bound


@quick
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt, as its provider counted them; `estimated`: as we did, since it did not say.

    The first two are all of them; the others say how many of those were of a kind with a price of its own:
    read from a cache, written to one (for minutes, or for an hour), heard, spoken, or thought.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_in_cached: int = 0
    tokens_in_cache_written: int = 0
    tokens_in_cache_written_1h: int = 0
    tokens_in_audio: int = 0
    tokens_out_audio: int = 0
    tokens_out_reasoning: int = 0
    estimated: bool = False

    def is_plain(self) -> bool:
        """Whether none of the tokens is of a kind with a price of its own."""
        return not (
            self.tokens_in_cached
            or self.tokens_in_cache_written
            or self.tokens_in_cache_written_1h
            or self.tokens_in_audio
            or self.tokens_out_audio
            or self.tokens_out_reasoning
        )


class RetirementShape(StrEnum):
    """What becomes of requests for a model after its end. The first three end it, the others change it."""

    HARD_ERROR = "hard_error"
    """Refused: not found, or decommissioned."""
    REDIRECT = "redirect"
    """Its successor answers under its name, and bills its own price."""
    ACCESS_NARROWED = "access_narrowed"
    """Refused to accounts that did not use it of late."""
    ALIAS_MOVED = "alias_moved"
    PARAMETER_REMOVED = "parameter_removed"
    SILENT_DOWNGRADE = "silent_downgrade"

    @property
    def ends(self) -> bool:
        """Whether the model that the config names is not to be had afterwards; else it is, and differs."""
        return self in {
            RetirementShape.HARD_ERROR,
            RetirementShape.REDIRECT,
            RetirementShape.ACCESS_NARROWED,
        }


class ByDate(StrEnum):
    """What the date of a target's end does by itself."""

    PASS_OVER = "pass_over"
    """It is asked only when nobody else is left: the date may be wrong."""
    BAR = "bar"
    """It is not asked any more."""
    IGNORE = "ignore"
    """Nothing but a warning: only what it answers counts."""


class Reason(StrEnum):
    """Why a target was passed over."""

    BREAKER_OPEN = "breaker_open"
    PROBE_RUNNING = "probe_running"
    COOLDOWN = "cooldown"
    RETIRED = "retired"
    RETIREMENT_DUE = "retirement_due"
    """Its date has passed, as a list says that may be wrong: asked when nobody else is left."""
    DRAINED = "drained"
    TOO_SLOW = "too_slow"
    WINDOW_TOO_SMALL = "window_too_small"
    OTHER_VECTOR_SPACE = "other_vector_space"
    NO_TOOLS = "no_tools"
    NO_VISION = "no_vision"
    NO_AUDIO_INPUT = "no_audio_input"
    NO_AUDIO_OUTPUT = "no_audio_output"
    NO_FILES = "no_files"
    NO_JSON_SCHEMA = "no_json_schema"
    NO_PREFILL = "no_prefill"
    NO_REASONING = "no_reasoning"
    OUTPUT_TOO_SHORT = "output_too_short"
    PARAMETER_UNSUPPORTED = "parameter_unsupported"
    PARAMETER_REFUSED = "parameter_refused"
    LIMIT_REACHED = "limit_reached"
    FORBIDDEN_BY_TERMS = "forbidden_by_terms"
    BUDGET_SPENT = "budget_spent"
    TOO_EXPENSIVE = "too_expensive"
    PRICE_UNKNOWN = "price_unknown"
    LEDGER_FAILED = "ledger_failed"


@quick
@dataclass(frozen=True, slots=True)
class PassedOver:
    """A target that may not be tried now, why, and until when (None: not known, or never).

    `successor` of one that is retired: a target, or the model that its provider recommends. `detail` says it
    in more words, where one word is not enough.
    """

    target: Target
    reason: Reason
    until_s: float | None = None
    successor: str = ""
    detail: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Decision:
    """For one request: targets in the order they will be tried, and those passed over, with reasons.

    `strategy_failed`: a strategy of your own raised, so that the author's order stands in its place.
    `held_back` stand at the end of the order: they came back a moment ago and their ramp lasts, or their
    providers said that nothing is left of their quota for now. `data_class` is the one that counts for it.
    """

    route: str
    strategy: str
    order: tuple[Target, ...]
    passed_over: tuple[PassedOver, ...] = ()
    strategy_failed: bool = False
    held_back: tuple[Target, ...] = ()
    data_class: str = ""


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
    HEDGE = "hedge"
    """While another attempt still runs."""
    LAST_RESORT = "last_resort"
    KEEP_WARM = "keep_warm"
    """Nobody asked: a canary, so that a standby is known to be there."""
