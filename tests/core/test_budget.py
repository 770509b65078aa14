"""The retry budget: a total outage cannot become a retry storm."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from failover.core.budget import RetryBudget
from failover.core.policy import RetryBudgetPolicy


def withdrawn(budget, now=0.0):
    taken = 0
    while budget.try_withdraw(now):
        taken += 1
    return taken


def emptied(**policy):
    budget = RetryBudget(RetryBudgetPolicy(**policy))
    withdrawn(budget)
    return budget


def test_it_starts_full():
    assert withdrawn(RetryBudget(RetryBudgetPolicy(share=0.2, floor_per_s=1.0))) == 20


def test_an_empty_budget_gives_nothing():
    assert not emptied().try_withdraw(0.0)


def test_five_requests_pay_for_one_retry_at_a_share_of_a_fifth():
    budget = emptied(share=0.2, floor_per_s=0.0)
    for _ in range(6):
        budget.deposit()
    assert withdrawn(budget) == 1


def test_time_pays_the_floor():
    assert withdrawn(emptied(share=0.0, floor_per_s=2.0), now=3.0) == 6


def test_a_quiet_hour_saves_up_no_storm():
    assert withdrawn(emptied(floor_per_s=1.0), now=3600.0) == 20


def test_a_busy_hour_saves_up_no_storm():
    budget = RetryBudget(RetryBudgetPolicy(share=1.0, floor_per_s=0.0))
    for _ in range(1000):
        budget.deposit()
    assert withdrawn(budget) == 10


def test_a_time_before_the_last_one_pays_nothing():
    budget = emptied(share=0.0, floor_per_s=5.0)
    budget.try_withdraw(10.0)
    left = budget.balance
    budget.try_withdraw(4.0)
    assert budget.balance == left - 1.0


MOVES = st.lists(st.one_of(st.just("request"), st.floats(0.0, 5.0)), max_size=80)


@given(st.floats(0.0, 1.0), st.floats(0.0, 3.0), MOVES)
def test_withdrawals_never_exceed_what_was_there_and_what_came_in(share, floor_per_s, moves):
    budget = RetryBudget(RetryBudgetPolicy(share, floor_per_s))
    at_first, now, requests, taken = budget.balance_max, 0.0, 0, 0
    for move in moves:
        if move == "request":
            requests += 1
            budget.deposit()
        else:
            now += move
            taken += budget.try_withdraw(now)
        assert 0.0 <= budget.balance <= budget.balance_max
    assert taken <= at_first + requests * share + now * floor_per_s + 1e-6
