"""What fails together is learned once: parents over an endpoint, a model, a credential, a provider."""

from __future__ import annotations

from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core import controls
from failover.core.breaker import CLOSED, HALF_OPEN, OPEN
from failover.core.events import BreakerChanged, FateShared
from failover.core.failures import DISPOSITIONS, Failure, FailureKind, Scope, StayAway
from failover.core.messages import Failed
from failover.core.vocabulary import Route
from tests.core.school import BACKOFF, School
from tests.core.story import (
    CONNECTION,
    OVERLOADED,
    QUOTA_EXHAUSTED,
    RATE_LIMITED,
    SERVER_ERROR,
    Story,
    chain_of,
    target,
)

OPEN_S = 10.0
FAILURES = 5
MODELS = [f"model-{number}" for number in range(8)]


def ours(name, **facts):
    alike = {"provider": "openai", "model": name, "region": "us", "credential": "key-1"}
    return target(name, **alike | facts)


def school_of(*names):
    return School(*(ours(name) for name in names))


def fail_in_turn(school, names, times, kind=OVERLOADED, now=1.0):
    for name in islice(cycle(names), times):
        school.fails(name, kind, now=now)


def shared(school):
    return [event for event in school.events if isinstance(event, FateShared)]


def test_two_models_that_fail_in_turn_open_every_target_of_their_endpoint():
    school = school_of("a", "b", "c", "d")
    fail_in_turn(school, ["a", "b"], FAILURES - 1)
    assert school.away(1.0) == set()
    fail_in_turn(school, ["a"], 1)
    assert school.away(1.0) == {"a", "b", "c", "d"}


def test_one_dead_provider_of_eight_targets_is_learned_from_five_failures():
    school = school_of(*MODELS)
    fail_in_turn(school, MODELS, FAILURES)
    assert school.away(1.0) == set(MODELS)


def test_one_model_condemns_nobody_else():
    school = school_of("a", "b", "c")
    fail_in_turn(school, ["a"], FAILURES)
    assert school.away(1.0) == {"a"}
    assert shared(school) == []


def test_an_answer_of_anybody_ends_the_row():
    school = school_of("a", "b", "c")
    fail_in_turn(school, ["a", "b"], FAILURES - 1)
    school.succeeds("c", now=2.0)
    fail_in_turn(school, ["a", "b"], FAILURES - 1, now=50.0)
    assert school.away(50.0) == set()


def test_a_rejected_request_is_an_answer_too():
    school = school_of("a", "b")
    fail_in_turn(school, ["a", "b"], FAILURES - 1)
    school.fails("b", FailureKind.BAD_REQUEST, now=2.0)
    fail_in_turn(school, ["a"], 1, now=50.0)
    assert school.away(50.0) == set()


def test_an_answer_to_what_was_under_way_before_the_failures_does_not_end_their_row():
    school = school_of("a", "b", "c")
    under_way = school.asks("c", now=0.5)
    fail_in_turn(school, ["a", "b"], FAILURES)
    school.learned.succeed(school.state("c"), under_way, 2.0, None)
    fail_in_turn(school, ["a"], 1, now=3.0)
    assert school.away(3.0) == {"a", "b", "c"}


def test_an_answer_to_what_was_under_way_before_the_parent_opened_is_no_recovery():
    school = school_of("a", "b", "c")
    under_way = school.asks("c", now=0.5)
    fail_in_turn(school, ["a", "b"], FAILURES)
    school.learned.succeed(school.state("c"), under_way, 2.0, None)
    assert school.away(2.0) == {"a", "b", "c"}


def test_a_failure_that_began_before_an_answer_did_is_no_witness():
    school = school_of("a", "b")
    late = [school.asks("b", now=0.5) for _ in range(FAILURES - 1)]
    school.succeeds("a", now=1.0)
    for permit in late:
        school.fails("b", OVERLOADED, now=2.0, permit=permit)
    fail_in_turn(school, ["a"], 2, now=3.0)
    assert school.away(3.0) == set()


def test_failures_before_the_window_are_forgotten():
    school = school_of("a", "b")
    fail_in_turn(school, ["a", "b"], FAILURES - 1)
    fail_in_turn(school, ["a"], 1, now=31.1)
    assert school.away(31.1) == set()


def test_a_connection_that_fails_blames_its_endpoint_without_a_second_witness():
    school = School(
        ours("a"), ours("b"), ours("eu", region="eu"), ours("own", api_base="https://own.example")
    )
    fail_in_turn(school, ["a"], FAILURES, kind=CONNECTION)
    assert school.away(1.0) == {"a", "b"}


