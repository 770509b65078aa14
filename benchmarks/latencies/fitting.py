"""Maximum likelihood for the latency model, by hand: the standard library has no optimiser.

An answer's duration is the first token's plus tokens times pace. Its density is the convolution of
the two densities, integrated over the logit of the first token's part of the whole, where both are smooth.
The first bytes of streams are draws of the first alone. A group is fitted around what everybody shows: each
figure but the median of the first token carries a normal prior on its logarithm, which few rows
cannot move and many can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, log, pi, sqrt
from statistics import fmean, median

from benchmarks.latencies.recorded import Answer, Recorded
from failover.chaos.world.latency import TAIL_BEGINS, TAIL_LENGTH, TAIL_SHARE, LatencyModel

MODEL_ROWS_MIN = 5
"""Models with fewer rows keep the median of their group."""
SPREAD_LEAST = 0.02
PRIOR_DEVIATIONS = (inf, 0.4, 0.7, 0.4, 0.4)
ROUNDS = 400
SCALE_ROUNDS = 2
_LOGITS = [-10.0 + 0.4 * step for step in range(51)]
_LOG_PARTS = [(-log(1.0 + exp(-x)), -log(1.0 + exp(x))) for x in _LOGITS]
_STEP = 0.4
_ROOT = sqrt(2.0 * pi)

Logs = tuple[float, float, float, float, float]
"""The natural logarithms of a model's five figures, in their order."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A model and how well it explains what it was fitted to."""

    model: LatencyModel
    log_likelihood: float


def fitted(of: Recorded, prior: LatencyModel | None = None, *, tail: bool = True) -> Fit:
    """The most likely model of a group, around `prior`; without `tail`, a pure log-normal.

    Models of one group differ by a factor, which is estimated and taken out first: a spread is that
    between answers of one model.
    """
    start = _start(of) if prior is None else prior
    scale: Mapping[str, float] = {}
    best, value = _logs(start), -inf
    for _ in range(SCALE_ROUNDS):
        rows = _scaled(of, scale)
        best, value = _climb(lambda at, rows=rows: _posterior(at, rows, prior, tail=tail), best)
        scale = factors(of, _model(best))
    return Fit(_rounded(_model(best)), value)


def log_likelihood(model: LatencyModel, of: Recorded) -> float:
    """How likely the recorded answers are, by this model."""
    return _posterior(_logs(model), _scaled(of, {}), None, tail=True)


def _start(of: Recorded) -> LatencyModel:
    return LatencyModel(median(each.took_s for each in of.first), 0.6, 0.012, 0.4, 1.5)


def _logs(model: LatencyModel) -> Logs:
    return (
        log(model.first_token_s),
        log(model.spread),
        log(model.token_s),
        log(model.token_spread),
        log(model.tail_factor),
    )


def _model(logs: Sequence[float]) -> LatencyModel:
    return LatencyModel(*map(exp, logs))


def _rounded(model: LatencyModel) -> LatencyModel:
    return LatencyModel(
        round(model.first_token_s, 3),
        round(model.spread, 2),
        round(model.token_s, 4),
        round(model.token_spread, 2),
        round(model.tail_factor, 2),
    )


Row = tuple[int, float]


def _scaled(of: Recorded, factors: Mapping[str, float]) -> list[Row]:
    return [(each.tokens_out, log(each.took_s / factors.get(each.model, 1.0))) for each in _all(of)]


def _all(of: Recorded) -> list[Answer]:
    return [*of.whole, *of.first]


def factors(of: Recorded, model: LatencyModel) -> dict[str, float]:
    """How much slower than the group's middle each of its models with enough rows is."""
    counts = Counter(each.model for each in _all(of))
    usual = {
        name: median(
            log(each.took_s / (model.first_token_s + each.tokens_out * model.token_s))
            for each in _all(of)
            if each.model == name
        )
        for name, count in counts.items()
        if count >= MODEL_ROWS_MIN
    }
    if not usual:
        return {}
    middle = sum(usual[name] * counts[name] for name in usual) / sum(counts[name] for name in usual)
    return {name: exp(each - middle) for name, each in usual.items()}


