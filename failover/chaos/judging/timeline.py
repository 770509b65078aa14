"""What a picture of a drill needs: its story in a fixed number of bins, gathered in flat memory.

A day has millions of events and a screen has some hundred columns, so everything is counted in bins of
time as it goes by. Requests, and what they cost and took, are counted at their arrival: a fault's band
then stands over the requests that met it.
"""

from __future__ import annotations

from dataclasses import dataclass

from failover.chaos.judging.absences import Absence

BINS = 180
"""At most so many while requests arrive."""

WIDTHS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""How wide a bin may be, so that people can say `per 10 s`; longer drills take whole hours."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations of served requests, a value for each bin: seconds, None where there was none."""

    p50: tuple[float | None, ...]
    p95: tuple[float | None, ...]
    longest: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class TargetLine:
    """What one target did, a count for each bin.

    `attempts` and `failures` at the time of their send, `served` at the arrival of the request.
    """

    name: str
    attempts: tuple[int, ...]
    served: tuple[int, ...]
    failures: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """An injection over time. `ends_s` None: it goes on. `hits`: the targets that lie in its selector."""

    kind: str
    selector: str
    is_fault: bool
    share: float
    starts_s: float
    ends_s: float | None
    hits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A new price from `at_s` on, in nano-dollars per million tokens."""

    at_s: float
    target: str
    input_nusd_per_mtok: int
    output_nusd_per_mtok: int


@dataclass(frozen=True, slots=True)
class OracleLine:
    """What the omniscient router could have done, for each bin.

    `cost_nusd` is cumulative, None where a price is not known; `p50_s` and `p95_s` are the shortest
    possible latencies.
    """

    cost_nusd: tuple[int, ...] | None
    p50_s: tuple[float | None, ...]
    p95_s: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A drill in bins of `bin_s` seconds, the first one beginning at 0.

    `for_s`: as long as requests arrive; the bins may go on for a while after it. `cost_nusd` is
    cumulative and None where a price is not known. `first_token_s` None: nothing was streamed.
    `targets` stand in the order in which the first request would have tried them. `absences`: when a
    target was not simply in use; `absences_until_s` None, or the time from which on they were too many
    to be kept. `oracle` None: it was not asked.
    """

    bin_s: float
    for_s: float
    arrivals: tuple[int, ...]
    served: tuple[int, ...]
    unserved: tuple[int, ...]
    latency_s: Spread
    first_token_s: Spread | None
    cost_nusd: tuple[int, ...] | None
    targets: tuple[TargetLine, ...]
    absences: tuple[Absence, ...]
    absences_until_s: float | None
    bands: tuple[Band, ...]
    price_changes: tuple[PriceChange, ...]
    oracle: OracleLine | None

    @property
    def ends_s(self) -> float:
        """Where the last bin ends, in seconds."""
        return len(self.arrivals) * self.bin_s


def bin_width_s(for_s: float) -> float:
    """The narrowest width of which `BINS` cover `for_s` seconds."""
    wanted_s = for_s / BINS
    hours = -(-wanted_s // 3600.0)
    return next((float(width) for width in WIDTHS_S if width >= wanted_s), hours * 3600.0)