def test_two_models_of_one_region_say_nothing_of_another_region():
    school = School(ours("a"), ours("b"), ours("c"), ours("eu", region="eu"))
    fail_in_turn(school, ["a", "b"], 2 * FAILURES - 2)
    assert school.away(1.0) == {"a", "b", "c"}
    assert [(event.scope, event.domain) for event in shared(school)] == [(Scope.PROVIDER_REGION, "openai us")]


def test_two_regions_of_one_model_say_nothing_of_another_model():
    regions = [ours(region, region=region, model="gpt") for region in ("us", "eu", "asia")]
    school = School(*regions, ours("mini", region="asia"))
    fail_in_turn(school, ["us", "eu"], FAILURES)
    assert school.away(1.0) == {"us", "eu", "asia"}
    assert [(event.scope, event.domain) for event in shared(school)] == [(Scope.MODEL, "openai gpt")]


def test_two_models_of_one_key_in_two_regions_say_nothing_of_another_key():
    school = School(ours("a"), ours("b", region="eu"), ours("c"), ours("d", credential="key-2", region="eu"))
    fail_in_turn(school, ["a", "b"], FAILURES)
    assert school.away(1.0) == {"a", "b", "c"}
    assert [(event.scope, event.domain) for event in shared(school)] == [(Scope.CREDENTIAL, "openai key-1")]


def test_who_did_not_get_through_says_nothing_of_the_key():
    school = School(ours("a"), ours("b", region="eu"), ours("c"), ours("d", credential="key-2", region="eu"))
    fail_in_turn(school, ["a", "b"], FAILURES - 1, kind=CONNECTION)
    fail_in_turn(school, ["a"], 1, kind=OVERLOADED)
    assert school.away(1.0) == set()


def test_witnesses_that_differ_in_all_condemn_the_provider():
    school = School(ours("a"), ours("b", region="eu", credential="key-2"), ours("c", credential="key-2"))
    fail_in_turn(school, ["a", "b"], FAILURES)
    assert school.away(1.0) == {"a", "b", "c"}
    assert [(event.scope, event.domain) for event in shared(school)] == [(Scope.PROVIDER, "openai")]


def test_twins_learn_from_each_other_alone():
    school = School(ours("a", model="gpt"), ours("twin", model="gpt"))
    fail_in_turn(school, ["a"], FAILURES)
    assert school.away(1.0) == {"a", "twin"}


def test_plain_functions_are_models_of_their_own():
    school = School(ours("score", model=""), ours("rank", model=""), ours("sort", model=""))
    fail_in_turn(school, ["score"], FAILURES)
    assert school.away(1.0) == {"score"}


def test_the_same_model_of_another_provider_is_another_fate():
    school = School(
        ours("a", model="gpt"), ours("b", model="gpt"), ours("azure", model="gpt", provider="azure")
    )
    fail_in_turn(school, ["a", "b"], FAILURES)
    assert school.away(1.0) == {"a", "b"}


def test_the_others_return_one_after_the_other_while_the_last_witness_is_away():
    school = school_of("a", "b", "c", "d", "e")
    fail_in_turn(school, ["a", "b"], FAILURES, now=0.0)
    until_s = [school.state(name).breaker.open_until_s for name in "abcde"]
    assert until_s == [OPEN_S, 6.25, 7.5, 8.75, OPEN_S]


def test_nobody_is_away_longer_than_the_last_witness():
    school = school_of("a", "b", "c")
    school.state("b").breaker.trip(0.0, None)
    school.fails("b", OVERLOADED, now=10.0)
    fail_in_turn(school, ["a"], FAILURES - 1, now=10.0)
    assert school.state("b").breaker.open_until_s == 30.0
    [event] = shared(school)
    assert (event.targets, event.until_s) == (("c",), 20.0)
    assert school.state("c").breaker.open_until_s == 20.0


def test_what_was_shared_counts_as_counted_and_a_last_resort_may_doubt_it_after_a_second():
    school = school_of("a", "b", "c")
    fail_in_turn(school, ["a", "b"], FAILURES)
    for name in ("a", "b", "c"):
        assert school.state(name).breaker.ready_at_s(1.0, 0.25, last_resort=True) == 2.0
        assert school.state(name).breaker.ready_at_s(1.0, 0.25, last_resort=False) > 6.0


def test_who_answered_a_moment_ago_takes_one_failure_more_to_condemn_and_one_of_its_own():
    school = school_of("a", "b", "c")
    school.succeeds("c", now=0.5)
    fail_in_turn(school, ["a", "b"], FAILURES)
    assert school.away(1.0) == set()
    fail_in_turn(school, ["a"], 1)
    assert school.away(1.0) == {"a", "b"}
    school.fails("c", OVERLOADED, now=2.0)
    assert school.away(2.0) == {"a", "b", "c"}


