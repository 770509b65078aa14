"""One target's breaker: when it opens, for how long, and whom it lets through."""

from __future__ import annotations

import pytest
from pybreaker import CircuitBreakerError

from failover.core.breaker import CLOSED, HALF_OPEN, OPEN, Breaker
from failover.core.policy import BreakerPolicy
from failover.core.vocabulary import Outcome

SUCCESS, FAILURE, ABANDONED = Outcome.SUCCESS, Outcome.FAILURE, Outcome.ABANDONED


def breaker(**policy):
    return Breaker(BreakerPolicy(**{"failures": 3, "open_s": 10.0, "open_max_s": 40.0, **policy}))


def sees(one, *outcomes, now=0.0, first_token_s=None):
    for outcome in outcomes:
        one.acquire(now).settle(outcome, now, first_token_s=first_token_s)
    return one


def opened(now=0.0, **policy):
    return sees(breaker(**policy), *[FAILURE] * 3, now=now)


def opened_again(one):
    """Probe it as soon as it allows, in vain; how long it then stays open."""
    now = one.open_until_s
    sees(one, FAILURE, now=now)
    return one.open_until_s - now


def test_it_starts_closed_and_lets_everybody_through():
    one = breaker()
    assert one.state == CLOSED
    assert [one.acquire(0.0).probe for _ in range(50)] == [False] * 50


def test_it_opens_on_consecutive_failures():
    assert opened().state == OPEN


def test_a_success_in_between_starts_the_count_afresh():
    assert sees(breaker(), FAILURE, FAILURE, SUCCESS, FAILURE, FAILURE).state == CLOSED


def test_answers_that_were_under_way_when_the_trouble_began_do_not_end_a_row_of_failures():
    one = breaker(failures=3)
    slow = [one.acquire(0.0) for _ in range(4)]
    quick = [one.acquire(1.0) for _ in range(3)]
    for answered, failed in zip(slow, quick, strict=False):
        failed.settle(FAILURE, 1.1)
        answered.settle(SUCCESS, 1.2)
    assert one.state == OPEN


def test_failures_with_an_unknown_outcome_between_them_are_not_in_a_row():
    one = breaker(failures=2)
    first, between, last = [one.acquire(0.0) for _ in range(3)]
    first.settle(FAILURE, 0.1)
    last.settle(FAILURE, 0.2)
    assert one.state == CLOSED
    between.settle(SUCCESS, 5.0)
    assert one.state == CLOSED


def test_a_failure_that_was_sent_before_the_row_does_not_lengthen_it():
    one = breaker(failures=2)
    early, late = one.acquire(0.0), one.acquire(0.0)
    late.settle(FAILURE, 0.1)
    early.settle(FAILURE, 5.0)
    assert one.state == CLOSED


def test_an_abandoned_attempt_neither_counts_nor_starts_afresh():
    one = sees(breaker(), FAILURE, FAILURE, ABANDONED)
    assert one.state == CLOSED
    assert sees(one, FAILURE).state == OPEN


def test_it_opens_by_the_share_of_failures():
    one = sees(breaker(min_requests=6, failure_share=0.5), *[FAILURE, SUCCESS] * 2, SUCCESS, FAILURE)
    assert one.state == OPEN


def test_a_share_of_few_requests_proves_nothing():
    assert sees(breaker(min_requests=7), *[FAILURE, SUCCESS] * 2, SUCCESS, FAILURE).state == CLOSED


def test_failures_before_the_window_count_no_more():
    one = sees(breaker(min_requests=4, window_s=30.0), FAILURE, FAILURE, SUCCESS)
    assert sees(one, FAILURE, now=31.0).state == CLOSED


def test_it_opens_by_the_share_of_slow_first_tokens():
    one = breaker(slow_s=5.0, slow_share=0.5, min_requests=4)
    sees(one, SUCCESS, SUCCESS, first_token_s=1.0)
    sees(one, SUCCESS, first_token_s=6.0)
    assert one.state == CLOSED
    assert sees(one, SUCCESS, first_token_s=6.0).state == OPEN


