"""Whatever happens to a breaker in whatever order, its rules hold."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from failover.core.breaker import CLOSED, HALF_OPEN, OPEN, Breaker
from failover.core.policy import BreakerPolicy
from failover.core.vocabulary import Outcome

POLICY = BreakerPolicy(
    failures=3, min_requests=6, slow_s=5.0, window_s=30.0, open_s=8.0, open_max_s=20.0, probes=2
)


class BreakerRules(RuleBasedStateMachine):
    """Attempts start, end late or not at all, end twice; trips come; time passes."""

    permits = Bundle("permits")

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.generation = 0
        self.changes = []
        self.running = []
        self.breaker = Breaker(POLICY, self.changed)

    def changed(self, state_from, state_to, open_until_s):
        self.generation += 1
        self.changes.append((state_from, state_to))
        assert (open_until_s is not None) == (state_to == OPEN)

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 8.0, 20.0, 40.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.breaker.admits(self.now))
    @rule(target=permits)
    def an_attempt_starts(self):
        was_open = self.breaker.state == OPEN
        assert not was_open or self.now >= self.breaker.open_until_s
        permit = self.breaker.acquire(self.now)
        assert permit.probe == (self.breaker.state == HALF_OPEN)
        self.running.append((permit, self.generation))
        return permit

    @rule(
        permit=consumes(permits),
        outcome=st.sampled_from(Outcome),
        first_token_s=st.sampled_from([None, 1.0, 9.0]),
        twice=st.booleans(),
    )
    def an_attempt_ends(self, permit, outcome, first_token_s, twice):
        [generation] = [born for each, born in self.running if each is permit]
        before = self.breaker.state, self.breaker.open_until_s, len(self.changes)
        self.running = [(each, born) for each, born in self.running if each is not permit]
        stale = generation != self.generation
        permit.settle(outcome, self.now, first_token_s=first_token_s)
        after = self.breaker.state, self.breaker.open_until_s, len(self.changes)
        assert after == before or not stale
        assert after == before or outcome is not Outcome.ABANDONED
        if twice:
            permit.settle(Outcome.FAILURE, self.now)
            assert (self.breaker.state, self.breaker.open_until_s, len(self.changes)) == after
        assert permit.settled is outcome

    @rule(open_for_s=st.sampled_from([2.0, 60.0]))
    def it_trips(self, open_for_s):
        self.breaker.trip(self.now, open_for_s)
        assert self.breaker.open_until_s >= self.now + open_for_s

    @invariant()
    def the_probes_running_are_those_opened_and_not_settled(self):
        probes = [permit for permit, born in self.running if permit.probe and born == self.generation]
        assert self.breaker.probes_running == len(probes) <= POLICY.probes

    @invariant()
    def nobody_is_admitted_while_it_is_open(self):
        if self.breaker.state == OPEN:
            assert self.breaker.admits(self.now) == (self.now >= self.breaker.open_until_s)
            assert self.breaker.open_until_s <= self.now + 60.0

    @invariant()
    def changes_follow_one_another(self):
        states = [CLOSED, *(state_to for _, state_to in self.changes)]
        assert [state_from for state_from, _ in self.changes] == states[:-1]
        assert states[-1] == self.breaker.state


TestBreakerRules = BreakerRules.TestCase
TestBreakerRules.settings = settings(max_examples=80, stateful_step_count=40)
