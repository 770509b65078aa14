"""How strategies rank the eligible targets of a tier."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.breaker import Breaker
from failover.core.policy import BreakerPolicy
from failover.core.prices import DatedPrice, PriceBook
from failover.core.strategies import (
    EXPLORATION_SHARE,
    STRATEGIES,
    Ranking,
    balanced,
    cost,
    headroom,
    latency,
    least_busy,
    priority,
    weighted,
)
from failover.core.target_state import TargetState
from failover.core.vocabulary import Request
from tests.core.story import target

NO_EXPLORATION = 0.99


def draws(*numbers):
    """Chance that was arranged."""
    return iter(numbers).__next__


NOT_ASKED = draws()


def seen(name, *, total_s=None, first_token_s=None, in_flight=0, at_s=0.0, weight=1.0):
    state = TargetState(target(name, weight=weight), Breaker(BreakerPolicy()))
    if total_s is not None:
        state.total.observe(total_s, at_s)
    if first_token_s is not None:
        state.first_token.observe(first_token_s, at_s)
    state.in_flight = in_flight
    return state


def per_mtok(**prices):
    return PriceBook({name: (DatedPrice(*price),) for name, price in prices.items()})


def names(strategy, states, *, rng=NOT_ASKED, stream=False, prices=None, tokens_in=1000, tokens_out=1000):
    request = Request("call-1", tokens_in=tokens_in, stream=stream)
    ranking = Ranking(request, tokens_out, prices or PriceBook(), 0.0, rng)
    return [state.target.name for state in strategy(states, ranking)]


def test_a_strategy_is_found_under_the_name_that_configs_use():
    rules = (priority, cost, latency, weighted, least_busy, headroom, balanced)
    assert {rule.__name__: rule for rule in rules} == STRATEGIES


def test_priority_keeps_the_authors_order():
    slow_first = [seen("slow", total_s=9.0), seen("quick", total_s=1.0)]
    assert names(priority, slow_first) == ["slow", "quick"]


def test_cost_asks_the_cheapest_for_this_request_first():
    prices = per_mtok(talker=(1_000_000, 9_000_000), reader=(9_000_000, 1_000_000))
    states = [seen("talker"), seen("reader")]
    assert names(cost, states, prices=prices, tokens_in=10, tokens_out=5000) == ["reader", "talker"]
    assert names(cost, states, prices=prices, tokens_in=5000, tokens_out=10) == ["talker", "reader"]


def test_equal_quotes_go_by_latency_and_those_never_seen_come_last():
    states = [seen("unseen"), seen("slow", total_s=5.0), seen("quick", total_s=1.0)]
    assert names(cost, states, prices=per_mtok(unseen=(1, 1), slow=(1, 1), quick=(1, 1))) == [
        "quick",
        "slow",
        "unseen",
    ]


def test_an_unknown_price_comes_last_and_never_counts_as_free():
    prices = per_mtok(dear=(10**12, 10**12))
    assert names(cost, [seen("unknown"), seen("dear")], prices=prices) == ["dear", "unknown"]


def test_latency_puts_the_quicker_first():
    states = [seen("slow", total_s=5.0), seen("quick", total_s=1.0)]
    assert names(latency, states, rng=draws(NO_EXPLORATION, 0.0, 0.0)) == ["quick", "slow"]


def test_streams_go_by_the_first_token_and_whole_replies_by_the_total():
    early = seen("early", first_token_s=0.2, total_s=9.0)
    brisk = seen("brisk", first_token_s=2.0, total_s=3.0)
    draw = (NO_EXPLORATION, 0.0, 0.0)
    assert names(latency, [early, brisk], rng=draws(*draw), stream=True) == ["early", "brisk"]
    assert names(latency, [early, brisk], rng=draws(*draw), stream=False) == ["brisk", "early"]


def test_a_queue_makes_the_quick_one_slow():
    states = [seen("busy", total_s=1.0, in_flight=9), seen("idle", total_s=3.0)]
    assert names(latency, states, rng=draws(NO_EXPLORATION, 0.0, 0.0)) == ["idle", "busy"]


def test_a_short_queue_at_a_very_quick_one_is_still_quicker():
    states = [seen("idle", total_s=0.5), seen("busy", total_s=0.1, in_flight=3)]
    assert names(latency, states, rng=draws(NO_EXPLORATION, 0.0, 0.0)) == ["busy", "idle"]


def test_those_never_seen_count_as_the_quickest_seen():
    states = [seen("slow", total_s=5.0), seen("unseen"), seen("quick", total_s=1.0)]
    assert names(latency, states, rng=draws(NO_EXPLORATION, 0.0, 0.0)) == ["unseen", "quick", "slow"]


def test_where_nobody_was_seen_the_authors_order_holds():
    assert names(latency, [seen("gpt"), seen("claude")], rng=draws(0.5, 0.0, 0.0)) == ["gpt", "claude"]


def test_now_and_then_the_one_seen_longest_ago_leads():
    states = [
        seen("quick", total_s=1.0, at_s=50.0),
        seen("old", total_s=9.0),
        seen("mid", total_s=2.0, at_s=9.0),
    ]
    assert names(latency, states, rng=draws(EXPLORATION_SHARE / 2)) == ["old", "quick", "mid"]


def test_nobody_explores_where_an_exploration_already_runs():
    states = [seen("quick", total_s=1.0, at_s=50.0), seen("old", total_s=9.0, in_flight=1)]
    assert names(latency, states, rng=draws(EXPLORATION_SHARE / 2)) == ["quick", "old"]


@pytest.mark.parametrize(
    ("first", "second", "lead"),
    [(0.0, 0.0, "a"), (0.9, 0.5, "b"), (0.4, 0.9, "b"), (0.9, 0.0, "a"), (0.7, 0.7, "b")],
)
def test_of_two_drawn_at_random_the_quicker_leads(first, second, lead):
    states = [seen(name, total_s=total_s) for name, total_s in (("a", 1.0), ("b", 2.0), ("c", 3.0))]
    order = names(latency, states, rng=draws(NO_EXPLORATION, first, second))
    assert order == [lead, *(name for name in "abc" if name != lead)]


def test_the_slowest_of_many_never_leads_but_to_explore():
    states = [seen(name, total_s=float(at), at_s=0.0) for at, name in enumerate("abcd", 1)]
    numbers = Random(3).random  # noqa: S311  load is spread, no secret kept
    leads = {names(latency, states, rng=lambda: max(EXPLORATION_SHARE, numbers()))[0] for _ in range(300)}
    assert leads == {"a", "b", "c"}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("count", [0, 1])
def test_where_there_is_no_choice_no_number_is_drawn(strategy, count):
    assert len(names(STRATEGIES[strategy], [seen("gpt")][:count])) == count


STATES = st.lists(
    st.tuples(
        st.none() | st.floats(0.0, 100.0),
        st.integers(0, 5),
        st.none() | st.integers(0, 10**12),
        st.floats(1e-6, 1e6),
    ),
    max_size=8,
)


@given(st.sampled_from(sorted(STRATEGIES)), STATES, st.randoms(use_true_random=False), st.booleans())
def test_no_strategy_loses_or_doubles_a_target(strategy, facts, chance, stream):
    states, prices = [], {}
    for turn, (usual_s, in_flight, price, weight) in enumerate(facts):
        name = f"target-{turn}"
        states.append(seen(name, total_s=usual_s, first_token_s=usual_s, in_flight=in_flight, weight=weight))
        if price is not None:
            prices[name] = (price, price)
    order = names(STRATEGIES[strategy], states, rng=chance.random, stream=stream, prices=per_mtok(**prices))
    assert sorted(order) == sorted(state.target.name for state in states)


@given(st.lists(st.none() | st.integers(0, 10**12), min_size=1, max_size=8))
def test_cost_picks_one_whom_nobody_undercuts(asked):
    known = {f"target-{turn}": (price, price) for turn, price in enumerate(asked) if price is not None}
    states = [seen(f"target-{turn}") for turn in range(len(asked))]
    lead = names(cost, states, prices=per_mtok(**known), tokens_in=1_000_000)[0]
    assert not known or known[lead] == min(known.values())
