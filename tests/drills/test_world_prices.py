"""Prices in a simulated world: hours of the week, kinds of tokens, and what the journal tells of them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.drill import run_drill
from failover.chaos.judging.event_lines import event_line
from failover.chaos.judging.invariants.charges_exact import ChargesExact
from failover.chaos.scenario import START_EPOCH_S, load_scenario
from failover.chaos.world.prices import price_events
from failover.core.prices import DatedPrice, KindRates, LengthTier, PriceBook, WeeklyHours
from failover.core.vocabulary import Usage
from failover.core.world_events import PriceInForce
from tests.drills.journals import Journal, checked
from tests.drills.worlds import GPT, injection, world

MINUTE_S = 60
STARTS_AT_MINUTE = int(START_EPOCH_S // MINUTE_S) % 1440
NEXT_HOUR = WeeklyHours((((STARTS_AT_MINUTE + 1) % 1440, (STARTS_AT_MINUTE + 2) % 1440),))
PEAK = (DatedPrice(100, 100), DatedPrice(300, 300, hours=NEXT_HOUR))


def rates(events) -> list[tuple[float, int | None]]:
    return [(event.at_s, event.input_nusd_per_mtok) for event in events]


def told(prices, until_s=600.0):
    return list(price_events("gpt", prices, START_EPOCH_S, until_s))


def test_hours_stay_hours_when_a_price_change_is_woven_in():
    dearer = injection("price_change", target="gpt", at_s=90, for_s=60, factor=10)
    prices = world(GPT, inject=[dearer], prices={"gpt": PEAK}).prices
    expected = [(0.0, 100), (60.0, 300), (90.0, 3000), (120.0, 1000), (150.0, 100)]
    assert rates(told(prices)) == expected


@given(at_s=st.integers(0, 300), factor=st.sampled_from([0.5, 1.0, 2.0]), when_s=st.integers(0, 400))
def test_at_any_instant_the_journal_tells_the_price_that_the_router_is_charged(at_s, factor, when_s):
    change = injection("price_change", target="gpt", at_s=at_s, for_s=50, factor=factor)
    prices = world(GPT, inject=[change], prices={"gpt": PEAK}).prices
    last = [event for event in told(prices) if event.at_s <= when_s][-1]
    price = prices.in_force("gpt", START_EPOCH_S + when_s)
    assert price is not None
    assert last.input_nusd_per_mtok == price.input_nusd_per_mtok


def test_a_price_that_ends_is_told_to_be_unknown_from_then_on():
    ends = DatedPrice(100, 100, None, START_EPOCH_S + 30.0)
    events = told(PriceBook({"gpt": (ends,)}))
    assert rates(events) == [(0.0, 100), (30.0, None)]
    assert event_line(events[1]) == "price of gpt: not known from now on"
    assert told(PriceBook()) == []


def test_every_rate_is_scaled_by_a_price_change_and_by_a_successor():
    price = DatedPrice(100, 200, kinds=KindRates(10), tiers=(LengthTier(5, 300, 400, KindRates(20)),))
    dearer = injection("price_change", target="gpt", factor=2)
    moved = injection("deprecation", target="gpt", shape="redirect", successor="gpt-6", price_factor=2)
    for change in (dearer, moved):
        assert change.reprice(price) == price.scaled(2)
        assert change.reprice(price).charge_nusd(Usage(10**6, 0)) == 600


def test_a_charge_at_a_longer_prompts_rate_is_reckoned_from_the_journal_alone():
    tiers = (LengthTier(1000, 2_000_000_000, 2_000_000_000),)
    journal = Journal().write(PriceInForce(0.0, "gpt", 1_000_000_000, 1_000_000_000, KindRates(1), tiers))
    journal.call().asks("gpt").answers(tokens=(1000, 1), cost_nusd=1_001_000).ends("gpt")
    journal.call().asks("gpt").answers(tokens=(1001, 0), cost_nusd=2_002_000).ends("gpt")
    assert not checked(ChargesExact, journal, None, None).violations


def test_after_a_price_is_unknown_nothing_may_be_charged():
    journal = Journal().prices("gpt").write(PriceInForce(0.0, "gpt", None, None))
    journal.call().asks("gpt").answers(tokens=(1000, 1), cost_nusd=None).ends("gpt")
    assert not checked(ChargesExact, journal, None, None).violations
    journal.call().asks("gpt").answers(tokens=(1000, 1), cost_nusd=5).ends("gpt")
    [violation] = checked(ChargesExact, journal, None, None).violations
    assert "None were owed (no price is known)" in violation


CONFIG = """
providers:
  openai: {credential: env:OPENAI_API_KEY}
  anthropic: {credential: env:ANTHROPIC_API_KEY}
