"""What a drill measured, counted as its events go by: flat memory, whatever its length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from failover.chaos.judging.detection import Detection
from failover.chaos.judging.goodput import Goodput
from failover.chaos.judging.histogram import Histogram, Quantiles
from failover.chaos.judging.recovery import Recoveries
from failover.chaos.judging.unwitting import Unwitting
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptEnded, AttemptStarted, CallEnded, CallStarted, FirstTokenReceived
from failover.core.prices import NUSD_PER_USD
from failover.core.vocabulary import AttemptCause
from failover.core.world_events import InjectionEnded, InjectionStarted, PriceInForce

FIRST, RETRY, FALLBACK = AttemptCause.FIRST, AttemptCause.RETRY, AttemptCause.FALLBACK
HEDGE = AttemptCause.HEDGE


@dataclass(frozen=True, slots=True)
class TargetMeasures:
    """What one target did. `cost_nusd` None: it used tokens, and nobody knows its price."""

    attempts: int
    served: int
    failures: Mapping[str, int]
    cost_nusd: int | None


@dataclass(frozen=True, slots=True)
class RouteMeasures:
    """What became of the calls of one route. `latency_s` as of all: of the served, to the whole reply."""

    requests: int
    served: int
    latency_s: Quantiles


@dataclass(frozen=True, slots=True)
class SteadyMeasures:
    """The calls that ended before the first injection; without any injection: all of them."""

    requests: int
    success_ratio: float | None


@dataclass(frozen=True, slots=True)
class Measures:
    """The figures of one drill. Ratios are fractions of one; None where there was nothing to measure.

    `latency_s` runs from the request to the whole reply, `first_token_s` from the request to the
    commit point of the stream, both of served calls only. `cost_nusd` counts discarded attempts too,
    and is None where a target used tokens at a price that nobody knows. `unwitting` are attempts that the
    terms forbade as they really were, and not as our config knew them.
    """

    requests: int
    served: int
    attempts: int
    fallbacks: int
    retries: int
    hedges: int
    probes: int
    cost_nusd: int | None
    latency_s: Quantiles
    first_token_s: Quantiles
    detected_after_s: float | None
    recovered_after_s: float | None
    errors: Mapping[str, int]
    targets: Mapping[str, TargetMeasures]
    routes: Mapping[str, RouteMeasures]
    steady: SteadyMeasures
    simulated_s: float
    goodput_recovered_after_s: float | None = None
    unwitting: int = 0

    @property
    def success_ratio(self) -> float | None:
        """Served of all requests."""
        return _ratio(self.served, self.requests)

    @property
    def amplification(self) -> float | None:
        """Attempts for each request."""
        return _ratio(self.attempts, self.requests)

    @property
    def cost_usd(self) -> float | None:
        """What was spent, in dollars."""
        return None if self.cost_nusd is None else self.cost_nusd / NUSD_PER_USD

    @property
    def cost_per_1k_usd(self) -> float | None:
        """Dollars for a thousand requests, whether served or not."""
        cost_usd = self.cost_usd
        return None if cost_usd is None or not self.requests else cost_usd / self.requests * 1000.0

    def served_share(self, target: str) -> float | None:
        """The share of the served calls that `target` served, None when it is not on the route."""
        of_target = self.targets.get(target)
        return None if of_target is None else _ratio(of_target.served, self.served)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


class _TargetTally:
    __slots__ = ("attempts", "cost_nusd", "failures", "served", "unpriced")

    def __init__(self) -> None:
        self.attempts = self.served = self.cost_nusd = 0
        self.failures: dict[str, int] = {}
        self.unpriced = False

    def measures(self) -> TargetMeasures:
        cost_nusd = None if self.unpriced else self.cost_nusd
        return TargetMeasures(self.attempts, self.served, dict(sorted(self.failures.items())), cost_nusd)


class _RouteTally:
    __slots__ = ("latency", "requests", "served")

    def __init__(self) -> None:
        self.requests = self.served = 0
        self.latency = Histogram()

    def measures(self, of_all: Histogram) -> RouteMeasures:
        """Where only one route is called, its latency is that `of_all`, and was counted once."""
        latency = self.latency if self.latency.count else of_all
        quantiles = latency.quantiles() if self.served else Quantiles()
        return RouteMeasures(self.requests, self.served, quantiles)


class MeasureTally:
    """Listens to all that is counted."""

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        self._recovery = Recoveries(scenario, routes)
        self._detection = Detection(scenario, routes)
        self._goodput = Goodput(scenario)
        self._unwitting = Unwitting()
        self.terms_in_force = self._unwitting.terms_in_force
        self.breaker_changed = self._detection.breaker_changed
        self.cooldown_started = self._detection.cooldown_started
        self.target_retired = self._detection.target_retired
        self.retirement_reached = self._detection.retirement_reached
        self._requests = self._ended = self._served = 0
        self._fallbacks = self._retries = self._hedges = self._probes = 0
        self._latency, self._first_token = Histogram(), Histogram()
        self._first_tokens: dict[str, float] = {}
        self._errors: dict[str, int] = {}
        self._targets = {target.name: _TargetTally() for target in routes.targets()}
        self._routes = {route.name: _RouteTally() for route in routes.called}
        self._steady: SteadyMeasures | None = None

    def injection_started(self, event: InjectionStarted) -> None:
        """The first one ends the steady state."""
        self._recovery.injection_started(event)
        self._goodput.injection_started(event)
        self._detection.injection_started(event)
        if self._steady is None:
            self._steady = self._so_far()

    def injection_ended(self, event: InjectionEnded) -> None:
        """Recovery and detection are timed by it."""
        self._recovery.injection_ended(event)
        self._goodput.injection_ended(event)
        self._detection.injection_ended(event)

    def price_in_force(self, event: PriceInForce) -> None:
        """A target that may be asked: it is told of even if it never is."""
        self._target(event.target)

    def call_started(self, event: CallStarted) -> None:
        """A request."""
        self._requests += 1
        self._routes[event.route].requests += 1
        self._recovery.call_started(event)
        self._goodput.call_started(event)
        self._unwitting.call_started(event)

    def attempt_started(self, event: AttemptStarted) -> None:
        """A send, and why."""
        self._target(event.target).attempts += 1
        self._unwitting.attempt_started(event)
        cause = event.cause
        if event.probe:
            self._probes += 1
        if cause is FALLBACK:
            self._fallbacks += 1
        elif cause is RETRY:
            self._retries += 1
        elif cause is HEDGE:
            self._hedges += 1

    def first_token_received(self, event: FirstTokenReceived) -> None:
        """The caller reads from now on."""
        self._first_tokens[event.call] = event.at_s

    def attempt_ended(self, event: AttemptEnded) -> None:
        """What it cost, and how it failed."""
        target = self._target(event.target)
        target.cost_nusd += event.cost_nusd or 0
        if event.failure is not None:
            kind = event.failure.value
            target.failures[kind] = target.failures.get(kind, 0) + 1
        target.unpriced = target.unpriced or event.cost_nusd is None

    def call_ended(self, event: CallEnded) -> None:
        """Served, or which error."""
        self._ended += 1
        self._recovery.call_ended(event)
        self._goodput.call_ended(event)
        self._unwitting.call_ended(event)
        first_token_at_s = self._first_tokens.pop(event.call, None) if self._first_tokens else None
        if event.target is None:
            error = event.error or "unknown"
            self._errors[error] = self._errors.get(error, 0) + 1
            return
        self._served += 1
        self._target(event.target).served += 1
        self._latency.add(event.at_s - event.started_s)
        route = self._routes[event.route]
        route.served += 1
        if len(self._routes) > 1:
            route.latency.add(event.at_s - event.started_s)
        if first_token_at_s is not None:
            self._first_token.add(first_token_at_s - event.started_s)

    def measures(self, now: float) -> Measures:
        """The figures as of `now`, in seconds of virtual time."""
        targets = {name: tally.measures() for name, tally in self._targets.items()}
        unpriced = any(tally.unpriced for tally in self._targets.values())
        return Measures(
            requests=self._requests,
            served=self._served,
            attempts=sum(target.attempts for target in targets.values()),
            fallbacks=self._fallbacks,
            retries=self._retries,
            hedges=self._hedges,
            probes=self._probes,
            cost_nusd=None if unpriced else sum(tally.cost_nusd for tally in self._targets.values()),
            latency_s=self._latency.quantiles(),
            first_token_s=self._first_token.quantiles(),
            detected_after_s=self._detection.detected_after_s,
            recovered_after_s=self._recovery.recovered_after_s,
            errors=dict(sorted(self._errors.items())),
            targets=targets,
            routes={name: tally.measures(self._latency) for name, tally in self._routes.items()},
            steady=self._steady or self._so_far(),
            simulated_s=now,
            goodput_recovered_after_s=self._goodput.recovered_after_s,
            unwitting=self._unwitting.attempts,
        )

    def _so_far(self) -> SteadyMeasures:
        return SteadyMeasures(self._ended, _ratio(self._served, self._ended))

    def _target(self, name: str) -> _TargetTally:
        tally = self._targets.get(name)
        if tally is None:
            tally = self._targets[name] = _TargetTally()
        return tally
