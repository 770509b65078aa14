"""The machine of one call: it is handed messages and the time, and answers with commands.

It never waits, reads a clock, draws a random number of its own or does I/O. One list of targets, one
loop, one deadline, one retry budget; every permit settled exactly once; the call ends exactly once.
"""

from __future__ import annotations

from typing import assert_never

from failover.core import endings, evidence
from failover.core.backoff import FullJitter, Rng
from failover.core.candidates import Candidates, Pick
from failover.core.decide import Facts, decide
from failover.core.failures import Failure, FailureKind, NextTarget
from failover.core.learned import Learned, Record
from failover.core.logbook import Attempt, Logbook
from failover.core.messages import (
    CallerLeft,
    Cancel,
    Command,
    Commit,
    Failed,
    FirstToken,
    Message,
    Raise,
    Return,
    Send,
    Succeeded,
    Wake,
    Woken,
)
from failover.core.policy import OnContentFiltered
from failover.core.records import CallRecord
from failover.core.vocabulary import Limits, Operation, Outcome, Request, Route, Usage
from failover.errors import CallError

Commands = tuple[Command, ...]

PATIENCE = 1.5
"""How much longer than usual a target may take while somebody else could still be asked."""

_FREE_UNTOLD = (Operation.COMPLETION, Operation.CALL)
"""Whose answer costs nothing as far as no usage is told. The others bill by picture, second or search."""

LEAST_S = 0.001
"""No attempt starts with less time than this: it could only fail, and blame the innocent."""


