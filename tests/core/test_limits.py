"""Limits of your own: never exceeded, waited for in turn, and given back whatever becomes of an attempt."""

from __future__ import annotations

import gc
from bisect import bisect_right
from collections import deque
from dataclasses import replace
from math import inf

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.core.controls import successor
from failover.core.limits import GRAIN_S, LATE_S, MINUTE_S, ROOM_POLL_S, Limiter, Load
from failover.core.messages import Send, Wake
from failover.core.policy import LastResort
from failover.core.vocabulary import Reason, Usage
from failover.errors import NoEligibleTargetError
from tests.core.script import Driver, scripts
from tests.core.story import CONNECTION, OVERLOADED, Story, target

ROUNDING_S = 1e-9


def limited(name="gpt", **limits):
    return target(name, **limits)


def per_minute(requests):
    return limited(requests_per_minute=requests)


# The log.


def test_so_many_requests_may_start_at_once_and_no_more():
    limiter = Limiter(requests_per_minute=3)
    for _ in range(3):
        assert limiter.ready_at_s(5.0, 0) == 5.0
        limiter.take(Load(), 5.0)
    assert limiter.ready_at_s(5.0, 0) == 65.0


def test_a_send_leaves_the_minute_when_it_is_a_minute_old():
    limiter = Limiter(requests_per_minute=2)
    limiter.take(Load(), 0.0)
    limiter.take(Load(), 20.0)
    assert limiter.ready_at_s(59.9, 0) == MINUTE_S
    assert limiter.ready_at_s(MINUTE_S, 0) == MINUTE_S
    limiter.take(Load(), MINUTE_S)
    assert limiter.ready_at_s(MINUTE_S, 0) == 80.0


def test_a_larger_request_waits_until_enough_left_the_minute():
    limiter = Limiter(tokens_per_minute=100)
    limiter.take(Load(40, 0), 0.0)
    limiter.take(Load(40, 0), 10.0)
    assert limiter.ready_at_s(20.0, 0, Load(20, 0)) == 20.0
    assert limiter.ready_at_s(20.0, 0, Load(40, 20)) == 60.0
    assert limiter.ready_at_s(20.0, 0, Load(40, 60)) == 70.0


def test_a_prompt_that_no_minute_can_take_never_fits():
    assert Limiter(tokens_per_minute=100).ready_at_s(0.0, 0, Load(101, 0)) == inf


def test_the_guess_at_an_answers_length_keeps_nobody_away_for_ever():
    limiter = Limiter(tokens_per_minute=100)
    assert limiter.ready_at_s(0.0, 0, Load(50, 4000)) == 0.0


def test_where_nothing_is_said_of_the_request_there_must_be_room_for_a_token():
    limiter = Limiter(tokens_per_minute=100)
    limiter.take(Load(100, 0), 0.0)
    assert limiter.ready_at_s(1.0, 0) == 60.0


def test_what_was_really_used_takes_the_place_of_the_estimate():
    story = Story(limited(tokens_per_minute=1000))
    log = story.state("gpt").limiter.log
    call = story.call(tokens_in=300, tokens_out=600).sends_to("gpt")
    assert log.tokens == 900
    call.succeeds(Usage(310, 40))
    assert log.tokens == 350


def test_what_is_told_after_a_minute_changes_nothing():
    story = Story(limited(tokens_per_minute=1000), deadline_s=300.0)
    call = story.call(tokens_in=300, tokens_out=600).sends_to("gpt").after(61.0)
    assert story.state("gpt").limiter.log_at(story.now).tokens == 0
    call.succeeds(Usage(310, 40))
    assert story.state("gpt").limiter.log.tokens == 0


def test_memory_is_flat_however_many_are_sent():
    limiter = Limiter(requests_per_minute=10**6)
    for turn in range(20_000):
        limiter.take(Load(), turn / 100)
    assert len(limiter.log.entries) <= MINUTE_S / GRAIN_S + 1


SENDS = st.lists(st.sampled_from([0.0, 0.01, 0.4, 0.7, 1.0, 7.3, 30.0, 59.999, 60.0]), max_size=80)


