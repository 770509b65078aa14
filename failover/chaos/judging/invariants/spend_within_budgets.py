"""Nothing is sent that does not fit into a hard budget of the config."""

from __future__ import annotations

from dataclasses import dataclass, field

from failover.chaos.judging.invariants.base import Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptEnded, AttemptStarted, CallEnded, CallStarted
from failover.core.spend import EACH, Budget, Spender, SpendScope, window_at
from failover.core.spend_events import SpendReserved
from failover.core.vocabulary import Target

_OF_THE_REQUEST = (Spender.TAG, Spender.TENANT)


@dataclass(slots=True)
class _Account:
    """One account of a budget in its latest window."""

    begins_s: float
    spent_nusd: int = 0
    reserved_nusd: int = 0


@dataclass(slots=True)
class _Sent:
    """What is reserved for an attempt, on whose accounts, and in which windows."""

    reserved_nusd: int
    names: tuple[str, ...]
    accounts: list[tuple[_Account, float]] = field(default_factory=list)


class SpendWithinBudgets(Invariant):
    """What is spent in a window, what is reserved for attempts under way, and what is reserved for one more.

    Together they are never more than the budget. So it is overshot by what attempts cost beyond their
    reservations, and by nothing else. Every attempt has a reservation on each budget that it is in the scope
    of, as far as its route and target say that, and each ends with its attempt.
    """

    name = "spend_within_budgets"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._hard = [budget for budget in routes.budgets if budget.hard]
        self._targets = {target.name: target for target in routes.targets()}
        self._accounts: dict[tuple[int, str], _Account] = {}
        self._routes: dict[str, str] = {}
        self._sent: dict[tuple[str, int], _Sent] = {}

    def call_started(self, event: CallStarted) -> None:
        """On which route?"""
        if self._hard:
            self._routes[event.call] = event.route

    def spend_reserved(self, event: SpendReserved) -> None:
        """Is there room for it?"""
        sent = self._sent[event.call, event.attempt] = _Sent(event.reserved_nusd, event.accounts)
        for number, budget in enumerate(self._hard):
            for name in event.accounts:
                if not _is_of(budget.scope, name):
                    continue
                self.checked += 1
                account = self._account(number, budget, name, event.at_s)
                account.reserved_nusd += event.reserved_nusd
                sent.accounts.append((account, account.begins_s))
                if account.spent_nusd + account.reserved_nusd > budget.limit_nusd:
                    what = (
                        f"attempt {event.attempt} reserves {event.reserved_nusd} nano-dollars of {name} per "
                    )
                    what += (
                        f"{budget.per}: {account.spent_nusd} are spent and {account.reserved_nusd} reserved "
                    )
                    what += f"with it, of {budget.limit_nusd}"
                    self.violated(event.at_s, event.call, event.target, what)

    def attempt_started(self, event: AttemptStarted) -> None:
        """Is something reserved for it, wherever something must be?"""
        if not self._hard:
            return
        sent = self._sent.get((event.call, event.attempt))
        held = () if sent is None else sent.names
        for budget in self._hard:
            owed = _owed(budget.scope, self._routes[event.call], self._targets[event.target])
            if owed and str(budget.scope) not in held:
                what = f"attempt {event.attempt} is sent, and nothing is reserved for it on {budget.scope}"
                self.violated(event.at_s, event.call, event.target, what)

    def attempt_ended(self, event: AttemptEnded) -> None:
        """What it cost is spent; where nobody knows, what was reserved for it is."""
        sent = self._sent.pop((event.call, event.attempt), None)
        if sent is None:
            return
        cost_nusd = sent.reserved_nusd if event.cost_nusd is None else event.cost_nusd
        for account, begins_s in sent.accounts:
            if account.begins_s == begins_s:
                account.reserved_nusd -= sent.reserved_nusd
                account.spent_nusd += cost_nusd

    def call_ended(self, event: CallEnded) -> None:
        """Nothing of it is remembered."""
        self._routes.pop(event.call, None)

    def at_end(self, now: float) -> None:
        """Every reservation ended with its attempt."""
        for call, attempt in self._sent:
            self.violated(now, call, "-", f"what is reserved for attempt {attempt} was never settled")

    def _account(self, number: int, budget: Budget, name: str, at_s: float) -> _Account:
        begins_s, _ = window_at(budget.per, budget.zone, self.scenario.start_epoch_s + at_s)
        account = self._accounts.get((number, name))
        if account is None or account.begins_s != begins_s:
            account = self._accounts[number, name] = _Account(begins_s)
        return account


def _is_of(scope: SpendScope, name: str) -> bool:
    each = scope.name == EACH and name.startswith(f"{scope.kind}:")
    return each or name == str(scope)


def _owed(scope: SpendScope, route: str, target: Target) -> bool:
    """Whether every attempt of this route at this target is in the scope."""
    if scope.kind in _OF_THE_REQUEST:
        return False
    names = {
        Spender.ALL: "",
        Spender.ROUTE: route,
        Spender.TARGET: target.name,
        Spender.PROVIDER: target.provider,
        Spender.CREDENTIAL: target.credential,
    }
    return names[scope.kind] == scope.name