class Call:
    """The life of one request until a reply or an error.

    `start` and `handle` take the driver's clock in seconds and return what the driver must do.
    Events go to `record`, where anybody listens. After the end, messages change nothing.
    """

    __slots__ = (
        "_candidates",
        "_committed",
        "_deadline_s",
        "_facts",
        "_learned",
        "_live",
        "_logbook",
        "_rng",
        "done",
        "request",
        "route",
    )

    def __init__(
        self,
        request: Request,
        route: Route,
        learned: Learned,
        facts: Facts,
        rng: Rng,
        record: Record | None = None,
    ) -> None:
        self.request = request
        self.route = route
        self.done = False
        self._learned = learned
        self._facts = facts
        self._rng = rng
        self._logbook = Logbook(request.id, route.name, record)
        self._candidates: Candidates
        self._live: Attempt | None = None
        self._committed = False
        self._deadline_s = 0.0

    def start(self, now: float) -> Commands:
        """The request arrived: decide, and send to the first target or say why not."""
        self._deadline_s = now + self._allowed_s()
        self._learned.budgets[self.route.name].deposit()
        decision = decide(self.route, self.request, self._learned, self._facts, now, self._rng)
        self._learned.hold_back(decision.held_back, now)
        self._candidates = Candidates(
            self.route, decision, self._learned, self._deadline_s, self._rng, stream=self.request.stream
        )
        self._logbook.call_started(decision, self._deadline_s, now)
        return self._advance(now)

    def handle(self, message: Message, now: float) -> Commands:
        """Something happened: what must be done now."""
        if self.done:
            return ()
        match message:
            case Succeeded():
                return self._succeeded(message, now)
            case FirstToken():
                return self._first_token(message, now)
            case Failed():
                return self._failed(message, now)
            case Woken():
                return self._advance(now) if self._live is None else ()
            case CallerLeft():
                return self._caller_left(now)
            case _:
                assert_never(message)

    def story(self, now: float) -> CallRecord:
        """What happened, for the reply or the error."""
        return self._logbook.story(self._candidates.passed_over, now)

    def _allowed_s(self) -> float:
        deadline_s = self.request.deadline_s
        return self.route.policy.deadline_s if deadline_s is None else deadline_s

    def _advance(self, now: float) -> Commands:
        if self._is_late(now) or len(self._logbook.attempts) >= self.route.policy.attempts:
            return self._give_up(now)
        choice = self._candidates.pick(now)
        if choice is None:
            return self._give_up(now)
        if isinstance(choice, Pick):
            return self._send(choice, now)
        self._logbook.wait_started(choice.at_s, now)
        return (Wake(choice.at_s),)

    def _is_late(self, now: float) -> bool:
        # Timers fire early by their resolution, and sums of seconds round: that is no time to try in.
        return self._deadline_s - now < LEAST_S

    def _send(self, pick: Pick, now: float) -> Commands:
        permit = self._learned.acquire(pick.state, now)
        number = len(self._logbook.attempts) + 1
        self._live = Attempt(number, pick.state, permit, pick.cause, now)
        limits = self._limits(self._live, now)
        self._logbook.attempt_started(self._live, limits.total_s, now)
        return (Send(number, pick.state.target, limits),)

    def _limits(self, attempt: Attempt, now: float) -> Limits:
        policy, stream = self.route.policy, self.request.stream
        left_s = self._deadline_s - now
        total_s = left_s if policy.attempt_s is None else min(policy.attempt_s, left_s)
        begins_s = total_s
        is_last = attempt.number >= policy.attempts
        if policy.attempt_s is None and not is_last and self._candidates.others_left(now):
            # A silent target must not eat the time in which another one could still answer; but who
            # usually answers later than that is given the time, or it could never succeed.
            usual_s = attempt.state.latency_s(stream=stream) or 0.0
            begins_s = min(left_s, max(left_s / 2, usual_s * PATIENCE))
        if not stream:
            # Only a stream shows its first token; a whole reply shows nothing until it is there.
            return Limits(min(policy.connect_s, begins_s), begins_s, min(policy.idle_s, begins_s), begins_s)
        # Once it flows nobody else can answer any more: it may flow to the deadline.
        first_token_s = min(policy.first_token_s, begins_s)
        return Limits(min(policy.connect_s, begins_s), first_token_s, min(policy.idle_s, total_s), total_s)

    def _running(self, number: int) -> Attempt | None:
        attempt = self._live
        return attempt if attempt is not None and attempt.number == number else None

    def _first_token(self, message: FirstToken, now: float) -> Commands:
        attempt = self._running(message.attempt)
        if attempt is None or self._committed:
            return ()
        attempt.first_token_s = now - attempt.started_s
        self._committed = True
        self._logbook.first_token(attempt, now)
        return (Commit(attempt.number),)

    def _succeeded(self, message: Succeeded, now: float) -> Commands:
        attempt = self._running(message.attempt)
        if attempt is None:
            return ()
        state = attempt.state
        if attempt.first_token_s is not None:
            state.first_token.observe(attempt.first_token_s, now)
        state.total.observe(now - attempt.started_s, now)
        self._learned.succeed(state, attempt.permit, now, attempt.first_token_s)
        if self._logbook.failures:
            evidence.served(self._learned.states, self._logbook.failures, now, self._learned.recorder.tell)
        if message.usage is not None:
            self._learned.tokens_out[self.route.name].observe(message.usage.tokens_out)
        self._close(attempt, Outcome.SUCCESS, Outcome.SUCCESS, None, message.usage, now)
        self._end(state.target.name, None, now)
        return (Return(attempt.number),)

    def _failed(self, message: Failed, now: float) -> Commands:
        attempt = self._running(message.attempt)
        if attempt is None:
            return ()
        failure = message.failure
        wait = FullJitter(self.route.policy.backoff, self._rng)
        permit = self._learned.blame(attempt.state, attempt.permit, failure, now, wait)
        self._close(attempt, Outcome.FAILURE, permit, failure, message.usage, now)
        if self._committed:
            return self._raise(endings.interrupted(self.route.name, *self._so_far()), now)
        self._candidates.note(attempt.state.target, failure, now)
        if self._stops(failure) and not evidence.goes_on(
            self._learned.states, self._logbook.failures, permit
        ):
            failures, passed_over = self._so_far()
            return self._raise(endings.stopped(self.route.name, failures, passed_over), now)
        return self._advance(now)

    def _stops(self, failure: Failure) -> bool:
        next_target = failure.disposition.next_target
        if next_target is NextTarget.BY_POLICY:
            return self.route.policy.on_content_filtered is OnContentFiltered.FAIL
        return next_target is NextTarget.NO

    def _caller_left(self, now: float) -> Commands:
        attempt = self._live
        if attempt is None:
            self._end(None, FailureKind.CANCELLED.value, now)
            return ()
        self._learned.abandon(attempt.state, attempt.permit, now)
        self._close(attempt, Outcome.ABANDONED, Outcome.ABANDONED, None, None, now)
        self._end(None, FailureKind.CANCELLED.value, now)
        return (Cancel(attempt.number),)

    def _close(
        self,
        attempt: Attempt,
        outcome: Outcome,
        permit: Outcome,
        failure: Failure | None,
        usage: Usage | None,
        now: float,
    ) -> None:
        self._live = None
        name = attempt.state.target.name
        cost_nusd = self._facts.prices.charge_nusd(name, usage, self._facts.epoch_s + now)
        if outcome is Outcome.SUCCESS and usage is None and self.request.operation not in _FREE_UNTOLD:
            cost_nusd = None
        self._logbook.attempt_ended(
            attempt, outcome, permit, now, failure=failure, usage=usage, cost_nusd=cost_nusd
        )

    def _so_far(self) -> tuple[endings.Failures, endings.Passed]:
        return tuple(self._logbook.failures), tuple(self._candidates.passed_over)

    def _give_up(self, now: float) -> Commands:
        failures, passed_over = self._so_far()
        name = self.route.name
        if self._is_late(now):
            error = endings.deadline_exceeded(name, self._allowed_s(), failures, passed_over)
        else:
            candidates = self._candidates
            back_s = endings.soonest_s(candidates.returns_s, passed_over, now)
            untried = candidates.somebody_is_untried()
            evidence.unserved(self._learned.states, failures)
            error = endings.exhausted(name, failures, passed_over, back_s, untried=untried)
        return self._raise(error, now)

    def _raise(self, error: CallError, now: float) -> Commands:
        error.failover = self.story(now)
        self._end(None, type(error).__name__, now)
        return (Raise(error),)

    def _end(self, target: str | None, error: str | None, now: float) -> None:
        self.done = True
        self._logbook.call_ended(target, error, now)
