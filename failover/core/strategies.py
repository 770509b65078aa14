"""Strategies: pure rules that rank the eligible targets of one tier, best first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, log

from failover.core.prices import PriceBook
from failover.core.quick import quick
from failover.core.stats import AnswerLengths
from failover.core.target_state import TargetState
from failover.core.vocabulary import Request, Target, Usage

EXPLORATION_SHARE = 0.02
"""How many requests go first to the target seen longest ago, so that none is condemned for ever."""

QUOTE_WEIGHT = 1.0
LATENCY_WEIGHT = 1.0
FAILURE_WEIGHT = 10.0
"""In `balanced`, one failure in ten counts as much as the cheapest quote once more."""

Rng = Callable[[], float]


@quick
@dataclass(frozen=True, slots=True)
class Ranking:
    """What a strategy may look at: the request, prices as of now, and chance as an argument.

    `tokens_out` is the expected length of the answer; `as_of_s` epoch seconds; `rng` draws [0, 1).
    `now` is the driver's clock, in which the states tell their times. `lengths`: how long answers are
    at each target; without it `tokens_out` stands for all.
    """

    request: Request
    tokens_out: int
    prices: PriceBook
    as_of_s: float
    rng: Rng
    now: float = 0.0
    lengths: AnswerLengths | None = None

    def quote_nusd(self, state: TargetState) -> int | None:
        """The expected cost of this request at that target, None when its price is unknown."""
        request, target, tokens_out = self.request, state.target, self.tokens_out
        if self.lengths is not None:
            tokens_out = request.expected_out(self.lengths.at(target.name))
        return quote_nusd(request, target, tokens_out, self.prices, self.as_of_s)


def quote_nusd(
    request: Request, target: Target, tokens_out: int, prices: PriceBook, as_of_s: float
) -> int | None:
    """What `request` is expected to cost at `target`, None where nobody knows its price.

    The prompt in the target's own tokens, an answer of `tokens_out`, and the function that bills.
    Nothing is counted where there is no price to multiply it with.
    """
    if prices.in_force(target.name, as_of_s) is None:
        return None
    return prices.quote_nusd(target.name, Usage(request.tokens_in_at(target), tokens_out), as_of_s)


Strategy = Callable[[Sequence[TargetState], Ranking], Sequence[TargetState]]
"""Ranks the eligible targets of one tier, best first. It reads the states, and changes none."""


@dataclass(frozen=True, slots=True)
class CustomStrategy:
    """A function that was handed over, and what the config calls it."""

    name: str
    rank: Strategy

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, states: Sequence[TargetState], ranking: Ranking) -> Sequence[TargetState]:
        """What the function says."""
        return self.rank(states, ranking)


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
    explored = _explored(states, ranking)
    if explored is not None:
        return [explored, *_quickest(states, ranking, without=explored)]
    order = _quickest(states, ranking, without=None)
    first = int(ranking.rng() * len(order))
    second = int(ranking.rng() * (len(order) - 1))
    lead = order[min(first, second + (second >= first))]
    return [lead, *(state for state in order if state is not lead)]


def _explored(states: Sequence[TargetState], ranking: Ranking) -> TargetState | None:
    """Now and then the one seen longest ago, unless somebody looks already; else None."""
    if ranking.rng() >= EXPLORATION_SHARE:
        return None
    return min(states, key=lambda state: (state.in_flight, state.total.observed_at_s))


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


def weighted(states: Sequence[TargetState], ranking: Ranking) -> Sequence[TargetState]:
    """At random by `Target.weight`: each place is drawn from those left, by their weights.

    One exponential draw per target, at the rate of its weight, sorted: the same distribution as
    repeated weighted draws (Efraimidis and Spirakis, "Weighted random sampling with a reservoir",
    2006). So who falls back from a lost target is spread by the weights of the others.
    """
    if len(states) <= 1:
        return states
    return sorted(states, key=lambda state: -log(1.0 - ranking.rng()) / state.target.weight)


def least_busy(states: Sequence[TargetState], ranking: Ranking) -> Sequence[TargetState]:
    """The fewest attempts in flight first; equals at random, never always the first of them."""
    if len(states) <= 1:
        return states
    return sorted(states, key=lambda state: (state.in_flight, ranking.rng()))


def headroom(states: Sequence[TargetState], ranking: Ranking) -> Sequence[TargetState]:
    """The most of its quota left first, as a share; who has nothing left last; equals at random.

    An unknown share counts as the median of the known ones of the tier, yet goes before nothing left.
    """
    if len(states) <= 1:
        return states
    shares = [state.quota.share(ranking.now) for state in states]
    known = sorted(share for share in shares if share is not None)
    unknown = _median(known)
    ranked = [
        (share == 0.0, -(unknown if share is None else share), ranking.rng(), turn)
        for turn, share in enumerate(shares)
    ]
    return [states[turn] for *_, turn in sorted(ranked)]


def balanced(states: Sequence[TargetState], ranking: Ranking) -> Sequence[TargetState]:
    """The least sum of quote, latency (usual latency times the queue already there) and failures.

    The sum is `QUOTE_WEIGHT` × quote + `LATENCY_WEIGHT` × latency + `FAILURE_WEIGHT` × failure
    share. Quote and latency are multiples of the smallest in the tier that is known and not 0; an
    unknown one counts as the tier's median. The failure share has no unit to begin with, and counts
    as it is: a multiple of the smallest would make 50 % beside nobody else's as little as 1 %.
    Now and then the one seen longest ago leads, as in `latency`. Equal sums keep the author's order.
    """
    if len(states) <= 1:
        return states
    explored = _explored(states, ranking)
    stream = ranking.request.stream
    quotes = _multiples([ranking.quote_nusd(state) for state in states])
    latencies = _multiples([state.latency_s(stream=stream) for state in states])
    sums = {
        state.target.name: QUOTE_WEIGHT * quote
        + LATENCY_WEIGHT * latency * (1 + state.in_flight)
        + FAILURE_WEIGHT * state.breaker.failure_share
        for state, quote, latency in zip(states, quotes, latencies, strict=True)
    }
    return sorted(states, key=lambda state: (state is not explored, sums[state.target.name]))


def _multiples(values: Sequence[float | None]) -> list[float]:
    """Each value in multiples of the smallest that is not 0; an unknown one is the median of the known."""
    known = sorted(value for value in values if value is not None)
    unit = next((value for value in known if value > 0), 1.0)
    median = _median(known)
    return [(median if value is None else value) / unit for value in values]


def _median(known: Sequence[float]) -> float:
    """Of sorted values; 0 where there are none."""
    return (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2 if known else 0.0


STRATEGIES: dict[str, Strategy] = {
    "priority": priority,
    "cost": cost,
    "latency": latency,
    "weighted": weighted,
    "least_busy": least_busy,
    "headroom": headroom,
    "balanced": balanced,
}
