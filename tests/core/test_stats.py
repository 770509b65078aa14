"""What is remembered of a target's speed, and counted in a window of time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.stats import WEIGHT_MAX, WEIGHT_MIN, PeakEwma, TokenMean, Window

SECONDS = st.floats(0.001, 1000.0)


def seen(*values_s, every_s=10.0):
    average = PeakEwma(decay_s=30.0)
    for turn, value_s in enumerate(values_s):
        average.observe(value_s, turn * every_s)
    return average


def test_what_was_never_seen_is_unknown():
    assert PeakEwma().value_s is None


def test_the_first_observation_is_believed():
    assert seen(2.0).value_s == 2.0


def test_a_slower_answer_moves_the_average_half_way_at_once():
    assert seen(1.0, 9.0, every_s=0.0).value_s == 5.0


def test_a_quicker_answer_is_believed_slowly():
    assert seen(9.0, 1.0, every_s=0.0).value_s == pytest.approx(9.0 - 8.0 * WEIGHT_MIN)


def test_after_a_quiet_night_one_quick_answer_does_not_decide_alone():
    assert seen(9.0, 1.0, every_s=50_000.0).value_s == pytest.approx(9.0 - 8.0 * WEIGHT_MAX)


@given(st.lists(SECONDS, min_size=1), st.floats(0.0, 100.0))
def test_the_average_stays_within_what_was_seen(values_s, every_s):
    assert min(values_s) - 1e-9 <= seen(*values_s, every_s=every_s).value_s <= max(values_s) + 1e-9


@given(SECONDS, SECONDS)
def test_an_observation_from_an_earlier_time_counts_as_one_of_now(first_s, then_s):
    earlier, at_once = PeakEwma(), PeakEwma()
    for average, now in ((earlier, 3.0), (at_once, 5.0)):
        average.observe(first_s, 5.0)
        average.observe(then_s, now)
    assert earlier.value_s == at_once.value_s


def test_the_expected_length_of_an_answer_follows_the_answers():
    mean = TokenMean(prior=100.0)
    for _ in range(500):
        mean.observe(300)
    assert mean.value == pytest.approx(300, rel=0.01)


def test_a_window_counts_what_failed_and_what_was_slow():
    window = Window(10.0)
    window.add(0.0, failed=True, slow=False)
    window.add(0.5, failed=False, slow=True)
    window.add(3.0, failed=False, slow=False)
    assert (window.total, window.failed, window.slow) == (3, 1, 1)


def test_a_window_forgets_what_is_older_than_it():
    window = Window(10.0)
    window.add(0.0, failed=True, slow=True)
    window.add(6.0, failed=False, slow=False)
    window.add(12.0, failed=False, slow=False)
    assert (window.total, window.failed, window.slow) == (2, 0, 0)


def test_a_window_forgets_everything_after_a_long_silence():
    window = Window(10.0)
    window.add(0.0, failed=True, slow=False)
    window.add(1000.0, failed=False, slow=False)
    assert (window.total, window.failed) == (1, 0)


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.booleans()), max_size=60))
def test_a_window_counts_at_least_nine_tenths_of_its_length_and_never_more_than_all(steps):
    window, now, added = Window(10.0), 0.0, []
    for wait_s, failed, slow in steps:
        now += wait_s
        window.add(now, failed=failed, slow=slow)
        added.append((now, failed, slow))
    for count, column in ((window.failed, 1), (window.slow, 2)):
        sure = sum(each[column] for each in added if now - each[0] < 9.0)
        possible = sum(each[column] for each in added if now - each[0] < 10.0)
        assert sure <= count <= possible
