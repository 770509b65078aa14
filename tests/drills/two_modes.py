"""Both modes side by side: a scenario simulated and replayed, and what they tell of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from failover.chaos.drill import run_drill
from failover.chaos.judging.verdict import Verdict
from failover.chaos.meeting import SkippedDrill
from failover.chaos.scenario import Scenario, load_scenario
from tests.drills.worlds import written

Events = list[dict[str, Any]]


@dataclass
class Drilled:
    """What both modes told of the same scenario."""

    verdict: Verdict
    events: Events

    def of(self, event: str, **facts: Any) -> Events:
        """The events of one kind, with these facts."""
        return [
            each
            for each in self.events
            if each["event"] == event and all(each[key] == fact for key, fact in facts.items())
        ]


def drilled(scenario: Scenario, mode: str, folder: Path) -> Drilled:
    journal = folder / f"{mode}.jsonl"
    try:
        verdict = run_drill(scenario, seed=1, mode=mode, journal=journal)
    except SkippedDrill as absent:
        pytest.skip(str(absent))
    return Drilled(verdict, [json.loads(line) for line in journal.read_text("utf-8").splitlines()])


def agreed(scenario: Scenario, folder: Path) -> Drilled:
    """What both say: the same events with the same figures at the same instants, in the same order."""
    simulated, replayed = (drilled(scenario, mode, folder) for mode in ("simulate", "replay"))
    pairs = zip(simulated.events, replayed.events, strict=False)
    first = next((pair for pair in pairs if pair[0] != pair[1]), ({}, {}))
    assert first[0] == first[1], "\n".join(map(json.dumps, first))
    assert simulated.verdict.journal_sha256 == replayed.verdict.journal_sha256
    assert simulated.verdict.oracle == replayed.verdict.oracle
    assert not [violation for each in simulated.verdict.invariants for violation in each.violations]
    return simulated


def told(folder: Path, story: str, config: str) -> Drilled:
    return agreed(load_scenario(written(folder, story, config)), folder)
