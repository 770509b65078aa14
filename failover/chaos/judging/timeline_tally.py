"""Gathers a drill's timeline from its events, in memory that does not grow with the drill."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from failover.chaos.judging.absences import AbsenceTally
from failover.chaos.judging.histogram import Histogram
from failover.chaos.judging.timeline import (
    BINS,
    Band,
    OracleLine,
    PriceChange,
    Spread,
    TargetLine,
    Timeline,
    bin_width_s,
)
from failover.core.events import AttemptEnded, AttemptStarted, CallEnded, CallStarted, FirstTokenReceived
from failover.core.world_events import PriceInForce

BINS_MOST = 2 * BINS
"""What happens later than this is counted in the last one."""

PRICE_CHANGES_MOST = 200


class _Counts:
    """A count for each bin that has one."""

    __slots__ = ("by_bin",)

    def __init__(self) -> None:
        self.by_bin: dict[int, int] = {}

    def add(self, index: int, number: int = 1) -> None:
        self.by_bin[index] = self.by_bin.get(index, 0) + number

    def row(self, bins: int) -> tuple[int, ...]:
        return tuple(self.by_bin.get(index, 0) for index in range(bins))


class _Durations:
    """A histogram for each bin that has one, and its longest."""

    __slots__ = ("histograms", "longest_s")

    def __init__(self) -> None:
        self.histograms: dict[int, Histogram] = {}
        self.longest_s: dict[int, float] = {}

    def add(self, index: int, value_s: float) -> None:
        histogram = self.histograms.get(index)
        if histogram is None:
            histogram = self.histograms[index] = Histogram()
            self.longest_s[index] = value_s
        elif value_s > self.longest_s[index]:
            self.longest_s[index] = value_s
        histogram.add(value_s)

    def quantile_row(self, share: float, bins: int) -> tuple[float | None, ...]:
        empty = Histogram()
        return tuple(self.histograms.get(index, empty).quantile(share) for index in range(bins))

    def spread(self, bins: int) -> Spread:
        longest = tuple(self.longest_s.get(index) for index in range(bins))
        return Spread(self.quantile_row(0.5, bins), self.quantile_row(0.95, bins), longest)


class _TargetTally:
    __slots__ = ("attempts", "failures", "served")

    def __init__(self) -> None:
        self.attempts, self.served, self.failures = _Counts(), _Counts(), _Counts()

    def line(self, name: str, bins: int) -> TargetLine:
        return TargetLine(name, *(each.row(bins) for each in (self.attempts, self.served, self.failures)))


class TimelineTally(AbsenceTally):
    """Listens to a drill whose requests arrive for `for_s` seconds."""

    def __init__(self, for_s: float) -> None:
        super().__init__()
        self._for_s = for_s
        self._bin_s = bin_width_s(for_s)
        self._arrivals, self._served, self._unserved = _Counts(), _Counts(), _Counts()
        self._latency, self._first_token = _Durations(), _Durations()
        self._first_tokens: dict[str, float] = {}
        self._cost = _Counts()
        self._unpriced = False
        self._targets: dict[str, _TargetTally] = {}
        self._order: tuple[str, ...] | None = None
        self._prices: dict[str, PriceInForce] = {}
        self._price_changes: list[PriceChange] = []
        self._told, self._oracle_cost, self._oracle_latency = _Counts(), _Counts(), _Durations()
        self._oracle_unpriced = False

    def call_started(self, event: CallStarted) -> None:
        """A request; the first one tells the order of the targets."""
        if self._order is None:
            self._order = (*event.order, *(name for name, _ in event.passed_over))
        self._arrivals.add(self._bin(event.at_s))

    def attempt_started(self, event: AttemptStarted) -> None:
        """A send."""
        self._target(event.target).attempts.add(self._bin(event.at_s))

    def first_token_received(self, event: FirstTokenReceived) -> None:
        """The caller reads from now on."""
        self._first_tokens[event.call] = event.at_s

    def attempt_ended(self, event: AttemptEnded) -> None:
        """Did it fail?"""
        if event.failure is not None:
            self._target(event.target).failures.add(self._bin(event.started_s))

    def call_ended(self, event: CallEnded) -> None:
        """Served or not, what it cost, and how long it took."""
        index = self._bin(event.started_s)
        first_token_at_s = self._first_tokens.pop(event.call, None) if self._first_tokens else None
        if event.cost_nusd is None:
            self._unpriced = True
        else:
            self._cost.add(index, event.cost_nusd)
        if event.target is None:
            self._unserved.add(index)
            return
        self._served.add(index)
        self._target(event.target).served.add(index)
        self._latency.add(index, event.at_s - event.started_s)
        if first_token_at_s is not None:
            self._first_token.add(index, first_token_at_s - event.started_s)

    def price_in_force(self, event: PriceInForce) -> None:
        """The first price of a target is where it begins; another one is a change."""
        self._target(event.target)
        input_nusd, output_nusd = event.input_nusd_per_mtok, event.output_nusd_per_mtok
        is_change = event.target in self._prices and len(self._price_changes) < PRICE_CHANGES_MOST
        if is_change and input_nusd is not None and output_nusd is not None:
            self._price_changes.append(PriceChange(event.at_s, event.target, input_nusd, output_nusd))
        self._prices[event.target] = event

    def oracle_told(self, arrived_s: float, cost_nusd: int | None, latency_s: float | None) -> None:
        """What the omniscient router could have done with a request that arrived then; in any order.

        `latency_s` None: nobody could have served it, and so it costs nothing; `cost_nusd` None beside
        a latency: at a price that is not known. Where only a sample of the requests is told of, their
        mean cost counts for the others of the bin.
        """
        index = self._bin(arrived_s)
        self._told.add(index)
        if latency_s is None:
            return
        self._oracle_latency.add(index, latency_s)
        if cost_nusd is None:
            self._oracle_unpriced = True
        else:
            self._oracle_cost.add(index, cost_nusd)

    def timeline(self, bands: Iterable[Band] = ()) -> Timeline:
        """The story so far; `bands` are the injections, which the scenario tells better than events."""
        bins = self._bins()
        streamed = bool(self._first_token.histograms)
        costs = accumulate(self._cost.row(bins))
        order = dict.fromkeys([*(self._order or ()), *self._targets])
        idle = _TargetTally()
        return Timeline(
            bin_s=self._bin_s,
            for_s=self._for_s,
            arrivals=self._arrivals.row(bins),
            served=self._served.row(bins),
            unserved=self._unserved.row(bins),
            latency_s=self._latency.spread(bins),
            first_token_s=self._first_token.spread(bins) if streamed else None,
            cost_nusd=None if self._unpriced else tuple(costs),
            targets=tuple(self._targets.get(name, idle).line(name, bins) for name in order),
            absences=self.absences(bins * self._bin_s),
            absences_until_s=self.cut_off_s,
            bands=tuple(bands),
            price_changes=tuple(self._price_changes),
            oracle=self._oracle(bins) if self._told.by_bin else None,
        )

    def _oracle(self, bins: int) -> OracleLine:
        told, sums, arrivals = self._told.row(bins), self._oracle_cost.row(bins), self._arrivals.row(bins)
        mean = sum(sums) / sum(told)
        each = (
            cost / number * arrived if number else mean * arrived
            for cost, number, arrived in zip(sums, told, arrivals, strict=True)
        )
        return OracleLine(
            None if self._oracle_unpriced else tuple(round(cost) for cost in accumulate(each)),
            self._oracle_latency.quantile_row(0.5, bins),
            self._oracle_latency.quantile_row(0.95, bins),
        )

    def _bin(self, at_s: float) -> int:
        index = int(at_s / self._bin_s)
        return index if index < BINS_MOST else BINS_MOST - 1

    def _bins(self) -> int:
        """As many as the workload has, and those in which something happened after it."""
        last = -int(-self._for_s // self._bin_s)
        counts = [self._arrivals, *(each.attempts for each in self._targets.values())]
        return max(1, last, *(index + 1 for count in counts for index in count.by_bin))

    def _target(self, name: str) -> _TargetTally:
        tally = self._targets.get(name)
        if tally is None:
            tally = self._targets[name] = _TargetTally()
        return tally
