"""The story of one call: told to whoever listens as events, kept for the reply as a record."""

from __future__ import annotations

from failover.core.breaker import Permit
from failover.core.events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallStarted,
    FirstTokenReceived,
    ReplyDoubted,
    WaitStarted,
)
from failover.core.failures import Failure, FailureKind
from failover.core.learned import Record
from failover.core.records import AttemptRecord, CallRecord, total_nusd
from failover.core.target_state import TargetState
from failover.core.vocabulary import AttemptCause, Decision, Outcome, PassedOver, Usage

_NOTHING_USED = Usage()


class Attempt:
    """One running send. `first_token_s` counts from its start; `resume`: it continues a partial text.

    `hurried`: its call had less time left than its target usually takes.
    """

    __slots__ = (
        "cause",
        "doubts",
        "first_token_s",
        "hurried",
        "number",
        "permit",
        "resume",
        "started_s",
        "state",
    )

    def __init__(
        self, number: int, state: TargetState, permit: Permit, cause: AttemptCause, now: float
    ) -> None:
        self.number = number
        self.state = state
        self.permit = permit
        self.cause = cause
        self.started_s = now
        self.first_token_s: float | None = None
        self.doubts: tuple[FailureKind, ...] = ()
        self.resume = False
        self.hurried = False


class Logbook:
    """Writes down what happens to a call. `record` None: nobody listens, so no event is made."""

    __slots__ = ("_call", "_operation", "_record", "_route", "_started_s", "_target", "attempts", "failures")

    def __init__(self, call: str, route: str, operation: str, record: Record | None) -> None:
        self._call = call
        self._route = route
        self._operation = operation
        self._record = record
        self._started_s = 0.0
        self._target: str | None = None
        self.attempts: list[AttemptRecord] = []
        self.failures: list[tuple[str, Failure]] = []

    def call_started(self, decision: Decision, deadline_s: float, now: float) -> None:
        """The request was decided; `deadline_s` is the instant it must be answered by."""
        self._started_s = now
        if self._record is not None:
            order = tuple([target.name for target in decision.order])
            passed_over = tuple([(each.target.name, each.reason) for each in decision.passed_over])
            held_back = tuple([target.name for target in decision.held_back])
            facts = (order, passed_over, held_back, self._operation, decision.data_class)
            self._record(CallStarted(now, self._call, self._route, deadline_s, *facts))

    def attempt_started(self, attempt: Attempt, total_limit_s: float, now: float) -> None:
        """A send was ordered, with at most `total_limit_s` for it."""
        if self._record is not None:
            name, probe = attempt.state.target.name, attempt.permit.probe
            self._record(
                AttemptStarted(now, self._call, attempt.number, name, attempt.cause, probe, total_limit_s)
            )

    def doubted(self, attempt: Attempt, doubt: Failure, now: float) -> None:
        """Something speaks against its answer, which is handed on all the same."""
        attempt.doubts += (doubt.kind,)
        if self._record is not None:
            name = attempt.state.target.name
            self._record(ReplyDoubted(now, self._call, attempt.number, name, doubt.kind, doubt.code))

    def first_token(self, attempt: Attempt, now: float) -> None:
        """The first token of a stream came."""
        if self._record is not None:
            self._record(FirstTokenReceived(now, self._call, attempt.number, attempt.state.target.name))

    def attempt_ended(
        self,
        attempt: Attempt,
        outcome: Outcome,
        permit: Outcome,
        now: float,
        *,
        failure: Failure | None,
        usage: Usage | None,
        cost_nusd: int | None,
    ) -> None:
        """An attempt ended, its permit settled as `permit`."""
        name = attempt.state.target.name
        kind = status = retry_after_s = None
        if failure is not None:
            kind, status, retry_after_s = failure.kind, failure.status, failure.retry_after_s
            self.failures.append((name, failure))
        started_s, first_token_s = attempt.started_s, attempt.first_token_s
        self.attempts.append(
            AttemptRecord(
                name,
                attempt.cause,
                outcome,
                kind,
                status,
                started_s,
                now - started_s,
                first_token_s,
                cost_nusd,
                attempt.doubts,
                usage,
            )
        )
        if self._record is not None:
            used = _NOTHING_USED if usage is None else usage
            self._record(
                AttemptEnded(
                    now,
                    self._call,
                    attempt.number,
                    name,
                    outcome,
                    permit,
                    kind,
                    status,
                    retry_after_s,
                    started_s,
                    first_token_s,
                    used.tokens_in,
                    used.tokens_out,
                    cost_nusd,
                    used.estimated,
                    None if used.is_plain() else used,
                )
            )

    def wait_started(self, until_s: float, now: float) -> None:
        """Nobody may be asked before `until_s`."""
        if self._record is not None:
            self._record(WaitStarted(now, self._call, until_s))

    def call_ended(self, target: str | None, error: str | None, now: float) -> None:
        """Served by `target`, or ended with `error`."""
        self._target = target
        if self._record is not None:
            cost_nusd = total_nusd(self.attempts)
            attempts = len(self.attempts)
            self._record(
                CallEnded(now, self._call, self._route, self._started_s, target, error, attempts, cost_nusd)
            )

    def story(self, passed_over: list[PassedOver], now: float) -> CallRecord:
        """What happened so far, as one frozen value."""
        return CallRecord(
            self._call,
            self._route,
            self._target,
            tuple(self.attempts),
            tuple(passed_over),
            self._started_s,
            now - self._started_s,
        )
