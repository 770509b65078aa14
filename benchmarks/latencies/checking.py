"""How well a fitted model tells what was recorded: quantiles, and the distance of Kolmogorov and Smirnov.

Models of a group differ: as in the fit, each answer is first divided by its model's factor. The
distance is that between the shares of draws that were quicker than each recorded answer, drawn with its
own token count, and the even distribution that they would have if the model were true.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from benchmarks.latencies.fitting import factors, fitted
from benchmarks.latencies.groups import Group
from benchmarks.latencies.recorded import Answer, Recorded
from failover.chaos.world.chance import Chance
from failover.chaos.world.latency import LatencyModel

QUANTILES = (0.5, 0.9, 0.95, 0.99)
DRAWS = 200
"""Draws for each recorded answer."""
CRITICAL = 1.358
"""A distance beyond this over the root of the rows would be chance once in twenty times."""


@dataclass(frozen=True, slots=True)
class Check:
    """Recorded durations beside those the model draws, sorted, and their distance.

    `held_out_distance` is that of halves of which each was fitted to the other, by the suites
    that recorded them; None where one half is empty.
    """

    recorded_s: tuple[float, ...]
    drawn_s: tuple[float, ...]
    distance: float
    held_out_distance: float | None

    @property
    def chance_distance(self) -> float:
        """What the distance stays below nineteen times in twenty if the model is true."""
        return CRITICAL / sqrt(len(self.recorded_s))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed (nearest rank)."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def checked(group: Group, everybody: LatencyModel, pick: Callable[[Recorded], tuple[Answer, ...]]) -> Check:
    """The check of one kind of a group's answers: `pick` takes the whole ones, or the first bytes."""
    scale = factors(group.of, group.model)
    answers = pick(group.of)
    taken = [each.took_s / scale.get(each.model, 1.0) for each in answers]
    drawn = [_draws(group.model, each, number) for number, each in enumerate(answers)]
    return Check(
        tuple(sorted(taken)),
        tuple(sorted(each for draws in drawn for each in draws)),
        _distance(_shares(taken, drawn)),
        _held_out(group, everybody, pick),
    )


def _draws(model: LatencyModel, answer: Answer, number: int) -> list[float]:
    chance = Chance(1)
    return [model.draw(chance, answer.tokens_out, number, draw)[1] for draw in range(DRAWS)]


def _shares(taken: Sequence[float], drawn: Sequence[Sequence[float]]) -> list[float]:
    return [sum(each < took_s for each in draws) / DRAWS for took_s, draws in zip(taken, drawn, strict=True)]


def _distance(shares: Sequence[float]) -> float:
    ordered = sorted(shares)
    count = len(ordered)
    return max(max((place + 1) / count - share, share - place / count) for place, share in enumerate(ordered))


def _held_out(
    group: Group, everybody: LatencyModel, pick: Callable[[Recorded], tuple[Answer, ...]]
) -> float | None:
    one, other = group.of.halves()
    shares: list[float] = []
    for learned, unseen in ((one, other), (other, one)):
        if not (learned.whole and pick(unseen)):
            return None
        model = fitted(learned, everybody).model
        scale = factors(learned, model)
        answers = pick(unseen)
        taken = [each.took_s / scale.get(each.model, 1.0) for each in answers]
        shares += _shares(taken, [_draws(model, each, number) for number, each in enumerate(answers)])
    return _distance(shares)