def test_eight_busy_targets_of_a_dead_provider_need_few_failures_more_than_their_number():
    school = school_of(*MODELS)
    for name in MODELS:
        school.succeeds(name, now=0.5)
    fail_in_turn(school, MODELS, FAILURES + len(MODELS) - 1)
    assert school.away(1.0) == set()
    fail_in_turn(school, ["model-5"], 1)
    assert school.away(1.0) == set(MODELS)


def test_the_first_probe_that_is_answered_lets_all_others_be_probed_and_closes_only_its_own():
    school = school_of("a", "b", "c")
    fail_in_turn(school, ["a", "b"], FAILURES)
    probe = school.asks("a", now=5.0)
    school.learned.succeed(school.state("a"), probe, 6.0, None)
    assert school.away(6.0) == set()
    assert [school.state(name).breaker.state for name in ("a", "b", "c")] == [CLOSED, OPEN, OPEN]
    assert shared(school)[-1] == FateShared(6.0, Scope.PROVIDER_REGION, "openai us", ("b", "c"), 6.0)
    assert school.asks("b", now=6.0).probe
    assert school.state("b").breaker.state == HALF_OPEN


def test_a_sibling_whose_own_probe_fails_stays_away_when_the_others_returned():
    school = school_of("a", "b", "c")
    fail_in_turn(school, ["a", "b"], FAILURES)
    school.succeeds("a", now=6.0)
    school.fails("b", OVERLOADED, now=6.0)
    school.succeeds("a", now=7.0)
    school.succeeds("c", now=7.0)
    assert school.away(7.0) == {"b"}


def test_a_probe_that_fails_pushes_nobody_else_out():
    school = school_of("a", "b", "c")
    fail_in_turn(school, ["a", "b"], FAILURES)
    for _ in range(FAILURES):
        school.fails("a", OVERLOADED, now=11.0)
    assert school.away(11.0) == {"a"}


def test_recovery_does_not_shorten_what_was_asked_for():
    school = School(ours("a"), ours("b"), ours("c", credential="key-2"))
    fail_in_turn(school, ["a", "c"], FAILURES)
    school.fails("c", QUOTA_EXHAUSTED, now=11.0, retry_after_s=100.0)
    school.succeeds("a", now=12.0)
    assert school.away(12.0) == {"c"}


def test_recovery_does_not_shorten_an_operators_word():
    school = school_of("a", "b")
    controls.force_open(school.learned, school.state("b"), 0.0, 100.0)
    fail_in_turn(school, ["a"], FAILURES)
    school.succeeds("a", now=20.0)
    assert school.away(20.0) == {"b"}


def test_an_answer_closes_the_inner_and_the_outer_parent_together():
    school = School(ours("a"), ours("b"), ours("eu", region="eu"), ours("eu-2", region="eu"))
    fail_in_turn(school, ["a", "b"], FAILURES)
    fail_in_turn(school, ["eu"], 1)
    assert school.away(1.0) == {"a", "b", "eu", "eu-2"}
    school.succeeds("eu-2", now=3.0)
    assert school.away(3.0) == set()


def test_an_answer_elsewhere_leaves_an_endpoint_condemned_that_it_does_not_share():
    school = School(ours("a"), ours("b"), ours("eu", region="eu"))
    fail_in_turn(school, ["a", "b"], FAILURES)
    school.succeeds("eu", now=2.0)
    assert school.away(2.0) == {"a", "b"}


def test_a_late_failure_of_an_older_generation_is_no_witness():
    school = school_of("a", "b", "c")
    late = [school.asks("b") for _ in range(FAILURES)]
    school.state("b").breaker.reset(0.5)
    for permit in late:
        school.fails("b", OVERLOADED, now=1.0, permit=permit)
    fail_in_turn(school, ["a"], FAILURES - 1)
    assert school.away(1.0) == set()


@pytest.mark.parametrize(
    "kind", [kind for kind in FailureKind if DISPOSITIONS[kind].stay_away is not StayAway.BREAKER]
)
def test_only_what_a_breaker_counts_is_shared(kind):
    school = school_of("a", "b", "c")
    fail_in_turn(school, ["a", "b"], FAILURES - 2)
    permits = [school.asks("c") for _ in range(4)]
    for permit in permits:
        school.fails("c", kind, now=1.0, permit=permit)
    assert shared(school) == []


def test_an_operators_reset_takes_the_witness_back_and_closes_the_parent():
    school = school_of("a", "b", "c")
    fail_in_turn(school, ["a", "b"], FAILURES)
    controls.reset(school.learned, school.state("b"), 2.0)
    school.fails("b", OVERLOADED, now=3.0)
    assert school.away(3.0) == {"a", "c"}


