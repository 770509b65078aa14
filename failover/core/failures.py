"""What an attempt observed, and what follows from it: one closed enum, one table, total."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from failover.core.quick import quick


class FailureKind(StrEnum):
    """Every way an attempt can fail. Each has exactly one row in `DISPOSITIONS`."""

    RATE_LIMITED = "rate_limited"
    ACCELERATION_LIMITED = "acceleration_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    UNAUTHORIZED = "unauthorized"
    REGION_BLOCKED = "region_blocked"
    MODEL_GONE = "model_gone"
    CONTEXT_LENGTH = "context_length"
    CONTENT_FILTERED = "content_filtered"
    REQUEST_TOO_LARGE = "request_too_large"
    BAD_REQUEST = "bad_request"
    UNSUPPORTED_PARAMETER = "unsupported_parameter"
    MALFORMED_REPLY = "malformed_reply"
    TRUNCATED_STREAM = "truncated_stream"
    WRONG_MODEL = "wrong_model"
    CANCELLED = "cancelled"
    LOCAL = "local"


class Phase(StrEnum):
    """Which limit a timeout ran into."""

    CONNECT = "connect"
    FIRST_TOKEN = "first_token"
    IDLE = "idle"
    TOTAL = "total"


class Scope(StrEnum):
    """Who is blamed: every target that shares the failed one's domains of this scope."""

    NOBODY = "nobody"
    REQUEST = "request"
    TARGET = "target"
    MODEL = "model"
    CREDENTIAL = "credential"
    CREDENTIAL_MODEL = "credential_model"
    PROVIDER = "provider"
    PROVIDER_REGION = "provider_region"
    TARGET_PARAMETER = "target_parameter"


class SameTarget(StrEnum):
    """Whether the same target may be asked again within the call."""

    NEVER = "never"
    ONCE_AT_ONCE = "once_at_once"
    """Immediately: a stale pooled connection is cured by a new one."""
    ONCE_WITH_JITTER = "once_with_jitter"
    """After a backoff, when no other target is left."""
    ONCE_AFTER_COOLDOWN = "once_after_cooldown"
    """When its cooldown fits the deadline and no other target is left."""


class NextTarget(StrEnum):
    """Whether the call goes on to another target."""

    YES = "yes"
    NO = "no"
    LARGER_WINDOW = "larger_window"
    LARGER_LIMIT = "larger_limit"
    BY_POLICY = "by_policy"


class StayAway(StrEnum):
    """How the router keeps away from the blamed scope."""

    NOTHING = "nothing"
    BREAKER = "breaker"
    """The target's breaker counts a failure."""
    COOLDOWN = "cooldown"
    """For the time the provider asked; else the backoff's."""
    LONG = "long"
    """The breakers of the scope open for long, then probe."""
    RETIREMENT = "retirement"
    """First for a short time, then a probe; repeated: retired."""
    UNTIL_RELOAD = "until_reload"


@dataclass(frozen=True, slots=True)
class Disposition:
    """What a failure kind implies: retry, fall back, stop; who is blamed; for how long."""

    same_target: SameTarget
    next_target: NextTarget
    scope: Scope
    stay_away: StayAway


@quick
@dataclass(frozen=True, slots=True)
class Failure:
    """What an attempt observed, classified. It holds no provider prose: that may quote the prompt.

    `retry_after_s` is the provider's waiting hint in seconds, in whatever form it came.
    `phase` is set for timeouts, `parameter` for unsupported parameters. `may_retry` False: the provider
    said not to send this again (`x-should-retry: false`); that it may be sent again is the table's to say.
    """

    kind: FailureKind
    status: int | None = None
    code: str = ""
    retry_after_s: float | None = None
    phase: Phase | None = None
    parameter: str = ""
    may_retry: bool = True

    @property
    def disposition(self) -> Disposition:
        """The row of the table."""
        return DISPOSITIONS[self.kind]

    @property
    def scope(self) -> Scope:
        """Who is blamed."""
        return DISPOSITIONS[self.kind].scope


_NEVER, _AT_ONCE = SameTarget.NEVER, SameTarget.ONCE_AT_ONCE
_JITTER, _COOLED = SameTarget.ONCE_WITH_JITTER, SameTarget.ONCE_AFTER_COOLDOWN
_YES, _NO = NextTarget.YES, NextTarget.NO
_K = FailureKind

# fmt: off
DISPOSITIONS: dict[FailureKind, Disposition] = {
    _K.RATE_LIMITED:          Disposition(_COOLED, _YES, Scope.CREDENTIAL_MODEL, StayAway.COOLDOWN),
    _K.ACCELERATION_LIMITED:  Disposition(_NEVER, _YES, Scope.CREDENTIAL, StayAway.COOLDOWN),
    _K.QUOTA_EXHAUSTED:       Disposition(_NEVER, _YES, Scope.CREDENTIAL, StayAway.LONG),
    _K.OVERLOADED:            Disposition(_JITTER, _YES, Scope.TARGET, StayAway.BREAKER),
    _K.SERVER_ERROR:          Disposition(_JITTER, _YES, Scope.TARGET, StayAway.BREAKER),
    _K.CONNECTION:            Disposition(_AT_ONCE, _YES, Scope.PROVIDER_REGION, StayAway.BREAKER),
    _K.TIMEOUT:               Disposition(_NEVER, _YES, Scope.TARGET, StayAway.BREAKER),
    _K.UNAUTHORIZED:          Disposition(_NEVER, _YES, Scope.CREDENTIAL, StayAway.LONG),
    _K.REGION_BLOCKED:        Disposition(_NEVER, _YES, Scope.PROVIDER, StayAway.UNTIL_RELOAD),
    _K.MODEL_GONE:            Disposition(_NEVER, _YES, Scope.MODEL, StayAway.RETIREMENT),
    _K.CONTEXT_LENGTH:        Disposition(_NEVER, NextTarget.LARGER_WINDOW, Scope.REQUEST, StayAway.NOTHING),
    _K.CONTENT_FILTERED:      Disposition(_NEVER, NextTarget.BY_POLICY, Scope.REQUEST, StayAway.NOTHING),
    _K.REQUEST_TOO_LARGE:     Disposition(_NEVER, NextTarget.LARGER_LIMIT, Scope.REQUEST, StayAway.NOTHING),
    _K.BAD_REQUEST:           Disposition(_NEVER, _NO, Scope.REQUEST, StayAway.NOTHING),
    _K.UNSUPPORTED_PARAMETER: Disposition(_NEVER, _YES, Scope.TARGET_PARAMETER, StayAway.NOTHING),
    _K.MALFORMED_REPLY:       Disposition(_JITTER, _YES, Scope.TARGET, StayAway.BREAKER),
    _K.TRUNCATED_STREAM:      Disposition(_JITTER, _YES, Scope.TARGET, StayAway.BREAKER),
    _K.WRONG_MODEL:           Disposition(_NEVER, _YES, Scope.TARGET, StayAway.NOTHING),
    _K.CANCELLED:             Disposition(_NEVER, _NO, Scope.NOBODY, StayAway.NOTHING),
    _K.LOCAL:                 Disposition(_NEVER, _NO, Scope.NOBODY, StayAway.NOTHING),
}
# fmt: on
