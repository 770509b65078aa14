"""The state of a router at one moment, as plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from failover.core.decide import Facts
from failover.core.learned import Learned
from failover.core.lifecycle import Lifecycle, Stage
from failover.core.prices import NUSD_PER_USD
from failover.core.spending import BudgetStanding
from failover.core.target_state import TargetState
from failover.core.vocabulary import Reason
from failover.errors import LedgerError


@dataclass(frozen=True, slots=True)
class TargetSnapshot:
    """One target. Seconds left count from the moment of the snapshot; prices are dollars per million.

    `away` says why it may not be tried, None when it may. `drained` and `forced_open` are an operator's
    word; one that is forced open until it is reset has no `away_for_s`. `headroom_share` is the least part
    that is left of any window of its quota, as far as its provider told. What it was sent in the last
    minute is counted where it has limits; those are None where there is none. `stage`, `retires_in_s` and
    `successor`: what is known of the end of its model; negative: since so long.
    """

    target: str
    breaker: str
    away: Reason | None
    away_for_s: float | None
    in_flight: int
    first_token_s: float | None
    total_s: float | None
    input_usd_per_mtok: float | None
    output_usd_per_mtok: float | None
    drained: bool = False
    forced_open: bool = False
    headroom_share: float | None = None
    requests_last_minute: int | None = None
    tokens_last_minute: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    stage: Stage = Stage.ACTIVE
    retires_in_s: float | None = None
    successor: str = ""


@dataclass(frozen=True, slots=True)
class BudgetSnapshot:
    """One account of a budget: `scope` names it (`route:chat`), amounts are US dollars.

    `left_usd` is what is neither spent nor reserved. `resets_in_s` None: it never begins anew.
    """

    scope: str
    per: str
    zone: str
    hard: bool
    limit_usd: float
    spent_usd: float
    reserved_usd: float
    left_usd: float
    resets_in_s: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every target, and the retry budget left per route (in tokens: one retry each).

    `budgets` are those of the config, one for each tenant that spent where each has its own.
    `ledger_trouble` says what is wrong with the ledger, empty while nothing is; then no budget is known.
    """

    targets: dict[str, TargetSnapshot]
    retry_budgets: dict[str, float]
    budgets: tuple[BudgetSnapshot, ...] = ()
    ledger_trouble: str = ""


_UNKNOWN = Lifecycle()


def snapshot(learned: Learned, facts: Facts, now: float) -> Snapshot:
    """Read, without changing anything, what was learned by `now`."""
    budgets, trouble = _budgets(facts, facts.epoch_s + now)
    return Snapshot(
        {name: _target(state, facts, now) for name, state in learned.states.items()},
        {name: learned.budgets[name].balance for name in learned.routes},
        budgets,
        trouble,
    )


def _budgets(facts: Facts, as_of_s: float) -> tuple[tuple[BudgetSnapshot, ...], str]:
    if facts.spending is None:
        return (), ""
    try:
        standing = facts.spending.standing(as_of_s)
    except LedgerError as error:
        return (), str(error)
    return tuple(_budget(each, as_of_s) for each in standing), facts.spending.ledger.trouble


def _budget(standing: BudgetStanding, as_of_s: float) -> BudgetSnapshot:
    budget, totals = standing.budget, standing.totals
    left_nusd = max(0, budget.limit_nusd - totals.spent_nusd - totals.reserved_nusd)
    return BudgetSnapshot(
        scope=str(standing.account),
        per=budget.per,
        zone=str(budget.zone),
        hard=budget.hard,
        limit_usd=budget.limit_nusd / NUSD_PER_USD,
        spent_usd=totals.spent_nusd / NUSD_PER_USD,
        reserved_usd=totals.reserved_nusd / NUSD_PER_USD,
        left_usd=left_nusd / NUSD_PER_USD,
        resets_in_s=None if standing.resets_s is None else standing.resets_s - as_of_s,
    )


def _target(state: TargetState, facts: Facts, now: float) -> TargetSnapshot:
    away = None if state.eligible(now) else state.passed_over(now)
    until_s = None if away is None else away.until_s
    log = None if state.limiter is None else state.limiter.log_at(now)
    as_of_s = facts.epoch_s + now
    price = facts.prices.in_force(state.target.name, as_of_s)
    lifecycle = facts.calendar.lifecycles.get(state.target.name, _UNKNOWN)
    return TargetSnapshot(
        target=state.target.name,
        breaker=state.breaker.state,
        away=None if away is None else away.reason,
        away_for_s=None if until_s is None else until_s - now,
        in_flight=state.in_flight,
        first_token_s=state.first_token.value_s,
        total_s=state.total.value_s,
        input_usd_per_mtok=None if price is None else price.input_nusd_per_mtok / 1e9,
        output_usd_per_mtok=None if price is None else price.output_nusd_per_mtok / 1e9,
        drained=state.drained,
        forced_open=state.breaker.forced_until_s > now,
        headroom_share=state.quota.share(now),
        requests_last_minute=None if log is None else log.requests,
        tokens_last_minute=None if log is None else log.tokens,
        requests_per_minute=state.target.requests_per_minute,
        tokens_per_minute=state.target.tokens_per_minute,
        concurrency=state.target.concurrency,
        stage=lifecycle.stage(as_of_s),
        retires_in_s=None if lifecycle.retired_s is None else lifecycle.retired_s - as_of_s,
        successor=lifecycle.named_successor,
    )
