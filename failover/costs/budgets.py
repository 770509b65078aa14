"""What the budgets of a config make of a bill: which of them it would meet, on average, and by how much."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from failover.chaos.routes import Routes
from failover.core.prices import NUSD_PER_USD
from failover.core.spend import Budget, Per, Spender
from failover.core.vocabulary import Target
from failover.costs.bill import Bill

DAYS = {Per.MINUTE: 1 / 1440, Per.HOUR: 1 / 24, Per.DAY: 1.0, Per.WEEK: 7.0, Per.MONTH: 30.0}
"""How long a window is; the rest is as long as what was asked about."""


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A budget, and what one of its windows spends on average. None: the workload does not tell."""

    scope: str
    per: str
    hard: bool
    limit_usd: float
    expected_usd: float | None

    @property
    def is_exceeded(self) -> bool:
        """Whether the average window meets its end."""
        return self.expected_usd is not None and self.expected_usd > self.limit_usd


def budget_rows(budgets: Iterable[Budget], bill: Bill, routes: Routes, days: float) -> Iterator[BudgetRow]:
    """One for each budget, in the config's order."""
    for budget in budgets:
        usd = _spent_usd(budget, bill, routes)
        window_days = DAYS.get(budget.per, days)
        expected_usd = None if usd is None else usd / days * min(window_days, days)
        limit_usd = budget.limit_nusd / NUSD_PER_USD
        yield BudgetRow(str(budget.scope), budget.per, budget.hard, limit_usd, expected_usd)


def _spent_usd(budget: Budget, bill: Bill, routes: Routes) -> float | None:
    kind, name = budget.scope.kind, budget.scope.name
    match kind:
        case Spender.ALL:
            return bill.usd
        case Spender.ROUTE:
            return _route_usd(name, bill, routes)
        case Spender.TARGET | Spender.PROVIDER | Spender.CREDENTIAL:
            told = [target for target in routes.targets() if _named(target, kind) == name]
            return sum(bill.targets[each.name].usd for each in told if each.name in bill.targets)
        case Spender.TAG | Spender.TENANT:
            return None
        case _:
            assert_never(kind)


def _route_usd(name: str, bill: Bill, routes: Routes) -> float | None:
    called = [route.name for route in routes.called]
    if name not in called:
        return 0.0
    return bill.usd if len(called) == 1 else None


def _named(target: Target, kind: Spender) -> str:
    return target.name if kind is Spender.TARGET else str(getattr(target, kind.value))