def test_slow_first_tokens_of_few_requests_prove_nothing():
    assert sees(breaker(slow_s=5.0, min_requests=4), *[SUCCESS] * 3, first_token_s=6.0).state == CLOSED


def test_a_small_share_of_slow_first_tokens_proves_nothing():
    one = sees(breaker(slow_s=5.0, slow_share=0.5, min_requests=4), *[SUCCESS] * 4, first_token_s=1.0)
    assert sees(one, SUCCESS, first_token_s=6.0).state == CLOSED


def test_an_answer_as_slow_as_the_limit_is_not_slow():
    assert sees(breaker(min_requests=1, slow_s=5.0), SUCCESS, first_token_s=5.0).state == CLOSED


def test_while_open_it_admits_nobody_until_the_open_time_ends():
    one = opened(now=100.0)
    assert [one.admits(at_s) for at_s in (100.0, 109.9, 110.0)] == [False, False, True]


def test_asking_whether_it_admits_takes_no_permit():
    one = opened()
    assert [one.admits(10.0) for _ in range(3)] == [True] * 3
    assert one.state == OPEN


def test_half_open_it_lets_one_probe_through():
    one = opened()
    assert one.acquire(10.0).probe
    assert one.state == HALF_OPEN
    assert not one.admits(11.0)


def test_half_open_it_lets_as_many_probes_through_as_the_policy_says():
    one = opened(probes=3)
    for _ in range(3):
        assert one.admits(10.0)
        one.acquire(10.0)
    assert not one.admits(10.0)


def test_a_probe_that_succeeds_closes_it():
    assert sees(opened(), SUCCESS, now=10.0).state == CLOSED


def test_a_probe_that_is_slow_opens_it_again():
    assert sees(opened(slow_s=5.0), SUCCESS, now=10.0, first_token_s=6.0).state == OPEN


def test_a_cancelled_probe_returns_its_slot():
    one = opened()
    one.acquire(10.0).settle(ABANDONED, 11.0)
    assert one.state == HALF_OPEN
    assert one.admits(11.0)


def test_what_was_counted_before_it_opened_is_forgotten_when_it_closes():
    one = sees(opened(), SUCCESS, now=10.0)
    assert sees(one, FAILURE, FAILURE, now=10.0).state == CLOSED


def test_each_opening_in_a_row_doubles_the_open_time_up_to_the_cap():
    one = opened()
    assert [opened_again(one) for _ in range(4)] == [20.0, 40.0, 40.0, 40.0]


def test_a_hundred_openings_in_a_row_still_end():
    one = opened()
    assert {opened_again(one) for _ in range(100)} == {20.0, 40.0}


def test_closing_for_a_moment_does_not_start_the_open_time_afresh():
    one = sees(opened(now=100.0), SUCCESS, now=110.0)
    sees(one, *[FAILURE] * 3, now=140.0)
    assert one.open_until_s == 160.0


def test_after_it_held_closed_the_open_time_starts_afresh():
    one = opened()
    opened_again(one)
    sees(one, SUCCESS, now=30.0)
    sees(one, *[FAILURE] * 3, now=61.0)
    assert one.open_until_s == 71.0


def test_a_late_outcome_of_an_older_generation_changes_nothing():
    one = breaker()
    late = [one.acquire(0.0) for _ in range(6)]
    for permit in late[:3]:
        permit.settle(FAILURE, 1.0)
    probe = one.acquire(11.0)
    for permit, outcome in zip(late[3:], (FAILURE, SUCCESS, ABANDONED), strict=True):
        permit.settle(outcome, 11.0)
    assert (one.state, one.admits(11.0)) == (HALF_OPEN, False)
    probe.settle(SUCCESS, 12.0)
    assert one.state == CLOSED


def test_the_second_probe_changes_nothing_once_the_first_decided():
    one = opened(probes=2)
    first, second = one.acquire(10.0), one.acquire(10.0)
    first.settle(SUCCESS, 11.0)
    second.settle(FAILURE, 12.0)
    assert one.state == CLOSED


