"""Tokens of every kind, tiers by the prompt's length, service tiers: one function for quote and bill."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.prices import DatedPrice, KindRates, LengthTier, PriceBook
from failover.core.vocabulary import Usage

USD = 1_000_000_000
MTOK = 1_000_000
PLAIN = DatedPrice(2 * USD, 10 * USD)
SONNET = replace(PLAIN, kinds=KindRates(USD // 5, 5 * USD // 2, 4 * USD))

COUNTS = st.integers(0, 400_000)
RATES = st.integers(0, 10**11)
KINDS = st.none() | st.builds(KindRates, *[st.none() | RATES] * 6)
TIERS = st.lists(
    st.builds(LengthTier, st.integers(1, 400_000), RATES, RATES, KINDS),
    max_size=3,
    unique_by=lambda tier: tier.above_tokens,
).map(lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.above_tokens)))
PRICES = st.builds(DatedPrice, RATES, RATES, kinds=KINDS, tiers=TIERS)
USAGES = st.builds(Usage, *[COUNTS] * 8)


def test_cached_and_written_tokens_cost_what_they_cost():
    usage = Usage(
        10_000, 500, tokens_in_cached=6_000, tokens_in_cache_written=2_000, tokens_in_cache_written_1h=1_000
    )
    expected = (1_000 * 2_000 + 6_000 * 200 + 2_000 * 2_500 + 1_000 * 4_000) + 500 * 10_000
    assert SONNET.charge_nusd(usage) == expected


def test_spoken_and_thought_tokens_cost_what_they_cost():
    price = replace(
        PLAIN,
        kinds=KindRates(
            audio_input_nusd_per_mtok=40 * USD,
            audio_output_nusd_per_mtok=80 * USD,
            reasoning_nusd_per_mtok=20 * USD,
        ),
    )
    usage = Usage(100, 100, tokens_in_audio=60, tokens_out_audio=30, tokens_out_reasoning=50)
    assert price.charge_nusd(usage) == 40 * 2_000 + 60 * 40_000 + 20 * 10_000 + 30 * 80_000 + 50 * 20_000


@given(usage=USAGES)
def test_a_kind_without_a_price_of_its_own_is_billed_as_plain(usage):
    assert replace(PLAIN, kinds=KindRates()).charge_nusd(usage) == PLAIN.charge_nusd(usage)


def test_tokens_that_are_counted_twice_are_billed_once():
    """Cached audio is both: it was read from the cache, and there is no more of it than of the prompt."""
    price = replace(SONNET, kinds=KindRates(USD, audio_input_nusd_per_mtok=9 * USD))
    assert price.charge_nusd(Usage(100, 0, tokens_in_cached=100, tokens_in_audio=100)) == 100 * 1_000


@pytest.mark.parametrize(("tokens_in", "per_token"), [(200_000, 3_000), (200_001, 6_000), (500_000, 9_000)])
def test_a_longer_prompt_makes_all_tokens_dearer_and_not_only_those_above(tokens_in, per_token):
    tiers = (LengthTier(200_000, 6 * USD, 30 * USD), LengthTier(400_000, 9 * USD, 45 * USD))
    price = DatedPrice(3 * USD, 15 * USD, tiers=tiers)
    assert price.charge_nusd(Usage(tokens_in, 10)) == tokens_in * per_token + 10 * 5 * per_token


def exactly(price, usage):
    """By the book, in fractions: each token at the rate of its kind."""
    rates = price
    for tier in price.tiers:
        rates = tier if usage.tokens_in > tier.above_tokens else rates
    kinds = rates.kinds or KindRates()
    total = Fraction(0)
    sides = (
        (
            usage.tokens_in,
            rates.input_nusd_per_mtok,
            [
                (usage.tokens_in_cached, kinds.cached_input_nusd_per_mtok),
                (usage.tokens_in_cache_written, kinds.cache_write_nusd_per_mtok),
                (usage.tokens_in_cache_written_1h, kinds.cache_write_1h_nusd_per_mtok),
                (usage.tokens_in_audio, kinds.audio_input_nusd_per_mtok),
            ],
        ),
        (
            usage.tokens_out,
            rates.output_nusd_per_mtok,
            [
                (usage.tokens_out_audio, kinds.audio_output_nusd_per_mtok),
                (usage.tokens_out_reasoning, kinds.reasoning_nusd_per_mtok),
            ],
        ),
    )
    for tokens_of_side, plain, parts in sides:
        left = tokens_of_side
        for tokens, rate in parts:
            billed = min(tokens, left)
            left -= billed
            total += Fraction(billed * (plain if rate is None else rate), MTOK)
        total += Fraction(left * plain, MTOK)
    return (2 * total + 1) // 2


@given(price=PRICES, usage=USAGES)
def test_a_charge_is_the_sum_of_its_parts_rounded_once_half_up(price, usage):
    assert price.charge_nusd(usage) == exactly(price, usage)


@given(price=PRICES, usage=USAGES, more=st.integers(0, 10_000))
def test_more_tokens_out_never_cost_less(price, usage, more):
    longer = replace(usage, tokens_out=usage.tokens_out + more)
    assert price.charge_nusd(longer) >= price.charge_nusd(usage) >= 0


@given(price=PRICES, usage=USAGES)
def test_what_is_quoted_is_what_is_billed_for_every_kind_of_token(price, usage):
    book = PriceBook({"gpt": (price,)})
    quote = book.quote_nusd("gpt", usage, 0.0)
    billed = book.charge_nusd("gpt", usage, 0.0)
    assert quote == billed or not (usage.tokens_in or usage.tokens_out)


@given(price=PRICES, usage=USAGES)
def test_a_price_times_a_whole_number_charges_so_many_times_as_much(price, usage):
    assert abs(price.scaled(3).charge_nusd(usage) - 3 * price.charge_nusd(usage)) <= 3


@pytest.mark.parametrize("factor", [1.1, "1.1", Decimal("1.1"), Fraction(11, 10)])
def test_a_factor_counts_as_it_is_written_for_every_rate(factor):
    flex = replace(PLAIN, tiers=(LengthTier(5, USD, USD, KindRates(USD)),))
    scaled = replace(SONNET, tiers=flex.tiers, services=(("flex", flex),)).scaled(factor)
    assert (scaled.input_nusd_per_mtok, scaled.output_nusd_per_mtok) == (2_200_000_000, 11_000_000_000)
    assert scaled.kinds == KindRates(220_000_000, 2_750_000_000, 4_400_000_000)
    assert scaled.tiers == (LengthTier(5, 1_100_000_000, 1_100_000_000, KindRates(1_100_000_000)),)
    assert dict(scaled.services)["flex"] == flex.scaled(factor)


def test_a_service_tier_has_its_own_rates_and_the_dates_of_the_price():
    flex = DatedPrice(USD, 5 * USD, tiers=(LengthTier(1000, 2 * USD, 5 * USD),))
    price = replace(SONNET, valid_from_s=5.0, services=(("flex", flex),))
    served = price.at_service("flex")
    assert served is not None
    assert (served.valid_from_s, served.kinds, served.tiers) == (5.0, None, flex.tiers)
    assert served.charge_nusd(Usage(1000, 0)) == 1_000_000
    assert price.at_service("priority") is None