@given(st.integers(1, 8), SENDS)
def test_no_minute_holds_more_than_the_limit(most, gaps):
    limiter, now, sent = Limiter(requests_per_minute=most), 0.0, []
    for gap_s in gaps:
        now += gap_s
        if limiter.ready_at_s(now, 0) <= now:
            limiter.take(Load(), now)
            sent.append(now)
    assert all(
        bisect_right(sent, start + MINUTE_S - ROUNDING_S) - turn <= most for turn, start in enumerate(sent)
    )


@given(st.integers(1, 8), SENDS)
def test_whoever_waits_until_told_gets_in_a_second_late_at_most(most, gaps):
    limiter, now, sent = Limiter(requests_per_minute=most), 0.0, deque(maxlen=most)
    for gap_s in gaps:
        now += gap_s
        at_s = limiter.ready_at_s(now, 0)
        exact_s = sent[0] + MINUTE_S if len(sent) == most else now
        assert exact_s - ROUNDING_S <= max(at_s, exact_s) <= max(exact_s, now) + GRAIN_S
        now = at_s
        assert limiter.ready_at_s(now, 0) == now
        limiter.take(Load(), now)
        sent.append(now)


# In a call.


def test_who_reached_its_limit_is_passed_over_and_says_until_when():
    story = Story(per_minute(1), "claude")
    story.call().sends_to("gpt").succeeds()
    call = story.after(1.0).call().sends_to("claude")
    [passed] = call.call.story(story.now).passed_over
    assert (passed.target.name, passed.reason, passed.until_s) == ("gpt", Reason.LIMIT_REACHED, 60.0)
    story.after(59.0).call().sends_to("gpt")


def test_nobody_knows_when_an_attempt_under_way_will_end():
    story = Story(limited(concurrency=1), "claude")
    story.call().sends_to("gpt")
    [passed] = story.call().sends_to("claude").call.story(story.now).passed_over
    assert (passed.reason, passed.until_s) == (Reason.LIMIT_REACHED, None)


def test_a_prompt_that_cannot_fit_goes_to_somebody_else():
    story = Story(limited(tokens_per_minute=100), limited("claude", tokens_per_minute=1000))
    [passed] = story.call(tokens_in=500).sends_to("claude").call.story(0.0).passed_over
    assert (passed.target.name, passed.reason, passed.until_s) == ("gpt", Reason.LIMIT_REACHED, None)


def test_alone_it_is_waited_for():
    story = Story(per_minute(1), deadline_s=90.0)
    story.call().sends_to("gpt").succeeds()
    story.after(10.0).call().waits_until(60.0).wakes().sends_to("gpt").succeeds()


def test_nobody_waits_past_the_deadline():
    story = Story(per_minute(1), deadline_s=30.0)
    story.call().sends_to("gpt").succeeds()
    error = story.after(10.0).call().raises(NoEligibleTargetError)
    assert error.retry_after_s == 50.0
    assert "limit_reached" in str(error)


def test_where_a_route_would_rather_fail_nobody_waits():
    story = Story(per_minute(1), deadline_s=90.0, last_resort=LastResort.FAIL)
    story.call().sends_to("gpt").succeeds()
    story.call().raises(NoEligibleTargetError)


def test_room_is_looked_for_now_and_then_while_an_attempt_runs():
    story = Story(limited(concurrency=1), deadline_s=90.0)
    first = story.call().sends_to("gpt")
    second = story.after(1.0).call().waits_until(1.0 + ROOM_POLL_S).wakes().waits_until(1.0 + 2 * ROOM_POLL_S)
    first.succeeds()
    second.wakes().sends_to("gpt").succeeds()


def test_a_caller_who_left_makes_room():
    story = Story(limited(concurrency=1))
    story.call().sends_to("gpt").leaves().cancels()
    story.call().sends_to("gpt").succeeds()


def test_a_retry_needs_room_as_well():
    story = Story(per_minute(1), deadline_s=90.0)
    story.call().sends_to("gpt").fails(CONNECTION).waits_until(60.0).wakes().sends_to("gpt").succeeds()


def test_a_fallback_needs_room_as_well():
    story = Story("gpt", limited("claude", requests_per_minute=1), "mistral")
    story.call().sends_to("gpt").fails(OVERLOADED).sends_to("claude").succeeds()
    story.call().sends_to("gpt").fails(OVERLOADED).sends_to("mistral")


