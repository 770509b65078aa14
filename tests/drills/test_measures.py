"""What is measured: counts, money, quantiles within half a percent, detection and recovery."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.judging.histogram import Histogram, Quantiles
from failover.core.failures import FailureKind
from failover.core.prices import DatedPrice
from failover.core.vocabulary import Usage
from tests.drills.journals import (
    DEARER,
    FALLBACK,
    OUTAGE,
    RETRY,
    Journal,
    calm,
    judged,
    route,
    scenario,
    weathered,
)

CONNECTION, OVERLOADED = FailureKind.CONNECTION, FailureKind.OVERLOADED
DURATIONS = st.floats(min_value=1e-3, max_value=1e5)


def measures(journal, where=None, on=None):
    return judged(journal, where, on).measures


@given(st.lists(DURATIONS, min_size=1, max_size=200), st.sampled_from([0.01, 0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_right_within_half_a_percent(durations, share):
    histogram = Histogram()
    for duration_s in durations:
        histogram.add(duration_s)
    exact = sorted(durations)[max(1, ceil(share * len(durations))) - 1]
    assert abs(histogram.quantile(share) - exact) <= 0.005 * exact


@given(st.lists(DURATIONS, min_size=1, max_size=50))
def test_the_order_of_what_is_counted_does_not_matter(durations):
    one, other = Histogram(), Histogram()
    for duration_s in durations:
        one.add(duration_s)
    for duration_s in sorted(durations):
        other.add(duration_s)
    assert one.quantiles() == other.quantiles()


def test_a_histogram_does_not_grow_with_what_is_counted():
    histogram = Histogram()
    for number in range(100_000):
        histogram.add(0.001 + number % 60_000 / 1000.0)
    assert len(histogram._buckets) < 1_500  # noqa: SLF001  # the rule is about what it keeps


def test_nothing_counted_has_no_quantile():
    assert Histogram().quantiles() == Quantiles(None, None, None)


def test_what_takes_no_time_counts_as_nothing():
    histogram = Histogram()
    for duration_s in (0.0, 0.0, 5.0):
        histogram.add(duration_s)
    assert histogram.quantile(0.5) == 0.0
    assert histogram.quantile(0.99) == pytest.approx(5.0, rel=0.005)


def failing():
    """One served at once, one after a retry and a fallback, one not at all."""
    journal = Journal().prices("gpt", "claude", "mistral").served("gpt")
    call = journal.call().asks("gpt").fails(CONNECTION).asks("gpt", RETRY).fails(CONNECTION, tokens=(100, 0))
    call.asks("claude", FALLBACK).answers(tokens=(1000, 500)).ends("claude")
    journal.call().asks("gpt", probe=True).fails(OVERLOADED).ends(error="AllTargetsFailedError")
    return journal


def test_requests_attempts_and_their_causes_are_counted():
    seen = measures(failing())
    assert (seen.requests, seen.served, seen.attempts) == (3, 2, 5)
    assert (seen.fallbacks, seen.retries, seen.probes) == (1, 1, 1)
    assert seen.success_ratio == pytest.approx(2 / 3)
    assert seen.amplification == pytest.approx(5 / 3)
    assert seen.errors == {"AllTargetsFailedError": 1}


def test_each_target_has_figures_of_its_own():
    targets = measures(failing()).targets
    assert list(targets) == ["gpt", "claude", "mistral"]
    assert (targets["gpt"].attempts, targets["gpt"].served) == (4, 1)
    assert targets["gpt"].failures == {"connection": 2, "overloaded": 1}
    assert targets["claude"].cost_nusd == 3_000_000
    assert (targets["mistral"].attempts, targets["mistral"].cost_nusd) == (0, 0)


def test_discarded_attempts_are_paid_for():
    seen = measures(failing())
    assert seen.cost_nusd == 3_000_000 + 100_000
    assert seen.cost_usd == pytest.approx(0.0031)
    assert seen.cost_per_1k_usd == pytest.approx(0.0031 / 3 * 1000)


def test_an_unknown_price_is_said_and_not_taken_as_zero():
    journal = Journal().prices("gpt")
    journal.call().asks("claude").answers(tokens=(10, 10), cost_nusd=None).ends("claude")
    seen = measures(journal)
    assert seen.cost_usd is seen.cost_per_1k_usd is seen.targets["claude"].cost_nusd is None
    assert seen.targets["gpt"].cost_nusd == 0


def test_a_price_of_nothing_is_a_price():
    free = DatedPrice(0, 0).charge_nusd(Usage(10, 10))
    journal = Journal().prices("gpt")
    journal.call().asks("gpt").answers(tokens=(10, 10), cost_nusd=free).ends("gpt")
    assert measures(journal).cost_usd == 0.0


def test_latency_is_that_of_served_calls_from_the_request_on():
    journal = Journal()
    call = journal.call().asks("gpt").fails(OVERLOADED, after_s=1.0).asks("claude", FALLBACK)
    call.answers(after_s=3.0).ends("claude")
    journal.call().asks("gpt").fails(OVERLOADED, after_s=20.0).ends(error="AllTargetsFailedError")
    seen = measures(journal)
    assert seen.latency_s.p50 == pytest.approx(4.0, rel=0.005)
    assert seen.latency_s.p99 == pytest.approx(4.0, rel=0.005)


def test_a_first_token_is_timed_from_the_request_on():
    journal = Journal()
    call = journal.call().asks("gpt").fails(OVERLOADED, after_s=1.0).asks("claude", FALLBACK)
    call.streams(after_s=0.5).answers(after_s=3.0).ends("claude")
    assert measures(journal).first_token_s.p50 == pytest.approx(1.5, rel=0.005)


def test_whole_replies_have_no_first_token():
    assert measures(calm()).first_token_s == Quantiles(None, None, None)


def test_nothing_asked_has_no_ratios():
    seen = measures(Journal())
    assert seen.success_ratio is seen.amplification is seen.cost_per_1k_usd is None
    assert seen.served_share("gpt") is None


def test_shares_are_those_of_the_served_calls():
    seen = measures(failing())
    assert seen.served_share("gpt") == seen.served_share("claude") == 0.5
    assert seen.served_share("mistral") == 0.0
    assert seen.served_share("nobody") is None


def test_the_steady_state_ends_with_the_first_injection():
    seen = measures(weathered(), scenario(OUTAGE))
    assert (seen.steady.requests, seen.steady.success_ratio) == (30, 1.0)


def test_without_injection_the_whole_drill_is_the_steady_state():
    assert measures(failing()).steady.requests == 3


# Detection


def test_detection_is_timed_from_the_start_of_the_fault():
    assert measures(weathered(), scenario(OUTAGE)).detected_after_s == pytest.approx(0.5)


@pytest.mark.parametrize("how", ["cools_down", "retires"])
def test_a_cooldown_and_a_retirement_turn_away_too(how):
    journal = calm().at(100.0).starts().at(103.0)
    getattr(journal, how)(*(("gpt", 110.0) if how == "cools_down" else ("gpt",)))
    assert measures(journal, scenario(OUTAGE)).detected_after_s == 3.0


def test_turning_away_from_somebody_else_detects_nothing():
    journal = calm().at(100.0).starts().breaker("claude", "closed", "open", 110.0)
    assert measures(journal, scenario(OUTAGE)).detected_after_s is None


def test_turning_away_before_the_fault_detects_nothing():
    journal = calm().at(90.0).breaker("gpt", "closed", "open", 100.0).at(100.0).starts()
    journal.breaker("gpt", "open", "half-open").breaker("gpt", "half-open", "closed")
    assert measures(journal, scenario(OUTAGE)).detected_after_s is None


def test_what_happens_long_after_the_fault_is_not_its_doing():
    journal = calm().at(100.0).starts().at(200.0).ends().at(231.0).breaker("gpt", "closed", "open", 240.0)
    assert measures(journal, scenario(OUTAGE), route(deadline_s=30.0)).detected_after_s is None
    assert measures(journal, scenario(OUTAGE), route(deadline_s=31.0)).detected_after_s == 131.0


def test_a_price_change_is_nothing_to_detect():
    journal = calm().at(100.0).starts().breaker("gpt", "closed", "open", 110.0)
    assert measures(journal, scenario(DEARER)).detected_after_s is None


# Recovery


def test_recovery_is_timed_from_the_end_of_the_fault():
    assert measures(weathered(), scenario(OUTAGE)).recovered_after_s == pytest.approx(0.5)


def test_a_call_from_before_the_end_of_the_fault_is_no_recovery():
    journal = calm().at(100.0).starts().at(199.0)
    call = journal.call().asks("gpt")
    journal.at(200.0).ends()
    call.answers(after_s=1.0).ends("gpt")
    journal.at(230.0).served("gpt")
    assert measures(journal, scenario(OUTAGE)).recovered_after_s == pytest.approx(30.5)


def test_somebody_else_serving_is_no_recovery():
    journal = calm().at(100.0).starts().at(200.0).ends().served("claude", times=9)
    assert measures(journal, scenario(OUTAGE)).recovered_after_s is None


def test_of_several_faults_the_last_to_end_counts():
    later = {**OUTAGE, "at_s": 300, "for_s": 50}
    journal = calm().at(100.0).starts(0).at(200.0).ends(0).served("gpt")
    journal.at(300.0).starts(1).at(350.0).ends(1).at(360.0).served("gpt")
    assert measures(journal, scenario(OUTAGE, later)).recovered_after_s == pytest.approx(10.5)


def test_the_end_of_a_price_change_is_no_recovery():
    journal = calm().at(100.0).starts().at(200.0).ends().served("gpt")
    assert measures(journal, scenario(DEARER)).recovered_after_s is None


def test_a_fault_that_ends_with_the_workload_leaves_nothing_to_recover():
    journal = calm().at(100.0).starts().at(600.0).ends().served("gpt")
    assert measures(journal, scenario({**OUTAGE, "for_s": 500})).recovered_after_s is None


def test_the_length_of_the_drill_is_told_in_virtual_seconds():
    assert measures(weathered(), scenario(OUTAGE)).simulated_s == 600.0
