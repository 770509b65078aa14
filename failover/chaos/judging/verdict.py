"""The verdict of one drill: what was found, what it rests on, and how to see it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from math import isfinite
from typing import Any

from failover.chaos.judging.coverage import Coverage
from failover.chaos.judging.expectations import Evidence, ExpectationResult, judge_expectations, of_any_client
from failover.chaos.judging.histogram import Quantiles
from failover.chaos.judging.invariants import InvariantResult
from failover.chaos.judging.judge import Judgement
from failover.chaos.judging.measures import RouteMeasures, TargetMeasures
from failover.chaos.judging.oracle import Possible
from failover.chaos.judging.reasons import failures_of, gaps_of
from failover.chaos.judging.regret import Figures, standing
from failover.chaos.scenario import Scenario
from failover.core.prices import NUSD_PER_USD

SCHEMA = "failover/verdict@1"
OURS = "failover"
"""The subject of a drill that nobody stands in for."""


class Conclusion(StrEnum):
    """Jepsen's three values: it holds, it deviated, or nothing was shown."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DrillFacts:
    """What the judge cannot know from events. `wall_s` are real seconds, all else is virtual.

    `gaps` say why nothing was shown, beside what the judge finds of that.
    """

    seed: int
    mode: str
    events: int
    possible: Possible
    episodes: Mapping[str, int]
    journal_sha256: str
    wall_s: float
    reproduce: str
    subject: str = OURS
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A scenario that was not drilled, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A scenario that could not be drilled, with every complaint about its files."""

    name: str
    complaints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TargetFigures:
    """What one target did."""

    attempts: int
    served: int
    failures: Mapping[str, int]
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class RouteFigures:
    """What became of the calls of one route."""

    requests: int
    served: int
    success_ratio: float | None
    latency_s: Quantiles


@dataclass(frozen=True, slots=True)
class Verdict:
    """`failover/verdict@1`. Only `wall_s` may differ between two runs of the same drill.

    `docs/verdict.md` explains each field to who reads it in a log.
    """

    schema: str
    scenario: str
    seed: int
    mode: str
    subject: str
    verdict: Conclusion
    reasons: tuple[str, ...]
    events: int
    requests: int
    served: int
    success_ratio: float | None
    attempts: int
    amplification: float | None
    fallbacks: int
    retries: int
    hedges: int
    unwitting: int
    cost_usd: float | None
    cost_per_1k_usd: float | None
    latency_s: Quantiles
    first_token_s: Quantiles
    detected_after_s: float | None
    recovered_after_s: float | None
    oracle: Figures
    regret: Figures
    errors: Mapping[str, int]
    episodes: Mapping[str, int]
    targets: Mapping[str, TargetFigures]
    routes: Mapping[str, RouteFigures]
    expectations: tuple[ExpectationResult, ...]
    invariants: tuple[InvariantResult, ...]
    coverage: Coverage
    journal_sha256: str
    simulated_s: float
    wall_s: float
    reproduce: str


def compose(scenario: Scenario, judgement: Judgement, facts: DrillFacts) -> Verdict:
    """Failed: an invariant or an expectation does not hold. Else unknown: nothing was shown. Else passed."""
    measures, coverage = judgement.measures, judgement.coverage
    oracle, regret = standing(measures, facts.possible)
    expect = scenario.expect if facts.subject == OURS else of_any_client(scenario.expect)
    expectations = judge_expectations(expect, Evidence(measures, coverage, regret))
    failures = failures_of(expectations, judgement.invariants)
    gaps = (*gaps_of(scenario, judgement), *facts.gaps)
    return Verdict(
        schema=SCHEMA,
        scenario=scenario.name,
        seed=facts.seed,
        mode=facts.mode,
        subject=facts.subject,
        verdict=_conclusion(failures, gaps),
        reasons=(*failures, *gaps),
        events=facts.events,
        requests=measures.requests,
        served=measures.served,
        success_ratio=measures.success_ratio,
        attempts=measures.attempts,
        amplification=measures.amplification,
        fallbacks=measures.fallbacks,
        retries=measures.retries,
        hedges=measures.hedges,
        unwitting=measures.unwitting,
        cost_usd=measures.cost_usd,
        cost_per_1k_usd=measures.cost_per_1k_usd,
        latency_s=measures.latency_s,
        first_token_s=measures.first_token_s,
        detected_after_s=measures.detected_after_s,
        recovered_after_s=measures.recovered_after_s,
        oracle=oracle,
        regret=regret,
        errors=measures.errors,
        episodes=facts.episodes,
        targets={name: _figures(target) for name, target in measures.targets.items()},
        routes={name: _of_route(route) for name, route in measures.routes.items()},
        expectations=expectations,
        invariants=judgement.invariants,
        coverage=coverage,
        journal_sha256=facts.journal_sha256,
        simulated_s=measures.simulated_s,
        wall_s=facts.wall_s,
        reproduce=facts.reproduce,
    )


def to_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain dicts, lists and scalars, keys in the order of the fields; no NaN, no inf."""
    document: dict[str, Any] = _plain(verdict)
    return document


def _conclusion(failures: tuple[str, ...], gaps: tuple[str, ...]) -> Conclusion:
    if failures:
        return Conclusion.FAILED
    return Conclusion.UNKNOWN if gaps else Conclusion.PASSED


def _of_route(route: RouteMeasures) -> RouteFigures:
    ratio = route.served / route.requests if route.requests else None
    return RouteFigures(route.requests, route.served, ratio, route.latency_s)


def _figures(target: TargetMeasures) -> TargetFigures:
    cost_usd = None if target.cost_nusd is None else target.cost_nusd / NUSD_PER_USD
    return TargetFigures(target.attempts, target.served, target.failures, cost_usd)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return str(value) if isinstance(value, StrEnum) else value
