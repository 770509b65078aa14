"""How long to wait before the same target is asked again."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import wait_chain, wait_exponential, wait_fixed

from failover.core.backoff import FullJitter, backoff_s, backoff_within_s
from failover.core.policy import BackoffPolicy

POLICY = BackoffPolicy(initial_s=0.25, max_s=8.0)


def jitter(seed):
    return FullJitter(POLICY, Random(seed).random)  # noqa: S311  jitter is no secret


def highest(attempt):
    return backoff_s(FullJitter(POLICY, lambda: 1.0), attempt=attempt)


def test_the_ceiling_doubles_with_each_attempt_up_to_its_cap():
    assert [highest(attempt) for attempt in range(1, 8)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


def test_a_thousandth_attempt_waits_no_longer_than_the_cap():
    assert highest(1000) == 8.0


@given(st.integers(0, 2**32), st.integers(1, 100))
def test_full_jitter_draws_between_nothing_and_the_ceiling(seed, attempt):
    assert 0.0 <= backoff_s(jitter(seed), attempt=attempt) <= highest(attempt)


def test_the_same_draws_give_the_same_waits():
    ours, theirs = jitter(7), jitter(7)
    assert [backoff_s(ours, attempt=n) for n in range(1, 9)] == [
        backoff_s(theirs, attempt=n) for n in range(1, 9)
    ]


@given(st.integers(0, 2**32), st.integers(1, 20), st.floats(0.0, 100.0))
def test_the_providers_hint_is_a_floor(seed, attempt, hint_s):
    waited_s = backoff_s(jitter(seed), attempt=attempt, at_least_s=hint_s)
    assert waited_s == max(hint_s, backoff_s(jitter(seed), attempt=attempt))


@pytest.mark.parametrize(
    ("wait", "waits_s"),
    [
        (wait_fixed(3), [3, 3, 3]),
        (wait_exponential(multiplier=1, max=3), [1, 2, 3]),
        (wait_chain(wait_fixed(1), wait_fixed(5)), [1, 5, 5]),
        (wait_fixed(1) + wait_fixed(2), [3, 3, 3]),
        (lambda state: state.attempt_number * 10.0, [10, 20, 30]),
    ],
)
def test_waits_of_tenacity_are_taken_as_they_are(wait, waits_s):
    assert [backoff_s(wait, attempt=attempt) for attempt in (1, 2, 3)] == waits_s


@pytest.mark.parametrize(("left_s", "waited_s"), [(3.1, 3.0), (3.0, None), (1.0, None), (0.0, None)])
def test_nobody_waits_up_to_the_deadline_or_past_it(left_s, waited_s):
    assert backoff_within_s(wait_fixed(3), attempt=1, left_s=left_s) == waited_s


def test_a_hint_past_the_deadline_is_not_waited_for():
    assert backoff_within_s(wait_fixed(1), attempt=1, left_s=5.0, at_least_s=6.0) is None
