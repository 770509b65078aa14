"""Prices: dated, exact, and never free for want of knowing."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.prices import DatedPrice, PriceBook, usd_to_nusd
from failover.core.records import AttemptRecord, CallRecord
from failover.core.vocabulary import AttemptCause, Outcome, Usage

CHEAP = DatedPrice(1_000_000, 2_000_000)
DEAR_FROM_TEN = DatedPrice(3_000_000, 4_000_000, valid_from_s=10.0)
OFFER = DatedPrice(1, 1, valid_from_s=5.0, valid_to_s=10.0)
BOOK = PriceBook({"gpt": (CHEAP, OFFER, DEAR_FROM_TEN)})
TOKENS = st.integers(0, 2_000_000)
NUSD_PER_MTOK = st.integers(0, 10**12)


@pytest.mark.parametrize(
    ("as_of_s", "price"), [(0.0, CHEAP), (5.0, OFFER), (9.9, OFFER), (10.0, DEAR_FROM_TEN)]
)
def test_the_price_is_the_one_in_force_at_the_time(as_of_s, price):
    assert BOOK.in_force("gpt", as_of_s) is price


def test_of_several_prices_in_force_the_one_listed_last_wins():
    assert PriceBook({"gpt": (DEAR_FROM_TEN, CHEAP)}).in_force("gpt", 20.0) is CHEAP


def test_a_price_no_longer_in_force_leaves_the_target_unknown():
    assert PriceBook({"gpt": (OFFER,)}).quote_nusd("gpt", Usage(1, 1), as_of_s=10.0) is None


def test_the_quote_of_an_unknown_target_is_unknown_and_not_zero():
    assert BOOK.quote_nusd("claude", Usage(1000, 1000), as_of_s=0.0) is None


def test_a_price_of_zero_is_known_to_be_free():
    assert PriceBook({"local": (DatedPrice(0, 0),)}).quote_nusd("local", Usage(10, 10), as_of_s=0.0) == 0


def test_an_attempt_whose_usage_nobody_told_is_charged_nothing():
    assert BOOK.charge_nusd("gpt", None, as_of_s=0.0) == 0


@given(TOKENS, TOKENS, NUSD_PER_MTOK, NUSD_PER_MTOK)
def test_a_charge_is_exact_to_half_a_nano_dollar_rounded_up(tokens_in, tokens_out, per_in, per_out):
    exact = (Decimal(tokens_in) * per_in + Decimal(tokens_out) * per_out) / 1_000_000
    rounded = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert DatedPrice(per_in, per_out).charge_nusd(Usage(tokens_in, tokens_out)) == rounded


@given(TOKENS, TOKENS)
def test_what_is_quoted_is_what_is_billed(tokens_in, tokens_out):
    usage = Usage(tokens_in, tokens_out)
    assert BOOK.quote_nusd("gpt", usage, 0.0) == BOOK.charge_nusd("gpt", usage, 0.0)


@pytest.mark.parametrize(
    ("usd", "nusd"),
    [
        ("0.15", 150_000_000),
        (0.15, 150_000_000),
        (3, 3_000_000_000),
        ("0.0000000005", 1),
        ("0.00000000049", 0),
    ],
)
def test_dollars_are_taken_as_written_and_rounded_half_up(usd, nusd):
    assert usd_to_nusd(usd) == nusd


@given(st.decimals(0, 1_000_000, places=9))
def test_dollars_of_nine_places_lose_nothing(usd):
    assert Decimal(usd_to_nusd(usd)) / 1_000_000_000 == usd


def test_the_embedding_programs_decimal_precision_changes_no_price():
    with localcontext() as context:
        context.prec = 4
        assert usd_to_nusd("1.23456789") == 1_234_567_890


def test_a_call_costs_what_all_its_attempts_cost():
    tried = [
        AttemptRecord("gpt", AttemptCause.FIRST, Outcome.FAILURE, None, None, 0.0, 1.0, None, cost)
        for cost in (1_500_000_000, 500_000_000)
    ]
    record = CallRecord("call-1", "chat", "gpt", tuple(tried), (), 0.0, 2.0)
    assert (record.cost_nusd, record.cost_usd) == (2_000_000_000, 2.0)


def test_tokens_at_an_unknown_price_make_the_cost_unknown_and_never_zero():
    assert BOOK.charge_nusd("nobody", Usage(10, 10), as_of_s=0.0) is None
    assert BOOK.charge_nusd("nobody", Usage(0, 0), as_of_s=0.0) == 0
    tried = AttemptRecord("gpt", AttemptCause.FIRST, Outcome.SUCCESS, None, None, 0.0, 1.0, None, None)
    record = CallRecord("call-1", "chat", "gpt", (tried,), (), 0.0, 2.0)
    assert record.cost_nusd is record.cost_usd is None
