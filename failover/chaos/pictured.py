"""A drill with what a report shows beside its verdict: its timeline, and the journal where it matters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from failover.chaos import drill
from failover.chaos.judging.excerpts import Excerpt, excerpts
from failover.chaos.judging.moments import Moments
from failover.chaos.judging.timeline import Band, Timeline
from failover.chaos.judging.timeline_tally import TimelineTally
from failover.chaos.judging.verdict import Verdict
from failover.chaos.scenario import Scenario
from failover.config import load_config


@dataclass(frozen=True, slots=True)
class Pictured:
    """A verdict and its pictures; `title` is the scenario's sentence. Plain facts, which pickle."""

    verdict: Verdict
    timeline: Timeline
    excerpts: tuple[Excerpt, ...]
    title: str = ""


def pictured_drill(scenario: Scenario, *, listeners: Sequence[object] = (), **asked: Any) -> Pictured:
    """Run `scenario` as `run_drill` does, with the same arguments, and gather its pictures.

    Raises what `run_drill` raises.
    """
    timeline, moments = TimelineTally(scenario.workload.for_s), Moments()
    verdict = drill.run_drill(scenario, listeners=(*listeners, timeline, moments), **asked)
    bands = tuple(_bands(scenario, asked.get("config") or scenario.config_path, verdict))
    return Pictured(verdict, timeline.timeline(bands), excerpts(verdict, moments), scenario.title)


def _bands(scenario: Scenario, config: Any, verdict: Verdict) -> Iterator[Band]:
    targets = [each for name, each in load_config(config).targets.items() if name in verdict.targets]
    for injection in scenario.injections:
        yield Band(
            kind=str(injection.kind),
            selector=injection.selector,
            is_fault=injection.is_fault,
            share=injection.share,
            starts_s=injection.at_s,
            ends_s=injection.ends_s if isfinite(injection.ends_s) else None,
            hits=tuple(target.name for target in targets if injection.hits(target)),
        )
