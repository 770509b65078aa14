"""Dated prices in time: clipped to a part of it, hidden by an unknown one, cancelled."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.prices import DatedPrice, Origin, PriceBook, in_book

CHEAP, DEAR = DatedPrice(1, 1), DatedPrice(9, 9, 10.0, 20.0)
UNKNOWN = DatedPrice(0, 0, 5.0, 15.0, origin=Origin(unknown="told in a currency without a rate"))
EDGES = st.none() | st.integers(0, 30).map(float)
ENTRIES = st.lists(
    st.builds(
        DatedPrice,
        st.integers(1, 9),
        st.integers(1, 9),
        EDGES,
        EDGES,
        origin=st.sampled_from([Origin(), Origin(), Origin(unknown="why"), Origin(cancelled=True)]),
    ),
    max_size=5,
)


@pytest.mark.parametrize(
    ("since_s", "until_s", "left"),
    [
        (None, None, (10.0, 20.0)),
        (12.0, None, (12.0, 20.0)),
        (None, 12.0, (10.0, 12.0)),
        (0.0, 99.0, (10.0, 20.0)),
        (20.0, None, None),
    ],
)
def test_a_price_is_clipped_to_a_time(since_s, until_s, left):
    part = DEAR.clipped(since_s, until_s)
    assert (part and (part.valid_from_s, part.valid_to_s)) == left


def test_a_price_without_dates_takes_those_it_is_clipped_to():
    assert CHEAP.clipped(1.0, 2.0) == DatedPrice(1, 1, 1.0, 2.0)
    assert CHEAP.clipped(None, None) == CHEAP


def test_an_unknown_price_hides_those_below_it_and_none_above_it():
    book = PriceBook({"gpt": in_book([CHEAP, UNKNOWN, DEAR])})
    told = [book.in_force("gpt", at_s) for at_s in (0.0, 5.0, 9.0, 10.0, 15.0, 25.0)]
    assert [price and price.input_nusd_per_mtok for price in told] == [1, None, None, 9, 9, 1]


def test_a_price_that_is_unknown_for_ever_leaves_nothing():
    assert in_book([CHEAP, replace(UNKNOWN, valid_from_s=None, valid_to_s=None)]) == ()


def test_a_cancelled_price_is_never_in_force():
    """Sonnet 5 was to cost more from 1 September 2026 on, and does not."""
    rise = DatedPrice(3, 15, 10.0, origin=Origin(cancelled=True))
    assert in_book([CHEAP, rise]) == (CHEAP,)


@given(entries=ENTRIES, at_s=st.integers(0, 31).map(float))
def test_the_last_word_counts_unless_it_is_cancelled(entries, at_s):
    said = [each for each in entries if each.covers(at_s) and not each.origin.cancelled]
    found = PriceBook({"gpt": in_book(entries)}).in_force("gpt", at_s)
    if not said or said[-1].origin.unknown:
        assert found is None
    else:
        assert found is not None
        assert found.input_nusd_per_mtok == said[-1].input_nusd_per_mtok


@given(price=st.builds(DatedPrice, st.just(1), st.just(1), EDGES, EDGES), at_s=st.integers(0, 31).map(float))
def test_a_price_lies_in_its_time_up_to_just_before_its_end(price, at_s):
    after = price.valid_from_s is None or at_s >= price.valid_from_s
    assert (
        price.lies_in(at_s)
        == price.covers(at_s)
        == (after and (price.valid_to_s is None or at_s < price.valid_to_s))
    )