def test_a_limit_is_no_outage_that_opens_breakers_early():
    story = Story(per_minute(1), "claude", deadline_s=90.0).opens_the_breaker_of("claude", 20.0)
    story.state("claude").breaker._storage.last_resort_s = 1.0  # noqa: SLF001  as if it had opened by counting
    story.call().sends_to("gpt").succeeds()
    story.after(2.0).call().waits_until(20.0)


# In turn.


def test_who_waited_first_is_served_first():
    story = Story(per_minute(1), deadline_s=1000.0)
    story.call().sends_to("gpt").succeeds()
    first = story.after(1.0).call().waits_until(60.0)
    second = story.after(1.0).call()
    assert isinstance(second.wanted[0], Wake)
    assert second.wanted[0].at_s >= 60.0
    story.after(58.0).call()._wants(Wake)  # noqa: SLF001  a new request finds a place behind both
    first.wakes().sends_to("gpt").succeeds()
    second.wake_at_s = second.wanted[0].at_s
    second.wakes()._wants(Wake)  # noqa: SLF001  the minute is used up again


def test_who_leaves_the_queue_gives_up_its_place():
    story = Story(per_minute(1), deadline_s=1000.0)
    story.call().sends_to("gpt").succeeds()
    story.after(1.0).call().waits_until(60.0).leaves()
    story.after(59.0).call().sends_to("gpt")


def test_who_finds_somebody_else_gives_up_its_place():
    story = Story(per_minute(1), "claude", deadline_s=1000.0).cools_down("claude", 90.0)
    story.call().sends_to("gpt").succeeds()
    waits = story.after(1.0).call().waits_until(60.0)
    story.cools_down("claude", 0.0)
    story.state("gpt").drained = True
    waits.wakes().sends_to("claude")
    story.state("gpt").drained, story.state("claude").drained = False, True
    story.call().sends_to("gpt")


def test_who_finds_another_queue_shorter_changes_over():
    story = Story(per_minute(1), limited("claude", requests_per_minute=1), deadline_s=1000.0)
    story.call().sends_to("gpt").succeeds()
    story.after(1.0).call().sends_to("claude").succeeds()
    waits = story.after(1.0).call().waits_until(60.0)
    story.state("gpt").drained = True
    waits.wakes().waits_until(61.0)
    story.state("gpt").drained = False
    story.call().sends_to("gpt")
    waits.wakes().sends_to("claude")


def test_a_place_that_nobody_claims_is_lost():
    limiter, forgotten = Limiter(requests_per_minute=1), Load()
    limiter.take(Load(), 0.0)
    limiter.queue_up(forgotten, limiter.ready_at_s(1.0, 0, forgotten), 1.0, 0)
    assert limiter.ready_at_s(MINUTE_S + LATE_S, 0, Load()) > MINUTE_S + LATE_S
    late_s = MINUTE_S + LATE_S + 0.1
    assert limiter.ready_at_s(late_s, 0, Load()) == late_s
    limiter.take(Load(), late_s)
    later = Load()
    limiter.queue_up(later, limiter.ready_at_s(late_s, 0, later), late_s, 0)
    assert limiter.ready_at_s(late_s + MINUTE_S, 0, later) == late_s + MINUTE_S
    assert limiter.ready_at_s(late_s + MINUTE_S, 0, forgotten) > late_s + MINUTE_S


def test_who_waits_for_something_else_takes_no_place():
    story = Story(limited(concurrency=1), deadline_s=90.0)
    waits = story.call().sends_to("gpt").fails(OVERLOADED)
    waits._wants(Wake)  # noqa: SLF001  its own backoff
    story.call().sends_to("gpt").succeeds()


def test_the_further_behind_the_less_often_somebody_looks():
    limiter, now = Limiter(concurrency=2), 0.0
    waiting = [Load() for _ in range(9)]
    for load in waiting:
        limiter.queue_up(load, limiter.ready_at_s(now, 2, load), now, 2)
    looks = [limiter.ready_at_s(now, 2, load) for load in waiting]
    assert looks[:3] == [ROOM_POLL_S, ROOM_POLL_S, 2 * ROOM_POLL_S]
    assert looks == sorted(looks)


