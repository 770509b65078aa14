"""The rules that must hold in every drill, from its events alone: one small file each, registered here."""

from failover.chaos.judging.invariants.attempts_within_limit import AttemptsWithinLimit
from failover.chaos.judging.invariants.base import Invariant, InvariantResult
from failover.chaos.judging.invariants.calls_end_once import CallsEndOnce
from failover.chaos.judging.invariants.charges_exact import ChargesExact
from failover.chaos.judging.invariants.deadline_kept import DeadlineKept
from failover.chaos.judging.invariants.limits_kept import LimitsKept
from failover.chaos.judging.invariants.nothing_forbidden_sent import NothingForbiddenSent
from failover.chaos.judging.invariants.open_breaker_respected import OpenBreakerRespected
from failover.chaos.judging.invariants.permits_settled import PermitsSettled
from failover.chaos.judging.invariants.preferred_returns import PreferredReturns
from failover.chaos.judging.invariants.retired_left_alone import RetiredLeftAlone
from failover.chaos.judging.invariants.retry_after_honoured import RetryAfterHonoured
from failover.chaos.judging.invariants.retry_allowed import RetryAllowed
from failover.chaos.judging.invariants.retry_budget_kept import RetryBudgetKept
from failover.chaos.judging.invariants.spend_within_budgets import SpendWithinBudgets
from failover.chaos.judging.invariants.truncated_never_served import TruncatedNeverServed

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
    NothingForbiddenSent,
    SpendWithinBudgets,
    PreferredReturns,
)

OF_ANY_CLIENT: tuple[type[Invariant], ...] = (
    CallsEndOnce,
    DeadlineKept,
    RetryAllowed,
    RetryAfterHonoured,
    TruncatedNeverServed,
    NothingForbiddenSent,
    PreferredReturns,
)
"""Those that the wire and the caller can tell of any client; the others need the router's own events."""

__all__ = ["INVARIANTS", "OF_ANY_CLIENT", "Invariant", "InvariantResult"]
