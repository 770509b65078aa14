"""The metrics of a router. Attributes are configured names and words of the vocabulary, never a call's id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from failover.core.events import AttemptEnded, BreakerChanged, CallEnded, CooldownStarted, TargetRetired
from failover.core.prices import NUSD_PER_USD
from failover.core.spend_events import BudgetReached, SpendRefused
from failover.core.vocabulary import AttemptCause, Outcome
from failover.telemetry import conventions
from failover.telemetry.conventions import METRICS, Attributes, Metric
from failover.telemetry.spans import call_outcome

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter


class Meters:
    """One instrument per row of `METRICS`."""

    def __init__(self, meter: Meter) -> None:
        self._counters = {
            each.name: meter.create_counter(each.name, each.unit, each.description)
            for each in METRICS
            if not each.buckets
        }
        self._histograms = {
            each.name: meter.create_histogram(
                each.name, each.unit, each.description, explicit_bucket_boundaries_advisory=each.buckets
            )
            for each in METRICS
            if each.buckets
        }

    def attempt_ended(self, event: AttemptEnded, cause: AttemptCause, attributes: Attributes) -> None:
        """Its number, duration, tokens and charge; a usage or price that nobody told is not counted."""
        ended = {**attributes, "failover.outcome": event.outcome.value}
        if event.failure is not None:
            ended[conventions.ERROR_TYPE] = event.failure.value
        self._count(conventions.ATTEMPTS, {**ended, "failover.cause": cause.value})
        if cause is AttemptCause.FALLBACK:
            self._count(conventions.FALLBACKS, attributes)
        self._observe(conventions.OPERATION_DURATION, event.at_s - event.started_s, ended)
        if event.first_token_s is not None:
            self._observe(conventions.FIRST_CHUNK, event.first_token_s, attributes)
        for kind, tokens in (("input", event.tokens_in), ("output", event.tokens_out)):
            if tokens:
                self._observe(conventions.TOKEN_USAGE, tokens, {**attributes, conventions.TOKEN_TYPE: kind})
        if event.cost_nusd is None:
            self._count(conventions.COST_UNKNOWN, attributes)
        elif event.cost_nusd:
            self._count(conventions.COST, attributes, event.cost_nusd / NUSD_PER_USD)

    def call_ended(self, event: CallEnded, attributes: Attributes) -> None:
        """How many, how long, served by whom or failed with which error."""
        outcome = call_outcome(event)
        ended = {**attributes, "failover.outcome": outcome.value}
        if outcome is Outcome.FAILURE and event.error is not None:
            ended[conventions.ERROR_TYPE] = event.error
        self._observe(conventions.CALL_DURATION, event.at_s - event.started_s, ended)
        if event.target is not None:
            ended["failover.target"] = event.target
        self._count(conventions.CALLS, ended)

    def breaker_changed(self, event: BreakerChanged, attributes: Attributes) -> None:
        """From which state to which."""
        moved = {"failover.state_from": event.state_from, "failover.state_to": event.state_to}
        self._count(conventions.BREAKER_CHANGES, {**attributes, **moved})

    def cooldown_started(self, event: CooldownStarted, attributes: Attributes) -> None:
        """One of the targets that are left alone."""
        self._count(conventions.COOLDOWNS, {**attributes, "failover.scope": event.scope.value})

    def target_retired(self, event: TargetRetired, attributes: Attributes) -> None:
        """And by which kind of failure."""
        self._count(conventions.RETIRED, {**attributes, conventions.ERROR_TYPE: event.failure.value})

    def spend_refused(self, event: SpendRefused, attributes: Attributes) -> None:
        """Whom, and why."""
        self._count(conventions.SPEND_REFUSED, {**attributes, "failover.reason": event.reason.value})

    def budget_reached(self, event: BudgetReached) -> None:
        """Whose account is left out: there may be as many as tenants."""
        whose = event.account.partition(":")[0]
        share = {"failover.budget.share": f"{event.spent_share:g}", "failover.budget.per": str(event.per)}
        self._count(conventions.BUDGET_SPENT, {"failover.budget.scope": whose, **share})

    def _count(self, metric: Metric, attributes: Attributes, amount: float = 1) -> None:
        self._counters[metric.name].add(amount, attributes)

    def _observe(self, metric: Metric, value: float, attributes: Attributes) -> None:
        self._histograms[metric.name].record(value, attributes)
