"""The world: a pure function of seed, target, request, ask and time; and its prices."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.injections import Injection
from failover.chaos.scenario import START_EPOCH_S
from failover.chaos.world.chance import Chance
from failover.chaos.world.image import Image
from failover.chaos.world.successes import Source, Success, Successes
from failover.chaos.world.world import World
from failover.core.prices import DatedPrice, PriceBook
from failover.core.vocabulary import Usage
from tests.drills.worlds import CLAUDE, GPT, LITELLM_WARNS, MISTRAL, ByHand, asked, injection, world

pytestmark = LITELLM_WARNS

TIMES = st.floats(0.0, 1e5)
SECONDS = st.integers(0, 100) | st.floats(0.0, 100.0)

# A pure function.

ASKS = st.lists(
    st.tuples(
        st.sampled_from([GPT, CLAUDE]), st.integers(1, 30).map(str), st.integers(1, 4), TIMES, st.booleans()
    ),
    max_size=20,
)
DISTURBANCES = (
    injection("slowdown", provider="*", share=0.5, factor=3, ramp_s=20),
    injection("outage", provider="openai", share=0.4, at_s=5, for_s=10),
    injection("rate_limit", target="claude", share=0.3, at_s=8, retry_after_s=2),
)


def disturbed(seed: int = 1) -> World:
    answers = {
        each.name: Successes(Source.RECORDED, tuple(Success(Image(str(n))) for n in range(3)))
        for each in (GPT, CLAUDE)
    }
    return World(Chance(seed), (GPT, CLAUDE), ByHand(answers), DISTURBANCES, PriceBook())


def seen(of: World, ask: Any) -> tuple[str, float, float]:
    target, request, number, at_s, stream = ask
    found = of.exchange(target, asked(request), number, at_s, stream=stream)
    return found.image.origin, found.first_token_s, found.total_s


@given(before=ASKS, asks=ASKS)
def test_the_same_attempt_meets_the_same_world_whatever_was_asked_before(before, asks) -> None:
    untouched, used = disturbed(), disturbed()
    for ask in before:
        seen(used, ask)
    assert [seen(used, ask) for ask in asks] == [seen(disturbed(), ask) for ask in asks]
    assert [seen(untouched, ask) for ask in reversed(asks)] == [seen(used, ask) for ask in reversed(asks)]


def test_another_seed_is_another_world() -> None:
    asks = [(GPT, str(number), 1, 7.0, False) for number in range(50)]
    assert [seen(disturbed(1), ask) for ask in asks] != [seen(disturbed(2), ask) for ask in asks]


def test_a_target_more_changes_nothing_for_the_others() -> None:
    """So that two configs meet the same world, and are compared in pairs."""
    alone, together = (world(*targets, takes_s=None) for targets in ((GPT,), (CLAUDE, GPT, MISTRAL)))
    for number in range(50):
        one, other = (
            each.exchange(GPT, asked(str(number)), 1, 0.0, stream=False) for each in (alone, together)
        )
        assert one == other


def test_asking_again_is_another_attempt() -> None:
    drawn = {world(GPT, takes_s=None).exchange(GPT, asked(), ask, 0.0, stream=False) for ask in range(1, 6)}
    assert len({exchange.total_s for exchange in drawn}) == 5


# Prices.

EDGES = st.none() | st.integers(-50, 150).map(lambda at_s: START_EPOCH_S + at_s)
BASES = st.lists(
    st.builds(DatedPrice, st.integers(1, 10**9), st.integers(1, 10**9), EDGES, EDGES), max_size=3
).map(tuple)
CHANGES = st.lists(
    st.builds(
        lambda at_s, for_s, factor: injection(
            "price_change", target="gpt", at_s=at_s, for_s=for_s, factor=factor
        ),
        SECONDS,
        st.none() | st.integers(1, 80) | st.floats(0.1, 80.0),
        st.sampled_from([0.5, 1.0, 1.1, 2.0, 10.0]),
    ),
    max_size=3,
)


def changed(price: DatedPrice | None, changes: list[Injection], at_s: float) -> tuple[int, int] | None:
    if price is None:
        return None
    for change in changes:
        if change.at_s <= at_s < change.ends_s:
            price = change.reprice(price)
    return price.input_nusd_per_mtok, price.output_nusd_per_mtok


@given(base=BASES, changes=CHANGES, at_s=st.floats(0.0, 200.0))
def test_at_any_instant_the_price_is_the_base_times_the_factors_active(base, changes, at_s) -> None:
    # Wall time is coarser than drill time: a quarter of a microsecond, at this date.
    marks = {mark for each in changes for mark in (each.at_s, each.ends_s)}
    if any(abs(at_s - mark) < 1e-6 for mark in marks):
        at_s = min(mark for mark in marks if abs(at_s - mark) < 1e-6) + 1e-6
    as_of_s = START_EPOCH_S + at_s
    found = world(GPT, inject=changes, prices={"gpt": base}).prices.in_force("gpt", as_of_s)
    expected = changed(PriceBook({"gpt": base}).in_force("gpt", as_of_s), changes, at_s)
    assert (found and (found.input_nusd_per_mtok, found.output_nusd_per_mtok)) == expected


@pytest.mark.parametrize("at_s", [0.1, 0.3, 300.3, 1e4 / 3])
def test_a_price_changes_at_fractions_of_a_second_too(at_s) -> None:
    dearer = injection("price_change", target="gpt", at_s=at_s, for_s=10, factor=2)
    prices = world(GPT, inject=[dearer], prices={"gpt": (DatedPrice(100, 100),)}).prices
    told = [prices.in_force("gpt", START_EPOCH_S + at_s + after_s) for after_s in (-0.01, 0.01, 9.99, 10.01)]
    assert [price.input_nusd_per_mtok for price in told if price] == [100, 200, 200, 100]


@given(base=BASES, changes=CHANGES)
def test_the_stretches_of_a_price_do_not_overlap(base, changes) -> None:
    woven = world(GPT, inject=changes, prices={"gpt": base}).prices.prices["gpt"]
    ends = [price.valid_to_s for price in woven[:-1]]
    starts = [price.valid_from_s for price in woven[1:]]
    assert all(end is not None and start is not None and end <= start for end, start in zip(ends, starts))  # noqa: B905  both are one short


def test_virtual_time_begins_when_the_scenario_says() -> None:
    """A price of last year is none of this one."""
    old = DatedPrice(100, 100, None, START_EPOCH_S)
    dearer = injection("price_change", target="gpt", at_s=10, for_s=10, factor=2)
    began_s = START_EPOCH_S - 15.0
    of = World(Chance(1), (GPT,), ByHand({}), (dearer,), PriceBook({"gpt": (old,)}), began_s)
    told = [of.prices.in_force("gpt", began_s + after_s) for after_s in (5.0, 12.0, 16.0)]
    assert [price and price.input_nusd_per_mtok for price in told] == [100, 200, None]


def test_a_price_change_leaves_other_targets_and_unknown_prices_alone() -> None:
    dearer = injection("price_change", target="gpt", factor=2)
    prices = world(GPT, CLAUDE, inject=[dearer], prices={"claude": (DatedPrice(5, 7),)}).prices
    assert prices.in_force("gpt", START_EPOCH_S) is None
    assert prices.quote_nusd("claude", Usage(10**6, 0), START_EPOCH_S) == 5
