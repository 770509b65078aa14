"""What may be spent, and what was: budgets, the windows they count in, and the port to whoever keeps count.

Money is integer nano-dollars. Times are epoch seconds, except where a name says otherwise.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite
from typing import Protocol, assert_never

from failover.core.quick import quick
from failover.core.vocabulary import Reason, Request, Target, Usage

UNPAYABLE = frozenset({Reason.BUDGET_SPENT, Reason.TOO_EXPENSIVE, Reason.PRICE_UNKNOWN, Reason.LEDGER_FAILED})
"""Reasons that stand for the rest of a call: such a target is not asked by any of its paths."""

MINUTE_S, HOUR_S = 60.0, 3600.0
WARN_SHARE = 0.8
EACH = "*"
"""In place of a tenant's name: each tenant has an account of its own."""


class Spender(StrEnum):
    """Whose charges an account adds up."""

    ALL = "all"
    ROUTE = "route"
    TAG = "tag"
    TENANT = "tenant"
    TARGET = "target"
    PROVIDER = "provider"
    CREDENTIAL = "credential"


class Per(StrEnum):
    """How long a budget lasts before it begins anew."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"
    """It never begins anew."""


class OnLedgerFailure(StrEnum):
    """What becomes of an attempt under a hard budget while the ledger does not answer."""

    REFUSE = "refuse"
    SERVE = "serve"


@quick
@dataclass(frozen=True, slots=True)
class SpendScope:
    """Whose charges: `all`, or those of one `kind` and `name` (`route:chat`, `tenant:*`)."""

    kind: Spender
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


@dataclass(frozen=True, slots=True)
class Budget:
    """So much may be spent in each window. Calendar windows of `zone`, weeks from Monday.

    Hard: no attempt is sent whose reservation does not fit. Else it is only told. It is told once in a window
    that `warn_share` of it is spent, and once that all of it is.
    """

    scope: SpendScope
    limit_nusd: int
    per: Per = Per.DAY
    zone: dt.tzinfo = dt.UTC
    hard: bool = True
    warn_share: float = WARN_SHARE


@quick
@dataclass(frozen=True, slots=True)
class Account:
    """The charges of one spender in one window: of attempts that were sent from `begins_s` up to `ends_s`."""

    kind: Spender
    name: str
    begins_s: float
    ends_s: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


@quick
@dataclass(frozen=True, slots=True)
class Hold:
    """A part of a reservation: on this account, within its limit. None: it is counted, and never refused."""

    account: Account
    limit_nusd: int | None


@quick
@dataclass(frozen=True, slots=True)
class Reservation:
    """So much is kept free on all of its accounts, until it is settled or released, or `until_s`.

    `spent_nusd` is what was settled on each of those accounts when it was made.
    """

    id: str
    nusd: int
    holds: tuple[Hold, ...]
    at_s: float
    until_s: float
    spent_nusd: tuple[int, ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Refusal:
    """It does not fit: on this account so much is spent and reserved already. None: that is not known."""

    account: str
    limit_nusd: int | None
    spent_nusd: int | None
    reserved_nusd: int | None
    asked_nusd: int | None
    resets_s: float | None


@quick
@dataclass(frozen=True, slots=True)
class Charge:
    """What one attempt cost, and who is to pay. It counts in the windows in which it was sent, `started_s`.

    `is_estimated`: nobody told what it cost, so it counts as what was reserved for it. `price_as_of_s`: its
    price is the one that was in force then.
    """

    call: str
    attempt: int
    route: str
    target: Target
    tenant: str
    tags: frozenset[str]
    usage: Usage | None
    cost_nusd: int
    is_estimated: bool
    started_s: float
    price_as_of_s: float


@quick
@dataclass(frozen=True, slots=True)
class Totals:
    """What is settled on an account, and what is reserved on it."""

    spent_nusd: int = 0
    reserved_nusd: int = 0


class Ledger(Protocol):
    """Keeps count of what is reserved and spent. Whoever calls it may wait for it, so it answers quickly.

    `trouble` says in words what is wrong with it, empty while nothing is.
    """

    @property
    def trouble(self) -> str:
        """What is wrong, whose fault it is and what to do; empty: nothing."""
        ...

    def now_s(self, as_of_s: float) -> float:
        """The time it counts in: `as_of_s`, except that a clock that stepped back reopens no window."""
        ...

    def reserve(
        self, holds: tuple[Hold, ...], nusd: int, at_s: float, until_s: float
    ) -> Reservation | Refusal:
        """Keep so much free on all of these accounts, or say which has no room; at once, for all callers.

        Raises `LedgerError` where that cannot be found out.
        """
        ...

    def settle(self, reservation: Reservation, charge: Charge) -> None:
        """The attempt cost so much. Settling again changes nothing, and what cannot be written is kept."""
        ...

    def release(self, reservation: Reservation) -> None:
        """The attempt cost nothing, or was not made."""
        ...

    def totals(self, account: Account, at_s: float) -> Totals:
        """What is spent and reserved on an account. Raises `LedgerError`."""
        ...

    def names(self, kind: Spender, begins_s: float, ends_s: float) -> Sequence[str]:
        """Those that have an account of this kind in this window. Raises `LedgerError`."""
        ...

    def close(self) -> None:
        """Write down what is kept, and let go of any file."""
        ...


def window_at(per: Per, zone: dt.tzinfo, at_s: float) -> tuple[float, float]:
    """The window that `at_s` lies in, from its first instant to the first of the next.

    Minutes and hours are those of UTC; days, weeks and months begin at midnight in `zone`, so that a day in
    which clocks are changed has 23 or 25 hours.
    """
    if per is Per.TOTAL:
        return 0.0, inf
    if per is Per.MINUTE or per is Per.HOUR:
        length_s = MINUTE_S if per is Per.MINUTE else HOUR_S
        begins_s = at_s // length_s * length_s
        return begins_s, begins_s + length_s
    day = dt.datetime.fromtimestamp(at_s, zone).date()
    if per is Per.WEEK:
        day -= dt.timedelta(days=day.weekday())
        after = day + dt.timedelta(days=7)
    elif per is Per.MONTH:
        day = day.replace(day=1)
        after = (day + dt.timedelta(days=31)).replace(day=1)
    else:
        after = day + dt.timedelta(days=1)
    return _midnight_s(day, zone), _midnight_s(after, zone)


def _midnight_s(day: dt.date, zone: dt.tzinfo) -> float:
    return dt.datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def refusal_of(hold: Hold, limit_nusd: int, totals: Totals, asked_nusd: int) -> Refusal:
    """Why `asked_nusd` does not fit."""
    ends_s = hold.account.ends_s
    return Refusal(
        account=str(hold.account),
        limit_nusd=limit_nusd,
        spent_nusd=totals.spent_nusd,
        reserved_nusd=totals.reserved_nusd,
        asked_nusd=asked_nusd,
        resets_s=ends_s if isfinite(ends_s) else None,
    )


def names_of(scope: SpendScope, route: str, target: Target, request: Request) -> tuple[str, ...]:
    """The names of the accounts of `scope` that such an attempt is charged to, if any."""
    match scope.kind:
        case Spender.ALL:
            return ("",)
        case Spender.ROUTE:
            own = route
        case Spender.TENANT:
            own = request.tenant
            if scope.name == EACH:
                return (own,) if own else ()
        case Spender.TAG:
            return (scope.name,) if scope.name in request.tags else ()
        case Spender.TARGET:
            own = target.name
        case Spender.PROVIDER:
            own = target.provider
        case Spender.CREDENTIAL:
            own = target.credential
        case _:
            assert_never(scope.kind)
    return (own,) if own == scope.name else ()
