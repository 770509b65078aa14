"""Prices as people write them: what they become, and the one clear complaint about each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from failover.config import load_config
from failover.config.json_schema import price_file_json_schema
from failover.core.prices import PriceBook
from failover.core.vocabulary import Usage
from failover.errors import ConfigError
from failover.price_sources import price_book
from tests.edge.pricing import config_of, costs, day_s, usd

ROOT = Path(__file__).parents[2]
ONE: dict[str, Any] = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
EUROS: dict[str, Any] = {"currency": "EUR", "input_per_mtok": 1, "output_per_mtok": 2}
CONFIG = """
price_book: prices.yaml
providers: {p: {}}
targets:
  large: {provider: p, model: mistral/mistral-large-4}
  latest: {provider: p, model: mistral/mistral-large-latest}
routes: {r: {chain: [large, latest]}}
"""


def priced(folder: Path, text: str) -> PriceBook:
    """The book of a config beside a price file of that text."""
    (folder / "failover.yaml").write_text(CONFIG, "utf-8")
    (folder / "prices.yaml").write_text(text, "utf-8")
    return price_book(load_config(folder / "failover.yaml"))


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        priced(folder, text)
    (only,) = caught.value.complaints
    return str(only).replace(str(folder), "").lstrip("/")


def test_a_price_of_a_file_lies_over_the_lists_in_its_own_time(tmp_path):
    text = """
    prices:
      mistral/mistral-large-4:
        - {input_usd_per_mtok: 1.2, output_usd_per_mtok: 4, valid_from: 2026-12-01, valid_to: 2027-01-01}
    """
    book = priced(tmp_path, text)
    told = [usd(book.in_force("large", day_s(when))) for when in ("2026-11-30", "2026-12-01", "2027-01-01")]
    assert told == [(1.36, 4.18), (1.2, 4.0), (1.36, 4.18)]


def test_a_name_follows_the_model_that_it_stands_for_as_of_then(tmp_path):
    text = """
    prices:
      mistral/mistral-large-4: {input_usd_per_mtok: 9, output_usd_per_mtok: 9, valid_from: 2027-06-01}
    aliases:
      mistral/mistral-large-latest:
        - {of: mistral/mistral-large-4, valid_from: 2026-12-01}
        - {of: mistral/mistral-large-5, valid_from: 2027-01-01, state: cancelled}
    """
    book = priced(tmp_path, text)
    days = ("2026-11-30", "2026-12-01", "2027-01-01", "2027-06-01")
    told = [usd(book.in_force("latest", day_s(when))) for when in days]
    assert told == [(0.5, 1.5), (1.36, 4.18), (1.36, 4.18), (9.0, 9.0)]


def test_a_currency_is_worth_what_the_file_says_as_of_then(tmp_path):
    text = """
    currencies:
      EUR: [{usd_per_unit: 1.08, valid_to: 2027-01-01}, {usd_per_unit: 1.1, valid_from: 2027-06-01}]
    prices: {mistral/mistral-large-4: {currency: EUR, input_per_mtok: 2, output_per_mtok: 5}}
    """
    book = priced(tmp_path, text)
    told = [usd(book.in_force("large", day_s(when))) for when in ("2026-12-31", "2027-03-01", "2027-06-01")]
    assert told == [(2.16, 5.4), None, (2.2, 5.5)]


def test_a_price_in_a_currency_that_nobody_tells_the_worth_of_is_unknown(tmp_path):
    """Not zero, and not what another source says."""
    text = "prices: {mistral/mistral-large-4: {currency: EUR, input_per_mtok: 2, output_per_mtok: 5}}"
    book = priced(tmp_path, text)
    assert book.quote_nusd("large", Usage(1, 1), day_s("2026-12-01")) is None
    assert book.quote_nusd("latest", Usage(1, 1), day_s("2026-12-01")) is not None


def test_a_price_may_say_itself_what_its_currency_is_worth():
    euros = {
        **EUROS,
        "usd_per_unit": 1.5,
        "peak": [{"hours": ["01:00-02:00"], "input_per_mtok": 3, "output_per_mtok": 4}],
    }
    assert costs("m", "2026-11-20T00:30", prices=euros) == (1.5, 3.0)
    assert costs("m", "2026-11-20T01:30", prices=euros) == (4.5, 6.0)
    assert costs("m", "2026-11-20", prices={**EUROS, "currency": "USD"}) == (1.0, 2.0)


def test_a_region_multiplies_the_price_that_says_so():
    prices = {**ONE, "region_multipliers": {"us": 1.1, "eu": 2}}
    assert costs("m", "2026-11-20", prices=prices) == (1.0, 2.0)
    assert costs("m", "2026-11-20", prices=prices, region="us") == (1.1, 2.2)
    assert costs("m", "2026-11-20", prices=prices, region="us", billing={"region": "eu"}) == (2.0, 4.0)


def test_a_target_that_tells_prices_tells_all_of_them():
    prices = {**ONE, "valid_to": "2026-01-01"}
    assert costs("openai/gpt-4o", "2026-01-01", prices=prices) is None


def test_a_promotion_ends_and_an_announced_price_comes():
    prices = [
        ONE,
        {"input_usd_per_mtok": 3, "output_usd_per_mtok": 3, "valid_from": "2027-01-01", "state": "announced"},
        {"input_usd_per_mtok": 0.5, "output_usd_per_mtok": 1, "valid_to": "2026-12-01", "promotion": True},
        {"input_usd_per_mtok": 9, "output_usd_per_mtok": 9, "state": "cancelled"},
    ]
    told = [costs("m", when, prices=prices) for when in ("2026-11-30", "2026-12-01", "2027-01-01")]
    assert told == [(0.5, 1.0), (1.0, 2.0), (3.0, 3.0)]


def test_tiers_services_and_hours_become_those_of_the_core():
    prices = {
        **ONE,
        "cached_input_usd_per_mtok": 0.1,
        "tiers": [{"above_tokens": 200, "input_usd_per_mtok": 2, "output_usd_per_mtok": 4}],
        "flex": {"input_usd_per_mtok": 0.5, "output_usd_per_mtok": 1, "tiers": [{"above_tokens": 9, **ONE}]},
        "peak": [{"hours": ["22:00-06:00"], "weekdays": ["fri"], "zone": "Asia/Shanghai", **ONE}],
    }
    config = config_of("m", prices=prices, billing={"service": "flex"})
    plain, peak = config.prices["t"]
    assert plain.charge_nusd(Usage(100, 0, tokens_in_cached=100)) == 10_000
    assert plain.charge_nusd(Usage(201, 1)) == 201 * 2000 + 4000
    assert peak.hours is not None
    assert (peak.hours.windows, peak.hours.weekdays) == (((1320, 360),), frozenset({4}))
    flex, _ = price_book(config).prices["t"]
    assert flex.charge_nusd(Usage(9, 0)) == 4_500
    assert flex.charge_nusd(Usage(10, 0)) == 10_000


@pytest.mark.parametrize(
    ("keys", "where", "what"),
    [
        (
            {"tiers": [{"above_tokens": 9, **ONE}, {"above_tokens": 9, **ONE}]},
            ".tiers.1.above_tokens",
            "must be more than 9, that of the tier before",
        ),
        (
            {"flex": {**ONE, "tiers": [{"above_tokens": 9, **ONE}, {"above_tokens": 8, **ONE}]}},
            ".flex.tiers.1.above_tokens",
            "must be more than 9",
        ),
        ({"tiers": [{"above_tokens": 0, **ONE}]}, ".tiers.0.above_tokens", "must be at least 1, got 0"),
        ({"peak": [{"hours": [], **ONE}]}, ".peak.0.hours", "must not be empty"),
        (
            {"peak": [{"hours": ["09:00-09:00"], **ONE}]},
            ".peak.0.hours.0",
            "is empty: '09:00-09:00' ends when it begins",
        ),
        ({"peak": [{"hours": ["9-17"], **ONE}]}, ".peak.0.hours.0", "must be hours such as '22:30-06:00'"),
        (
            {"peak": [{"hours": ["09:00-24:30"], **ONE}]},
            ".peak.0.hours.0",
            "must be hours such as '22:30-06:00'",
        ),
        (
            {"peak": [{"hours": ["09:00-17:00", "16:00-18:00"], **ONE}]},
            ".peak.0.hours.1",
            "overlaps hours 0 of peak 0",
        ),
        (
            {
                "peak": [
                    {"hours": ["22:00-06:00"], "weekdays": ["sun"], **ONE},
                    {"hours": ["05:00-07:00"], "weekdays": ["mon"], **ONE},
                ]
            },
            ".peak.1.hours.0",
            "overlaps hours 0 of peak 0",
        ),
        (
            {"peak": [{"hours": ["09:00-17:00"], "weekdays": ["Mon"], **ONE}]},
            ".peak.0.weekdays.0",
            "unknown value 'Mon'; did you mean 'mon'?",
        ),
        (
            {"peak": [{"hours": ["09:00-17:00"], "zone": "Asia/Shangai", **ONE}]},
            ".peak.0.zone",
            "unknown time zone 'Asia/Shangai'; did you mean 'Asia/Shanghai'?",
        ),
        (
            {"peak": [{"hours": ["09:00-17:00"], "zone": 8, **ONE}]},
            ".peak.0.zone",
            "unknown time zone 8; say one such as",
        ),
        (
            {"region_multipliers": {"us": 0}},
            ".region_multipliers.us",
            "must be greater than 0 and at most 1000, got 0",
        ),
        ({"region_multipliers": {"us": "1.1"}}, ".region_multipliers.us", "must be a number, got '1.1'"),
        (
            {"region_multipliers": {"us": 10**5000}},
            ".region_multipliers.us",
            "must be greater than 0 and at most 1000",
        ),
        ({"state": "annonced"}, ".state", "unknown value 'annonced'; did you mean 'announced'?"),
        ({"state": "announced"}, ".state", "is announced for no date: the key 'valid_from' is missing"),
        ({"promotion": True}, ".promotion", "never ends: the key 'valid_to' is missing"),
        (
            {"usd_per_unit": 1.1},
            ".usd_per_unit",
            "is for a price in another currency: the key 'currency' is missing",
        ),
        ({"cached_input_usd_per_mtok": -1}, ".cached_input_usd_per_mtok", "must be between 0 and 1000000"),
        (
            {"cached_usd_per_mtok": 1},
            ".cached_usd_per_mtok",
            "unknown key 'cached_usd_per_mtok'; did you mean",
        ),
        ({"curency": "EUR"}, ".curency", "unknown key 'curency'; did you mean 'currency'?"),
    ],
)
def test_a_price_that_cannot_be_gets_one_clear_complaint(keys, where, what):
    with pytest.raises(ConfigError) as caught:
        config_of("m", prices={**ONE, **keys})
    (only,) = caught.value.complaints
    assert only.where == f"targets.t.prices{where}"
    assert only.what.startswith(what)


@pytest.mark.parametrize(
    ("keys", "where", "what"),
    [
        ({"currency": "euro"}, ".currency", "must be the three capitals of a currency such as EUR"),
        (
            {"tiers": [{"above_tokens": 1, "input_per_mtok": 1}]},
            ".tiers.0",
            "the key 'output_per_mtok' is missing",
        ),
        (
            {"cached_input_usd_per_mtok": 1},
            ".cached_input_usd_per_mtok",
            "unknown key 'cached_input_usd_per_mtok'; did you mean 'cached_input_per_mtok'?",
        ),
        ({"usd_per_unit": True}, ".usd_per_unit", "must be a number, got true"),
    ],
)
def test_no_key_names_dollars_that_are_none(keys, where, what):
    with pytest.raises(ConfigError) as caught:
        config_of("m", prices={**EUROS, **keys})
    (only,) = caught.value.complaints
    assert only.where == f"targets.t.prices{where}"
    assert only.what.startswith(what)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prices: [", "prices.yaml:2: is not valid YAML"),
        ("- 1", "prices.yaml:1"),
        ("price: {}", "prices.yaml:1: price: unknown key 'price'; did you mean 'prices'?"),
        ("as_of: soon", "prices.yaml:1: as_of: must be a date or a time in UTC"),
        (
            "prices:\n  m: {input_usd_per_mtok: 1}",
            "prices.yaml:2: prices.m: the key 'output_usd_per_mtok' is missing",
        ),
        (
            f"prices:\n  m:\n  - {json.dumps(ONE)}\n  - {json.dumps(ONE)}",
            "prices.yaml:3: prices.m.0: is never in force: price 1 covers",
        ),
        ("currencies: {eur: 1}", "prices.yaml:1: currencies.eur: the name must be the three capitals"),
        ("currencies: {EUR: 0}", "prices.yaml:1: currencies.EUR: must be greater than 0"),
        (
            "currencies:\n  EUR:\n  - {usd_per_unit: 1, valid_from: 2027-01-01, valid_to: 2026-01-01}",
            "prices.yaml:3: currencies.EUR.0.valid_to: must be later than valid_from",
        ),
        (
            "aliases:\n  a: {of: b}\n  b: {of: c}\n  c: {of: b}",
            "prices.yaml:3: aliases.b: stands for itself in the end: 'b' -> 'c' -> 'b'",
        ),
        ("aliases: {a: {valid_from: 2026-01-01}}", "prices.yaml:1: aliases.a: the key 'of' is missing"),
        (
            "aliases: {a: {of: b, valid_from: 2026-02-01, valid_to: 2026-01-01}}",
            "prices.yaml:1: aliases.a.valid_to: must be later",
        ),
    ],
)
def test_a_mistake_in_a_price_file_is_told_with_its_line(tmp_path, text, said):
    with pytest.raises(ConfigError) as caught:
        priced(tmp_path, text)
    first = str(caught.value.complaints[0]).replace(str(tmp_path), "").lstrip("/")
    assert first.startswith(said)
    assert len(caught.value.complaints) == (2 if "c: {of: b}" in text else 1)


def test_a_price_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    (tmp_path / "failover.yaml").write_text(CONFIG, "utf-8")
    with pytest.raises(ConfigError, match=r"prices\.yaml: there is no such file"):
        load_config(tmp_path / "failover.yaml")


@pytest.mark.parametrize(
    ("book", "where", "what"),
    [
        ({"stale_days": 0}, "price_book.stale_days", "must be at least 1, got 0"),
        ({"sources": ["litelm"]}, "price_book.sources.0", "unknown value 'litelm'; did you mean 'litellm'?"),
        ({"sources": []}, "price_book.sources", "must not be empty"),
        ({"flie": "x"}, "price_book.flie", "unknown key 'flie'; did you mean 'file'?"),
        (5, "price_book", "must be a mapping, got 5"),
    ],
)
def test_a_price_book_that_cannot_be_is_refused(book, where, what, tmp_path):
    text = CONFIG.replace("price_book: prices.yaml", f"price_book: {json.dumps(book)}")
    (tmp_path / "failover.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "failover.yaml")
    assert [(each.where, each.what) for each in caught.value.complaints] == [(where, what)]


def test_the_published_schema_of_a_price_file_is_up_to_date():
    published = json.loads((ROOT / "docs" / "schemas" / "prices.schema.json").read_text("utf-8"))
    assert published == price_file_json_schema(), "write json.dumps(price_file_json_schema(), indent=2) there"
    jsonschema.Draft202012Validator.check_schema(published)


def test_the_published_schema_accepts_the_example_of_the_page():
    page = (ROOT / "docs" / "prices.md").read_text("utf-8")
    example = page.split("<!-- writes prices.yaml -->\n```yaml\n")[1].split("```")[0]
    plain = json.loads(json.dumps(yaml.safe_load(example), default=str))
    jsonschema.Draft202012Validator(price_file_json_schema()).validate(plain)
    assert not jsonschema.Draft202012Validator(price_file_json_schema()).is_valid({"prices": {"m": {}}})
