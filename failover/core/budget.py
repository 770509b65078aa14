"""The retry budget: what keeps a total outage from becoming a retry storm."""

from __future__ import annotations

from failover.core.policy import RetryBudgetPolicy

BURST_MIN = 10.0
BURST_S = 10.0


class RetryBudget:
    """Shared by the calls of one route: requests and time deposit, a retry withdraws one.

    The balance starts full and is capped at ten seconds of the floor plus a small burst, so that a
    quiet hour does not save up a storm (Finagle's budget lets tokens expire after ten seconds).
    """

    __slots__ = ("_policy", "_refilled_s", "balance", "balance_max")

    def __init__(self, policy: RetryBudgetPolicy) -> None:
        self._policy = policy
        self.balance_max = BURST_MIN + policy.floor_per_s * BURST_S
        self.balance = self.balance_max
        self._refilled_s: float | None = None

    def deposit(self) -> None:
        """One request arrived."""
        self.balance = min(self.balance_max, self.balance + self._policy.share)

    def try_withdraw(self, now: float) -> bool:
        """Take one token for a retry, a hedge or a further fallback; False when none is left."""
        if self._refilled_s is not None:
            gained = (now - self._refilled_s) * self._policy.floor_per_s
            self.balance = min(self.balance_max, self.balance + max(0.0, gained))
        self._refilled_s = now
        if self.balance < 1.0:
            return False
        self.balance -= 1.0
        return True
