"""Who just came back takes its share of the requests little by little, and no request pays for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.breaker import CLOSED, OPEN
from failover.core.controls import reset, successor
from failover.core.decide import Facts, decide
from failover.core.policy import BreakerPolicy
from failover.core.ramp import RAMP_FLOOR, Ramp
from failover.core.vocabulary import Outcome, Request
from tests.core.script import Driver, scripts
from tests.core.story import OVERLOADED, SERVER_ERROR, Story

RAMP_S = 10.0
GAPS_S = st.lists(st.floats(0.0, 3.0), max_size=60)


def begun(ramp_s=RAMP_S):
    ramp = Ramp(ramp_s)
    ramp.begin(0.0)
    return ramp


def admitted(ramp, times):
    """Of requests at these times, those that ask it first."""
    asked = []
    for now in times:
        if ramp.admits(now):
            asked.append(now)
            ramp.take(now)
        else:
            ramp.hold_back(now)
    return asked


def every(step_s, until_s):
    return [turn * step_s for turn in range(int(until_s / step_s))]


def story(*chain, ramp_s=RAMP_S, **limits):
    return Story(*chain, breaker=BreakerPolicy(failures=2, ramp_s=ramp_s), **limits)


def come_back(one, *names):
    """Their breakers opened, and a probe closed them now."""
    for name in names:
        state = one.state(name)
        state.breaker.trip(one.now, 0.0)
        one.learned.succeed(state, one.learned.acquire(state, one.now), one.now, None)
        assert state.breaker.state == CLOSED
    return one


def decision(one):
    return decide(one.route, Request("asked"), one.learned, one.facts, one.now, one.rng)


def order(one):
    return [target.name for target in decision(one).order]


def test_without_a_ramp_everybody_is_let_through():
    assert Ramp(RAMP_S).share(0.0) == 1.0
    assert admitted(Ramp(RAMP_S), every(0.1, 5.0)) == every(0.1, 5.0)


def test_a_ramp_of_no_length_holds_nobody_back():
    assert admitted(begun(0.0), every(0.1, 5.0)) == every(0.1, 5.0)


def test_the_share_grows_evenly_from_the_floor_to_all():
    ramp = begun()
    assert [ramp.share(now) for now in (0.0, 5.0, 10.0, 99.0)] == [RAMP_FLOOR, 0.55, 1.0, 1.0]


def test_about_so_many_requests_pass_as_the_share_says():
    asked = admitted(begun(), every(0.01, 10.0))
    halves = sum(now < 5.0 for now in asked), sum(now >= 5.0 for now in asked)
    assert halves == pytest.approx((500 * 0.325, 500 * 0.775), abs=2)


def test_after_the_ramp_everybody_passes():
    times = [10.0 + now for now in every(0.01, 2.0)]
    assert admitted(begun(), times) == times


def test_asking_changes_nothing():
    ramp = begun()
    assert [ramp.admits(5.0) for _ in range(50)] == [False] * 50


def test_who_is_asked_out_of_turn_does_not_pay_for_it_later():
    ramp = begun()
    for _ in range(50):
        ramp.take(5.0)
    assert len(admitted(ramp, [5.0] * 20)) == 11


@given(GAPS_S, st.floats(0.5, 100.0))
def test_the_share_never_shrinks_and_never_leaves_its_bounds(gaps, ramp_s):
    ramp, now, share = begun(ramp_s), 0.0, RAMP_FLOOR
    for gap in gaps:
        now += gap
        assert share <= ramp.share(now) <= 1.0
        share = ramp.share(now)


@given(GAPS_S)
def test_never_more_pass_than_the_shares_add_up_to(gaps):
    ramp, now, passed, allowed = begun(), 0.0, 0, 0.0
    for gap in gaps:
        now += gap
        allowed += ramp.share(now)
        passed += len(admitted(ramp, [now]))
        assert allowed - 1.0 - 1e-6 < passed <= allowed + 1e-6


def test_the_next_target_takes_what_is_held_back():
    one = come_back(story("gpt", "claude", "mistral"), "gpt")
    assert order(one) == ["claude", "mistral", "gpt"]
    assert [target.name for target in decision(one).held_back] == ["gpt"]
    assert decision(one).passed_over == ()
    one.call().sends_to("claude").succeeds()


def test_deciding_moves_no_ramp():
    one = come_back(story("gpt", "claude"), "gpt").after(5.0)
    assert {tuple(order(one)) for _ in range(20)} == {("claude", "gpt")}


def test_halfway_about_half_of_the_calls_ask_it():
    one = come_back(story("gpt", "claude"), "gpt").after(5.0)
    asked = []
    for _ in range(20):
        first = order(one)[0]
        one.call().sends_to(first).succeeds()
        asked.append(first)
    assert asked.count("gpt") == 11


def test_second_by_second_more_calls_ask_it_first():
    one = come_back(story("gpt", "claude"), "gpt")
    asked = []
    for _ in range(12):
        first = []
        for _ in range(20):
            first.append(order(one)[0])
            one.call().sends_to(first[-1]).succeeds()
            one.after(0.05)
        asked.append(first.count("gpt"))
    assert asked == sorted(asked)
    assert asked[0] <= 3
    assert asked[10:] == [20, 20]
    assert sum(asked[:10]) == pytest.approx(200 * (1 + RAMP_FLOOR) / 2, abs=2)


def test_it_is_the_fallback_of_those_it_was_held_back_from():
    one = come_back(story("gpt", "claude"), "gpt")
    one.call().sends_to("claude").fails(OVERLOADED).sends_to("gpt").succeeds()


def test_a_standby_is_where_it_was():
    one = come_back(story("gpt", "claude", "mistral"), "claude")
    assert order(one) == ["gpt", "claude", "mistral"]
    assert decision(one).held_back == ()
    one.call().sends_to("gpt").fails(OVERLOADED).sends_to("claude").succeeds()


def test_two_that_come_back_together_are_both_held_back():
    one = come_back(story("gpt", "azure", "claude"), "gpt", "azure")
    assert order(one) == ["claude", "gpt", "azure"]
    one.call().sends_to("claude").succeeds()
    soon_s = one.now + 8.95
    assert all(one.state(name).ramp.admits(soon_s) for name in ("gpt", "azure"))
    assert not come_back(one, "gpt").state("gpt").ramp.admits(soon_s)


def test_nobody_is_held_back_while_nobody_else_is_left():
    one = come_back(story("gpt"), "gpt")
    for _ in range(5):
        one.call().sends_to("gpt").succeeds()
    assert decision(one).held_back == ()


@pytest.mark.parametrize("chain", [("gpt", "claude"), ("claude", "gpt")])
def test_nobody_is_held_back_while_the_others_are_away(chain):
    one = come_back(story(*chain).opens_the_breaker_of("claude", 60.0), "gpt")
    one.call().sends_to("gpt").succeeds()


def test_nobody_is_held_back_for_one_that_would_have_to_be_probed():
    one = come_back(story("gpt", "claude").opens_the_breaker_of("claude", 1.0), "gpt").after(2.0)
    assert order(one) == ["gpt", "claude"]


def test_all_who_come_back_together_serve_in_the_authors_order():
    one = come_back(story("gpt", "claude"), "gpt", "claude")
    one.call().sends_to("gpt").succeeds()


def test_one_failure_on_the_ramp_does_not_open():
    one = come_back(story("gpt", "claude"), "gpt").after(9.9)
    one.state("gpt").ramp.hold_back(one.now)
    one.call().sends_to("gpt").fails(SERVER_ERROR).sends_to("claude").succeeds()
    assert one.state("gpt").breaker.state == CLOSED


def test_as_many_failures_as_ever_open_and_end_the_ramp():
    one = come_back(story("gpt"), "gpt")
    state = one.state("gpt")
    assert state.ramp.share(one.now) == RAMP_FLOOR
    for _ in range(2):
        one.learned.acquire(state, one.now).settle(Outcome.FAILURE, one.now)
    assert state.breaker.state == OPEN
    assert state.ramp.share(one.now) == 1.0


def test_each_return_begins_a_ramp_of_its_own():
    one = come_back(story("gpt", "claude"), "gpt")
    come_back(one.after(60.0), "gpt")
    assert one.state("gpt").ramp.share(one.now) == RAMP_FLOOR


def test_an_operators_word_closes_without_a_ramp():
    one = story("gpt", "claude").opens_the_breaker_of("gpt", 60.0)
    reset(one.learned, one.state("gpt"), one.now)
    assert order(one) == ["gpt", "claude"]


def test_an_operators_word_ends_a_ramp():
    one = come_back(story("gpt", "claude"), "gpt")
    reset(one.learned, one.state("gpt"), one.now)
    assert order(one) == ["gpt", "claude"]


def test_a_ramp_survives_a_reload_that_changes_nothing():
    one = come_back(story("gpt", "claude"), "gpt")
    one.learned = successor(one.learned, [one.route], one.now)
    assert order(one) == ["claude", "gpt"]


@given(scripts(), st.floats(0.0, 20.0))
def test_a_ramp_takes_no_target_from_any_request(script, after_s):
    """In whatever state many calls left the targets, it changes who is first, never who is there."""
    ramped = replace(script.route.policy.breaker, ramp_s=60.0)
    route = replace(script.route, policy=replace(script.route.policy, breaker=ramped))
    played = Driver(replace(script, route=route)).play()
    now = max(event.at_s for event in played.events) + after_s

    def half():
        return 0.5

    def decided():
        return decide(route, Request("asked"), played.learned, Facts(), now, half)

    held = decided()
    for state in played.learned.states.values():
        state.ramp.end()
    free = decided()
    assert sorted(target.name for target in held.order) == sorted(target.name for target in free.order)
    assert held.passed_over == free.passed_over
    assert held.order == (*free.order[len(held.held_back) :], *held.held_back)
    assert held.held_back == free.order[: len(held.held_back)]
    assert not free.held_back
    if held.held_back:
        assert any(played.learned.states[each.name].breaker.state == CLOSED for each in held.order)
