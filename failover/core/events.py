"""The journal's vocabulary: one frozen class per thing that can happen.

`at_s` is the driver's monotonic clock, in seconds. No event holds a prompt, a reply or a credential.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from failover.core.calendar_events import RetirementAhead, RetirementReached
from failover.core.failures import FailureKind, Scope
from failover.core.quick import quick
from failover.core.spend_events import SpendEvent
from failover.core.vocabulary import AttemptCause, Outcome, Reason, Usage
from failover.core.world_events import WorldEvent


@quick
@dataclass(frozen=True, slots=True)
class CallStarted:
    """A request arrived and was decided: the order it will be tried in, and who was passed over.

    `held_back` stand at the end of the order for now, as in a `Decision`; `operation` is a word of
    `vocabulary.Operation`. `data_class` is the one that counts for it, empty where it has none.
    """

    event: ClassVar[str] = "call_started"
    at_s: float
    call: str
    route: str
    deadline_s: float
    order: tuple[str, ...]
    passed_over: tuple[tuple[str, Reason], ...]
    held_back: tuple[str, ...]
    operation: str
    data_class: str = ""


@quick
@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A permit was opened and a send ordered. `probe`: through a half-open breaker."""

    event: ClassVar[str] = "attempt_started"
    at_s: float
    call: str
    attempt: int
    target: str
    cause: AttemptCause
    probe: bool
    total_limit_s: float


@quick
@dataclass(frozen=True, slots=True)
class FirstTokenReceived:
    """The first token of a streamed attempt: where chunks go on as they come, the commit point."""

    event: ClassVar[str] = "first_token_received"
    at_s: float
    call: str
    attempt: int
    target: str


@quick
@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt ended; `permit` says how its permit was settled (exactly once).

    `cost_nusd` None: tokens were used, and nobody knows their price. `estimated`: the provider told no
    usage, or not all of it, and the tokens are our count. `usage` is set where some of them were of a kind
    with a price of its own (`used` says all in any case).
    """

    event: ClassVar[str] = "attempt_ended"
    at_s: float
    call: str
    attempt: int
    target: str
    outcome: Outcome
    permit: Outcome
    failure: FailureKind | None
    status: int | None
    retry_after_s: float | None
    started_s: float
    first_token_s: float | None
    tokens_in: int
    tokens_out: int
    cost_nusd: int | None
    estimated: bool = False
    usage: Usage | None = None

    def used(self) -> Usage:
        """All that it used, kind by kind: what its charge is computed from."""
        if self.usage is not None:
            return self.usage
        return Usage(self.tokens_in, self.tokens_out, estimated=self.estimated)


@dataclass(frozen=True, slots=True)
class ReplyDoubted:
    """An answer was handed on of which something is not as asked: `failure` and its `code` say what."""

    event: ClassVar[str] = "reply_doubted"
    at_s: float
    call: str
    attempt: int
    target: str
    failure: FailureKind
    code: str


@quick
@dataclass(frozen=True, slots=True)
class WaitStarted:
    """Nobody may be asked now: the call waits until `until_s`."""

    event: ClassVar[str] = "wait_started"
    at_s: float
    call: str
    until_s: float


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """A target's breaker moved between `closed`, `open` and `half-open`."""

    event: ClassVar[str] = "breaker_changed"
    at_s: float
    target: str
    state_from: str
    state_to: str
    open_until_s: float | None


@dataclass(frozen=True, slots=True)
class CooldownStarted:
    """Targets of one scope were asked to be left alone until `until_s`."""

    event: ClassVar[str] = "cooldown_started"
    at_s: float
    scope: Scope
    targets: tuple[str, ...]
    until_s: float


@dataclass(frozen=True, slots=True)
class FateShared:
    """What other targets of one scope showed was believed of `targets` too.

    Their breakers opened, until `until_s` at the latest; or, where that is `at_s`, one of the others
    answered again, and they may be probed from now on. `domain` names the provider, and its region, model
    or credential.
    """

    event: ClassVar[str] = "fate_shared"
    at_s: float
    scope: Scope
    domain: str
    targets: tuple[str, ...]
    until_s: float


@dataclass(frozen=True, slots=True)
class OutageSuspected:
    """A target that worked a moment ago refuses, and it is doubted rather than the caller or its key.

    `evidence` is how many refusals say so by now. For whoever is to be alerted.
    """

    event: ClassVar[str] = "outage_suspected"
    at_s: float
    target: str
    failure: FailureKind
    evidence: int


@dataclass(frozen=True, slots=True)
class TargetRetired:
    """Repeated evidence says that the target's model is gone, or its provider is barred to us."""

    event: ClassVar[str] = "target_retired"
    at_s: float
    target: str
    failure: FailureKind


@dataclass(frozen=True, slots=True)
class TargetDrained:
    """An operator said: no new attempts at this target; those that run may end."""

    event: ClassVar[str] = "target_drained"
    at_s: float
    target: str


@dataclass(frozen=True, slots=True)
class TargetUndrained:
    """An operator said: this target may be tried again."""

    event: ClassVar[str] = "target_undrained"
    at_s: float
    target: str


@dataclass(frozen=True, slots=True)
class TargetForcedOpen:
    """An operator opened a target's breaker until `until_s`; None: until it is reset."""

    event: ClassVar[str] = "target_forced_open"
    at_s: float
    target: str
    until_s: float | None


@dataclass(frozen=True, slots=True)
class TargetReset:
    """An operator said: forget what speaks against this target."""

    event: ClassVar[str] = "target_reset"
    at_s: float
    target: str


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """Another config is in force for calls that begin from now on.

    What was learned of targets in `kept` stands, those in `renewed` are new or changed, and those in
    `dropped` are gone. `reinstated` were retired until a reload, and may be tried again.
    """

    event: ClassVar[str] = "config_reloaded"
    at_s: float
    kept: tuple[str, ...]
    renewed: tuple[str, ...]
    dropped: tuple[str, ...]
    reinstated: tuple[str, ...]


@quick
@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call ended exactly once: served by `target`, or with `error` (a class name of `errors.py`)."""

    event: ClassVar[str] = "call_ended"
    at_s: float
    call: str
    route: str
    started_s: float
    target: str | None
    error: str | None
    attempts: int
    cost_nusd: int | None


CallEvent = (
    CallStarted | AttemptStarted | FirstTokenReceived | ReplyDoubted | AttemptEnded | WaitStarted | CallEnded
)
LearnedEvent = BreakerChanged | CooldownStarted | FateShared | OutageSuspected | TargetRetired
CalendarEvent = RetirementAhead | RetirementReached
OperatorEvent = TargetDrained | TargetUndrained | TargetForcedOpen | TargetReset | ConfigReloaded
Event = CallEvent | LearnedEvent | CalendarEvent | OperatorEvent | WorldEvent | SpendEvent