targets:
  gpt:
    provider: openai
    model: openai/gpt-5.6-luna
    prices:
      input_usd_per_mtok: 1
      output_usd_per_mtok: 4
      tiers: [{above_tokens: 2, input_usd_per_mtok: 3, output_usd_per_mtok: 12}]
      peak:
        - {hours: ['00:05-00:10'], weekdays: [thu], input_usd_per_mtok: 30, output_usd_per_mtok: 120}
  claude:
    provider: anthropic
    model: anthropic/claude-sonnet-5
    prices: {input_usd_per_mtok: 5, output_usd_per_mtok: 20, valid_to: 2026-01-01T00:12:00Z}
routes:
  chat: {chain: [[gpt, claude]], strategy: cost}
"""
SCENARIO = """
title: prices by the hour
config: failover.yaml
workload: {route: chat, rate_per_s: 0.5, for_s: 900}
inject:
  - {kind: price_change, target: gpt, at_s: 420, for_s: 60, factor: 2}
"""


@pytest.mark.parametrize("mode", ["simulate", "replay"])
def test_a_drill_over_a_peak_charges_to_the_nano_dollar_and_asks_who_is_cheaper(tmp_path: Path, mode):
    """Virtual time begins on Thursday, 1 January 2026: five minutes later GPT is the dearer one."""
    assert dt.datetime.fromtimestamp(START_EPOCH_S, dt.UTC).weekday() == 3
    (tmp_path / "failover.yaml").write_text(CONFIG, "utf-8")
    (tmp_path / "drill.yaml").write_text(SCENARIO, "utf-8")
    journal = tmp_path / "journal.jsonl"
    verdict = run_drill(load_scenario(tmp_path / "drill.yaml"), seed=1, mode=mode, journal=journal)
    events = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    prices = [event for event in events if event["event"] == "price_in_force"]
    changes = [(each["at_s"], each["input_nusd_per_mtok"]) for each in prices if each["target"] == "gpt"]
    usd = 1_000_000_000
    assert changes == [(0.0, usd), (300.0, 30 * usd), (420.0, 60 * usd), (480.0, 30 * usd), (600.0, usd)]
    started = [event for event in events if event.get("cause") == "first"]
    at_peak = {event["target"] for event in started if 301 < event["at_s"] < 599}
    before = {event["target"] for event in started if event["at_s"] < 299}
    assert (before, at_peak) == ({"gpt"}, {"claude"})
    [charges] = [each for each in verdict.invariants if each.name == "charges_exact"]
    assert charges.checked > 400
    assert not charges.violations


UNPRICED = """
providers: {openai: {credential: env:OPENAI_API_KEY}}
targets: {gpt: {provider: openai, model: openai/gpt-5.6-luna}}
routes: {chat: {chain: [gpt]}}
"""


@pytest.mark.parametrize(
    ("begins", "usd_per_mtok"),
    [("", 0.2), ("begins: 2026-07-29T23:59:00Z", 1.0), ("begins: 2026-07-30T00:00:00Z", 0.2)],
)
def test_a_drill_sees_the_prices_of_its_day_where_it_has_one(tmp_path: Path, begins, usd_per_mtok):
    """On 30 July 2026 GPT-5.6 Luna became cheaper; the usual beginning of virtual time is no such day."""
    (tmp_path / "failover.yaml").write_text(UNPRICED, "utf-8")
    story = (
        f"title: a day\nconfig: failover.yaml\n{begins}\nworkload: {{route: chat, rate_per_s: 1, for_s: 5}}"
    )
    (tmp_path / "drill.yaml").write_text(story, "utf-8")
    journal = tmp_path / "journal.jsonl"
    run_drill(load_scenario(tmp_path / "drill.yaml"), seed=1, mode="simulate", journal=journal)
    events = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    first = next(event for event in events if event["event"] == "price_in_force")
    assert first["input_nusd_per_mtok"] == usd_per_mtok * 1e9
