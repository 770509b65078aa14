"""The spans of one call: its own, and one inside it per attempt."""

from __future__ import annotations

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from failover.core.events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallStarted,
    FirstTokenReceived,
    ReplyDoubted,
    WaitStarted,
)
from failover.core.failures import FailureKind
from failover.core.prices import NUSD_PER_USD
from failover.core.vocabulary import Outcome
from failover.telemetry import conventions
from failover.telemetry.conventions import Attributes

NS_PER_S = 1_000_000_000
FORGOTTEN = "failover.forgotten"
"""Set on a span whose end was not seen: it says nothing of how long the call took."""


def call_outcome(event: CallEnded) -> Outcome:
    """In the words of an attempt: a caller who left is no failure."""
    if event.error is None:
        return Outcome.SUCCESS
    return Outcome.ABANDONED if event.error == FailureKind.CANCELLED else Outcome.FAILURE


class CallSpans:
    """Begun where the call began, so that the caller's own span is the parent.

    `wall_ns` is the wall clock's time of the call's start: the driver's clock counts from there, so
    that a wall clock that is set meanwhile stretches no span.
    """

    __slots__ = ("_attempts", "_call", "_failure", "_inside", "_tracer", "_zero_ns")

    def __init__(self, tracer: Tracer, event: CallStarted, attributes: Attributes, wall_ns: int) -> None:
        self._tracer = tracer
        self._zero_ns = wall_ns - round(event.at_s * NS_PER_S)
        self._failure: FailureKind | None = None
        self._attempts: dict[int, Span] = {}
        self._call = tracer.start_span(
            f"call {event.route}",
            kind=SpanKind.INTERNAL,
            start_time=self._ns(event.at_s),
            attributes={
                **attributes,
                "failover.call": event.call,
                "failover.operation": str(event.operation),
                "failover.deadline_s": event.deadline_s - event.at_s,
                "failover.order": event.order,
                "failover.passed_over": [f"{target}: {reason}" for target, reason in event.passed_over],
                "failover.held_back": event.held_back,
            },
        )
        self._inside = set_span_in_context(self._call)

    def attempt_started(self, event: AttemptStarted, attributes: Attributes) -> None:
        """A child span: the operation and the model, or the plain function's target."""
        operation = attributes[conventions.OPERATION_NAME]
        model = attributes.get(conventions.REQUEST_MODEL)
        self._attempts[event.attempt] = self._tracer.start_span(
            f"{operation} {model or event.target}",
            context=self._inside,
            kind=SpanKind.CLIENT if model else SpanKind.INTERNAL,
            start_time=self._ns(event.at_s),
            attributes={
                **attributes,
                "failover.attempt": event.attempt,
                "failover.cause": event.cause.value,
                "failover.probe": event.probe,
                "failover.total_limit_s": event.total_limit_s,
            },
        )

    def first_token(self, event: FirstTokenReceived) -> None:
        """The commit point, as an event of the attempt."""
        span = self._attempts[event.attempt]
        span.add_event("failover.first_token_received", timestamp=self._ns(event.at_s))

    def reply_doubted(self, event: ReplyDoubted) -> None:
        """What is not as asked in an answer that was handed on, as an event of its attempt."""
        attributes = {"failover.failure": event.failure.value, "failover.code": event.code}
        span = self._attempts[event.attempt]
        span.add_event("failover.reply_doubted", attributes, self._ns(event.at_s))

    def wait_started(self, event: WaitStarted) -> None:
        """The call waits, between attempts."""
        attributes = {"failover.wait_s": event.until_s - event.at_s}
        self._call.add_event("failover.wait_started", attributes, self._ns(event.at_s))

    def attempt_ended(self, event: AttemptEnded) -> None:
        """How it ended, what it used and what it cost; what nobody knows is left out."""
        self._failure = event.failure or self._failure
        span = self._attempts.pop(event.attempt)
        failure = None if event.failure is None else event.failure.value
        _set_known(
            span,
            {
                "failover.outcome": event.outcome.value,
                "failover.permit": event.permit.value,
                "failover.failure": failure,
                "failover.retry_after_s": event.retry_after_s,
                "failover.cost_usd": _usd(event.cost_nusd),
                conventions.ERROR_TYPE: failure,
                conventions.STATUS_CODE: event.status,
                conventions.TIME_TO_FIRST_CHUNK: event.first_token_s,
                conventions.INPUT_TOKENS: event.tokens_in or None,
                conventions.OUTPUT_TOKENS: event.tokens_out or None,
            },
        )
        if event.outcome is Outcome.FAILURE:
            span.set_status(Status(StatusCode.ERROR, failure))
        span.end(self._ns(event.at_s))

    def call_ended(self, event: CallEnded, fallbacks: int) -> None:
        """Served, failed with an error, or left by its caller."""
        outcome = call_outcome(event)
        failed = outcome is Outcome.FAILURE
        failure = self._failure.value if failed and self._failure else None
        _set_known(
            self._call,
            {
                "failover.outcome": outcome.value,
                "failover.target": event.target,
                "failover.attempts": event.attempts,
                "failover.fallbacks": fallbacks,
                "failover.failure": failure,
                "failover.cost_usd": _usd(event.cost_nusd),
                conventions.ERROR_TYPE: event.error if failed else None,
            },
        )
        if failed:
            self._call.set_status(Status(StatusCode.ERROR, failure or event.error))
        self._call.end(self._ns(event.at_s))

    def forget(self) -> None:
        """End what is open, marked: nobody listens to this call any more."""
        for span in (*self._attempts.values(), self._call):
            span.set_attribute(FORGOTTEN, value=True)
            span.end()
        self._attempts.clear()

    def _ns(self, at_s: float) -> int:
        return self._zero_ns + round(at_s * NS_PER_S)


def _usd(cost_nusd: int | None) -> float | None:
    return None if cost_nusd is None else cost_nusd / NUSD_PER_USD


def _set_known(span: Span, values: dict[str, str | int | float | None]) -> None:
    span.set_attributes({name: value for name, value in values.items() if value is not None})
