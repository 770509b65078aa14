"""One schedule, drilled: what it broke, how near it came, and where it led."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from failover.chaos.drill import run_drill
from failover.chaos.judging.verdict import Verdict
from failover.chaos.materials import Materials
from failover.chaos.meeting import SkippedDrill
from failover.chaos.scenario import Scenario, ScenarioSection
from failover.chaos.search.objectives import margins
from failover.chaos.search.schedules import Injections
from failover.core.vocabulary import Target
from failover.documents import Document
from failover.errors import CassetteError, ConfigError

CRASH = "crash"
GAPS = ("no steady state", "nothing was exercised")
LONGEST_CALL_S = 60.0
"""Who arrives when the last fault has ended may still be waiting for its answer so long."""


@dataclass(frozen=True, slots=True)
class Story:
    """All of a scenario but its injections, as its file would say it. Paths are from here.

    `targets` are those of the route that can do the job. A limit of `expect` counts only where faults leave
    `spare` of them alone from beginning to end: what nobody could survive is no finding. Invariants count
    always.
    """

    config: Path
    workload: Mapping[str, Any]
    expect: Mapping[str, Any]
    seed: int
    cassettes: Path | None = None
    targets: tuple[Target, ...] = ()
    spare: int = 0

    def section(self, injections: Injections, **rest: Any) -> dict[str, Any]:
        """The whole file as a mapping; `rest` goes before what the story says."""
        document = {
            "title": "A schedule of a search",
            "config": str(self.config),
            "workload": dict(self.workload),
            "inject": [dict(each) for each in injections],
            "expect": dict(self.expect),
        }
        if self.cassettes is not None:
            document["cassettes"] = str(self.cassettes)
        return {**document, **rest}


@dataclass(frozen=True, slots=True)
class Violation:
    """Which invariant or limit was broken, and how, in the verdict's words."""

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A schedule and what became of it. `scores` grow the nearer it came to breaking a limit that counts.

    `verdict` None: the drill crashed, which is a finding too.
    """

    injections: Injections
    violations: tuple[Violation, ...]
    scores: Mapping[str, float]
    verdict: Verdict | None


@dataclass(slots=True)
class Covered:
    """What a search has put the config through. `exercised` counts drills by kind of injection."""

    drills: int = 0
    events: int = 0
    requests: int = 0
    exercised: dict[str, int] = field(default_factory=dict)
    selectors: set[str] = field(default_factory=set)
    happened: dict[str, int] = field(default_factory=dict)
    worst: dict[str, float] = field(default_factory=dict)

    def add(self, trial: Trial) -> None:
        """One more drill."""
        verdict = trial.verdict
        self.drills += 1
        if verdict is None:
            return
        self.events += verdict.events
        self.requests += verdict.requests
        met = [each for each in verdict.coverage.injections if each.exercised]
        for kind in {each.kind for each in met}:
            self.exercised[kind] = self.exercised.get(kind, 0) + 1
        self.selectors.update(each.selector for each in met)
        for word, count in verdict.coverage.sometimes.items():
            self.happened[word] = self.happened.get(word, 0) + bool(count)
        for name, score in trial.scores.items():
            self.worst[name] = max(score, self.worst.get(name, score))


class Trials:
    """Drills schedules of one story, each once: what was drilled before is remembered."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.covered = Covered()
        self._materials = Materials()
        self._known: dict[str, Trial] = {}

    def of(self, injections: Injections) -> Trial:
        """What becomes of this schedule. Raises as `run_drill` does."""
        key = json.dumps(injections)
        trial = self._known.get(key)
        if trial is None:
            trial = self._known[key] = self._drilled(injections)
            self.covered.add(trial)
        return trial

    def is_known(self, injections: Injections) -> bool:
        """Whether this schedule costs no drill any more."""
        return json.dumps(injections) in self._known

    def _drilled(self, injections: Injections) -> Trial:
        document = self.story.section(injections)
        section = ScenarioSection.model_validate(document)
        # The story's paths are from here, and no file holds it yet.
        scenario = Scenario(section, Path("found.yaml"), Document("found.yaml", document))
        try:
            verdict = run_drill(scenario, seed=self.story.seed, mode="simulate", materials=self._materials)
        except (ConfigError, CassetteError, SkippedDrill):
            raise
        except Exception as error:  # noqa: BLE001  # whatever a schedule makes the router raise is found
            return Trial(injections, (crash(error),), {}, None)
        broken = broken_invariants(verdict)
        spared = self._spares_enough(scenario)
        if spared:
            broken += broken_limits(verdict, scenario)
        return Trial(injections, tuple(broken), dict(margins(verdict)) if spared else {}, verdict)

    def _spares_enough(self, scenario: Scenario) -> bool:
        faults = [each for each in scenario.injections if each.is_fault]
        spared = [each for each in self.story.targets if not any(fault.hits(each) for fault in faults)]
        return len(spared) >= self.story.spare


def crash(error: Exception) -> Violation:
    """What a drill that raised `error` shows."""
    return Violation(CRASH, f"{type(error).__name__}: {error}")


def broken_invariants(verdict: Verdict) -> list[Violation]:
    """The rules that did not hold, with the first time each."""
    return [Violation(each.name, each.violations[0]) for each in verdict.invariants if not each.kept]


def broken_limits(verdict: Verdict, scenario: Scenario) -> list[Violation]:
    """The limits that were not kept, in a drill that showed something, where there was something to measure.

    The one exception is a recovery that never came although every fault had long been over.
    """
    if any(reason.startswith(GAPS) for reason in verdict.reasons):
        return []
    broken = []
    for each in verdict.expectations:
        if each.ok:
            continue
        if each.measured is not None:
            broken.append(Violation(each.name, f"{each.limit:g} was asked, {each.measured:.6g} measured"))
        elif each.name == "recovered_within_s" and _had_time_to_recover(verdict, scenario, each.limit):
            broken.append(Violation(each.name, f"{each.limit:g} was asked, and it never recovered"))
    return broken


def _had_time_to_recover(verdict: Verdict, scenario: Scenario, limit_s: float) -> bool:
    ends_s = [each.ends_s for each in scenario.injections if each.is_fault]
    if not ends_s or verdict.coverage.sometimes.get("retired", 0):
        return False
    return max(ends_s) + limit_s + LONGEST_CALL_S <= scenario.workload.for_s
