"""The rules that must hold in every drill, from its events alone: one small file each, registered here."""

from failover.chaos.invariants.attempts_within_limit import AttemptsWithinLimit
from failover.chaos.invariants.base import Invariant, InvariantResult
from failover.chaos.invariants.calls_end_once import CallsEndOnce
from failover.chaos.invariants.charges_exact import ChargesExact
from failover.chaos.invariants.deadline_kept import DeadlineKept
from failover.chaos.invariants.limits_kept import LimitsKept
from failover.chaos.invariants.open_breaker_respected import OpenBreakerRespected
from failover.chaos.invariants.permits_settled import PermitsSettled
from failover.chaos.invariants.preferred_returns import PreferredReturns
from failover.chaos.invariants.retired_left_alone import RetiredLeftAlone
from failover.chaos.invariants.retry_after_honoured import RetryAfterHonoured
from failover.chaos.invariants.retry_allowed import RetryAllowed
from failover.chaos.invariants.retry_budget_kept import RetryBudgetKept
from failover.chaos.invariants.truncated_never_served import TruncatedNeverServed

INVARIANTS: tuple[type[Invariant], ...] = (
    PermitsSettled,
    CallsEndOnce,
    DeadlineKept,
    OpenBreakerRespected,
    AttemptsWithinLimit,
    RetryAllowed,
    RetryAfterHonoured,
    RetryBudgetKept,
    TruncatedNeverServed,
    ChargesExact,
    RetiredLeftAlone,
    LimitsKept,
    PreferredReturns,
)

__all__ = ["INVARIANTS", "Invariant", "InvariantResult"]
