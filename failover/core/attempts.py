"""The attempts of one call: each opened with a permit, and closed exactly once, with its charge."""

from __future__ import annotations

from dataclasses import replace

from failover.core import evidence
from failover.core.backoff import Wait
from failover.core.candidates import Pick
from failover.core.decide import Facts, forbidden
from failover.core.failures import Failure, FailureKind, Phase
from failover.core.headroom import Headroom
from failover.core.learned import Learned
from failover.core.limits import Load
from failover.core.logbook import Attempt, Logbook
from failover.core.messages import Cancel, Command
from failover.core.purse import purse_of
from failover.core.strategies import quote_nusd
from failover.core.vocabulary import AttemptCause, Operation, Outcome, Request, Route, Target, Usage
from failover.errors import LocalError

_FREE_UNTOLD = (Operation.COMPLETION, Operation.CALL)
"""Whose answer costs nothing as far as no usage is told. The others bill by picture, second or search."""


def _was_given_up(failure: Failure) -> bool:
    """Whether a limit of ours ended it, after it was sent: its provider may have gone on.

    Who refuses, breaks off or cannot be reached is taken to bill nothing but what it told.
    """
    ours = failure.kind is FailureKind.TIMEOUT and failure.status is None
    return ours and failure.phase is not Phase.CONNECT


class Attempts:
    """`running` are those that have not ended, by number; `sent` counts all of them."""

    __slots__ = ("_facts", "_learned", "_logbook", "_request", "_route", "purse", "running", "sent")

    def __init__(
        self, request: Request, route: Route, learned: Learned, facts: Facts, logbook: Logbook
    ) -> None:
        self.purse = purse_of(request, route, learned, facts)
        self._request = request
        self._route = route
        self._learned = learned
        self._facts = facts
        self._logbook = logbook
        self.running: dict[int, Attempt] = {}
        self.sent = 0

    def open(self, pick: Pick, now: float, load: Load | None) -> Attempt:
        """One more, with a permit of its target's breaker; `load` is what it sends.

        Whoever chose the target has asked governance; what is sent cannot be taken back, so it is asked here
        too. Raises `LocalError` where it forbids this.
        """
        oversight = self._facts.oversight
        if oversight.newest.is_on or self._request.data_class:
            self._require_allowed(pick.state.target, now)
        permit = self._learned.acquire(pick.state, now, load)
        self.sent += 1
        attempt = self.running[self.sent] = Attempt(self.sent, pick.state, permit, pick.cause, now)
        if self.purse is not None:
            self.purse.sent(attempt.number, pick.state.target, now)
        return attempt

    def _require_allowed(self, target: Target, now: float) -> None:
        bar = forbidden(target, self._request, self._route, self._facts, now)
        if bar is not None:
            what = (
                f"was about to be sent what it may not have ({bar.detail}): nothing was sent; this is our bug"
            )
            raise LocalError(
                f"route {self._route.name!r}: {target.name} {what}",
                route=self._route.name,
                passed_over=(bar,),
            )

    def told(self, attempt: Attempt, headroom: Headroom | None, now: float) -> None:
        """What its answer's headers say is left of the quotas, where they do."""
        if headroom is not None:
            self._learned.counting.take_in(attempt.state.quota, attempt.permit.tally, headroom, now)

    def succeed(self, attempt: Attempt, usage: Usage | None, now: float) -> None:
        """It was answered whole."""
        state = attempt.state
        if attempt.cause is not AttemptCause.KEEP_WARM:  # one token comes sooner than what callers ask for
            state.observe(now - attempt.started_s, attempt.first_token_s, now)
        self._learned.succeed(state, attempt.permit, now, attempt.first_token_s)
        if self._logbook.failures:
            evidence.served(self._learned.states, self._logbook.failures, now, self._learned.recorder.tell)
        if usage is not None and usage.estimated:
            usage = self._sent(attempt, usage)
        if usage is not None:
            self._learned.tokens_out[self._route.name].observe(state.target.name, usage.tokens_out)
        self._close(attempt, Outcome.SUCCESS, Outcome.SUCCESS, None, usage, now)

    def fail(
        self, attempt: Attempt, failure: Failure, usage: Usage | None, now: float, wait: Wait
    ) -> Outcome:
        """It failed; `wait` sets the cooldown where the provider gave no hint.

        Returns how its permit was settled.
        """
        permit = Outcome.ABANDONED
        if attempt.hurried and failure.kind is FailureKind.TIMEOUT:
            self._learned.abandon(attempt.state, attempt.permit, now)
        else:
            permit = self._learned.blame(attempt.state, attempt.permit, failure, now, wait)
        if _was_given_up(failure) or (usage is not None and usage.estimated):
            usage = self._sent(attempt, usage)
        self._close(attempt, Outcome.FAILURE, permit, failure, usage, now)
        return permit

    def abandon(
        self, now: float, but: Attempt | None = None, used: Usage | None = None
    ) -> tuple[Command, ...]:
        """Stop what still runs, all of it `but` one: nobody is to blame.

        It was sent, and its provider counts from there. `used` is what is known of the one that had begun.
        """
        if not self.running or (but is not None and len(self.running) == 1):
            return ()
        left = [attempt for attempt in self.running.values() if attempt is not but]
        for attempt in left:
            self._learned.abandon(attempt.state, attempt.permit, now)
            usage = self._sent(attempt, None if attempt.first_token_s is None else used)
            self._close(attempt, Outcome.ABANDONED, Outcome.ABANDONED, None, usage, now)
        return tuple(Cancel(attempt.number) for attempt in left)

    def quote_nusd(self, target: str, now: float) -> int | None:
        """What one more is expected to cost at `target`, None where nobody knows its price."""
        request, asked = self._request, self._learned.states[target].target
        tokens_out = request.expected_out(self._learned.tokens_out[self._route.name].at(target))
        return quote_nusd(request, asked, tokens_out, self._facts.prices, self._facts.epoch_s + now)

    def _sent(self, attempt: Attempt, told: Usage | None) -> Usage | None:
        """What an attempt used that was sent, and given up: its prompt at least, where nobody told more.

        What a plain function uses nobody knows.
        """
        target = attempt.state.target
        if told is not None and told.tokens_in:
            return told
        if not target.model:
            return told
        tokens_in = self._request.tokens_in_at(target)
        if told is not None:
            return replace(told, tokens_in=tokens_in, estimated=True)
        return Usage(tokens_in, estimated=True) if tokens_in else None

    def _close(
        self,
        attempt: Attempt,
        outcome: Outcome,
        permit: Outcome,
        failure: Failure | None,
        usage: Usage | None,
        now: float,
    ) -> None:
        del self.running[attempt.number]
        if usage is not None and not usage.estimated and attempt.permit.tally is not None:
            attempt.permit.tally.correct(usage)
        name = attempt.state.target.name
        cost_nusd = self._facts.prices.charge_nusd(name, usage, self._facts.epoch_s + now)
        if outcome is Outcome.SUCCESS and usage is None and self._request.operation not in _FREE_UNTOLD:
            cost_nusd = None
        if self.purse is not None:
            self.purse.settle(attempt.number, attempt.state.target, cost_nusd, usage, now)
        if cost_nusd:
            self._learned.charged(self._route.name, cost_nusd)
        self._logbook.attempt_ended(
            attempt, outcome, permit, now, failure=failure, usage=usage, cost_nusd=cost_nusd
        )
