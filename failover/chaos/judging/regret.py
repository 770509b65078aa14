"""How far a drill stayed from what an omniscient router could have done."""

from __future__ import annotations

from dataclasses import dataclass

from failover.chaos.judging.measures import Measures
from failover.chaos.judging.oracle import Possible
from failover.core.prices import NUSD_PER_USD


@dataclass(frozen=True, slots=True)
class Figures:
    """A figure of each kind; None where it is not known.

    `cost_usd` is of all served requests (where only some were looked at, as much as those for each), and
    `latency_s` the mean of the served, from request to whole reply. As the oracle's: the least possible, each
    by itself; as regret: how far ours are from it.
    """

    success_ratio: float | None
    cost_usd: float | None = None
    latency_s: float | None = None


def standing(measures: Measures, possible: Possible) -> tuple[Figures, Figures]:
    """The oracle's figures, and the regret: what it could have served beyond us, and saved of what we did."""
    requests = measures.requests
    best_ratio = (requests - possible.unservable) / requests if requests else None
    ours = measures.success_ratio
    ratio_regret = None if best_ratio is None or ours is None else best_ratio - ours
    cost_best = _usd(possible.cost_best_nusd, possible, measures)
    cost_ours = _usd(possible.cost_nusd, possible, measures)
    latency_best = _mean(possible.latency_best_sum_s, possible.looked_at)
    latency_ours = _mean(possible.latency_sum_s, possible.looked_at)
    return (
        Figures(best_ratio, cost_best, latency_best),
        Figures(ratio_regret, _less(cost_ours, cost_best), _less(latency_ours, latency_best)),
    )


def _usd(cost_nusd: int, possible: Possible, measures: Measures) -> float | None:
    if not possible.priced:
        return None
    return cost_nusd / NUSD_PER_USD * measures.served / possible.priced


def _mean(total_s: float, count: int) -> float | None:
    return round(total_s / count, 6) if count else None


def _less(ours: float | None, best: float | None) -> float | None:
    return None if ours is None or best is None else round(ours - best, 9)
