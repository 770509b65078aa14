"""What a drill exercised: an untried path holds until the day it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario, Sometimes
from failover.core.breaker import CLOSED, OPEN
from failover.core.calendar_events import RetirementAhead, RetirementReached
from failover.core.events import (
    AttemptEnded,
    AttemptStarted,
    BreakerChanged,
    CallEnded,
    CallStarted,
    CooldownStarted,
    FateShared,
    OutageSuspected,
    TargetRetired,
    WaitStarted,
)
from failover.core.failures import DISPOSITIONS
from failover.core.vocabulary import AttemptCause, Reason
from failover.core.world_events import InjectionEnded, InjectionStarted

FIRST = AttemptCause.FIRST
RETIRED_REASONS = frozenset({Reason.RETIRED, Reason.RETIREMENT_DUE})

BLIND_TO_PRICES = frozenset({"priority", "latency", "weighted", "least_busy", "headroom"})
"""Strategies that rank without looking at a price."""

_CAUSES = {
    AttemptCause.FALLBACK: Sometimes.FALLBACK,
    AttemptCause.RETRY: Sometimes.RETRY,
    AttemptCause.HEDGE: Sometimes.HEDGE,
    AttemptCause.LAST_RESORT: Sometimes.LAST_RESORT,
    AttemptCause.KEEP_WARM: Sometimes.KEEP_WARM,
}
_STATES = {OPEN: Sometimes.BREAKER_OPENED, CLOSED: Sometimes.BREAKER_CLOSED}


@dataclass(frozen=True, slots=True)
class InjectionCoverage:
    """How one injection met the routes while it was active.

    `attempts` were sent to targets it hits; in `decisions` such a target stood in the order.
    """

    kind: str
    selector: str
    is_fault: bool
    attempts: int
    decisions: int
    exercised: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts by name: `fallback_edges` as `a->b`, `breaker_transitions` as `closed->open`."""

    fallback_edges: Mapping[str, int]
    breaker_transitions: Mapping[str, int]
    failures: Mapping[str, int]
    dispositions: Mapping[str, int]
    sometimes: Mapping[str, int]
    injections: tuple[InjectionCoverage, ...]


class _Exposure:
    """One injection. A fault is exercised when a target that it hits was asked while it was active.

    An end that the router knew of ahead is exercised when its target is passed over for it.
    Nobody needs to ask a target for its price to matter: a strategy that ranks by price weighs it
    in every decision, and a target that became too dear is rightly not asked any more. So is one whose terms
    no longer let it have the data: a decision that passes it over for that has met the change.
    """

    def __init__(self, scenario: Scenario, routes: Routes, index: int) -> None:
        injection = scenario.injections[index]
        names = (target.name for target in routes.targets() if injection.hits(target))
        self.hits = frozenset(names)
        self._kind, self._selector = str(injection.kind), injection.selector
        self._is_fault = injection.is_fault
        self.is_end = injection.kind == "deprecation"
        self.by_terms = injection.changes_terms
        self._by_decision = self.by_terms or (
            not injection.is_fault and any(route.strategy not in BLIND_TO_PRICES for route in routes.called)
        )
        self.attempts = self.decisions = 0
        self.forestalled = False

    def avoided(self, event: CallStarted) -> None:
        """Was somebody passed over because of this, before it could be met?"""
        self.forestalled = any(
            name in self.hits and reason in RETIRED_REASONS for name, reason in event.passed_over
        )

    def coverage(self) -> InjectionCoverage:
        exercised = self.attempts > 0 or self.forestalled or (self._by_decision and self.decisions > 0)
        met = self.attempts, self.decisions, exercised
        return InjectionCoverage(self._kind, self._selector, self._is_fault, *met)


