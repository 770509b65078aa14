"""Judges a drill while it runs: from its events alone, in flat memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from failover.chaos.judging.coverage import Coverage, CoverageTally
from failover.chaos.judging.invariants import INVARIANTS, Invariant, InvariantResult
from failover.chaos.judging.listening import dispatch_table
from failover.chaos.judging.measures import Measures, MeasureTally
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import Event


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was measured, what was exercised, and which invariants held."""

    measures: Measures
    coverage: Coverage
    invariants: tuple[InvariantResult, ...]


class Judge:
    """Sees every event of a drill of `scenario` on `routes`, in order of time; so do the `listeners`.

    A listener's `invariant_violated(name, at_s, call, target)` hears of each violation, before its event.
    """

    def __init__(
        self,
        scenario: Scenario,
        routes: Routes,
        listeners: Sequence[object] = (),
        invariants: Sequence[type[Invariant]] = INVARIANTS,
    ) -> None:
        self._measures = MeasureTally(scenario, routes)
        self._coverage = CoverageTally(scenario, routes)
        self._invariants = [invariant(scenario, routes) for invariant in invariants]
        heard = [each.invariant_violated for each in listeners if hasattr(each, "invariant_violated")]
        for invariant in self._invariants:
            invariant.heard = tuple(heard)
        self._handlers = dispatch_table([self._measures, self._coverage, *self._invariants, *listeners])

    def see(self, event: Event) -> None:
        """Take in one event."""
        for handle in self._handlers[type(event)]:
            handle(event)

    def finish(self, now: float) -> Judgement:
        """The drill ended at `now`: nothing more will happen."""
        return Judgement(
            self._measures.measures(now),
            self._coverage.coverage(),
            tuple(invariant.end(now) for invariant in self._invariants),
        )
