"""litellm's bundled map and genai-prices as price lists: read as they bill, and compared."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.adapters.loading import load_litellm
from failover.core.peaks import WeeklyHours
from failover.core.prices import PriceBook
from failover.core.vocabulary import Usage
from failover.errors import ConfigError
from failover.price_map import bundled_map
from failover.price_sources import price_book
from failover.price_sources.genai_list import genai_prices
from failover.price_sources.litellm_hours import hours_of
from failover.price_sources.litellm_list import SERVICES, litellm_prices, surcharge
from tests.edge.pricing import book_of, config_of, costs, day_s, usd

PRICED = sorted(
    name
    for name, entry in bundled_map().items()
    if entry.get("mode") in ("chat", "completion", "responses", "embedding") and litellm_prices(name)
)
WITH_TIERS = [name for name in PRICED if litellm_prices(name)[0].tiers]
WITH_HOURS = [name for name in PRICED if len(litellm_prices(name)) > 1]
# An empty prompt is in none of the ranges of a table for litellm, and costs nothing; for us in the first.
COUNTS = st.sampled_from([1, 100, 128_000, 128_001, 200_000, 200_001, 272_000, 272_001, 600_000])


@settings(max_examples=150)
@given(
    name=st.sampled_from(PRICED) | st.sampled_from(WITH_TIERS) | st.sampled_from(WITH_HOURS),
    service=st.sampled_from(["", "flex", "priority"]),
    tokens_in=COUNTS,
    tokens_out=st.integers(0, 5_000),
    shares=st.tuples(*[st.sampled_from([0, 3, 5, 9])] * 5),
    at_s=st.integers(int(day_s("2026-11-01")), int(day_s("2026-12-31"))),
)
def test_what_we_charge_is_what_litellm_reckons(name, service, tokens_in, tokens_out, shares, at_s):
    """To the nano-dollar, for every model of the map that is priced by the token."""
    load_litellm()
    from litellm.litellm_core_utils.llm_cost_calc.utils import generic_cost_per_token
    from litellm.types.utils import CompletionTokensDetailsWrapper, PromptTokensDetailsWrapper
    from litellm.types.utils import Usage as Told

    sides = (tokens_in, tokens_in, tokens_in, tokens_out, tokens_out)
    cached, written, heard, spoken, thought = (
        side // share if share else 0 for side, share in zip(sides, shares, strict=True)
    )
    told = Told(
        prompt_tokens=tokens_in,
        completion_tokens=tokens_out,
        total_tokens=tokens_in + tokens_out,
        prompt_tokens_details=PromptTokensDetailsWrapper(
            cached_tokens=cached,
            audio_tokens=heard,
            cache_creation_tokens=written,
            text_tokens=tokens_in - cached - heard - written,
        ),
        completion_tokens_details=CompletionTokensDetailsWrapper(
            reasoning_tokens=thought, audio_tokens=spoken
        ),
    )
    entry = bundled_map()[name]
    theirs = generic_cost_per_token(
        name,
        told,
        entry["litellm_provider"],
        service_tier=service or None,
        model_info=entry,
        current_time=dt.datetime.fromtimestamp(at_s, dt.UTC),
    )
    usage = Usage(tokens_in, tokens_out, cached, written, 0, heard, spoken, thought)
    prices = tuple(each.at_service(service) or each for each in litellm_prices(name))
    ours = PriceBook({name: prices}).charge_nusd(name, usage, at_s)
    assert ours is not None
    assert abs(ours - sum(theirs) * 1e9) <= 1 + sum(theirs) * 1e-6


@pytest.mark.parametrize("kind", ["tiers", "hours", "services", "kinds"])
def test_the_map_holds_some_of_everything(kind):
    """Else the test above holds nothing of it."""
    found = [price for name in PRICED for price in litellm_prices(name) if getattr(price, kind)]
    assert len(found) >= 10


def test_a_model_that_is_charged_by_the_picture_or_query_has_no_price_by_the_token():
    free_by_token = [
        name
        for name, entry in bundled_map().items()
        if entry.get("input_cost_per_token") == entry.get("output_cost_per_token") == 0
        and entry.get("input_cost_per_query")
    ]
    assert free_by_token
    assert not any(litellm_prices(name) for name in free_by_token)


def test_a_surcharge_counts_only_where_it_is_asked_for():
    assert costs("claude-sonnet-5", "2026-11-20", region="us") == (2.0, 10.0)
    assert costs("claude-sonnet-5", "2026-11-20", billing={"region": "us"}) == (2.2, 11.0)
    assert surcharge("claude-sonnet-5", "eu") == surcharge("nobody/knows-it", "us") == 1


def test_a_service_tier_is_billed_where_the_target_says_so():
    price = book_of("gpt-5.6-luna", billing={"service": "priority"}).in_force("t", day_s("2026-11-20"))
    assert usd(price) == (0.4, 2.4)
    assert price is not None
    assert [tier.input_nusd_per_mtok for tier in price.tiers] == [800_000_000]
    assert set(SERVICES) == {"batch", "flex", "priority"}


# Hours, as litellm tells them: in UTC, on the weekdays of a calendar of their own.


@pytest.mark.parametrize(
    ("when", "off_peak"),
    [
        # Monday in Shanghai begins on Sunday at 16:00 UTC.
        ("2026-11-15T15:59", True),
        ("2026-11-15T16:30", False),
        ("2026-11-16T12:00", False),
        ("2026-11-20T15:59", False),
        ("2026-11-20T16:00", True),
    ],
)
def test_a_weekday_is_that_of_the_calendar_that_is_named(when, off_peak):
    told = {
        "weekday_timezone": "Asia/Shanghai",
        "windows": [{"hours_utc": "00:00-00:00", "weekdays": [6, "Sunday"]}],
    }
    assert any(hours.cover(day_s(when)) for hours in hours_of(told)) is off_peak


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"hours_utc": "soon"},
        {"hours_utc": 5},
        {"hours_utc": [5]},
        {"windows": "00:00-01:00"},
        {"windows": [5]},
        {"windows": [{"hours_utc": "00:00-01:00", "weekdays": "mon"}]},
        {"windows": [{"hours_utc": "00:00-01:00", "weekdays": ["someday", 9]}]},
    ],
)
def test_hours_that_nobody_can_read_are_left_out_as_litellm_does(told):
    assert list(hours_of(told)) == []


def test_an_unknown_calendar_is_that_of_utc():
    told = {"weekday_timezone": "Mars/Base", "windows": [{"hours_utc": "00:00-01:00"}]}
    assert list(hours_of(told)) == [WeeklyHours(((0, 60),))]


# genai-prices.


def test_the_other_list_knows_dates_hours_tiers_and_services():
    pytest.importorskip("genai_prices")
    assert [usd(price) for price in genai_prices("openai/o3")][-1] == (2.0, 8.0)
    assert any(price.valid_from_s for price in genai_prices("openai/o3"))
    assert any(price.hours for price in genai_prices("deepseek/deepseek-chat"))
    (pro,) = genai_prices("openai/gpt-5.5-pro")
    assert [(tier.above_tokens, tier.output_nusd_per_mtok) for tier in pro.tiers] == [(272_000, 270 * 10**9)]
    assert dict(pro.services).keys() == {"flex", "batch"}
    (sonnet,) = genai_prices("anthropic/claude-sonnet-5")
    assert sonnet.kinds is not None
    assert sonnet.kinds.cached_input_nusd_per_mtok == 200_000_000
    assert genai_prices("nobody/knows-it") == ()


def test_installing_the_other_list_changes_no_price_until_it_is_asked():
    pytest.importorskip("genai_prices")
    config = config_of("openai/gpt-4.1")
    asked = replace(config, price_terms=replace(config.price_terms, sources=("genai-prices", "litellm")))
    plain, other = (price_book(each).in_force("t", day_s("2026-11-20")) for each in (config, asked))
    assert plain is not None
    assert other is not None
    assert plain.origin.source.startswith("litellm")
    assert other.origin.source.startswith("genai-prices")
    assert usd(plain) == usd(other)


def test_what_one_list_does_not_know_the_next_may():
    pytest.importorskip("genai_prices")
    config = config_of("mistral/no-such-model")
    for sources in (("genai-prices", "litellm"), ("litellm", "genai-prices")):
        asked = replace(config, price_terms=replace(config.price_terms, sources=sources))
        assert price_book(asked).in_force("t", 0.0) is None


def test_a_list_that_is_asked_and_not_installed_is_said_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    config = config_of("openai/gpt-4.1")
    asked = replace(config, price_terms=replace(config.price_terms, sources=("genai-prices",)))
    with pytest.raises(ConfigError, match=r"genai-prices is not installed: pip install 'failover\[prices\]'"):
        price_book(asked)
