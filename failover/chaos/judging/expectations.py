"""What a scenario expects, held against what was measured: one row for each key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from failover.chaos.judging.coverage import Coverage
from failover.chaos.judging.measures import Measures
from failover.chaos.judging.regret import Figures
from failover.chaos.scenario import Expectations, Sometimes


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """A limit, and what was measured in the same unit.

    `measured` None: there was nothing to measure, and so the expectation is not met.
    """

    name: str
    limit: float
    measured: float | None
    ok: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that an expectation may look at. Regret is the oracle's success ratio minus ours."""

    measures: Measures
    coverage: Coverage
    regret: Figures


Measure = Callable[[Evidence], float | None]


def _regret_per_1k_usd(seen: Evidence) -> float | None:
    usd, served = seen.regret.cost_usd, seen.measures.served
    return None if usd is None or not served else usd / served * 1000.0


AT_LEAST: Mapping[str, Measure] = {
    "success_ratio_min": lambda seen: seen.measures.success_ratio,
}
AT_MOST: Mapping[str, Measure] = {
    "regret_success_ratio_max": lambda seen: seen.regret.success_ratio,
    "regret_cost_per_1k_max_usd": _regret_per_1k_usd,
    "regret_latency_max_s": lambda seen: seen.regret.latency_s,
    "latency_p95_max_s": lambda seen: seen.measures.latency_s.p95,
    "first_token_p95_max_s": lambda seen: seen.measures.first_token_s.p95,
    "cost_per_1k_max_usd": lambda seen: seen.measures.cost_per_1k_usd,
    "amplification_max": lambda seen: seen.measures.amplification,
    "unwitting_max": lambda seen: seen.measures.unwitting if seen.measures.requests else None,
    "detected_within_s": lambda seen: seen.measures.detected_after_s,
    "goodput_recovered_within_s": lambda seen: seen.measures.goodput_recovered_after_s,
    "recovered_within_s": lambda seen: seen.measures.recovered_after_s,
}


_ON_THE_WIRE = frozenset({Sometimes.FALLBACK, Sometimes.RETRY, Sometimes.HEDGE})


def of_any_client(expect: Expectations) -> Expectations:
    """Those of the expectations that the wire and the caller can tell; the others need our own journal."""
    seen = {
        name: tuple(word for word in getattr(expect, name) if word in _ON_THE_WIRE)
        for name in ("sometimes", "never")
    }
    return expect.model_copy(update={**seen, "detected_within_s": None})


def judge_expectations(expect: Expectations, seen: Evidence) -> tuple[ExpectationResult, ...]:
    """A result for each expectation that the scenario names, in the order of this table."""
    return tuple(_results(expect, seen))


def _results(expect: Expectations, seen: Evidence) -> Iterator[ExpectationResult]:
    for table, result in ((AT_LEAST, _at_least), (AT_MOST, _at_most)):
        for name, measure in table.items():
            limit = getattr(expect, name)
            if limit is not None:
                yield result(name, limit, measure(seen))
    for target, limit in expect.served_share_min.items():
        yield _at_least(f"served_share_min.{target}", limit, seen.measures.served_share(target))
    for target, limit in expect.served_share_max.items():
        yield _at_most(f"served_share_max.{target}", limit, seen.measures.served_share(target))
    for word in expect.sometimes:
        yield _at_least(f"sometimes.{word.value}", 1, seen.coverage.sometimes[word.value])
    for word in expect.never:
        yield _at_most(f"never.{word.value}", 0, seen.coverage.sometimes[word.value])


def _at_least(name: str, limit: float, measured: float | None) -> ExpectationResult:
    return ExpectationResult(name, limit, measured, measured is not None and measured >= limit)


def _at_most(name: str, limit: float, measured: float | None) -> ExpectationResult:
    return ExpectationResult(name, limit, measured, measured is not None and measured <= limit)
