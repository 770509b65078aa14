"""Strategies: pure rules that rank the eligible targets of one tier, best first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from failover.core.learned import TargetState
from failover.core.prices import PriceBook
from failover.core.vocabulary import Request

EXPLORATION_SHARE = 0.02
"""How many requests go first to the target seen longest ago, so that none is condemned for ever."""

Rng = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a strategy may look at: the request, prices as of now, and chance as an argument.

    `tokens_out` is the expected length of the answer; `as_of_s` epoch seconds; `rng` draws [0, 1).
    """

    request: Request
    tokens_out: int
    prices: PriceBook
    as_of_s: float
    rng: Rng

    def quote_nusd(self, state: TargetState) -> int | None:
        """The expected cost of this request at that target, None when its price is unknown."""
        return self.prices.quote_nusd(
            state.target.name, self.request.tokens_in, self.tokens_out, self.as_of_s
        )


Strategy = Callable[[Sequence[TargetState], Ranking], Sequence[TargetState]]


def priority(states: Sequence[TargetState], ranking: Ranking) -> Sequence[TargetState]:
    """The author's order."""
    return states


def cost(states: Sequence[TargetState], ranking: Ranking) -> Sequence[TargetState]:
    """The cheapest quote first; equal quotes by latency; an unknown price last, never as free."""
    stream = ranking.request.stream

    def key(state: TargetState) -> tuple[float, float]:
        quote_nusd = ranking.quote_nusd(state)
        latency_s = state.latency_s(stream=stream)
        return (inf if quote_nusd is None else quote_nusd, inf if latency_s is None else latency_s)

    return sorted(states, key=key)


def latency(states: Sequence[TargetState], ranking: Ranking) -> Sequence[TargetState]:
    """The quickest first: usual latency times the queue already there.

    Of two drawn at random the better leads, so that many callers do not herd to one replica (the
    power of two choices); now and then the one seen longest ago leads, so that it gets a chance to
    show that it improved.
    """
    if len(states) <= 1:
        return states
    if ranking.rng() < EXPLORATION_SHARE:
        lead = min(states, key=lambda state: (state.in_flight, state.total.observed_at_s))
        return [lead, *_quickest(states, ranking, without=lead)]
    order = _quickest(states, ranking, without=None)
    first = int(ranking.rng() * len(order))
    second = int(ranking.rng() * (len(order) - 1))
    lead = order[min(first, second + (second >= first))]
    return [lead, *(state for state in order if state is not lead)]


def _quickest(
    states: Sequence[TargetState], ranking: Ranking, without: TargetState | None
) -> list[TargetState]:
    stream = ranking.request.stream
    seen = [value for state in states if (value := state.latency_s(stream=stream)) is not None]
    unseen_s = min(seen, default=1.0)

    def key(state: TargetState) -> float:
        usual_s = state.latency_s(stream=stream)
        return (unseen_s if usual_s is None else usual_s) * (1 + state.in_flight)

    return sorted((state for state in states if state is not without), key=key)


STRATEGIES: dict[str, Strategy] = {"priority": priority, "cost": cost, "latency": latency}
