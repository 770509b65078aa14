"""Drills of a workload that nobody judges: what they cost is all that is asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from failover.chaos.arrivals import Trace
from failover.chaos.drill import run_drill
from failover.chaos.injections import Injection
from failover.chaos.judging.verdict import Verdict
from failover.chaos.materials import Materials
from failover.chaos.scenario import Scenario, ScenarioSection
from failover.chaos.workload_section import Workload
from failover.config import Config
from failover.costs.question import Question
from failover.documents import Document

BATCHES = 8
"""Parts of a sample: their spread shows how far off it may be."""

STORY_REQUESTS_MOST = 20_000
"""A story at a higher rate than this is thinned: its faults then meet fewer requests."""


class Unlimited(Materials):
    """Configs without what keeps spending down: a thinned month must not be held to budgets."""

    def config(self, file: Path) -> Config:
        """The config in `file`, without budgets, alarms and ledger."""
        return replace(super().config(file), budgets=(), alarms=(), ledger=None)


class Sampler:
    """Simulates requests of a question's workload. Raises as `run_drill` does."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._materials = Unlimited()

    def days(self, injections: Sequence[Injection] = ()) -> Iterator[Verdict]:
        """Batch by batch, the days asked about, with the requests spread thinly over all of them.

        So dated prices, peak hours and retirements within those days count for as long as they last. Only
        a trace is played as it was recorded, from the first day on.
        """
        workload = self._question.workload
        if not isinstance(workload.arrivals, Trace):
            lasts_s = self._question.lasts_s
            rate_per_s = self._question.requests / BATCHES / lasts_s
            workload = workload.model_copy(update={"rate_per_s": rate_per_s, "for_s": lasts_s})
        for batch in range(BATCHES):
            yield self._drilled(workload, injections, self._question.seed * BATCHES + batch)

    def story(self, story: Scenario, seed: int, injections: Sequence[Injection]) -> tuple[Verdict, float]:
        """The workload at its own rate while `story` lasts, with these injections; how much it is thinned."""
        workload, lasts_s = self._question.workload, story.workload.for_s
        thinned = 1.0
        if not isinstance(workload.arrivals, Trace):
            rate_per_s = workload.rate_per_s or 0.0
            thinned = min(1.0, STORY_REQUESTS_MOST / (rate_per_s * lasts_s))
            workload = workload.model_copy(update={"rate_per_s": rate_per_s * thinned, "for_s": lasts_s})
        return self._drilled(workload, injections, seed), thinned

    def scenario(self, workload: Workload | None = None, injections: Sequence[Injection] = ()) -> Scenario:
        """The workload (default: as it was asked about) with these injections, as a scenario of no file."""
        question = self._question
        document: Mapping[str, Any] = {"title": "What it costs", "config": str(question.config)}
        section = ScenarioSection.model_construct(
            title="What it costs",
            config=str(question.config),
            when_untouched="refuse",
            begins=datetime.fromtimestamp(question.begins_s, UTC),
            workload=workload or question.workload,
            inject=tuple(injections),
        )
        # The paths are from here, and no file holds it.
        return Scenario(section, Path("cost.yaml"), Document("cost.yaml", document), question.trace)

    def _drilled(self, workload: Workload, injections: Sequence[Injection], seed: int) -> Verdict:
        return run_drill(
            self.scenario(workload, injections),
            seed=seed,
            mode="simulate",
            cassettes=self._question.cassettes,
            materials=self._materials,
        )
