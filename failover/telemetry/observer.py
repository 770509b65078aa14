"""The listener behind `instrument`: it follows the calls in flight, and nothing longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, assert_never

from failover.config import Config
from failover.core.events import (
    AttemptEnded,
    AttemptStarted,
    BreakerChanged,
    CallEnded,
    CallStarted,
    CooldownStarted,
    Event,
    FirstTokenReceived,
    ReplyDoubted,
    TargetRetired,
    WaitStarted,
)
from failover.core.spend_events import BudgetReached, SpendRefused
from failover.core.vocabulary import AttemptCause, Target
from failover.telemetry.conventions import OPERATION_NAME, Attributes, operation_name, target_attributes
from failover.telemetry.meters import Meters
from failover.telemetry.spans import CallSpans

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

Followed = AttemptStarted | FirstTokenReceived | ReplyDoubted | AttemptEnded | WaitStarted | CallEnded

MOST_CALLS = 10_000
"""So many calls are followed at a time; past that the oldest is forgotten, its spans ended and marked."""


class CallInFlight:
    """What later events of a call do not repeat: it ends under the config, so the targets, it began with."""

    __slots__ = ("attributes", "causes", "fallbacks", "spans", "targets")

    def __init__(self, spans: CallSpans, attributes: Attributes, targets: Mapping[str, Target]) -> None:
        self.spans = spans
        self.attributes = attributes
        self.targets = targets
        self.causes: dict[int, AttemptCause] = {}
        self.fallbacks = 0

    def of(self, target: str) -> Attributes:
        """The attributes of an attempt of this call at `target`."""
        return {**self.attributes, **target_attributes(target, self.targets.get(target))}


class Observer:
    """Writes each event down as it comes; `config` is asked anew each time, `wall_ns` once per call."""

    def __init__(
        self,
        config: Callable[[], Config],
        tracer: Tracer,
        meters: Meters,
        wall_ns: Callable[[], int],
        most_calls: int = MOST_CALLS,
    ) -> None:
        self._config = config
        self._tracer = tracer
        self._meters = meters
        self._wall_ns = wall_ns
        self._most_calls = most_calls
        self._calls: dict[str, CallInFlight] = {}

    def __call__(self, event: Event) -> None:
        """Take in one event; those of calls that began unseen are passed by."""
        match event:
            case CallStarted():
                self._call_started(event)
            case (
                AttemptStarted()
                | FirstTokenReceived()
                | ReplyDoubted()
                | AttemptEnded()
                | WaitStarted()
                | CallEnded()
            ):
                call = self._calls.get(event.call)
                if call is not None:
                    self._follow(call, event)
            case BreakerChanged():
                self._meters.breaker_changed(event, self._target(event.target))
            case CooldownStarted():
                for name in event.targets:
                    self._meters.cooldown_started(event, self._target(name))
            case TargetRetired():
                self._meters.target_retired(event, self._target(event.target))
            case SpendRefused():
                self._meters.spend_refused(event, self._target(event.target))
            case BudgetReached():
                self._meters.budget_reached(event)
            case _:  # what operators do to the router, and the harness to its world
                pass

    def close(self) -> None:
        """End the spans of calls that are still in flight, marked as forgotten."""
        while self._calls:
            self._forget_oldest()

    def _call_started(self, event: CallStarted) -> None:
        while len(self._calls) >= self._most_calls:
            self._forget_oldest()
        attributes = {"failover.route": event.route}
        spans = CallSpans(self._tracer, event, attributes, self._wall_ns())
        attributes = {**attributes, OPERATION_NAME: operation_name(event.operation)}
        self._calls[event.call] = CallInFlight(spans, attributes, self._config().targets)

    def _follow(self, call: CallInFlight, event: Followed) -> None:
        match event:
            case AttemptStarted():
                call.causes[event.attempt] = event.cause
                call.fallbacks += event.cause is AttemptCause.FALLBACK
                call.spans.attempt_started(event, call.of(event.target))
            case FirstTokenReceived():
                call.spans.first_token(event)
            case ReplyDoubted():
                call.spans.reply_doubted(event)
            case WaitStarted():
                call.spans.wait_started(event)
            case AttemptEnded():
                call.spans.attempt_ended(event)
                cause = call.causes.pop(event.attempt)
                self._meters.attempt_ended(event, cause, call.of(event.target))
            case CallEnded():
                del self._calls[event.call]
                call.spans.call_ended(event, call.fallbacks)
                self._meters.call_ended(event, call.attributes)
            case _:
                assert_never(event)

    def _target(self, name: str) -> Attributes:
        return target_attributes(name, self._config().targets.get(name))

    def _forget_oldest(self) -> None:
        self._calls.pop(next(iter(self._calls))).spans.forget()