def _posterior(at: Sequence[float], rows: Sequence[Row], prior: LatencyModel | None, *, tail: bool) -> float:
    middle, spread, pace, token_spread, factor = at[0], exp(at[1]), at[2], exp(at[3]), exp(at[4])
    if min(spread, token_spread) < SPREAD_LEAST or factor > 10.0:  # noqa: PLR2004  # far outside anything
        return -inf
    density = _with_tail(factor) if tail else _normal
    total = 0.0
    for tokens, log_s in rows:
        if tokens == 0:
            found = density((log_s - middle) / spread) / spread
        else:
            early, late = (log_s - middle) / spread, (log_s - pace - log(tokens)) / token_spread
            found = _convolved(density, early, spread, late, token_spread)
        total += log(max(found, 1e-300)) - log_s
    return total if prior is None else total - _distance(at, _logs(prior))


def _convolved(
    density: Callable[[float], float], early: float, spread: float, late: float, token_spread: float
) -> float:
    total = 0.0
    for part, rest in _LOG_PARTS:
        pace = late + rest / token_spread
        if -6.0 < pace < 6.0:  # noqa: PLR2004  # beyond, nothing is left
            total += density(early + part / spread) * exp(-0.5 * pace * pace)
    return total * _STEP / (spread * token_spread * _ROOT)


def _normal(z: float) -> float:
    return exp(-0.5 * z * z) / _ROOT if abs(z) < 30.0 else 0.0  # noqa: PLR2004  # beyond, it is 0


def _with_tail(factor: float) -> Callable[[float], float]:
    reach = TAIL_LENGTH * factor

    def density(z: float) -> float:
        if z <= TAIL_BEGINS:
            return _normal(z)
        return TAIL_SHARE / reach * exp((TAIL_BEGINS - z) / reach)

    return density


def _distance(at: Sequence[float], prior: Sequence[float]) -> float:
    return sum(
        0.5 * ((one - other) / deviation) ** 2
        for one, other, deviation in zip(at, prior, PRIOR_DEVIATIONS, strict=True)
    )


def _climb(value: Callable[[Sequence[float]], float], start: Sequence[float]) -> tuple[Logs, float]:
    """The highest point near `start` (Nelder and Mead, 1965), and its value."""
    size = len(start)
    corners = [list(start)] + [
        [each + (0.3 if index == place else 0.0) for index, each in enumerate(start)] for place in range(size)
    ]
    simplex = sorted(((value(corner), corner) for corner in corners), reverse=True)
    for _ in range(ROUNDS):
        if simplex[0][0] - simplex[-1][0] < 1e-3:  # noqa: PLR2004  # of a logarithm of likelihood
            break
        worst_value, worst = simplex.pop()
        centre = [fmean(corner[place] for _, corner in simplex) for place in range(size)]

        def towards(
            reach: float, worst: list[float] = worst, centre: list[float] = centre
        ) -> tuple[float, list[float]]:
            corner = [middle + reach * (middle - each) for middle, each in zip(centre, worst, strict=True)]
            return value(corner), corner

        tried = towards(1.0)
        if tried[0] > simplex[0][0]:
            tried = max(tried, towards(2.0))
        elif tried[0] <= simplex[-1][0]:
            tried = towards(0.5 if tried[0] > worst_value else -0.5)
        if tried[0] > worst_value:
            simplex.append(tried)
        else:
            best = simplex[0][1]
            near = [
                [(one + other) / 2 for one, other in zip(best, corner, strict=True)]
                for _, corner in simplex[1:]
            ]
            near.append([(one + other) / 2 for one, other in zip(best, worst, strict=True)])
            simplex = [simplex[0], *((value(corner), corner) for corner in near)]
        simplex.sort(reverse=True)
    a, b, c, d, e = simplex[0][1]
    return (a, b, c, d, e), simplex[0][0]
