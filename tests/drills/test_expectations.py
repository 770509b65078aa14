"""Each expectation is held against its measure; what could not be measured is not met."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.chaos.judging.expectations import AT_LEAST, AT_MOST, Evidence, judge_expectations
from failover.chaos.judging.histogram import Quantiles
from failover.chaos.judging.regret import Figures
from failover.chaos.scenario import Expectations
from tests.drills.journals import OUTAGE, Journal, judged, scenario, weathered


def evidence(**changes):
    """80 of 100 served, $2 spent, at figures that are easy to hold a limit against."""
    judgement = judged(weathered(), scenario(OUTAGE))
    measures = replace(
        judgement.measures,
        requests=100,
        served=80,
        attempts=150,
        cost_nusd=2_000_000_000,
        latency_s=Quantiles(1.0, 2.0, 3.0),
        first_token_s=Quantiles(0.1, 0.2, 0.3),
        detected_after_s=4.0,
        recovered_after_s=8.0,
        goodput_recovered_after_s=16.0,
        unwitting=20,
        **changes,
    )
    return Evidence(measures, judgement.coverage, Figures(0.1, 4.0, 0.25))


MEASURED = {
    "success_ratio_min": 0.8,
    "regret_success_ratio_max": 0.1,
    "regret_cost_per_1k_max_usd": 50.0,
    "regret_latency_max_s": 0.25,
    "latency_p95_max_s": 2.0,
    "first_token_p95_max_s": 0.2,
    "cost_per_1k_max_usd": 20.0,
    "amplification_max": 1.5,
    "unwitting_max": 20,
    "detected_within_s": 4.0,
    "recovered_within_s": 8.0,
    "goodput_recovered_within_s": 16.0,
}


def result(name, limit, seen=None):
    [only] = judge_expectations(Expectations(**{name: limit}), seen or evidence())
    return only


def test_the_table_is_total():
    others = {"served_share_min", "served_share_max", "sometimes", "never"}
    assert {*AT_LEAST, *AT_MOST, *others} == set(Expectations.model_fields)
    assert {*AT_LEAST, *AT_MOST} == set(MEASURED)


@pytest.mark.parametrize("name", MEASURED)
def test_a_limit_that_is_just_met_is_met(name):
    held = result(name, MEASURED[name])
    assert held.ok
    assert held.name == name
    assert held.limit == held.measured == MEASURED[name]


@pytest.mark.parametrize("name", MEASURED)
def test_a_limit_that_is_just_missed_is_not(name):
    worse = 1.0 if name in AT_LEAST else -0.05 * MEASURED[name]
    limit = MEASURED[name] + (0.01 if worse > 0 else worse)
    assert not result(name, limit).ok


@pytest.mark.parametrize("name", MEASURED)
def test_what_could_not_be_measured_is_not_met(name):
    judgement = judged(Journal())
    held = result(name, MEASURED[name], Evidence(judgement.measures, judgement.coverage, Figures(None)))
    assert (held.measured, held.ok) == (None, False)


def test_what_is_not_expected_is_not_judged():
    assert judge_expectations(Expectations(), evidence()) == ()


@pytest.mark.parametrize(("target", "share"), [("gpt", 61 / 82), ("claude", 21 / 82), ("mistral", 0.0)])
def test_the_share_of_each_target_is_held_on_both_sides(target, share):
    judgement = judged(weathered(), scenario(OUTAGE))
    seen = Evidence(judgement.measures, judgement.coverage, Figures(0.0))
    low = result("served_share_min", {target: share}, seen)
    high = result("served_share_max", {target: share}, seen)
    assert (low.ok, high.ok, low.name) == (True, True, f"served_share_min.{target}")
    assert not result("served_share_min", {target: share + 0.01}, seen).ok
    if share:
        assert not result("served_share_max", {target: share - 0.01}, seen).ok


def test_a_share_of_a_target_that_is_not_on_the_route_is_not_met():
    assert not result("served_share_max", {"nobody": 1.0}).ok


def test_what_should_happen_sometimes_must_happen_once():
    happened, never = judge_expectations(Expectations(sometimes=("fallback", "retired")), evidence())
    assert (happened.name, happened.measured, happened.ok) == ("sometimes.fallback", 1, True)
    assert (never.name, never.measured, never.ok) == ("sometimes.retired", 0, False)


def test_an_unknown_price_meets_no_limit_of_cost():
    judgement = judged(weathered(), scenario(OUTAGE))
    unpriced = replace(judgement.measures, cost_nusd=None)
    assert not result("cost_per_1k_max_usd", 99.0, Evidence(unpriced, judgement.coverage, Figures(0.0))).ok