@given(st.integers(1, 3), st.integers(1, 12))
def test_all_who_wait_are_served_in_the_order_they_came(most, count):
    story = Story(per_minute(most), deadline_s=86_400.0)
    calls = [story.after(0.001).call() for _ in range(count)]
    waiting, served = list(range(count)), []
    for _ in range(count * count + count):
        for number in tuple(waiting):
            if isinstance(calls[number].wanted[0], Send):
                waiting.remove(number)
                served.append(number)
        if not waiting:
            break
        following = min(waiting, key=lambda number: (calls[number].wanted[0].at_s, number))
        story.now = max(story.now, calls[following].wanted[0].at_s)
        calls[following].hears_the_clock()
    assert served == list(range(count))


# Another config.


def test_another_config_does_not_forget_what_was_sent_under_the_last():
    story = Story(limited(requests_per_minute=5, concurrency=9))
    running = [story.call().sends_to("gpt") for _ in range(3)]
    changed = Story(limited(requests_per_minute=4, concurrency=3))
    after = successor(story.learned, [changed.route], 1.0)
    state = after.states["gpt"]
    assert not state.eligible(1.0)
    running[0].succeeds()
    assert state.eligible(1.0)
    for call in running[1:]:
        call.succeeds()
    assert state.limiter.running(0) == 0
    after.acquire(state, 1.0)
    assert not state.eligible(1.0)
    assert state.passed_over(1.0).until_s == 60.0


def test_reload_after_reload_keeps_no_more_than_the_last_config_where_nothing_runs():
    def kept() -> int:
        gc.collect()
        return sum(isinstance(each, Limiter) for each in gc.get_objects())

    learned = Story(per_minute(1)).learned
    before = kept()
    for requests in range(2, 30):
        learned = successor(learned, [Story(per_minute(requests)).route], 1.0)
    assert kept() - before <= 2


def test_limits_that_are_new_count_from_then_on():
    story = Story("gpt")
    story.call().sends_to("gpt")
    after = successor(story.learned, [Story(limited(concurrency=1)).route], 1.0)
    assert after.states["gpt"].limiter.running(after.states["gpt"].in_flight) == 1
    again = successor(after, [Story(limited(concurrency=2)).route], 1.0)
    assert again.states["gpt"].limiter.running(0) == 1


# Whatever happens.

LIMITS = st.builds(
    lambda rpm, tpm, most: {"requests_per_minute": rpm, "tokens_per_minute": tpm, "concurrency": most},
    st.sampled_from([None, 1, 2, 5]),
    st.sampled_from([None, 300, 2000]),
    st.sampled_from([None, 1, 2]),
)


@st.composite
def limited_scripts(draw):
    script = draw(scripts())
    chain = tuple(tuple(replace(each, **draw(LIMITS)) for each in tier) for tier in script.route.chain)
    return replace(script, route=replace(script.route, chain=chain))


def no_minute_and_no_moment_holds_more_than_is_allowed(played):
    limits = {each.name: each for each in played.script.route.targets()}
    started, running = {name: [] for name in limits}, dict.fromkeys(limits, 0)
    for event in played.events:
        if event.event == "attempt_started":
            mine = limits[event.target]
            started[event.target].append(event.at_s)
            running[event.target] += 1
            within = [at_s for at_s in started[event.target] if at_s > event.at_s - MINUTE_S + ROUNDING_S]
            assert len(within) <= (mine.requests_per_minute or inf)
            assert running[event.target] <= (mine.concurrency or inf)
        elif event.event == "attempt_ended":
            running[event.target] -= 1


def nothing_is_in_flight_in_the_end(played):
    assert {state.in_flight for state in played.learned.states.values()} == {0}


def every_call_ends_once(played):
    assert sorted(played.ended) == sorted(set(played.ended))
    assert len(played.named("call_ended")) == len(played.script.plans)


def nobody_polls_without_end(played):
    assert played.steps <= 500 * len(played.script.plans)


RULES = [
    no_minute_and_no_moment_holds_more_than_is_allowed,
    nothing_is_in_flight_in_the_end,
    every_call_ends_once,
    nobody_polls_without_end,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(script=limited_scripts())
def test_of_every_script_with_limits(rule, script):
    rule(Driver(script).play())
