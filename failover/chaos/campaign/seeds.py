"""What the seeds of one scenario say together: how often it held, the usual day and the worst one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from failover.chaos.judging.verdict import Conclusion, Verdict

_GRAVITY = (Conclusion.FAILED, Conclusion.UNKNOWN, Conclusion.PASSED)


@dataclass(frozen=True, slots=True)
class SeedsSummary:
    """One scenario in one mode. `reasons`: with how many seeds each held, the most frequent first.

    Figures are None where no drill measured them; `worst` is the drill to look at first.
    """

    scenario: str
    mode: str
    seeds: int
    verdicts: Mapping[Conclusion, int]
    reasons: tuple[tuple[str, int], ...]
    success_ratio_min: float | None
    success_ratio_median: float | None
    latency_p95_median_s: float | None
    latency_p95_max_s: float | None
    cost_per_1k_median_usd: float | None
    worst: Verdict

    @property
    def verdict(self) -> Conclusion:
        """The gravest of all seeds."""
        return self.worst.verdict


def summarize(verdicts: Sequence[Verdict]) -> SeedsSummary:
    """The summary of drills, at least one, that differ in nothing but the seed."""
    ratios = _known(verdict.success_ratio for verdict in verdicts)
    latencies_s = _known(verdict.latency_s.p95 for verdict in verdicts)
    costs_usd = _known(verdict.cost_per_1k_usd for verdict in verdicts)
    counts = Counter(verdict.verdict for verdict in verdicts)
    # Which limit was missed, without by how much: that differs from seed to seed.
    reasons = Counter(_kind(reason) for verdict in verdicts for reason in verdict.reasons)
    return SeedsSummary(
        scenario=verdicts[0].scenario,
        mode=verdicts[0].mode,
        seeds=len(verdicts),
        verdicts={conclusion: counts[conclusion] for conclusion in Conclusion},
        reasons=tuple(reasons.most_common()),
        success_ratio_min=min(ratios, default=None),
        success_ratio_median=median(ratios) if ratios else None,
        latency_p95_median_s=median(latencies_s) if latencies_s else None,
        latency_p95_max_s=max(latencies_s, default=None),
        cost_per_1k_median_usd=median(costs_usd) if costs_usd else None,
        worst=min(verdicts, key=worst_first),
    )


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _kind(reason: str) -> str:
    return reason.partition(": ")[0]


def worst_first(verdict: Verdict) -> tuple[int, float, float, float, int]:
    """The gravest verdict, then the fewest served beyond need, then the slowest, then the first seed."""
    ratio = 1.0 if verdict.success_ratio is None else verdict.success_ratio
    regret = verdict.regret.success_ratio or 0.0
    return _GRAVITY.index(verdict.verdict), -regret, ratio, -(verdict.latency_s.p95 or 0.0), verdict.seed
