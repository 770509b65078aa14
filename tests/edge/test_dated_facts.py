"""What models cost, as of when: the facts that the package carries, over litellm's bundled map."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import pytest

from failover.config.prices import Billing, PriceTerms
from failover.price_map import bundled_map
from failover.price_sources.book import model_prices
from failover.price_sources.facts import facts, facts_of
from failover.price_sources.litellm_list import RELEASED, as_of_s
from tests.edge.pricing import book_of, costs, day_s, usd

CHANGES = Path(__file__).parents[3] / "shared" / "facts" / "price_changes.csv"
HERE = CHANGES.is_file()

PREFIXES = {
    "AWS Bedrock": "bedrock",
    "Anthropic": "anthropic",
    "Cerebras": "cerebras",
    "Cohere": "cohere",
    "DeepSeek": "deepseek",
    "Google": "gemini",
    "Groq": "groq",
    "Mistral": "mistral",
    "Moonshot": "moonshot",
    "OpenAI": "openai",
    "xAI": "xai",
}
NAMES = {"llama3-1-70b-instruct": "meta.llama3-1-70b-instruct-v1:0"}
FIVE_DATES = ("2024-06-15", "2025-04-01", "2025-12-24", "2026-08-20", "2026-10-25")
NOT_BY_DATE = ("(thinking)", "above 200k", "off-peak", "(peak)", "gpt-5.5-pro")
"""Rows about a part of a price, or about an error of a list: each has a test of its own below."""


def rows():
    with CHANGES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def models_of(row):
    """One row may be about several models, named by how they differ."""
    first, *others = row["model"].split(" / ")
    word = first.split(" ")[0]
    prefix, stem = PREFIXES[row["provider"]], word.rpartition("-")[0]
    words = [NAMES.get(word, word)]
    for other in others:
        different = other.split(" ")[0]
        words.append(f"gemini-{different}" if stem.startswith("gemini") else f"{stem}-{different}")
    return [f"{prefix}/{each}" for each in words]


@pytest.mark.skipif(not HERE, reason="the gathered facts are not beside this checkout")
def test_every_change_that_was_gathered_is_known_on_its_day_and_not_before():
    noon_s = 12 * 3600  # discounts by night end on the day, and are no part of what is asked here
    for row in rows():
        before, after = (
            tuple(float(row[f"{which}_{side}"]) for side in ("input", "output")) for which in ("old", "new")
        )
        for model in models_of(row) if not any(words in row["model"] for words in NOT_BY_DATE) else ():
            book, day = book_of(model), day_s(row["effective_date"])
            found = [usd(book.in_force("t", day + shift_s)) for shift_s in (-noon_s, noon_s)]
            # Of several models the row tells the old price of the first alone.
            assert found[1] == after, (model, row)
            assert found[0] == before or model != models_of(row)[0], (model, row)


def told(changes, as_of):
    """What the rows say of a day: the new price of the last one before it, or the old one of the next."""
    past = [row for row in changes if row["effective_date"] <= as_of]
    which, row = ("new", past[-1]) if past else ("old", changes[0])
    return float(row[f"{which}_input"]), float(row[f"{which}_output"])


@pytest.mark.skipif(not HERE, reason="the gathered facts are not beside this checkout")
def test_fifty_models_on_five_dates_agree_with_the_facts_and_the_bundled_map():
    """As of noon: the map where nothing changed that is known, the rows where something did."""
    changes: dict[str, list] = {}
    for row in sorted(rows(), key=lambda row: row["effective_date"]):
        if not any(words in row["model"] for words in NOT_BY_DATE):
            for model in models_of(row):
                changes.setdefault(model, []).append(row)
    entries = bundled_map()
    models = [*changes, *(name for name in STEADY if name in entries)]
    assert len(models) >= 50
    checked = 0
    for model, date in product(models, FIVE_DATES):
        found = usd(book_of(model).in_force("t", day_s(date) + 12 * 3600))
        if model not in changes:
            entry = entries[model]
            expected = entry["input_cost_per_token"] * 1e6, entry["output_cost_per_token"] * 1e6
            assert found == pytest.approx(expected, rel=1e-9), model
        elif (model, date) not in ASKED_ELSEWHERE:
            assert found == told(changes[model], date), (model, date)
        checked += 1
    assert checked >= 250


STEADY = (
    "claude-haiku-4-5",
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-sonnet-4-5",
    "gemini/gemini-2.5-flash-lite",
    "gpt-4-turbo",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4o-mini",
    "gpt-5",
    "gpt-5-mini",
    "gpt-5-nano",
    "mistral/mistral-large-2512",
    "o3-mini",
    "o4-mini",
    "text-embedding-3-large",
    "text-embedding-3-small",
    "xai/grok-4.3",
)
ASKED_ELSEWHERE = {
    # Its price goes by the hour, and has a test of its own.
    ("deepseek/deepseek-v4-pro", "2026-08-20"),
    ("deepseek/deepseek-v4-pro", "2026-10-25"),
    # Between the last change that is known and the map's own day something changed that nobody dated.
    ("bedrock/meta.llama3-1-70b-instruct-v1:0", "2026-10-25"),
    ("mistral/mistral-small", "2026-10-25"),
}


# The traps.


@pytest.mark.parametrize("when", ["2026-08-31", "2026-09-01", "2026-12-01", "2027-06-01"])
def test_a_rise_that_was_cancelled_never_comes(when):
    """Two price lists still had Sonnet 5 at 3/15 from 1 September 2026 on."""
    assert costs("anthropic/claude-sonnet-5", when) == (2.0, 10.0)


@pytest.mark.parametrize("when", ["2026-04-25", "2026-05-15", "2026-11-20"])
def test_an_error_of_a_price_list_is_no_price_cut(when):
    """gpt-5.5-pro never cost 60/360."""
    assert costs("openai/gpt-5.5-pro", when) == (30.0, 180.0)


@pytest.mark.parametrize(
    ("model", "before", "after"),
    [
        ("gemini/gemini-flash-latest", (0.3, 2.5), (0.75, 3.75)),
        ("gemini/gemini-flash-lite-latest", (0.1, 0.4), (0.3, 2.5)),
        ("gemini/gemini-pro-latest", (1.25, 10.0), (2.0, 12.0)),
    ],
)
def test_a_name_that_moves_to_another_model_moves_its_price(model, before, after):
    assert costs(model, "2026-09-21T23:59:59") == before
    assert costs(model, "2026-09-22") == after


def test_a_name_that_is_to_move_follows_the_price_of_the_other_from_then_on():
    """Gemini 2.5 Pro is answered, and billed, by 3.8 Flash; whose introductory price ends a month later."""
    told = [costs("gemini/gemini-2.5-pro", when) for when in ("2026-11-30", "2026-12-01", "2027-01-01")]
    assert told == [(1.25, 10.0), (0.75, 3.75), (1.5, 7.5)]
    announced = book_of("gemini/gemini-2.5-pro").in_force("t", day_s("2026-12-01"))
    assert announced is not None
    assert announced.origin.announced


@pytest.mark.parametrize(
    ("when", "flash", "pro"),
    [
        ("2026-08-16T15:59", (0.14, 0.28), (0.435, 0.87)),
        ("2026-08-16T16:00", (0.22, 0.66), (0.66, 1.98)),
        ("2026-08-17T00:59", (0.22, 0.66), (0.66, 1.98)),
        ("2026-08-17T01:00", (0.44, 1.32), (1.32, 3.96)),
        ("2026-08-17T04:00", (0.22, 0.66), (0.66, 1.98)),
        ("2026-08-17T09:59", (0.44, 1.32), (1.32, 3.96)),
        ("2026-08-22T02:00", (0.44, 1.32), (1.32, 3.96)),
        ("2026-09-26T02:00", (0.15, 0.6), (1.32, 3.96)),
        ("2026-09-28T02:00", (0.3, 1.2), (1.32, 3.96)),
    ],
)
def test_deepseek_costs_more_in_its_hours_and_later_only_on_weekdays(when, flash, pro):
    """22 August and 26 September 2026 are Saturdays."""
    assert costs("deepseek/deepseek-v4-flash", when) == flash
    assert costs("deepseek/deepseek-flash", when) == flash
    assert costs("deepseek/deepseek-v4-pro", when) == pro


@pytest.mark.parametrize(
    ("when", "price"),
    [
        ("2025-02-26T16:29", (0.27, 1.1)),
        ("2025-02-26T16:30", (0.135, 0.55)),
        ("2025-02-27T00:29", (0.135, 0.55)),
        ("2025-02-27T00:30", (0.27, 1.1)),
        ("2025-09-04T23:59", (0.135, 0.55)),
        ("2025-09-05T00:00", (0.56, 1.68)),
        ("2025-09-29", (0.28, 0.42)),
    ],
)
def test_a_discount_by_night_runs_over_midnight_and_ends_on_its_day(when, price):
    assert costs("deepseek/deepseek-chat", when) == price


@pytest.mark.parametrize(("when", "usd_in"), [("2026-03-12", 10.0), ("2026-03-13", 5.0)])
def test_a_surcharge_on_long_prompts_ends_on_its_day(when, usd_in):
    price = book_of("anthropic/claude-opus-4-6").in_force("t", day_s(when))
    assert price is not None
    rates = [tier.input_nusd_per_mtok / 1e9 for tier in price.tiers] or [price.input_nusd_per_mtok / 1e9]
    assert rates == [usd_in]


def test_thinking_had_a_price_of_its_own():
    price = book_of("gemini/gemini-2.5-flash").in_force("t", day_s("2025-06-16"))
    assert price is not None
    assert price.kinds is not None
    assert price.kinds.reasoning_nusd_per_mtok == 3_500_000_000


def test_a_change_that_the_list_has_caught_up_with_is_the_lists_with_all_its_rates():
    """The facts know two rates; the map also knows cached tokens and tiers."""
    before, after = (
        book_of("openai/gpt-5.6-luna").in_force("t", day_s(when)) for when in ("2026-07-29", "2026-07-30")
    )
    assert before is not None
    assert after is not None
    assert (before.kinds, before.tiers) == (None, ())
    assert after.kinds is not None
    assert after.kinds.cached_input_nusd_per_mtok == 20_000_000
    assert [tier.above_tokens for tier in after.tiers] == [272_000]
    assert "dated by llm-prices" in after.origin.source
    assert not after.origin.undated


def test_what_nobody_dated_is_said_to_be_undated():
    price = book_of("openai/gpt-4.1").in_force("t", day_s("2020-01-01"))
    assert price is not None
    assert price.origin.undated


def test_a_promotion_and_what_is_announced_after_it_are_said_to_be_so():
    book = book_of("gemini/gemini-3.6-flash")
    during, after = (book.in_force("t", day_s(when)) for when in ("2026-12-31", "2027-01-01"))
    assert during is not None
    assert after is not None
    assert (during.origin.promotion, during.origin.announced) == (True, False)
    assert (after.origin.promotion, after.origin.announced) == (False, True)


def test_every_fact_names_its_source_and_has_some_time_or_hours():
    for model, of_model in facts().items():
        for fact in of_model:
            assert fact.price.origin.source, model
            assert fact.price.clipped(None, None) is not None, model


def test_the_facts_of_a_model_are_found_by_its_name_without_a_provider_too():
    assert facts_of("gpt-4o") == facts_of("openai/gpt-4o") != ()
    assert facts_of("azure/gpt-4o") == ()
    assert facts_of("nobody/knows-it") == facts_of("nobody-knows-it") == ()


@pytest.mark.parametrize(
    ("release", "date"),
    [
        ("1.98.0", "2026-08-23"),
        ("1.106.2", "2026-09-30"),
        ("1.109.1", "2026-11-13"),
        ("1.5.0", None),
        ("1.200.0", None),
        ("", None),
    ],
)
def test_a_release_of_litellm_is_at_least_as_new_as_the_last_one_before_it(release, date):
    assert as_of_s(release) == (None if date is None else day_s(date))
    assert list(RELEASED) == sorted(RELEASED, key=lambda known: [int(part) for part in known.split(".")])


def test_an_alias_that_leads_back_to_itself_has_no_price():
    seen = frozenset({"openai/gpt-4o"})
    assert model_prices("openai/gpt-4o", Billing(), PriceTerms(), seen) == ()
