"""Whatever route, calls and outcomes: what must hold of every call, read from the events alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from failover.core.breaker import CLOSED, HALF_OPEN, OPEN
from failover.core.failures import DISPOSITIONS, FailureKind, NextTarget, SameTarget
from failover.core.policy import LastResort, RetryBudgetPolicy
from failover.core.stats import Recent
from failover.core.vocabulary import AttemptCause, Outcome
from tests.core.script import Driver, Fate, Plan, Played, Script, routes, scripts

ROUNDING_S = 1e-6
ENDING = [kind for kind, row in DISPOSITIONS.items() if row.next_target is NextTarget.NO]


def every_call_ends_exactly_once(played: Played):
    assert {len(ends) for ends in played.by_call("call_ended").values()} == {1}
    assert max(Counter(played.ended).values(), default=1) == 1


def every_attempt_that_started_ended_and_settled_its_permit_once(played: Played):
    started = [(event.call, event.attempt, event.target) for event in played.named("attempt_started")]
    ended = [(event.call, event.attempt, event.target) for event in played.named("attempt_ended")]
    assert sorted(started) == sorted(ended)
    assert len(set(started)) == len(started)


def attempts_of_a_call_are_numbered_and_run_one_at_a_time_but_for_one_hedge(played: Played):
    for call in played.by_call("call_started"):
        told = [event for event in played.events if event.event.startswith("attempt_") and event.call == call]
        started = [event for event in told if event.event == "attempt_started"]
        assert [event.attempt for event in started] == list(range(1, len(started) + 1))
        assert sum(event.cause is AttemptCause.HEDGE for event in started) <= 1
        running: set[int] = set()
        for event in told:
            if event.event == "attempt_started":
                assert len(running) == (event.cause is AttemptCause.HEDGE)
                running.add(event.attempt)
            else:
                running.remove(event.attempt)


def only_replay_safe_requests_are_hedged(played: Played):
    hedged = {event.call for event in played.named("attempt_started") if event.cause is AttemptCause.HEDGE}
    assert all(played.script.plans[int(call.removeprefix("call-"))].replay_safe for call in hedged)


def hedges_stay_within_their_share_of_the_requests(played: Played):
    hedge = played.script.route.policy.hedge
    hedges = sum(event.cause is AttemptCause.HEDGE for event in played.named("attempt_started"))
    practised = Recent.LEAST * len(played.learned.states) if played.script.practised else 0
    requests = len(played.named("call_started")) + practised
    assert hedges <= (hedge.share * requests if hedge else 0)


def no_attempt_starts_at_or_after_the_deadline(played: Played):
    deadlines = {event.call: event.deadline_s for event in played.named("call_started")}
    for event in played.named("attempt_started"):
        assert event.at_s < deadlines[event.call]
        assert event.at_s + event.total_limit_s <= deadlines[event.call] + ROUNDING_S


def no_attempt_starts_with_less_than_a_millisecond_to_go(played: Played):
    assert all(event.total_limit_s >= 0.001 for event in played.named("attempt_started"))


def no_wait_ends_at_or_after_the_deadline(played: Played):
    deadlines = {event.call: event.deadline_s for event in played.named("call_started")}
    for event in played.named("wait_started"):
        assert event.at_s < event.until_s < deadlines[event.call]


def no_call_outlives_its_deadline(played: Played):
    deadlines = {event.call: event.deadline_s for event in played.named("call_started")}
    assert all(event.at_s <= deadlines[event.call] + ROUNDING_S for event in played.named("call_ended"))


def no_call_makes_more_attempts_than_its_policy_allows(played: Played):
    allowed = played.script.route.policy.attempts
    assert all(event.attempts <= allowed for event in played.named("call_ended"))


def no_target_is_asked_twice_unless_its_failure_allows_one_more(played: Played):
    for ended in played.by_call("attempt_ended").values():
        for name in {event.target for event in ended}:
            asked = [event for event in ended if event.target == name]
            assert len(asked) <= 2
            for first in asked[:-1]:
                assert DISPOSITIONS[first.failure].same_target is not SameTarget.NEVER


def a_hint_is_waited_out_before_the_same_target_is_asked_again(played: Played):
    for call, started in played.by_call("attempt_started").items():
        for ended in played.by_call("attempt_ended")[call]:
            again = [each for each in started if each.target == ended.target and each.attempt > ended.attempt]
            at_once = ended.failure is FailureKind.CONNECTION
            assert at_once or all(each.at_s >= ended.at_s + (ended.retry_after_s or 0.0) for each in again)


def nobody_else_is_asked_once_a_failure_forbids_it(played: Played):
    forbidden: set[str] = set()
    for event in played.events:
        if event.event == "attempt_started":
            assert event.call not in forbidden
        elif event.event == "attempt_ended" and event.failure in ENDING:
            # What is not believed of a rejection is told by its permit.
            doubted = event.failure is FailureKind.BAD_REQUEST and event.permit is not Outcome.SUCCESS
            if not doubted:
                forbidden.add(event.call)


def nothing_passes_an_open_breaker_but_as_many_probes_as_allowed(played: Played):
    state: dict[str, str] = {}
    probing: dict[str, set[tuple[str, int]]] = {}
    for event in played.events:
        if event.event == "breaker_changed":
            assert event.state_from == state.get(event.target, CLOSED)
            state[event.target], probing[event.target] = event.state_to, set()
        elif event.event == "attempt_started":
            now = state.get(event.target, CLOSED)
            assert now != OPEN
            assert event.probe == (now == HALF_OPEN)
            if event.probe:
                probing[event.target].add((event.call, event.attempt))
                assert len(probing[event.target]) <= played.script.route.policy.breaker.probes
        elif event.event == "attempt_ended":
            probing.get(event.target, set()).discard((event.call, event.attempt))


def nothing_is_sent_to_a_retired_target_or_one_that_cools_down(played: Played):
    retired: set[str] = set()
    cooling: dict[str, float] = {}
    for event in played.events:
        if event.event == "target_retired":
            assert event.target not in retired
            retired.add(event.target)
        elif event.event == "cooldown_started":
            cooling |= {name: max(event.until_s, cooling.get(name, 0.0)) for name in event.targets}
        elif event.event == "attempt_started":
            assert event.target not in retired
            assert event.at_s >= cooling.get(event.target, 0.0)


def nobody_is_in_flight_when_all_is_over(played: Played):
    assert {state.in_flight for state in played.learned.states.values()} == {0}


def retries_and_further_fallbacks_stay_within_the_budget(played: Played):
    policy = played.script.route.policy.retry_budget
    domains = {target.name: (target.provider, target.region) for target in played.script.route.targets()}
    paid, calls = 0, played.by_call("attempt_started")
    for started in calls.values():
        asked = [domains[event.target] for event in started]
        elsewhere = any(domain != asked[0] for domain in asked)
        paid += max(0, len(asked) - 1 - elsewhere)
    allowed = played.script.retries_left + policy.share * len(calls)
    assert paid <= allowed + policy.floor_per_s * max(event.at_s for event in played.events) + ROUNDING_S


def a_call_is_served_by_its_last_attempt_and_no_other(played: Played):
    for call, ended in played.by_call("attempt_ended").items():
        [end] = played.by_call("call_ended")[call]
        served = [event.target for event in ended if event.outcome is Outcome.SUCCESS]
        assert served == ([] if end.target is None else [ended[-1].target])
        assert (end.target is None) != (end.error is None)


def the_machine_ends_in_a_bounded_number_of_steps(played: Played):
    assert played.steps <= 500 * len(played.script.plans)


INVARIANTS = [
    every_call_ends_exactly_once,
    every_attempt_that_started_ended_and_settled_its_permit_once,
    attempts_of_a_call_are_numbered_and_run_one_at_a_time_but_for_one_hedge,
    only_replay_safe_requests_are_hedged,
    hedges_stay_within_their_share_of_the_requests,
    no_attempt_starts_at_or_after_the_deadline,
    no_attempt_starts_with_less_than_a_millisecond_to_go,
    no_wait_ends_at_or_after_the_deadline,
    no_call_outlives_its_deadline,
    no_call_makes_more_attempts_than_its_policy_allows,
    no_target_is_asked_twice_unless_its_failure_allows_one_more,
    a_hint_is_waited_out_before_the_same_target_is_asked_again,
    nobody_else_is_asked_once_a_failure_forbids_it,
    nothing_passes_an_open_breaker_but_as_many_probes_as_allowed,
    nothing_is_sent_to_a_retired_target_or_one_that_cools_down,
    nobody_is_in_flight_when_all_is_over,
    retries_and_further_fallbacks_stay_within_the_budget,
    a_call_is_served_by_its_last_attempt_and_no_other,
    the_machine_ends_in_a_bounded_number_of_steps,
]


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.__name__)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(script=scripts())
def test_of_every_script(invariant, script):
    invariant(Driver(script).play())


@given(scripts())
def test_the_same_script_played_twice_tells_the_same(script):
    assert Driver(script).play().events == Driver(script).play().events


@settings(max_examples=50)
@given(routes())
def test_a_healthy_route_serves_every_call_at_the_first_attempt(route):
    policy = replace(route.policy, last_resort=LastResort.WAIT)
    answer = Fate(None, None, 0.1, 0.25)
    plans = tuple(Plan(at_s, at_s < 1.0, None, None) for at_s in (0.0, 0.1, 1.0, 2.0))
    played = Driver(Script(replace(route, policy=policy), plans, (answer,), 7)).play()
    assert [(event.error, event.attempts) for event in played.named("call_ended")] == [(None, 1)] * 4


@settings(max_examples=50)
@given(routes())
def test_a_total_outage_is_no_retry_storm(route):
    stingy = replace(route.policy, retry_budget=RetryBudgetPolicy(share=0.1, floor_per_s=0.0), attempts=6)
    plans = tuple(Plan(turn / 4, stream=False, deadline_s=None, leaves_after_s=None) for turn in range(120))
    down = Fate(FailureKind.OVERLOADED, None, None, 0.0)
    played = Driver(Script(replace(route, policy=stingy), plans, (down,), 7)).play()
    assert len(played.named("attempt_started")) <= 2 * len(plans) + 10 + 0.1 * len(plans)
