"""The machine of one call: it is handed messages and the time, and answers with commands.

It never waits, reads a clock, draws a random number of its own or does I/O. One list of targets, one
loop, one deadline, one retry budget; every permit settled exactly once; the call ends exactly once.
"""

from __future__ import annotations

from math import inf
from typing import assert_never

from failover.core import endings, evidence
from failover.core.attempt_limits import comes_in_pieces, is_hurried, limits_of
from failover.core.attempts import Attempts
from failover.core.backoff import FullJitter, Rng
from failover.core.candidates import Candidates, Pick
from failover.core.capabilities import Capability
from failover.core.decide import Facts, decide
from failover.core.doubts import judged
from failover.core.failures import Failure, FailureKind, NextTarget
from failover.core.hedging import Hedging
from failover.core.learned import Learned, Record
from failover.core.leave import Leave
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
from failover.core.policy import Delivery, OnContentFiltered, StreamRecovery
from failover.core.records import CallRecord
from failover.core.vocabulary import Request, Route, Target

Commands = tuple[Command, ...]

LEAST_S = 0.001
"""No attempt starts with less time than this: it could only fail, and blame the innocent."""


class Call:
    """The life of one request until a reply or an error.

    `start` and `handle` take the driver's clock in seconds and return what the driver must do.
    Events go to `record`, where anybody listens. After the end, messages change nothing.
    """

    __slots__ = (
        "_attempts",
        "_broken",
        "_candidates",
        "_committed",
        "_deadline_s",
        "_facts",
        "_hedging",
        "_learned",
        "_live",
        "_logbook",
        "_resumable",
        "_rng",
        "_wake_at_s",
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
        self._logbook = Logbook(request.id, route.name, request.operation, record)
        self._candidates: Candidates
        # Whether chunks are handed on as they come, and so whether there is a commit point.
        self._live = request.stream and (request.delivery or route.policy.delivery) is Delivery.LIVE
        self._attempts = Attempts(request, route, learned, facts, self._logbook)
        self._committed = False
        # Which failure broke a stream that the caller had begun to read, and whether text alone came of it.
        self._broken: int | None = None
        self._resumable = False
        self._deadline_s = 0.0
        self._wake_at_s = inf
        hedge, most = route.policy.hedge, route.policy.attempts
        self._hedging = None if hedge is None else Hedging(hedge, request, self._attempts, most)

    def start(self, now: float) -> Commands:
        """The request arrived: decide, and send to the first target or say why not."""
        self._deadline_s = now + self._allowed_s()
        self._learned.deposit(self.route.name)
        self._facts.calendar.announce(now, self._learned.recorder.tell)
        decision = decide(self.route, self.request, self._learned, self._facts, now, self._rng)
        self._learned.hold_back(decision.held_back, now)
        counting, usual = self._learned.counting, self._learned.tokens_out[self.route.name].overall
        load = counting.load_of(self.request, usual.value) if counting.is_on else None
        leave = Leave(self.request, self.route, self._facts, self._attempts.purse, self._deadline_s)
        told = (self.route, decision, self._learned, self._deadline_s, self._rng)
        self._candidates = Candidates(*told, stream=self._live, leave=leave, load=load)
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
                return self._woken(now)
            case CallerLeft():
                return self._caller_left(message, now)
            case _:
                assert_never(message)

    def story(self, now: float) -> CallRecord:
        """What happened, for the reply or the error."""
        return self._logbook.story(self._candidates.passed_over, now)

    def _allowed_s(self) -> float:
        deadline_s = self.request.deadline_s
        return self.route.policy.deadline_s if deadline_s is None else deadline_s

    # Whom to ask

    def _advance(self, now: float) -> Commands:
        if self._is_late(now) or self._attempts.sent >= self.route.policy.attempts:
            return self._give_up(now)
        choice = self._candidates.pick(now)
        if choice is None:
            return self._give_up(now)
        if isinstance(choice, Pick):
            return self._send(choice, now)
        self._wake_at_s = choice.at_s
        self._logbook.wait_started(choice.at_s, now)
        return (Wake(choice.at_s),)

    def _is_late(self, now: float) -> bool:
        # Timers fire early by their resolution, and sums of seconds round: that is no time to try in.
        return self._deadline_s - now < LEAST_S

    def _send(self, pick: Pick, now: float) -> Commands:
        state, policy = pick.state, self.route.policy
        attempt = self._attempts.open(pick, now, self._candidates.load)
        stream = comes_in_pieces(self.request, policy, state.target)
        left_s = self._deadline_s - now
        others_left = attempt.number < policy.attempts and self._candidates.others_left(now)
        usual_s = state.latency_s(stream=stream)
        limits = limits_of(policy, left_s, usual_s, stream=stream, others_left=others_left)
        attempt.hurried = is_hurried(left_s, usual_s)
        attempt.resume = self._resumes(state.target)
        self._logbook.attempt_started(attempt, limits.total_s, now)
        self._wake_at_s = inf
        send = Send(attempt.number, state.target, limits, stream, attempt.resume)
        at_s = None if self._hedging is None else self._hedging.starts_at_s(attempt, send, now)
        if at_s is None:
            return (send,)
        self._wake_at_s = at_s
        return (send, Wake(at_s))

    def _woken(self, now: float) -> Commands:
        if now < self._wake_at_s - LEAST_S:
            return ()  # the time of an earlier `Wake`, which a later one replaced
        self._wake_at_s = inf
        if not self._attempts.running:
            return self._advance(now)
        if self._hedging is None or self._broken is not None or self._is_late(now):
            return ()
        pick = self._hedging.pick(self._candidates, now)
        return () if pick is None else self._send(pick, now)

    # What an attempt reports

    def _first_token(self, message: FirstToken, now: float) -> Commands:
        attempt = self._attempts.running.get(message.attempt)
        if attempt is None or attempt.first_token_s is not None:
            return ()
        self._attempts.told(attempt, message.headroom, now)
        if message.doubts and (doubt := self._doubt(attempt, message.doubts, now)) is not None:
            return (Cancel(attempt.number), *self._failed(Failed(attempt.number, doubt), now))
        attempt.first_token_s = now - attempt.started_s
        self._learned.begun(attempt.state, attempt.permit)
        cancels = self._attempts.abandon(now, but=attempt)
        self._logbook.first_token(attempt, now)
        if not self._live or message.held:
            return cancels
        self._committed = True
        return (*cancels, Commit(attempt.number, self._restarts(attempt)))

    def _succeeded(self, message: Succeeded, now: float) -> Commands:
        attempt = self._attempts.running.get(message.attempt)
        if attempt is None:
            return ()
        self._attempts.told(attempt, message.headroom, now)
        if message.doubts and (doubt := self._doubt(attempt, message.doubts, now)) is not None:
            return self._failed(Failed(attempt.number, doubt, message.usage), now)
        cancels = self._attempts.abandon(now, but=attempt)
        self._attempts.succeed(attempt, message.usage, now)
        self._end(attempt.state.target.name, None, now)
        return (*cancels, Return(attempt.number, not self._committed and self._restarts(attempt)))

    def _resumes(self, target: Target) -> bool:
        """Whether `target` is asked to go on where the caller's text ends: only who is known to take it."""
        asked = self._resumable and self.route.policy.stream_recovery is StreamRecovery.RESUME
        return asked and Capability.PREFILL in target.capabilities.able

    def _restarts(self, attempt: Attempt) -> bool:
        """Whether the caller has a part of an answer that this one does not continue."""
        return self._broken is not None and not attempt.resume

    def _doubt(self, attempt: Attempt, doubts: tuple[Failure, ...], now: float) -> Failure | None:
        """The doubt that counts as a failure here; the others are told, as the policy says."""
        failure, told = judged(self.route.policy, doubts)
        for doubt in told:
            self._logbook.doubted(attempt, doubt, now)
        return failure

    def _failed(self, message: Failed, now: float) -> Commands:
        attempt = self._attempts.running.get(message.attempt)
        if attempt is None:
            return ()
        self._attempts.told(attempt, message.headroom, now)
        failure = message.failure
        wait = FullJitter(self.route.policy.backoff, self._rng)
        permit = self._attempts.fail(attempt, failure, message.usage, now, wait)
        if self._committed:
            self._broken, self._committed = len(self._logbook.failures) - 1, False
            self._resumable = message.resumable
            if self.route.policy.stream_recovery is StreamRecovery.FAIL:
                return self._give_up(now)
        self._candidates.note(attempt.state.target, failure, now)
        if attempt.resume and self._candidates.may_start_over(attempt.state.target, failure, now):
            self._resumable = False
        elif self._stops(failure) and not evidence.goes_on(
            self._learned.states, self._logbook.failures, permit
        ):
            return (*self._attempts.abandon(now), *self._give_up(now, stopped=True))
        # A hedge that still runs may yet answer.
        return () if self._attempts.running else self._advance(now)

    def _stops(self, failure: Failure) -> bool:
        next_target = failure.disposition.next_target
        if next_target is NextTarget.BY_POLICY:
            return self.route.policy.on_content_filtered is OnContentFiltered.FAIL
        return next_target is NextTarget.NO

    def _caller_left(self, message: CallerLeft, now: float) -> Commands:
        cancels = self._attempts.abandon(now, used=message.usage)
        self._end(None, FailureKind.CANCELLED.value, now)
        return cancels

    # How it ends

    def _give_up(self, now: float, *, stopped: bool = False) -> Commands:
        candidates, passed_over = self._candidates, tuple(self._candidates.passed_over)
        late = self._is_late(now)
        if not (stopped or late or self._broken is not None):
            evidence.unserved(self._learned.states, self._logbook.failures)
        error = endings.without_reply(
            self.route.name,
            tuple(self._logbook.failures),
            passed_over,
            broken=self._broken,
            stopped=stopped,
            deadline_s=self._allowed_s() if late else None,
            retry_after_s=endings.soonest_s(candidates.returns_s, passed_over, now),
            untried=candidates.somebody_is_untried(now),
            purse=self._attempts.purse,
        )
        error.failover = self.story(now)
        self._end(None, type(error).__name__, now)
        return (Raise(error),)

    def _end(self, target: str | None, error: str | None, now: float) -> None:
        self.done = True
        if self._candidates.waits_for is not None:
            self._candidates.leave_queue()
        self._logbook.call_ended(target, error, now)
