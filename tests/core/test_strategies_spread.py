"""How strategies spread requests: by weight, by load, by a weighing, and nobody is condemned for ever."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.breaker import Breaker
from failover.core.policy import BreakerPolicy
from failover.core.prices import DatedPrice, PriceBook
from failover.core.strategies import (
    EXPLORATION_SHARE,
    FAILURE_WEIGHT,
    Ranking,
    balanced,
    latency,
    least_busy,
    weighted,
)
from failover.core.target_state import TargetState
from failover.core.vocabulary import Outcome, Request
from tests.core.story import target

MTOK = 1_000_000


def always(number=0.99):
    """Chance that plays no part: nobody explores."""
    return lambda: number


def seeded(seed=1):
    return Random(seed).random  # noqa: S311  load is spread, no secret kept


def known(name, *, usual_s=None, in_flight=0, failed=0, of=0, weight=1.0):
    """A target, its usual latency, and how many of its last attempts failed."""
    state = TargetState(target(name, weight=weight), Breaker(BreakerPolicy(failures=100)))
    for turn in range(of):
        ended = Outcome.SUCCESS if turn < of - failed else Outcome.FAILURE
        state.breaker.acquire(0.0).settle(ended, 0.0)
    if usual_s is not None:
        state.total.observe(usual_s, 0.0)
    state.in_flight = in_flight
    return state


def order(strategy, states, rng, **usd_per_mtok):
    """The order for a million tokens in, whose quote is then the price."""
    prices = PriceBook({name: (DatedPrice(usd, usd),) for name, usd in usd_per_mtok.items()})
    ranking = Ranking(Request("call-1", tokens_in=MTOK), 0, prices, 0.0, rng)
    return [state.target.name for state in strategy(states, ranking)]


# By weight.


def test_the_first_of_the_order_follows_the_weights():
    states, rng = [known("large", weight=7), known("small", weight=2), known("tiny", weight=1)], seeded()
    leads = Counter(order(weighted, states, rng)[0] for _ in range(10_000))
    assert leads["large"] == pytest.approx(7000, abs=200)
    assert leads["small"] == pytest.approx(2000, abs=200)
    assert leads["tiny"] == pytest.approx(1000, abs=200)


def test_those_who_fall_back_follow_the_weights_of_the_others():
    states, rng = [known("lost", weight=5), known("three", weight=3), known("one", weight=1)], seeded()
    orders = [order(weighted, states, rng) for _ in range(10_000)]
    seconds = Counter(second for first, second, _ in orders if first == "lost")
    assert seconds["three"] / seconds.total() == pytest.approx(0.75, abs=0.03)


def test_weights_mean_their_ratio_and_left_out_they_are_equal():
    rng = seeded()
    equal = Counter(order(weighted, [known("gpt"), known("claude")], rng)[0] for _ in range(4000))
    assert equal["gpt"] == pytest.approx(2000, abs=150)
    small = [known("gpt", weight=0.003), known("claude", weight=0.001)]
    assert order(weighted, small, seeded(2)) == order(
        weighted, [known("gpt", weight=3), known("claude", weight=1)], seeded(2)
    )


@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=6), st.sampled_from([0.0, 0.5, 1.0 - 2**-53]))
def test_no_draw_at_the_edge_of_chance_is_too_much(weights, number):
    states = [known(f"target-{turn}", weight=weight) for turn, weight in enumerate(weights)]
    assert len(order(weighted, states, always(number))) == len(weights)


# By load.


def test_the_fewest_attempts_in_flight_lead():
    states = [known("two", in_flight=2), known("none"), known("one", in_flight=1)]
    assert order(least_busy, states, seeded()) == ["none", "one", "two"]


def test_idle_equals_share_sequential_requests():
    states, rng = [known("gpt"), known("azure"), known("claude")], seeded()
    leads = Counter(order(least_busy, states, rng)[0] for _ in range(300))
    assert all(leads[state.target.name] >= 75 for state in states), leads


def test_requests_that_stay_fill_up_evenly():
    states, rng = [known("gpt"), known("azure"), known("claude")], seeded()
    by_name = {state.target.name: state for state in states}
    for _ in range(300):
        by_name[order(least_busy, states, rng)[0]].in_flight += 1
    assert [state.in_flight for state in states] == [100, 100, 100]


# By a weighing.


def test_at_equal_speed_the_cheaper_leads_and_at_equal_price_the_quicker():
    states = [known("gpt", usual_s=1.0), known("claude", usual_s=1.0)]
    assert order(balanced, states, always(), gpt=2, claude=1) == ["claude", "gpt"]
    states = [known("gpt", usual_s=2.0), known("claude", usual_s=1.0)]
    assert order(balanced, states, always(), gpt=1, claude=1) == ["claude", "gpt"]


def test_twice_the_price_buys_half_the_time():
    dear = known("dear", usual_s=1.0)
    assert order(balanced, [dear, known("slow", usual_s=2.1)], always(), dear=20, slow=10) == ["dear", "slow"]
    assert order(balanced, [dear, known("slow", usual_s=1.9)], always(), dear=20, slow=10) == ["slow", "dear"]


def test_a_queue_counts_as_time():
    states = [known("busy", usual_s=1.0, in_flight=3), known("idle", usual_s=2.0)]
    assert order(balanced, states, always()) == ["idle", "busy"]


def test_one_failure_in_ten_weighs_as_much_as_the_price_once_more():
    assert FAILURE_WEIGHT * 0.1 == 1.0
    failing = known("failing", usual_s=1.0, failed=5, of=50)
    sound = known("sound", usual_s=1.0)
    assert order(balanced, [sound, failing], always(), failing=100, sound=190) == ["sound", "failing"]
    assert order(balanced, [sound, failing], always(), failing=100, sound=210) == ["failing", "sound"]


def test_an_unknown_price_or_latency_counts_as_the_median_of_the_tier():
    states = [known("dear"), known("unknown"), known("cheap")]
    assert order(balanced, states, always(), dear=3, cheap=1) == ["cheap", "unknown", "dear"]
    states = [known("slow", usual_s=3.0), known("unseen"), known("quick", usual_s=1.0)]
    assert order(balanced, states, always()) == ["quick", "unseen", "slow"]


def test_what_costs_nothing_is_cheapest_and_divides_nothing():
    states = [known("dear"), known("cheap"), known("free")]
    assert order(balanced, states, always(), dear=4, cheap=2, free=0) == ["free", "cheap", "dear"]
    assert order(balanced, states[1:], always(), cheap=0, free=0) == ["cheap", "free"]


def test_where_nothing_is_known_the_authors_order_holds():
    assert order(balanced, [known("gpt"), known("claude")], always()) == ["gpt", "claude"]


def test_an_exploration_leads_and_the_rest_keeps_its_order():
    states = [known("gpt", usual_s=1.0), known("claude", usual_s=2.0), known("unseen", in_flight=1)]
    states[0].total.observe(1.0, 50.0)
    assert order(balanced, states, always(EXPLORATION_SHARE / 2)) == ["claude", "gpt", "unseen"]


# Nobody is condemned for ever. Source: the routers whose next 1000 picks of 1000 went to one target.


def picks(strategy, states, usual_s, count=1000, seed=7):
    """Sequential requests, one a second; each is answered and observed. Chance is seeded."""
    rng = seeded(seed)
    by_name = {state.target.name: state for state in states}
    found = Counter()
    for now in range(1, count + 1):
        name = order(strategy, states, rng, **dict.fromkeys(by_name, 1))[0]
        found[name] += 1
        by_name[name].total.observe(usual_s[name], float(now))
        by_name[name].breaker.acquire(float(now)).settle(Outcome.SUCCESS, float(now))
    return found


@pytest.mark.parametrize("strategy", [latency, balanced])
def test_of_three_each_gets_some_of_a_thousand_requests(strategy):
    usual_s = {"quick": 1.0, "usual": 1.5, "slow": 6.0}
    found = picks(strategy, [known(name, usual_s=usual_s[name]) for name in usual_s], usual_s)
    assert min(found[name] for name in usual_s) >= 3, found
    assert found["quick"] == max(found.values())


@pytest.mark.parametrize("strategy", [latency, balanced])
def test_who_had_one_bad_sample_gets_requests_again(strategy):
    states = [known("gpt", usual_s=60.0), known("azure", usual_s=1.2), known("claude", usual_s=1.2)]
    found = picks(strategy, states, {"gpt": 1.0, "azure": 1.2, "claude": 1.2})
    assert found["gpt"] > 300, found


def test_who_failed_and_recovered_gets_requests_again():
    states = [known("gpt", usual_s=1.0, failed=9, of=20), known("claude", usual_s=1.5)]
    found = picks(balanced, states, {"gpt": 1.0, "claude": 1.5})
    assert found["gpt"] > 500, found


# The figure that the weighing looks at.


def test_few_attempts_say_little_of_failures():
    assert known("gpt", failed=1, of=1).breaker.failure_share == 1 / 20
    assert known("gpt", failed=10, of=40).breaker.failure_share == 0.25
    assert known("gpt").breaker.failure_share == 0.0


def test_once_a_breaker_opened_a_probe_decides_and_not_the_past():
    breaker = known("gpt", failed=15, of=20).breaker
    assert breaker.state == "open"
    assert breaker.failure_share == 0.0
