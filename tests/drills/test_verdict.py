"""The verdict: failed before unknown before passed; the same drill gives the same document."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest

from failover.chaos.judging.invariants import INVARIANTS
from failover.chaos.judging.oracle import Possible
from failover.chaos.judging.regret import Figures
from failover.chaos.judging.verdict import Conclusion, Verdict, compose, to_json
from failover.core.failures import FailureKind
from tests.drills.journals import (
    DEARER,
    FACTS,
    OUTAGE,
    Journal,
    calm,
    judged,
    route,
    scenario,
    verdict_on,
    weathered,
)

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "verdict.schema.json").read_text("utf-8"))
PAGE = (ROOT / "docs" / "verdict.md").read_text("utf-8")

HARD = {"expect": {"success_ratio_min": 1.0, "latency_p95_max_s": 0.1}}


def lost(times=1):
    """Requests that nobody serves."""
    journal = Journal()
    for _ in range(times):
        call = journal.call().asks("gpt").fails(FailureKind.TIMEOUT)
        call.ends(error="AllTargetsFailedError")
    return journal


def broken():
    journal = calm()
    journal.call()
    return journal


def spoken(verdict):
    return verdict.verdict, " ".join(verdict.reasons)


def test_a_drill_that_was_put_to_the_test_and_holds_is_passed():
    assert spoken(verdict_on(weathered(), scenario(OUTAGE))) == (Conclusion.PASSED, "")


def test_a_drill_without_injection_may_pass():
    assert verdict_on(calm()).verdict is Conclusion.PASSED


def test_an_expectation_that_is_not_met_fails_it():
    conclusion, words = spoken(verdict_on(weathered(), scenario(OUTAGE, **HARD)))
    assert conclusion is Conclusion.FAILED
    assert re.fullmatch(r"expectation latency_p95_max_s: 0\.1 was asked, \S+ was measured", words)


def test_an_invariant_that_is_violated_fails_it():
    conclusion, words = spoken(verdict_on(broken()))
    assert conclusion is Conclusion.FAILED
    assert words.startswith("invariant calls_end_once is violated: at 30.000 s, call 31")


def test_what_should_have_happened_fails_it_in_words():
    asked = scenario(OUTAGE, expect={"sometimes": ["retired"]})
    assert "sometimes.retired: it never happened" in spoken(verdict_on(weathered(), asked))[1]


def test_what_could_not_be_measured_is_said():
    asked = scenario(expect={"recovered_within_s": 30})
    assert "nothing could be measured" in spoken(verdict_on(calm(), asked))[1]


def test_too_few_requests_are_no_steady_state():
    conclusion, words = spoken(verdict_on(calm(), scenario(steady_state={"requests_min": 31})))
    assert conclusion is Conclusion.UNKNOWN
    assert words == "no steady state: 30 requests ended, 31 are needed"


def test_requests_after_the_first_injection_make_no_steady_state():
    journal = Journal().starts().served("gpt", times=40).at(200.0).ends().served("gpt", times=40)
    conclusion, words = spoken(verdict_on(journal, scenario(OUTAGE)))
    assert conclusion is Conclusion.UNKNOWN
    assert "0 requests ended before the first injection, 20 are needed" in words


def test_what_is_broken_before_the_fault_is_no_steady_state():
    journal = lost(times=10).served("gpt", times=30)
    conclusion, words = spoken(verdict_on(journal))
    assert conclusion is Conclusion.UNKNOWN
    assert "no steady state: 0.75 of the requests that ended were served, 0.99 are needed" in words


def test_no_request_is_nothing():
    assert "no request arrived" in spoken(verdict_on(Journal()))[1]


def test_a_fault_that_nobody_could_meet_shows_nothing():
    standby = scenario({**OUTAGE, "target": "claude"})
    conclusion, words = spoken(verdict_on(calm().at(100.0).starts().served("gpt", times=30), standby))
    assert conclusion is Conclusion.UNKNOWN
    assert "no attempt met an injection while it was active (outage of target claude)" in words


def test_an_injection_that_never_began_shows_nothing():
    assert verdict_on(calm(), scenario(OUTAGE)).verdict is Conclusion.UNKNOWN


def test_one_injection_that_was_met_is_enough():
    both = scenario(OUTAGE, {**OUTAGE, "target": "claude"})
    journal = calm().at(100.0).starts(0).starts(1).served("gpt", times=30)
    assert verdict_on(journal, both).verdict is Conclusion.PASSED


def test_a_price_change_that_is_paid_is_enough():
    journal = calm().at(100.0).starts().served("gpt", times=30)
    assert verdict_on(journal, scenario(DEARER)).verdict is Conclusion.PASSED


def test_failed_goes_before_unknown_and_tells_of_both():
    conclusion, words = spoken(verdict_on(lost(), scenario(**HARD)))
    assert conclusion is Conclusion.FAILED
    assert "expectation success_ratio_min" in words
    assert "no steady state" in words


def test_regret_is_the_distance_to_the_oracle():
    verdict = verdict_on(lost().served("gpt", times=3))
    assert verdict.oracle.success_ratio == 1.0
    assert verdict.regret.success_ratio == 0.25


def test_where_nothing_was_asked_there_is_nothing_to_regret():
    assert verdict_on(Journal()).regret == verdict_on(Journal()).oracle == Figures(None)


def test_regret_of_cost_and_latency_is_what_the_served_spent_and_waited_beyond_the_least_possible():
    looked_at = Possible(
        unservable=0,
        looked_at=2,
        priced=2,
        cost_nusd=6_000_000_000,
        cost_best_nusd=2_000_000_000,
        latency_sum_s=5.0,
        latency_best_sum_s=2.0,
    )
    verdict = compose(scenario(), judged(Journal().served(times=4)), replace(FACTS, possible=looked_at))
    # Two of four were looked at: all cost as much as those, each.
    assert verdict.oracle == Figures(1.0, 4.0, 1.0)
    assert verdict.regret == Figures(0.0, 8.0, 1.5)


def test_what_the_oracle_could_not_serve_is_no_regret():
    """Of four requests one is lost, and nobody could have served it."""
    facts = replace(FACTS, possible=replace(FACTS.possible, unservable=1))
    verdict = compose(scenario(), judged(lost().served("gpt", times=3)), facts)
    assert (verdict.oracle.success_ratio, verdict.regret.success_ratio) == (0.75, 0.0)


EXAMPLES = {
    "passed": (weathered, scenario(OUTAGE, expect={"sometimes": ["fallback"]})),
    "failed": (weathered, scenario(OUTAGE, **HARD)),
    "violated": (broken, scenario()),
    "empty": (Journal, scenario(OUTAGE)),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_verdict_follows_the_published_schema(example):
    make, where = EXAMPLES[example]
    jsonschema.validate(to_json(verdict_on(make(), where)), SCHEMA)


def test_the_schema_is_one_and_names_the_fields_in_their_order():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert list(SCHEMA["properties"]) == SCHEMA["required"] == [field.name for field in fields(Verdict)]


def test_the_document_has_the_keys_in_the_order_of_the_fields():
    document = to_json(verdict_on(weathered(), scenario(OUTAGE)))
    assert list(document) == [field.name for field in fields(Verdict)]
    assert document["schema"] == "failover/verdict@1"
    assert list(document)[-1] == "reproduce"


def test_a_figure_that_is_no_number_is_left_open():
    verdict = replace(verdict_on(calm()), success_ratio=float("nan"), simulated_s=float("inf"))
    text = json.dumps(to_json(verdict), allow_nan=False)
    assert json.loads(text)["success_ratio"] is None


def test_the_same_drill_gives_the_same_document():
    first = verdict_on(weathered(), scenario(OUTAGE))
    second = replace(verdict_on(weathered(), scenario(OUTAGE)), wall_s=99.0)
    assert to_json(first) != to_json(second)
    assert {**to_json(first), "wall_s": 99.0} == to_json(second)


def test_the_page_explains_every_field_and_every_invariant():
    words = set(re.findall(r"`([a-z_0-9]+)`", PAGE))
    assert {field.name for field in fields(Verdict)} <= words
    assert {invariant.name for invariant in INVARIANTS} <= words
    assert {conclusion.value for conclusion in Conclusion} <= words


def test_a_route_whose_strategy_weighs_prices_is_exercised_by_its_decisions():
    journal = calm().at(100.0).starts()
    for _ in range(30):
        journal.call().asks("claude").answers().ends("claude")
    assert verdict_on(journal, scenario(DEARER), route("cost")).verdict is Conclusion.PASSED
