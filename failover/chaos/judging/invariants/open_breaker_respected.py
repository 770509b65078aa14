"""Nothing is sent through an open breaker, and only probes through a half-open one."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import NONE, Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.breaker import CLOSED, HALF_OPEN, OPEN
from failover.core.breaker_storage import LAST_RESORT_AFTER_S
from failover.core.calendar_events import RetirementReached
from failover.core.events import (
    AttemptEnded,
    AttemptStarted,
    BreakerChanged,
    CallStarted,
    CooldownStarted,
    FateShared,
    FirstTokenReceived,
    TargetRetired,
)
from failover.core.substitution import BARRING
from failover.core.target_state import TRIAL_S
from failover.core.vocabulary import Outcome, Reason
from failover.core.world_events import TermsInForce

NOT_ASKED = BARRING | {Reason.FORBIDDEN_BY_TERMS}
"""Reasons for which a call asks a target by no path."""
ROUNDING_S = 1e-6
"""Virtual times are whole microseconds."""


class OpenBreakerRespected(Invariant):
    """At most `policy.breaker.probes` probes run at once, and no breaker half-opens before its time.

    Its time is the end of its open time; while every target of a route that can and may do the job of some
    request is away, it is a moment after it opened. Every change of state begins a new generation: a probe
    of an older one counts no more.
    """

    name = "open_breaker_respected"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._states: dict[str, str] = {}
        self._until_s: dict[str, float] = {}
        self._opened_s: dict[str, float] = {}
        self._cooling_until_s: dict[str, float] = {}
        self._unanswered: set[str] = set()
        self._trials: dict[str, set[tuple[str, int]]] = {}
        self._trial_since_s: dict[str, float] = {}
        self._retired: set[str] = set()
        self._probes: dict[str, set[tuple[str, int]]] = {}
        self._routes = {
            route.name: frozenset(target.name for target in route.targets()) for route in routes.called
        }
        self._names = set(self._routes.values())
        self._forbidden: dict[str, tuple[str, ...]] = {}
        self._probes_max = {
            target.name: routes.learning_policy(target.name).breaker.probes for target in routes.targets()
        }

    def call_started(self, event: CallStarted) -> None:
        """Whom it may ask."""
        if event.passed_over:
            barred = {name for name, reason in event.passed_over if reason in NOT_ASKED}
            self._names.add(self._routes[event.route] - barred)

    def terms_in_force(self, event: TermsInForce) -> None:
        """From now on calls under way may not ask everybody they might before."""
        self._forbidden[event.target] = event.forbidden
        for data_class in {each for told in self._forbidden.values() for each in told}:
            barred = {name for name, told in self._forbidden.items() if data_class in told}
            self._names |= {names - barred for names in self._routes.values()}

    def breaker_changed(self, event: BreakerChanged) -> None:
        """Follow the state, and when an open breaker may be probed."""
        target = event.target
        early = event.state_to == HALF_OPEN and event.at_s < self._until_s.get(target, 0.0)
        if early and not self._is_last_resort(target, event.at_s):
            what = f"half-opened before {self._until_s[target]:.3f} s"
            self.violated(event.at_s, NONE, target, what)
        self._states[target] = event.state_to
        self._until_s[target] = event.open_until_s or 0.0
        self._opened_s[target] = event.at_s
        self._probes[target] = set()

    def cooldown_started(self, event: CooldownStarted) -> None:
        """Who cools down is away, whatever its breaker says."""
        self._unanswered.update(event.targets)
        for target in event.targets:
            self._cooling_until_s[target] = max(event.until_s, self._cooling_until_s.get(target, 0.0))

    def fate_shared(self, event: FateShared) -> None:
        """Where a sibling answered again, an open breaker may be probed before its time."""
        if event.until_s == event.at_s:
            for target in event.targets:
                self._until_s[target] = event.until_s

    def target_retired(self, event: TargetRetired) -> None:
        """So is who was retired."""
        self._retired.add(event.target)

    def retirement_reached(self, event: RetirementReached) -> None:
        """And whose date bars it."""
        if event.bars:
            self._retired.add(event.target)

    def _is_last_resort(self, asked: str, at_s: float) -> bool:
        away = any(
            all(self._is_away(name, at_s) for name in names) for names in self._names if asked in names
        )
        return away and at_s - self._opened_s[asked] >= LAST_RESORT_AFTER_S - ROUNDING_S

    def _is_away(self, target: str, at_s: float) -> bool:
        not_closed = self._states.get(target, CLOSED) != CLOSED
        cooling = at_s < self._cooling_until_s.get(target, 0.0)
        return not_closed or cooling or target in self._retired or self._is_on_trial(target, at_s)

    def _is_on_trial(self, target: str, at_s: float) -> bool:
        """After a cooldown one attempt at a time is made, until the first answer: who else asks, waits."""
        if target not in self._unanswered or not self._trials.get(target):
            return False
        return at_s < self._trial_since_s[target] + TRIAL_S + ROUNDING_S

    def attempt_started(self, event: AttemptStarted) -> None:
        """May anything be sent there now?"""
        self.checked += 1
        if event.target in self._unanswered:
            self._trials.setdefault(event.target, set()).add((event.call, event.attempt))
            self._trial_since_s[event.target] = event.at_s
        state = self._states.get(event.target, CLOSED)
        if state == CLOSED:
            return
        if state == OPEN:
            what = f"attempt {event.attempt} went through an open breaker"
            self.violated(event.at_s, event.call, event.target, what)
        elif not event.probe:
            what = f"attempt {event.attempt} went through a half-open breaker and is no probe"
            self.violated(event.at_s, event.call, event.target, what)
        else:
            self._probe(event)

    def _probe(self, event: AttemptStarted) -> None:
        running = self._probes[event.target]
        running.add((event.call, event.attempt))
        most = self._probes_max[event.target]
        if len(running) > most:
            what = f"attempt {event.attempt} makes {len(running)} probes at once, {most} may run"
            self.violated(event.at_s, event.call, event.target, what)

    def first_token_received(self, event: FirstTokenReceived) -> None:
        """Whoever speaks to a trial does not refuse."""
        trials = self._trials.get(event.target)
        if trials and (event.call, event.attempt) in trials:
            trials.discard((event.call, event.attempt))
            self._unanswered.discard(event.target)

    def attempt_ended(self, event: AttemptEnded) -> None:
        """A probe that ended makes room for the next."""
        for attempts in (self._probes.get(event.target), self._trials.get(event.target)):
            if attempts:
                attempts.discard((event.call, event.attempt))
        if event.outcome is Outcome.SUCCESS:
            self._unanswered.discard(event.target)