class CoverageTally:
    """Listens to all that shows which paths were taken."""

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        self._edges: dict[str, int] = {}
        self._transitions: dict[str, int] = {}
        self._failures: dict[str, int] = {}
        self._dispositions: dict[str, int] = {}
        self._sometimes = {word.value: 0 for word in Sometimes}
        self._asked: dict[str, str] = {}
        self._exposures = [_Exposure(scenario, routes, index) for index in range(len(scenario.injections))]
        self._active: list[_Exposure] = []

    def injection_started(self, event: InjectionStarted) -> None:
        """It may be met from now on."""
        self._active.append(self._exposures[event.index])

    def injection_ended(self, event: InjectionEnded) -> None:
        """It is over."""
        ended = self._exposures[event.index]
        self._active = [exposure for exposure in self._active if exposure is not ended]

    def call_started(self, event: CallStarted) -> None:
        """Who could be asked?"""
        for exposure in self._active:
            met = not exposure.hits.isdisjoint(event.order)
            if met or (exposure.by_terms and _is_forbidden(exposure.hits, event)):
                exposure.decisions += 1
            if event.passed_over and exposure.is_end and not exposure.forestalled:
                exposure.avoided(event)

    def attempt_started(self, event: AttemptStarted) -> None:
        """Who was asked, why, and after whom?"""
        for exposure in self._active:
            if event.target in exposure.hits:
                exposure.attempts += 1
        if event.probe:
            self._sometimes["probe"] += 1
        if event.cause is not FIRST:
            self._again(event)
        self._asked[event.call] = event.target

    def _again(self, event: AttemptStarted) -> None:
        word = _CAUSES[event.cause]
        self._sometimes[word.value] += 1
        if word is Sometimes.FALLBACK:
            _count(self._edges, f"{self._asked.get(event.call, '?')}->{event.target}")

    def attempt_ended(self, event: AttemptEnded) -> None:
        """How did it fail, and what follows from that?"""
        if event.failure is not None:
            _count(self._failures, event.failure.value)
            _count(self._dispositions, DISPOSITIONS[event.failure].stay_away.value)

    def call_ended(self, event: CallEnded) -> None:
        """Its story is over."""
        self._asked.pop(event.call, None)

    def wait_started(self, _event: WaitStarted) -> None:
        """Somebody had to wait."""
        self._sometimes["wait"] += 1

    def fate_shared(self, _event: FateShared) -> None:
        """Several targets learned from one."""
        self._sometimes["fate_shared"] += 1

    def outage_suspected(self, _event: OutageSuspected) -> None:
        """A refusal was not believed."""
        self._sometimes["outage_suspected"] += 1

    def breaker_changed(self, event: BreakerChanged) -> None:
        """From which state to which."""
        _count(self._transitions, f"{event.state_from}->{event.state_to}")
        word = _STATES.get(event.state_to)
        if word is not None and event.state_from != event.state_to:
            self._sometimes[word.value] += 1

    def cooldown_started(self, _event: CooldownStarted) -> None:
        """Somebody asked to be left alone."""
        self._sometimes["cooldown"] += 1

    def target_retired(self, _event: TargetRetired) -> None:
        """Somebody is gone."""
        self._sometimes["retired"] += 1

    def retirement_ahead(self, _event: RetirementAhead) -> None:
        """Somebody was warned."""
        self._sometimes["retirement_ahead"] += 1

    def retirement_reached(self, _event: RetirementReached) -> None:
        """A date has come."""
        self._sometimes["retirement_reached"] += 1

    def coverage(self) -> Coverage:
        """What was exercised so far."""
        return Coverage(
            dict(sorted(self._edges.items())),
            dict(sorted(self._transitions.items())),
            dict(sorted(self._failures.items())),
            dict(sorted(self._dispositions.items())),
            dict(self._sometimes),
            tuple(exposure.coverage() for exposure in self._exposures),
        )


def _is_forbidden(names: frozenset[str], event: CallStarted) -> bool:
    return any(name in names and reason is Reason.FORBIDDEN_BY_TERMS for name, reason in event.passed_over)


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1
