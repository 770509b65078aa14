"""The attempts of one call: each opened with a permit, and closed exactly once, with its charge."""

from __future__ import annotations

from failover.core import evidence
from failover.core.backoff import Wait
from failover.core.candidates import Pick
from failover.core.decide import Facts
from failover.core.failures import Failure
from failover.core.headroom import Headroom
from failover.core.learned import Learned
from failover.core.limits import Load
from failover.core.logbook import Attempt, Logbook
from failover.core.messages import Cancel, Command
from failover.core.purse import purse_of
from failover.core.vocabulary import Operation, Outcome, Request, Route, Usage

_FREE_UNTOLD = (Operation.COMPLETION, Operation.CALL)
"""Whose answer costs nothing as far as no usage is told. The others bill by picture, second or search."""


class Attempts:
    """`running` are those that have not ended, by number; `sent` counts all of them."""

    __slots__ = ("_facts", "_learned", "_logbook", "_request", "_route", "purse", "running", "sent")

    def __init__(
        self, request: Request, route: Route, learned: Learned, facts: Facts, logbook: Logbook
    ) -> None:
        self.purse = purse_of(request, route, learned, facts)
        self._request = request
        self._route = route.name
        self._learned = learned
        self._facts = facts
        self._logbook = logbook
        self.running: dict[int, Attempt] = {}
        self.sent = 0

    def open(self, pick: Pick, now: float, load: Load | None) -> Attempt:
        """One more, with a permit of its target's breaker; `load` is what it sends."""
        permit = self._learned.acquire(pick.state, now, load)
        self.sent += 1
        attempt = self.running[self.sent] = Attempt(self.sent, pick.state, permit, pick.cause, now)
        if self.purse is not None:
            self.purse.sent(attempt.number, pick.state.target, now)
        return attempt

    def told(self, attempt: Attempt, headroom: Headroom | None, now: float) -> None:
        """What its answer's headers say is left of the quotas, where they do."""
        if headroom is not None:
            self._learned.counting.take_in(attempt.state.quota, attempt.permit.tally, headroom, now)

    def succeed(self, attempt: Attempt, usage: Usage | None, now: float) -> None:
        """It was answered whole."""
        state = attempt.state
        state.observe(now - attempt.started_s, attempt.first_token_s, now)
        self._learned.succeed(state, attempt.permit, now, attempt.first_token_s)
        if self._logbook.failures:
            evidence.served(self._learned.states, self._logbook.failures, now, self._learned.recorder.tell)
        if usage is not None:
            self._learned.tokens_out[self._route].observe(usage.tokens_out)
        self._close(attempt, Outcome.SUCCESS, Outcome.SUCCESS, None, usage, now)

    def fail(
        self, attempt: Attempt, failure: Failure, usage: Usage | None, now: float, wait: Wait
    ) -> Outcome:
        """It failed; `wait` sets the cooldown where the provider gave no hint.

        Returns how its permit was settled.
        """
        permit = self._learned.blame(attempt.state, attempt.permit, failure, now, wait)
        self._close(attempt, Outcome.FAILURE, permit, failure, usage, now)
        return permit

    def abandon(self, now: float, but: Attempt | None = None) -> tuple[Command, ...]:
        """Stop what still runs, all of it `but` one: nobody is to blame."""
        if not self.running or (but is not None and len(self.running) == 1):
            return ()
        left = [attempt for attempt in self.running.values() if attempt is not but]
        for attempt in left:
            self._learned.abandon(attempt.state, attempt.permit, now)
            self._close(attempt, Outcome.ABANDONED, Outcome.ABANDONED, None, None, now)
        return tuple(Cancel(attempt.number) for attempt in left)

    def quote_nusd(self, target: str, now: float) -> int | None:
        """What one more is expected to cost at `target`, None where nobody knows its price."""
        tokens_out = self._request.tokens_out
        if tokens_out is None:
            tokens_out = int(self._learned.tokens_out[self._route].value)
        as_of_s = self._facts.epoch_s + now
        return self._facts.prices.quote_nusd(target, Usage(self._request.tokens_in, tokens_out), as_of_s)

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
        if usage is not None and attempt.permit.tally is not None:
            attempt.permit.tally.correct(usage)
        name = attempt.state.target.name
        cost_nusd = self._facts.prices.charge_nusd(name, usage, self._facts.epoch_s + now)
        if outcome is Outcome.SUCCESS and usage is None and self._request.operation not in _FREE_UNTOLD:
            cost_nusd = None
        if self.purse is not None:
            self.purse.settle(attempt.number, attempt.state.target, cost_nusd, usage, now)
        if cost_nusd:
            self._learned.charged(self._route, cost_nusd)
        self._logbook.attempt_ended(
            attempt, outcome, permit, now, failure=failure, usage=usage, cost_nusd=cost_nusd
        )
