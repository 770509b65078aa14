"""What the router learned of its targets, behind one narrow port: in process here, shared elsewhere.

Scopes fan out when something is learned, which is rare, so that deciding only compares numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from failover.core import fate
from failover.core.backoff import Wait, backoff_s
from failover.core.breaker import CLOSED, Breaker, Permit
from failover.core.budget import HedgeBudget, RetryBudget
from failover.core.counting import Counting
from failover.core.events import BreakerChanged, CooldownStarted, Event, OutageSuspected, TargetRetired
from failover.core.failures import Failure, FailureKind, Scope, StayAway
from failover.core.headroom import Quotas
from failover.core.limits import Load
from failover.core.policy import Policy
from failover.core.stats import AnswerLengths
from failover.core.target_state import LimitedState, TargetState
from failover.core.vocabulary import FaultDomain, Outcome, Route, Target

AWAY_LONG_S = 300.0
"""Quota, bill or key: nothing heals by itself in seconds, but a probe now and then costs little."""

GONE_RETRIES_S = (60.0, 300.0, 900.0)
"""One 404 is no proof, nor is a wave of them: live models were not found for minutes, and a wrong page of an
edge looks alike. Each such answer keeps us away for longer; one more than there are waits is believed."""

Record = Callable[[Event], None]


class Recorder:
    """Who is told of what is learned, and its time: one for a router, whatever its config becomes."""

    __slots__ = ("now", "record")

    def __init__(self, record: Record | None) -> None:
        self.record = record
        self.now = 0.0

    def tell(self, event: Event) -> None:
        """Hand `event` on, where anybody listens."""
        if self.record is not None:
            self.record(event)


SCOPE_DOMAINS: dict[Scope, tuple[FaultDomain, ...]] = {
    Scope.TARGET: (FaultDomain.TARGET,),
    Scope.MODEL: (FaultDomain.PROVIDER, FaultDomain.MODEL),
    Scope.CREDENTIAL: (FaultDomain.PROVIDER, FaultDomain.CREDENTIAL),
    Scope.CREDENTIAL_MODEL: (FaultDomain.PROVIDER, FaultDomain.CREDENTIAL, FaultDomain.MODEL),
    Scope.PROVIDER: (FaultDomain.PROVIDER,),
    Scope.PROVIDER_REGION: (FaultDomain.PROVIDER, FaultDomain.REGION),
}
"""Which domains targets must share to be blamed together. Scopes that blame no target are absent."""


class Learned:
    """Breakers, cooldowns, statistics and retry budgets of the targets and routes of one config."""

    def __init__(
        self,
        routes: Iterable[Route],
        record: Record | None = None,
        recorder: Recorder | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        self.counting = Counting(quotas)
        self.recorder = Recorder(record) if recorder is None else recorder
        self.routes: dict[str, Route] = {}
        self.states: dict[str, TargetState] = {}
        self.budgets: dict[str, RetryBudget] = {}
        self.hedges: dict[str, HedgeBudget] = {}
        self.tokens_out: dict[str, AnswerLengths] = {}
        for route in routes:
            self.routes[route.name] = route
            self.budgets[route.name] = RetryBudget(route.policy.retry_budget)
            if route.policy.hedge is not None:
                self.hedges[route.name] = HedgeBudget(route.policy.hedge)
            self.tokens_out[route.name] = AnswerLengths()
            for target in route.targets():
                if target.name not in self.states:
                    self.states[target.name] = self._new_state(target, route.policy)
        self.bind()

    def bind(self) -> None:
        """Let the targets share their fate; anew whenever `states` was changed."""
        fate.bind([state.member for state in self.states.values()])

    @property
    def record(self) -> Record | None:
        """Who is told."""
        return self.recorder.record

    @record.setter
    def record(self, record: Record | None) -> None:
        self.recorder.record = record

    def deposit(self, route: str) -> None:
        """A request arrived: it pays for its share of retries and hedges."""
        self.budgets[route].deposit()
        if self.hedges and route in self.hedges:
            self.hedges[route].deposit()

    def charged(self, route: str, cost_nusd: int) -> None:
        """A route spent so much."""
        if self.hedges and route in self.hedges:
            self.hedges[route].charged(cost_nusd)

    def acquire(self, state: TargetState, now: float, load: Load | None = None) -> Permit:
        """A permit to send to an eligible target, counted as in flight until it is settled."""
        self.recorder.now = now
        permit = state.breaker.acquire(now)
        state.ramp.take(now)
        state.in_flight += 1
        if state.cooldowns:
            permit.trial = True
            state.trials += 1
            state.trial_since_s = now
        if self.counting.is_on:
            permit.tally = self.counting.count(state.quota, state.limiter, load, now)
        return permit

    def begun(self, state: TargetState, permit: Permit) -> None:
        """Its first token came: whoever speaks does not refuse."""
        if permit.trial:
            _end_trial(state, permit)
            state.cooldowns = 0

    def hold_back(self, targets: Iterable[Target], now: float) -> None:
        """A call was decided in which these targets stand back for their ramp."""
        for target in targets:
            self.states[target.name].ramp.hold_back(now)

    def succeed(self, state: TargetState, permit: Permit, now: float, first_token_s: float | None) -> None:
        """An attempt was answered whole."""
        self.recorder.now = now
        state.in_flight -= 1
        if permit.trial:
            _end_trial(state, permit)
        if state.gone_evidence:
            for each in self.sharing(Scope.MODEL, state.target):
                each.gone_evidence = 0
        state.cooldowns = 0
        permit.settle(Outcome.SUCCESS, now, first_token_s=first_token_s)
        began_s, history, member = permit.at_s, state.history, state.member
        if began_s > history.served_s:  # noqa: PLR1730  # a comparison costs a third of a call of max
            history.served_s = began_s
        if began_s >= history.rejecting_since_s:
            history.served += 1
        if began_s > member.answered_s:  # noqa: PLR1730  # as above, on the way of every success
            member.answered_s = began_s
        if member.doubted:
            fate.recovered(member, began_s, now, self.recorder.tell)

    def abandon(self, state: TargetState, permit: Permit, now: float) -> None:
        """An attempt was cancelled: it says nothing of its target."""
        self.recorder.now = now
        state.in_flight -= 1
        if permit.trial:
            _end_trial(state, permit)
        permit.settle(Outcome.ABANDONED, now)

    def blame(self, state: TargetState, permit: Permit, failure: Failure, now: float, wait: Wait) -> Outcome:
        """Take in a failure; `wait` sets the cooldown where the provider gave no hint.

        Returns how the permit was settled: a bad request proves that its target works, a suspicious one not.
        """
        self.recorder.now = now
        state.in_flight -= 1
        if permit.trial:
            _end_trial(state, permit)
        state.refusals.learn(failure.parameter, now)
        current = permit.generation == state.breaker.generation
        match failure.disposition.stay_away:
            case StayAway.COOLDOWN:
                self._cool_down(state, failure, now, wait)
            case StayAway.LONG if current:
                self._stay_away_long(state, failure, now)
            case StayAway.RETIREMENT if current:
                self._doubt(state, failure, now)
            case StayAway.UNTIL_RELOAD:
                self._retire(failure.scope, state, failure.kind)
        # After a trip the permit is of an older generation: one failure opens the breaker once.
        outcome = _permit_outcome(failure)
        if failure.kind is FailureKind.BAD_REQUEST:
            outcome = state.history.rejects(failure.code, now)
        permit.settle(outcome, now)
        if outcome is Outcome.SUCCESS:
            fate.answered(state.member, permit.at_s, now, self.recorder.tell)
        elif current and failure.disposition.stay_away is StayAway.BREAKER:
            fate.failed(state.member, failure, permit.at_s, now, self.recorder.tell)
        return outcome

    def sharing(self, scope: Scope, target: Target) -> list[TargetState]:
        """The states of all targets that share `target`'s domains of `scope`, its own included."""
        domains = SCOPE_DOMAINS.get(scope, (FaultDomain.TARGET,))
        if FaultDomain.MODEL in domains and not target.model:
            domains = (FaultDomain.TARGET,)  # a plain function has no model to share
        wanted = [target.domain(domain) for domain in domains]
        return [
            state
            for state in self.states.values()
            if [state.target.domain(domain) for domain in domains] == wanted
        ]

    def _new_state(self, target: Target, policy: Policy) -> TargetState:
        limiter = self.counting.limiter_of(target)
        state = _new_state(target, policy, self.recorder, TargetState if limiter is None else LimitedState)
        state.limiter = limiter
        state.quota = self.counting.quota_of(target)
        return state

    def _cool_down(self, state: TargetState, failure: Failure, now: float, wait: Wait) -> None:
        if state.cooldown_until_s <= now:
            # A burst of refusals that were under way together is one refusal.
            state.cooldowns += 1
        cooldown_s = failure.retry_after_s
        if cooldown_s is None:
            cooldown_s = backoff_s(wait, attempt=state.cooldowns)
        until_s = now + cooldown_s
        blamed = self.sharing(failure.scope, state.target)
        for each in blamed:
            each.cooldowns = max(each.cooldowns, state.cooldowns)
            # A later, shorter hint must not cut an earlier, longer one.
            each.cooldown_until_s = max(each.cooldown_until_s, until_s)
        names = tuple(each.target.name for each in blamed)
        self.recorder.tell(CooldownStarted(now, failure.scope, names, until_s))

    def _stay_away_long(self, state: TargetState, failure: Failure, now: float) -> None:
        scope: Scope | None = failure.scope
        if failure.kind is FailureKind.UNAUTHORIZED:
            sharing = [each.history for each in self.sharing(failure.scope, state.target)]
            scope = state.history.refuses(sharing, now)
        if scope is None:
            state.breaker.trip(now, None, counted=True)
            refused = len(state.history.refused_s)
            self.recorder.tell(OutageSuspected(now, state.target.name, failure.kind, refused))
            return
        hint_s = failure.retry_after_s
        self._trip(scope, state, now, AWAY_LONG_S if hint_s is None else hint_s)

    def _trip(self, scope: Scope, state: TargetState, now: float, open_for_s: float) -> None:
        for each in self.sharing(scope, state.target):
            each.breaker.trip(now, open_for_s)

    def _doubt(self, state: TargetState, failure: Failure, now: float) -> None:
        evidence = state.gone_evidence + 1
        for each in self.sharing(failure.scope, state.target):
            each.gone_evidence = evidence
        # What a date said, and one answer says too, is believed at once.
        expected = state.ending is not None and now >= state.ending.near_s
        if expected or evidence > len(GONE_RETRIES_S):
            self._retire(failure.scope, state, failure.kind)
        else:
            self._trip(failure.scope, state, now, GONE_RETRIES_S[evidence - 1])

    def _retire(self, scope: Scope, state: TargetState, kind: FailureKind) -> None:
        for each in self.sharing(scope, state.target):
            if each.retired_by is None:
                each.retired_by = kind
                self.recorder.tell(TargetRetired(self.recorder.now, each.target.name, kind))


def _new_state(target: Target, policy: Policy, recorder: Recorder, kind: type[TargetState]) -> TargetState:
    def changed(state_from: str, state_to: str, open_until_s: float | None) -> None:
        if state_to == CLOSED:
            state.ramp.begin(recorder.now)
        else:
            state.ramp.end()
        recorder.tell(BreakerChanged(recorder.now, target.name, state_from, state_to, open_until_s))

    state = kind(target, Breaker(policy.breaker, changed))
    return state


def _permit_outcome(failure: Failure) -> Outcome:
    disposition = failure.disposition
    if disposition.stay_away is StayAway.COOLDOWN or disposition.scope is Scope.NOBODY:
        return Outcome.ABANDONED
    if disposition.stay_away is StayAway.NOTHING:
        return Outcome.SUCCESS
    return Outcome.FAILURE


def _end_trial(state: TargetState, permit: Permit) -> None:
    permit.trial = False
    state.trials -= 1