def test_what_was_learned_of_shared_fate_survives_a_reload():
    school = school_of("a", "b", "c")
    fail_in_turn(school, ["a", "b"], FAILURES - 1)
    routes = [Route("chat", chain_of(ours("a"), ours("b"), ours("c"), ours("new")))]
    school.learned = controls.successor(school.learned, routes, 1.0)
    fail_in_turn(school, ["a"], 1)
    assert school.away(1.0) == {"a", "b", "c", "new"}
    routes = [Route("chat", chain_of(ours("a"), ours("b"), ours("c"), ours("newest")))]
    school.learned = controls.successor(school.learned, routes, 2.0)
    school.fails("newest", OVERLOADED, now=2.0)
    assert school.away(2.0) == {"a", "b", "c", "newest"}
    school.succeeds("a", now=3.0)
    assert school.away(3.0) == set()


def test_targets_that_share_nothing_have_no_parents():
    school = School("a", "b", ours("c"))
    assert {state.member.parents for state in school.learned.states.values()} == {()}


def test_a_dead_provider_costs_each_call_no_more_than_one_attempt_once_it_is_known():
    story = Story(ours("a"), ours("b"), ours("c"), ours("d"), "claude")
    for _ in range(2):
        call = story.call()
        while call.wanted[0].target.name != "claude":
            call.hears(Failed(call.wanted[0].attempt, Failure(SERVER_ERROR)))
        call.sends_to("claude").succeeds()
    assert story.told().count("attempt_started") == FAILURES + 2
    story.call().sends_to("claude")


def test_a_chain_of_one_dead_provider_is_probed_as_a_last_resort_and_returns_whole():
    story = Story(ours("a"), ours("b"), ours("c"))
    for name in ("a", "b", "a", "b", "a"):
        permit = story.learned.acquire(story.state(name), 0.0)
        story.learned.blame(story.state(name), permit, Failure(SERVER_ERROR), 0.0, BACKOFF)
    story.after(0.5).call().waits_until(1.0).wakes().sends_to("a").succeeds()
    assert {state.eligible(story.now) for state in story.learned.states.values()} == {True}


HISTORY = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from([None, OVERLOADED, SERVER_ERROR, CONNECTION, RATE_LIMITED]),
        st.sampled_from([0.0, 0.1, 3.0, 20.0]),
    ),
    max_size=60,
)


@given(HISTORY)
def test_who_answered_within_the_window_and_failed_nothing_since_is_never_condemned(history):
    school = school_of(*"abcd")
    now, well_s = 0.0, {}
    for name, kind, waits_s in history:
        now += waits_s
        if not school.state(name).eligible(now):
            continue
        if kind is None:
            school.succeeds(name, now=now)
            well_s[name] = now
        else:
            school.fails(name, kind, now=now, retry_after_s=0.0)
            well_s.pop(name, None)
        window_s = school.state(name).breaker.policy.window_s
        for each, since_s in well_s.items():
            if now - since_s <= window_s:
                assert school.state(each).breaker.state == CLOSED


@given(HISTORY)
def test_targets_alone_at_their_providers_learn_as_if_there_were_no_parents(history):
    alone, unbound = School(*"abcd"), School(*"abcd")
    for state in unbound.learned.states.values():
        state.member.parents = ()
    for school in (alone, unbound):
        now = 0.0
        for name, kind, waits_s in history:
            now += waits_s
            if school.state(name).eligible(now):
                if kind is None:
                    school.succeeds(name, now=now)
                else:
                    school.fails(name, kind, now=now, retry_after_s=0.0)
    assert alone.events == unbound.events


@given(HISTORY)
def test_a_breaker_is_opened_early_only_by_a_row_of_failures_without_an_answer(history):
    school = school_of(*"abcd")
    now, failed_since_answer = 0.0, 0
    for name, kind, waits_s in history:
        now += waits_s
        if not school.state(name).eligible(now):
            continue
        told = len(shared(school))
        if kind is None:
            school.succeeds(name, now=now)
            failed_since_answer = 0
        elif kind is not RATE_LIMITED:
            failed_since_answer += 1
            school.fails(name, kind, now=now)
            if len(shared(school)) > told:
                assert failed_since_answer >= FAILURES


def test_every_opening_is_told_before_the_fate_that_explains_it():
    school = school_of("a", "b", "c")
    fail_in_turn(school, ["a", "b"], FAILURES)
    *openings, fate = school.events
    assert [(event.target, event.state_to) for event in openings if isinstance(event, BreakerChanged)] == [
        ("a", OPEN),
        ("b", OPEN),
        ("c", OPEN),
    ]
    assert fate == FateShared(1.0, Scope.PROVIDER_REGION, "openai us", ("b", "c"), 11.0)
