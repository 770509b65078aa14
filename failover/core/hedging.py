"""When one call asks a second target while the first is still silent: once, and never for nothing."""

from __future__ import annotations

from failover.core.attempts import Attempts
from failover.core.candidates import Candidates, Pick
from failover.core.logbook import Attempt
from failover.core.messages import Send
from failover.core.policy import HedgePolicy
from failover.core.vocabulary import Request


class Hedging:
    """The hedges of one call, for a route whose policy has them."""

    __slots__ = ("_attempts", "_attempts_max", "_begun", "_policy", "_request")

    def __init__(self, policy: HedgePolicy, request: Request, attempts: Attempts, attempts_max: int) -> None:
        self._policy = policy
        self._request = request
        self._attempts = attempts
        self._attempts_max = attempts_max
        self._begun = False

    def starts_at_s(self, attempt: Attempt, send: Send, now: float) -> float | None:
        """When to look whether `attempt` is still silent; None where it is not hedged.

        A call hedges once, never beside another attempt or after the last, and never a probe.
        """
        last = attempt.number >= self._attempts_max
        if self._begun or last or len(self._attempts.running) > 1 or attempt.permit.probe:
            return None
        if not self._request.replay_safe:
            return None
        after_s = attempt.state.quantile_s(self._policy.after_quantile, stream=send.stream)
        if after_s is None or after_s >= send.limits.first_token_s:
            return None
        self._begun = True
        return now + after_s

    def pick(self, candidates: Candidates, now: float) -> Pick | None:
        """Whom to ask beside the one that runs; None where it has begun, or nobody may be asked."""
        silent = all(attempt.first_token_s is None for attempt in self._attempts.running.values())
        return candidates.hedge(now, self._attempts.quote_nusd) if silent else None
