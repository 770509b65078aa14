"""Canaries to standbys: who is asked so that it is known to be there, how often, and for how much."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from failover.core.budget import RetryBudget
from failover.core.decide import Facts
from failover.core.governance import SYNTHETIC
from failover.core.learned import Learned, Record
from failover.core.lifecycle import DAY_S
from failover.core.policy import Delivery, LastResort, RetryBudgetPolicy
from failover.core.retiring import is_due
from failover.core.stats import AnswerLengths
from failover.core.target_state import TargetState
from failover.core.vocabulary import Route, Usage

MONTH_S = 30 * DAY_S
CANARY_ROUTE = "(keep warm)"
"""Named as no route of a config can be: it has no callers, and its spending is told apart."""
CANARY_DEADLINE_S = 30.0
CANARY_USAGE = Usage(8, 1)
"""About what one comes to: a greeting, and one token."""
OF_CALLS = frozenset({"call_started", "call_ended", "wait_started"})


class Skipped(StrEnum):
    """Why a cold target was not asked."""

    RETIRED = "retired"
    FORBIDDEN_BY_TERMS = "forbidden_by_terms"
    """Not even a greeting may be sent there."""
    AWAY = "away"
    """Drained, cooling down, over a limit, or its breaker open: whoever is away is known to be."""
    PRICE_UNKNOWN = "price_unknown"
    OVER_BUDGET = "over_budget"


@dataclass(frozen=True, slots=True)
class WarmRules:
    """`every_s`: so long without an answer is cold. `max_nusd_per_month`: the most for 30 days, by quote.

    `targets` are those that are kept warm.
    """

    every_s: float
    max_nusd_per_month: int
    targets: tuple[str, ...]


class Warmth:
    """When which target was asked last for its warmth, and what that cost. One for a router."""

    __slots__ = ("_asked_s", "_spent", "count")

    def __init__(self) -> None:
        self.count = 0
        self._asked_s: dict[str, float] = {}
        self._spent: deque[tuple[float, int]] = deque()

    def round(
        self, rules: WarmRules, learned: Learned, facts: Facts, now: float
    ) -> tuple[list[TargetState], dict[str, Skipped]]:
        """Who is to be asked now, which is counted, and who is cold and is not, with why."""
        asked: list[TargetState] = []
        skipped: dict[str, Skipped] = {}
        for name in rules.targets:
            state = learned.states[name]
            if now - max(state.history.served_s, self._asked_s.get(name, -inf)) < rules.every_s:
                continue
            quote_nusd = facts.prices.quote_nusd(name, CANARY_USAGE, facts.epoch_s + now)
            bar = facts.oversight.bar(state.target, SYNTHETIC, CANARY_ROUTE, facts.epoch_s + now)
            why = Skipped.FORBIDDEN_BY_TERMS if bar else self._why_not(state, rules, quote_nusd, now)
            if why is None:
                asked.append(state)
            else:
                skipped[name] = why
        return asked, skipped

    def _why_not(
        self, state: TargetState, rules: WarmRules, quote_nusd: int | None, now: float
    ) -> Skipped | None:
        if state.is_retired(now) or is_due(state, now):
            return Skipped.RETIRED
        if not state.eligible(now):
            return Skipped.AWAY
        if quote_nusd is None:
            return Skipped.PRICE_UNKNOWN
        if self.spent_nusd(now) + quote_nusd > rules.max_nusd_per_month:
            return Skipped.OVER_BUDGET
        self._asked_s[state.target.name] = now
        self._spent.append((now, quote_nusd))
        return None

    def next_id(self) -> str:
        """The id of the next canary's request; requests of callers are numbered for themselves."""
        self.count += 1
        return f"warm-{self.count}"

    def spent_nusd(self, now: float) -> int:
        """What the canaries of the last 30 days were quoted."""
        while self._spent and self._spent[0][0] <= now - MONTH_S:
            self._spent.popleft()
        return sum(nusd for _, nusd in self._spent)


def canary_route(state: TargetState, learned: Learned) -> Route:
    """A route of one target and one attempt, which takes nothing from the budgets of others."""
    if CANARY_ROUTE not in learned.budgets:
        learned.budgets[CANARY_ROUTE] = RetryBudget(RetryBudgetPolicy())
        learned.tokens_out[CANARY_ROUTE] = AnswerLengths()
    policy = next(each.policy for each in learned.routes.values() if state.target in each.targets())
    deadline_s = min(policy.deadline_s, CANARY_DEADLINE_S)
    alone = replace(
        policy,
        deadline_s=deadline_s,
        attempts=1,
        hedge=None,
        last_resort=LastResort.FAIL,
        stream_upstream=False,
        delivery=Delivery.LIVE,
    )
    return Route(CANARY_ROUTE, ((state.target,),), "priority", alone, is_canary=True)


def of_canary(record: Record | None) -> Record | None:
    """Who hears of a canary's attempts; it is no call, since nobody calls."""
    if record is None:
        return None

    def hear(event: object) -> None:
        if getattr(event, "event", "") not in OF_CALLS:
            record(event)  # type: ignore[arg-type]  # what is recorded here is an event

    return hear


def monthly_nusd(every_s: float, quote_nusd: int) -> int:
    """What a target that nobody else asks costs in 30 days."""
    return round(MONTH_S / every_s) * quote_nusd
