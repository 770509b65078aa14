"""The state of a router at one moment, as plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from failover.core.decide import Facts
from failover.core.learned import Learned, TargetState
from failover.core.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class TargetSnapshot:
    """One target. Seconds left count from the moment of the snapshot; prices are dollars per million.

    `away` says why it may not be tried, None when it may. `drained` and `forced_open` are an operator's
    word; one that is forced open until it is reset has no `away_for_s`.
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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every target, and the retry budget left per route (in tokens: one retry each)."""

    targets: dict[str, TargetSnapshot]
    retry_budgets: dict[str, float]


def snapshot(learned: Learned, facts: Facts, now: float) -> Snapshot:
    """Read, without changing anything, what was learned by `now`."""
    return Snapshot(
        {name: _target(state, facts, now) for name, state in learned.states.items()},
        {name: budget.balance for name, budget in learned.budgets.items()},
    )


def _target(state: TargetState, facts: Facts, now: float) -> TargetSnapshot:
    away = None if state.eligible(now) else state.passed_over(now)
    until_s = None if away is None else away.until_s
    price = facts.prices.in_force(state.target.name, facts.epoch_s + now)
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
    )
