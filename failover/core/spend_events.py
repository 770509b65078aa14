"""The journal's vocabulary of money: what was reserved, refused, reached, and what became of the ledger.

`at_s` is the driver's monotonic clock, in seconds; amounts are nano-dollars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from failover.core.quick import quick
from failover.core.vocabulary import Reason


@quick
@dataclass(frozen=True, slots=True)
class SpendReserved:
    """So much is kept free for an attempt, on these accounts (`route:chat`, `tenant:acme`, …)."""

    event: ClassVar[str] = "spend_reserved"
    at_s: float
    call: str
    attempt: int
    target: str
    reserved_nusd: int
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpendRefused:
    """An attempt at `target` would cost too much: it is not made.

    `account` says whose budget; `call` where the request's own cap is meant. What is spent and reserved on it
    left no room for `asked_nusd`. None: nobody knows what the target costs, or the ledger does not answer.
    """

    event: ClassVar[str] = "spend_refused"
    at_s: float
    call: str
    target: str
    reason: Reason
    account: str
    limit_nusd: int | None
    spent_nusd: int | None
    reserved_nusd: int | None
    asked_nusd: int | None


@dataclass(frozen=True, slots=True)
class ReservationExceeded:
    """An attempt cost more than was reserved for it: by so much a hard budget may be overshot."""

    event: ClassVar[str] = "reservation_exceeded"
    at_s: float
    call: str
    attempt: int
    target: str
    reserved_nusd: int
    cost_nusd: int


@dataclass(frozen=True, slots=True)
class BudgetReached:
    """That share of a budget is spent: its `warn_share`, or 1. Once each in a window."""

    event: ClassVar[str] = "budget_reached"
    at_s: float
    account: str
    per: str
    spent_share: float
    limit_nusd: int
    spent_nusd: int
    hard: bool


@dataclass(frozen=True, slots=True)
class SpendAlarmRaised:
    """More was spent in the last `per` than an alarm of the config allows."""

    event: ClassVar[str] = "spend_alarm_raised"
    at_s: float
    account: str
    per: str
    spent_nusd: int
    limit_nusd: int


@dataclass(frozen=True, slots=True)
class SpendAlarmEnded:
    """It is well below that again."""

    event: ClassVar[str] = "spend_alarm_ended"
    at_s: float
    account: str
    per: str


@dataclass(frozen=True, slots=True)
class LedgerFailed:
    """The ledger does not answer: `what` names its file, what is wrong and what to do."""

    event: ClassVar[str] = "ledger_failed"
    at_s: float
    what: str


@dataclass(frozen=True, slots=True)
class LedgerRecovered:
    """It answers again, and what could not be written is."""

    event: ClassVar[str] = "ledger_recovered"
    at_s: float


SpendEvent = (
    SpendReserved
    | SpendRefused
    | ReservationExceeded
    | BudgetReached
    | SpendAlarmRaised
    | SpendAlarmEnded
    | LedgerFailed
    | LedgerRecovered
)
