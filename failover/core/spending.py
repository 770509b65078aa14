"""The budgets and alarms of one config, held against a ledger.

What belongs to a route and a target is worked out once; a call adds its tags and its tenant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite

from failover.core.alarms import Alarm, Rate
from failover.core.learned import Recorder
from failover.core.spend import (
    EACH,
    Account,
    Budget,
    Charge,
    Hold,
    Ledger,
    OnLedgerFailure,
    Refusal,
    Reservation,
    Spender,
    Totals,
    names_of,
    refusal_of,
    window_at,
)
from failover.core.spend_events import (
    BudgetReached,
    LedgerFailed,
    LedgerRecovered,
    SpendAlarmEnded,
    SpendAlarmRaised,
)
from failover.core.vocabulary import Request, Target
from failover.errors import LedgerError

ALARMS_MAX = 10_000
"""An alarm on `tenant:*` watches so many tenants at a time: past that, the one seen first is forgotten."""

_OF_THE_REQUEST = (Spender.TAG, Spender.TENANT)


class Meter:
    """One budget with its present window."""

    __slots__ = ("_accounts", "_begins_s", "_ends_s", "_told", "budget")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._begins_s, self._ends_s = inf, -inf
        self._accounts: dict[str, Hold] = {}
        self._told: dict[str, float] = {}

    def hold(self, name: str, at_s: float) -> Hold:
        """What a reservation holds on the account of `name`, as of then."""
        if not self._begins_s <= at_s < self._ends_s:
            self._begins_s, self._ends_s = window_at(self.budget.per, self.budget.zone, at_s)
            self._accounts.clear()
            self._told.clear()
        hold = self._accounts.get(name)
        if hold is None:
            budget = self.budget
            account = Account(budget.scope.kind, name, self._begins_s, self._ends_s)
            hold = self._accounts[name] = Hold(account, budget.limit_nusd if budget.hard else None)
        return hold

    def reached(self, name: str, spent_nusd: int) -> float | None:
        """The share of the budget that is spent, where that was not told before in this window; else None."""
        budget, told = self.budget, self._told.get(name, 0.0)
        for share in (1.0, budget.warn_share):
            if told < share and spent_nusd >= budget.limit_nusd * share:
                self._told[name] = share
                return share
        return None


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """One account of a budget now. `resets_s` is epoch seconds, None where it never does."""

    budget: Budget
    account: Account
    totals: Totals

    @property
    def resets_s(self) -> float | None:
        """When its window ends."""
        return self.account.ends_s if isfinite(self.account.ends_s) else None


class Spending:
    """Reserves before an attempt is sent, settles when it ended, and tells of what was reached."""

    def __init__(
        self,
        ledger: Ledger,
        budgets: Sequence[Budget] = (),
        alarms: Sequence[Alarm] = (),
        on_failure: OnLedgerFailure = OnLedgerFailure.REFUSE,
    ) -> None:
        self.ledger = ledger
        self.budgets = tuple(budgets)
        self._alarms = tuple(alarms)
        self._on_failure = on_failure
        self._meters = tuple(Meter(budget) for budget in budgets)
        self._fixed: dict[tuple[str, str], tuple[tuple[Meter, str], ...]] = {}
        self._asked = tuple(each for each in self._meters if each.budget.scope.kind in _OF_THE_REQUEST)
        self._rates: dict[tuple[int, str], Rate] = {}
        self._trouble = ""

    def follow(self, before: Spending) -> None:
        """Another config had been in force: what was told under it, and what is usual, stays known."""
        known = {meter.budget: meter for meter in before._meters}
        self._meters = tuple(known.get(meter.budget, meter) for meter in self._meters)
        self._asked = tuple(each for each in self._meters if each.budget.scope.kind in _OF_THE_REQUEST)
        self._trouble = before._trouble if before.ledger is self.ledger else ""
        if before._alarms == self._alarms:
            self._rates = before._rates

    def meters(self, route: str, target: Target, request: Request) -> list[tuple[Meter, str]]:
        """The budgets that such an attempt is charged to, each with the name of its account."""
        # By name: to hash a target costs more than all of this.
        fixed = self._fixed.get((route, target.name))
        if fixed is None:
            fixed = self._fixed[route, target.name] = tuple(
                (meter, name)
                for meter in self._meters
                if meter.budget.scope.kind not in _OF_THE_REQUEST
                for name in names_of(meter.budget.scope, route, target, request)
            )
        found = list(fixed)
        for meter in self._asked:
            found += [(meter, name) for name in names_of(meter.budget.scope, route, target, request)]
        return found

    def reserve(
        self, meters: Sequence[tuple[Meter, str]], nusd: int, at_s: float, until_s: float
    ) -> Reservation | Refusal:
        """Keep so much free on all of them. Raises `LedgerError` where a hard budget cannot be held to."""
        holds = tuple([meter.hold(name, at_s) for meter, name in meters])
        try:
            return self.ledger.reserve(holds, nusd, at_s, until_s)
        except LedgerError:
            if self._on_failure is OnLedgerFailure.REFUSE and any(
                hold.limit_nusd is not None for hold in holds
            ):
                raise
            # Nothing is kept free, yet what it costs is written down as soon as that can be done.
            return self.ledger.reserve((), nusd, at_s, until_s)

    def room(self, meters: Sequence[tuple[Meter, str]], nusd: int, at_s: float) -> Refusal | None:
        """Which of them has no room for so much now; nothing is reserved. Raises `LedgerError`."""
        for meter, name in meters:
            hold = meter.hold(name, at_s)
            if hold.limit_nusd is not None:
                totals = self.ledger.totals(hold.account, at_s)
                if totals.spent_nusd + totals.reserved_nusd + nusd > hold.limit_nusd:
                    return refusal_of(hold, hold.limit_nusd, totals, nusd)
        return None

    def settle(self, reservation: Reservation, charge: Charge, recorder: Recorder, now: float) -> None:
        """It cost so much."""
        self.ledger.settle(reservation, charge)
        if self._alarms:
            self._watch(charge, recorder, now)

    def tell_reached(
        self, meters: Sequence[tuple[Meter, str]], reservation: Reservation, recorder: Recorder, now: float
    ) -> None:
        """Tell of budgets of which a share is spent, as the reservation found them."""
        for (meter, name), hold, spent_nusd in zip(
            meters, reservation.holds, reservation.spent_nusd, strict=False
        ):
            share = meter.reached(name, spent_nusd)
            if share is not None:
                budget = meter.budget
                told = budget.per, share, budget.limit_nusd, spent_nusd, budget.hard
                recorder.tell(BudgetReached(now, str(hold.account), *told))

    def tell_trouble(self, recorder: Recorder, now: float) -> None:
        """Tell where the ledger stopped answering, or answers again."""
        trouble = self.ledger.trouble
        if trouble != self._trouble:
            recorder.tell(LedgerFailed(now, trouble) if trouble else LedgerRecovered(now))
            self._trouble = trouble

    def standing(self, as_of_s: float) -> list[BudgetStanding]:
        """Every account of every budget, as of then. Raises `LedgerError`."""
        at_s = self.ledger.now_s(as_of_s)
        found = []
        for budget in self.budgets:
            begins_s, ends_s = window_at(budget.per, budget.zone, at_s)
            kind, names = budget.scope.kind, [budget.scope.name]
            if names == [EACH]:
                names = sorted(self.ledger.names(kind, begins_s, ends_s))
            for name in names:
                account = Account(kind, name, begins_s, ends_s)
                found.append(BudgetStanding(budget, account, self.ledger.totals(account, at_s)))
        return found

    def _watch(self, charge: Charge, recorder: Recorder, now: float) -> None:
        request = Request(charge.call, tenant=charge.tenant, tags=charge.tags)
        for number, alarm in enumerate(self._alarms):
            for name in names_of(alarm.scope, charge.route, charge.target, request):
                rate = self._rates.get((number, name))
                if rate is None:
                    if len(self._rates) >= ALARMS_MAX:
                        del self._rates[next(iter(self._rates))]
                    rate = self._rates[number, name] = Rate(alarm, now)
                raised = rate.charge(charge.cost_nusd, now)
                if raised is None:
                    continue
                account = str(Account(alarm.scope.kind, name, 0.0, 0.0))
                if raised:
                    figures = rate.spent_nusd, rate.limit_nusd(now)
                    recorder.tell(SpendAlarmRaised(now, account, alarm.per, *figures))
                else:
                    recorder.tell(SpendAlarmEnded(now, account, alarm.per))
