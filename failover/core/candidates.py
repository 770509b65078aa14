"""Who may still be asked in one call, in which order, and when: first the decision's, then second chances."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from failover.core.asked import Asked, Pick, WaitUntil
from failover.core.backoff import FullJitter, Rng, backoff_within_s
from failover.core.breaker import CLOSED
from failover.core.budget import RetryBudget
from failover.core.failures import Failure, SameTarget, StayAway
from failover.core.floors import Floors
from failover.core.learned import Learned
from failover.core.leave import Leave
from failover.core.lifecycle import Ending
from failover.core.limits import Limiter, Load
from failover.core.policy import LastResort
from failover.core.spend import UNPAYABLE
from failover.core.substitution import BARRING
from failover.core.target_state import TargetState
from failover.core.vocabulary import AttemptCause, Decision, PassedOver, Reason, Route, Target

__all__ = ["Candidates", "Pick", "WaitUntil"]

PROBE_POLL_S = 0.25
"""How often a call that has nobody else left looks whether a running probe has ended."""

_FOR_GOOD = BARRING | UNPAYABLE

_FIRST = (AttemptCause.FIRST, AttemptCause.KEEP_WARM)


class Candidates:
    """The one list of a call. `pick` walks it; `note` takes in how an attempt ended."""

    __slots__ = (
        "_asked",
        "_budget",
        "_deadline_s",
        "_fallback_was_free",
        "_floors",
        "_learned",
        "_leave",
        "_next",
        "_order",
        "_route",
        "_stream",
        "_wait",
        "load",
        "passed_over",
        "returns_s",
        "waits_for",
    )

    def __init__(
        self,
        route: Route,
        decision: Decision,
        learned: Learned,
        deadline_s: float,
        rng: Rng,
        *,
        stream: bool,
        leave: Leave,
        load: Load | None = None,
    ) -> None:
        self._route = route
        self._leave = leave
        self._stream = stream
        self.load = load
        self.waits_for: Limiter | None = None
        self._order = decision.order
        self._learned = learned
        self._deadline_s = deadline_s
        self._budget: RetryBudget = learned.budgets[route.name]
        self._wait = FullJitter(route.policy.backoff, rng)
        self._asked: dict[str, Asked] = {}
        self._floors = Floors()
        self._next = 0
        self._fallback_was_free = False
        self.passed_over = list(decision.passed_over)
        self.returns_s: list[float] = []

    def pick(self, now: float) -> Pick | WaitUntil | None:
        """Whom to ask now, or until when to wait; None when nobody is left within the deadline."""
        again = self._at_once(now)
        if again is not None:
            return again
        while self._next < len(self._order):
            state = self._learned.states[self._order[self._next].name]
            self._next += 1
            objection = self._objection(state, now)
            if objection is not None:
                self.passed_over.append(objection)
            elif not self._asked:
                return self._picked(state, _FIRST[self._route.is_canary])
            elif self._may_fall_back(state.target, now):
                return self._picked(state, AttemptCause.FALLBACK)
            else:
                self._leave.put_back()
                if self._fallback_was_free:
                    return None
        return self._second_chance(now)

    def hedge(self, now: float, quote_nusd: Callable[[str, float], int | None]) -> Pick | None:
        """Whom to ask beside the one that is silent, None where nobody may be, or no budget is left.

        Never a probe, nor who stands back for its ramp: a hedge is for the caller, not for learning.
        """
        hedges = self._learned.hedges[self._route.name]
        for place, target in enumerate(self._order[self._next :], self._next):
            state = self._learned.states[target.name]
            well = state.breaker.state == CLOSED and state.ramp.admits(now)
            if not well or self._objection(state, now) is not None:
                continue
            quoted_nusd = quote_nusd(target.name, now)
            if not hedges.affords(quoted_nusd) or not self._budget.try_withdraw(now):
                self._leave.put_back()
                return None
            hedges.withdraw(quoted_nusd)
            self._order = self._order[:place] + self._order[place + 1 :]
            return self._picked(state, AttemptCause.HEDGE)
        return None

    def others_left(self, now: float) -> bool:
        """Whether somebody in the order has not been asked yet and may be."""
        for target in self._order[self._next :]:
            if self._may_be_asked(self._learned.states[target.name], now):
                return True
        return False

    def somebody_is_untried(self, now: float) -> bool:
        """Whether a target that could take this request was not asked: it is away, or limits forbade it."""
        untried = [state for state in self._able(now) if state.target.name not in self._asked]
        return any(not (each.is_retired(now) or self._floors.is_too_small(each.target)) for each in untried)

    def note(self, target: Target, failure: Failure, now: float) -> None:
        """An attempt at `target` failed: what that allows for the rest of the call."""
        asked = self._asked[target.name]
        disposition = failure.disposition
        if disposition.stay_away is StayAway.RETIREMENT:
            self._bring_forward(self._learned.states[target.name].ending)
        if failure.retry_after_s is not None:
            self.returns_s.append(now + failure.retry_after_s)
        self._floors.refused_by(target, disposition.next_target)
        if asked.asks > 1 or not failure.may_retry or disposition.same_target is SameTarget.NEVER:
            asked.retry_at_s = inf
        elif disposition.same_target is SameTarget.ONCE_AT_ONCE:
            asked.at_once = True
            asked.retry_at_s = now
        else:
            waited_s = backoff_within_s(
                self._wait,
                attempt=asked.asks,
                left_s=self._deadline_s - now,
                at_least_s=failure.retry_after_s or 0.0,
            )
            asked.retry_at_s = inf if waited_s is None else now + waited_s

    def _bring_forward(self, ending: Ending | None) -> None:
        """Of those that are left, the successor of who was not found is asked next."""
        if ending is not None and ending.successor:
            asked, left = self._order[: self._next], self._order[self._next :]
            ranked = sorted(left, key=lambda target: target.name != ending.successor)
            self._order = (*asked, *ranked)

    def leave_queue(self) -> None:
        """Whatever limit the call waited for, it does no longer."""
        if self.waits_for is not None and self.load is not None:
            self.waits_for.leave(self.load)
        self.waits_for = None

    def _able(self, now: float) -> list[TargetState]:
        """All of the route's who can do the job, and may in time, in the author's order; seldom asked for."""
        barred = {each.target.name for each in self.passed_over if each.reason in _FOR_GOOD}
        able = [target for target in self._route.targets() if target.name not in barred]
        free = [each for each in able if self._leave.free_at_s(each, now, PROBE_POLL_S) < inf]
        return [self._learned.states[each.name] for each in free]

    def may_start_over(self, target: Target, failure: Failure, now: float) -> bool:
        """Whether `target`, who was to go on with a text, refused perhaps just that."""
        return self._asked[target.name].may_start_over(failure.kind, now)

    def _picked(self, state: TargetState, cause: AttemptCause) -> Pick:
        if self.waits_for is not None:
            self.leave_queue()
        asked = self._asked.setdefault(state.target.name, Asked())
        asked.asks += 1
        asked.at_once = False
        return Pick(state, cause)

    def _at_once(self, now: float) -> Pick | None:
        for name, asked in self._asked.items():
            if asked.at_once:
                asked.at_once = False
                state = self._learned.states[name]
                may = state.eligible(now, self.load) and not self._is_too_slow(state, now)
                if may and self._leave.forbidden(state.target, now) is None and self._is_paid_for(state, now):
                    if self._budget.try_withdraw(now):
                        return self._picked(state, AttemptCause.RETRY)
                    self._leave.put_back()
        return None

    def _may_be_asked(self, state: TargetState, now: float) -> bool:
        may = state.eligible(now, self.load) and not self._floors.is_too_small(state.target)
        return may and self._leave.forbidden(state.target, now) is None

    def _objection(self, state: TargetState, now: float) -> PassedOver | None:
        barred = self._leave.forbidden(state.target, now)
        if barred is not None:
            return barred
        if not state.eligible(now, self.load):
            return state.passed_over(now, self.load)
        if self._floors.is_too_small(state.target):
            return PassedOver(state.target, Reason.WINDOW_TOO_SMALL)
        if self._is_too_slow(state, now):
            return PassedOver(state.target, Reason.TOO_SLOW)
        return self._leave.unpaid(state.target, now)

    def _is_paid_for(self, state: TargetState, now: float) -> bool:
        refused = self._leave.unpaid(state.target, now)
        if refused is not None:
            self.passed_over.append(refused)
        return refused is None

    def _is_too_slow(self, state: TargetState, now: float) -> bool:
        left_s = self._deadline_s - now
        usual_s = state.latency_s(stream=self._stream)
        return usual_s is not None and usual_s > left_s and self._somebody_is_quicker(left_s, now)

    def _somebody_is_quicker(self, left_s: float, now: float) -> bool:
        for target in self._order[self._next :]:
            state = self._learned.states[target.name]
            usual_s = state.latency_s(stream=self._stream)
            if usual_s is not None and usual_s <= left_s and self._may_be_asked(state, now):
                return True
        return False

    def _may_fall_back(self, target: Target, now: float) -> bool:
        # The first fallback to another fault domain is what the library exists for: always free.
        if not self._fallback_was_free:
            states = map(self._learned.states.__getitem__, self._asked)
            tried = {(state.target.provider, state.target.region) for state in states}
            if (target.provider, target.region) not in tried:
                self._fallback_was_free = True
                return True
        return self._budget.try_withdraw(now)

    def _second_chance(self, now: float) -> Pick | WaitUntil | None:
        """Everyone in the order was asked or passed over: who is ready soonest?

        Those who can usually still make it go first, then those never asked, then the author's order.
        """
        ready_s, chosen, best = inf, None, (True, inf, True)
        states = self._able(now)
        free = [each for each in states if self._leave.forbidden(each.target, now) is None]
        last_resort = not any(each.is_up(now) for each in free)
        for state in states:
            at_s = self._ready_at_s(state, now, last_resort=last_resort)
            too_late = at_s + (state.latency_s(stream=self._stream) or 0.0) >= self._deadline_s
            rank = (too_late, at_s, state.target.name in self._asked)
            if at_s < self._deadline_s and rank < best:
                ready_s, chosen, best = at_s, state, rank
        if chosen is None:
            return None
        if ready_s > now:
            if chosen.limiter is not None and self.load is not None:
                if self.waits_for is not chosen.limiter:
                    self.leave_queue()
                chosen.limiter.queue_up(self.load, ready_s, now, chosen.in_flight)
                self.waits_for = chosen.limiter
            return WaitUntil(ready_s)
        return self._chance(chosen, now) if self._is_paid_for(chosen, now) else self._second_chance(now)

    def _chance(self, chosen: TargetState, now: float) -> Pick | None:
        if chosen.target.name in self._asked:
            if self._budget.try_withdraw(now):
                return self._picked(chosen, AttemptCause.RETRY)
        elif not self._asked or self._may_fall_back(chosen.target, now):
            return self._picked(chosen, AttemptCause.LAST_RESORT)
        self._leave.put_back()
        return None

    def _ready_at_s(self, state: TargetState, now: float, *, last_resort: bool) -> float:
        if state.is_retired(now) or state.drained or self._floors.is_too_small(state.target):
            return inf
        asked = self._asked.get(state.target.name)
        fails = self._route.policy.last_resort is LastResort.FAIL
        free_s = self._leave.free_at_s(state.target, now, PROBE_POLL_S)
        if fails and (free_s > now or (asked is None and not state.eligible(now, self.load))):
            return inf
        ready_s = max(free_s, state.cooldown_until_s, now if asked is None else asked.retry_at_s)
        if state.trial_ends_s(now) > now:
            ready_s = max(ready_s, now + PROBE_POLL_S)
        if state.limiter is not None:
            ready_s = max(ready_s, state.limiter.ready_at_s(now, state.in_flight, self.load))
        return max(ready_s, state.breaker.ready_at_s(now, PROBE_POLL_S, last_resort=last_resort))
