"""Bills: what was simulated, and what that makes of the days that were asked about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from failover.chaos.campaign.interval import Interval, mean_interval
from failover.chaos.judging.verdict import Verdict


@dataclass(frozen=True, slots=True)
class TargetBill:
    """What one target gets of a bill, and which share of the requests it serves."""

    usd: float
    served_share: float


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars for the days that were asked about. `usd` None: somebody answered whose price nobody knows.

    `interval` is where the mean lies with 95 % confidence, since only some of the requests were simulated.
    `unpriced` are the targets that answered without a known price.
    """

    usd: float | None
    interval: Interval | None
    served_share: float
    targets: Mapping[str, TargetBill]
    unpriced: tuple[str, ...] = ()


def bill_of(verdicts: Sequence[Verdict], requests: float) -> Bill:
    """The bill of so many requests, which went as those of the drills did."""
    seen = sum(verdict.requests for verdict in verdicts)
    served = sum(verdict.served for verdict in verdicts)
    unpriced = _unpriced(verdicts)
    each_usd = [(verdict.cost_usd or 0.0) / verdict.requests for verdict in verdicts if verdict.requests]
    interval = None if unpriced else mean_interval([usd * requests for usd in each_usd])
    names = dict.fromkeys(name for verdict in verdicts for name in verdict.targets)
    targets = {
        name: TargetBill(
            usd=_sum(verdict.targets[name].cost_usd for verdict in verdicts) / max(seen, 1) * requests,
            served_share=sum(verdict.targets[name].served for verdict in verdicts) / max(seen, 1),
        )
        for name in names
    }
    return Bill(
        usd=None if unpriced or not each_usd else fmean(each_usd) * requests,
        interval=interval,
        served_share=served / max(seen, 1),
        targets=targets,
        unpriced=unpriced,
    )


def _sum(amounts: Iterable[float | None]) -> float:
    return sum(amount for amount in amounts if amount is not None)


def _unpriced(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Who was billed at a price that nobody knows: an unknown price is said, and never zero."""
    unknown = {
        name: None
        for verdict in verdicts
        for name, figures in verdict.targets.items()
        if figures.attempts and figures.cost_usd is None
    }
    return tuple(unknown)
