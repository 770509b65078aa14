"""The budgets of a route: what keeps a total outage from becoming a retry storm, and hedges from costing."""

from __future__ import annotations

from failover.core.policy import HedgePolicy, RetryBudgetPolicy

BURST_MIN = 10.0
BURST_S = 10.0
HEDGE_BURST = 10.0
"""How many hedges in a row a quiet time may save up."""


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


class HedgeBudget:
    """Shared by the calls of one route: requests pay for the number of hedges, charges for their dollars."""

    __slots__ = ("_policy", "_requests", "_usd_nusd")

    def __init__(self, policy: HedgePolicy) -> None:
        self._policy = policy
        self._requests = 0.0
        self._usd_nusd = 0.0

    def deposit(self) -> None:
        """One request arrived."""
        self._requests = min(HEDGE_BURST, self._requests + self._policy.share)

    def charged(self, cost_nusd: int) -> None:
        """The route spent so much."""
        if self._policy.usd_share is not None:
            self._usd_nusd += cost_nusd * self._policy.usd_share

    def affords(self, quote_nusd: int | None) -> bool:
        """Whether a hedge of that price may be sent; None: nobody knows its price."""
        if self._requests < 1.0:
            return False
        return self._policy.usd_share is None or (quote_nusd is not None and quote_nusd <= self._usd_nusd)

    def withdraw(self, quote_nusd: int | None) -> None:
        """A hedge is sent. Its quote counts: nobody says what one that is cancelled costs."""
        self._requests -= 1.0
        self._usd_nusd -= quote_nusd or 0
