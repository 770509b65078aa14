"""Quantiles of any number of durations in flat memory: counts in buckets that grow by a constant factor."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

RELATIVE_ERROR = 0.004
"""A quantile is at most so far from an exact one, relative to it."""

SHORTEST_S = 1e-6
"""What is shorter counts as nothing."""

_GROWTH = (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR)
_PER_LOG = 1.0 / log(_GROWTH)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Seconds; None where nothing was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Histogram:
    """Buckets whose bounds are powers of one factor, as in DDSketch (Masson, Rim, Lee: VLDB 2019).

    Durations from a microsecond to a day fall into some three thousand of them.
    """

    __slots__ = ("_buckets", "count")

    def __init__(self) -> None:
        self.count = 0
        self._buckets: dict[int | None, int] = {}

    def add(self, value_s: float) -> None:
        """Count one duration in seconds."""
        bucket = ceil(log(value_s) * _PER_LOG) if value_s > SHORTEST_S else None
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1

    def quantile(self, share: float) -> float | None:
        """The duration that `share` of all do not exceed (nearest rank), None when there are none."""
        rank, passed = max(1, ceil(share * self.count)), self._buckets.get(None, 0)
        if self.count == 0:
            return None
        if passed >= rank:
            return 0.0
        bucket = 0
        for bucket in sorted(key for key in self._buckets if key is not None):
            passed += self._buckets[bucket]
            if passed >= rank:
                break
        return round(2.0 * _GROWTH**bucket / (_GROWTH + 1.0), 6)

    def quantiles(self) -> Quantiles:
        """The three that are reported."""
        return Quantiles(self.quantile(0.5), self.quantile(0.95), self.quantile(0.99))
