"""Filter and rank: a request becomes a decision, with the reason for everyone passed over."""

from __future__ import annotations

from dataclasses import dataclass, field

from failover.core.learned import Learned
from failover.core.prices import PriceBook
from failover.core.strategies import STRATEGIES, Ranking, Rng
from failover.core.vocabulary import Decision, PassedOver, Request, Route, Target


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known from outside: dated prices, and `epoch_s`, the wall time at driver time zero."""

    prices: PriceBook = field(default_factory=PriceBook)
    epoch_s: float = 0.0


def decide(route: Route, request: Request, learned: Learned, facts: Facts, now: float, rng: Rng) -> Decision:
    """Rank the eligible targets of each tier; tiers keep the author's order. Changes nothing."""
    strategy = STRATEGIES[route.strategy]
    tokens_out = request.tokens_out
    if tokens_out is None:
        tokens_out = int(learned.tokens_out[route.name].value)
    ranking = Ranking(request, tokens_out, facts.prices, facts.epoch_s + now, rng)
    order: list[Target] = []
    passed_over: list[PassedOver] = []
    states = learned.states
    for tier in route.chain:
        eligible = []
        for target in tier:
            state = states[target.name]
            if state.eligible(now):
                eligible.append(state)
            else:
                passed_over.append(state.passed_over(now))
        order.extend(state.target for state in strategy(eligible, ranking))
    return Decision(route.name, route.strategy, tuple(order), tuple(passed_over))