def test_settling_twice_changes_nothing():
    one = breaker()
    permit = one.acquire(0.0)
    for _ in range(3):
        permit.settle(FAILURE, 0.0)
    permit.settle(SUCCESS, 0.0)
    assert one.state == CLOSED
    assert permit.settled is FAILURE
    assert sees(one, FAILURE, FAILURE).state == OPEN


def test_a_probe_settled_twice_returns_one_slot():
    one = opened(probes=2)
    first, _second = one.acquire(10.0), one.acquire(10.0)
    first.settle(ABANDONED, 10.0)
    first.settle(ABANDONED, 10.0)
    one.acquire(10.0)
    assert not one.admits(10.0)


def test_it_can_be_tripped_for_a_time_of_its_own():
    one = breaker()
    one.trip(5.0, 300.0)
    assert [one.admits(at_s) for at_s in (5.0, 304.9, 305.0)] == [False, False, True]


def test_after_a_trip_the_usual_open_time_counts_again():
    one = breaker()
    one.trip(0.0, 300.0)
    assert opened_again(one) == 20.0


def test_a_shorter_trip_does_not_cut_a_longer_one():
    one = breaker()
    one.trip(0.0, 300.0)
    one.trip(1.0, 60.0)
    assert one.open_until_s == 300.0


def test_a_probe_under_way_when_it_trips_changes_nothing():
    one = opened()
    probe = one.acquire(10.0)
    one.trip(11.0, 60.0)
    probe.settle(SUCCESS, 12.0)
    assert (one.state, one.admits(12.0)) == (OPEN, False)


def ready_at_s(one, now, *, last_resort=False):
    return one.ready_at_s(now, poll_s=0.25, last_resort=last_resort)


def test_it_says_when_to_ask_again():
    one = breaker()
    assert ready_at_s(one, 3.0) == 3.0
    sees(one, *[FAILURE] * 3)
    assert ready_at_s(one, 3.0) == 10.0
    assert ready_at_s(one, 12.0) == 12.0
    probe = one.acquire(12.0)
    assert ready_at_s(one, 12.0) == 12.25
    probe.settle(ABANDONED, 12.0)
    assert ready_at_s(one, 12.0) == 12.0


def test_as_a_last_resort_it_may_be_probed_a_second_after_it_opened():
    one = opened(now=100.0)
    assert ready_at_s(one, 100.5, last_resort=True) == 101.0
    assert ready_at_s(one, 105.0, last_resort=True) == 105.0
    assert not one.admits(105.0)
    assert one.acquire(105.0).probe


def test_a_short_open_time_ends_before_the_last_resort():
    assert ready_at_s(opened(open_s=0.5), 0.0, last_resort=True) == 0.5


def test_who_was_told_to_stay_away_stays_away_even_as_a_last_resort():
    one = breaker()
    one.trip(0.0, 300.0)
    assert ready_at_s(one, 5.0, last_resort=True) == 300.0


def test_it_tells_each_change_of_state_and_until_when_it_is_open():
    told = []
    one = Breaker(BreakerPolicy(failures=1, open_s=10.0), lambda *change: told.append(change))
    sees(one, FAILURE, now=1.0)
    sees(one, SUCCESS, now=11.0)
    assert told == [(CLOSED, OPEN, 11.0), (OPEN, HALF_OPEN, None), (HALF_OPEN, CLOSED, None)]


class _Shown(Breaker):
    """Shows the pybreaker circuit beneath, as pybreaker shows it to any listener."""

    def state_change(self, cb, old_state, new_state):
        self.circuit = cb
        super().state_change(cb, old_state, new_state)


@pytest.mark.parametrize("now", [0.0, 4_000_000_000.0])
def test_the_wall_clock_plays_no_part_in_how_long_it_is_open(now):
    one = _Shown(BreakerPolicy())
    one.trip(now, 5.0)
    with pytest.raises(CircuitBreakerError):
        one.circuit.call(dict)


@pytest.mark.parametrize("now", [0.0, 4_000_000_000.0])
def test_pybreaker_itself_sees_the_open_time_end_on_our_clock(now):
    one = _Shown(BreakerPolicy())
    one.trip(now, 0.0)
    assert one.circuit.call(dict) == {}
    assert one.state == CLOSED
