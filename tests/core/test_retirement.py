"""When a model is given up: repeated evidence, spaced in time, which nobody contradicts."""

from __future__ import annotations

from failover.core.events import TargetRetired
from failover.core.vocabulary import Reason
from tests.core.school import BIG, SMALL, School
from tests.core.story import MODEL_GONE, REGION_BLOCKED

MISSED_AT_S = (0.0, 60.0, 360.0, 1260.0)
"""When a model that is gone for good is asked."""


def test_one_missing_model_is_no_retirement():
    school = School()
    school.fails("big", MODEL_GONE)
    assert school.away(59.0) == {"big", "big-other-key", "big-eu"}
    assert school.away(60.0) == set()


def test_a_missing_model_is_asked_again_after_one_and_five_and_fifteen_minutes():
    school = School(BIG)
    for now, again_s in ((0.0, 60.0), (60.0, 360.0), (360.0, 1260.0)):
        school.fails("big", MODEL_GONE, now=now)
        assert (school.away(again_s - 0.1), school.away(again_s)) == ({"big"}, set())


def test_a_model_that_was_not_found_for_minutes_serves_again():
    school = School(BIG)
    for now in (0.0, 60.0, 360.0):
        school.fails("big", MODEL_GONE, now=now)
    school.succeeds("big", now=1260.0)
    school.fails("big", MODEL_GONE, now=2000.0)
    assert school.away(now=2060.0) == set()


def test_a_model_that_is_missing_after_the_last_wait_too_is_retired():
    school = School()
    for now in MISSED_AT_S:
        school.fails("big", MODEL_GONE, now=now)
    gone = {"big", "big-other-key", "big-eu"}
    assert school.away(now=1e9) == gone
    assert {event.target for event in school.events if isinstance(event, TargetRetired)} == gone
    assert school.state("big-eu").passed_over(1e9).reason is Reason.RETIRED


def test_missing_models_of_concurrent_attempts_count_once():
    school = School()
    for permit in [school.asks("big") for _ in range(10)]:
        school.fails("big", MODEL_GONE, permit=permit)
    assert school.away(now=60.0) == set()


def test_a_success_clears_the_evidence_against_a_model():
    school = School()
    for now in (0.0, 60.0):
        school.fails("big", MODEL_GONE, now=now)
    school.succeeds("big", now=120.0)
    school.fails("big", MODEL_GONE, now=121.0)
    assert school.away(now=400.0) == set()


def test_a_model_that_another_key_still_serves_is_not_retired():
    school = School()
    for now in MISSED_AT_S:
        school.fails("big", MODEL_GONE, now=now)
        school.succeeds("big-other-key", now=now + 60.0)
    assert school.away(now=1400.0) == set()


def test_targets_that_miss_the_same_model_are_evidence_together():
    school = School()
    for name, now in zip(("big", "big-eu", "big-other-key", "big"), MISSED_AT_S, strict=True):
        school.fails(name, MODEL_GONE, now=now)
    assert school.away(now=1e9) == {"big", "big-other-key", "big-eu"}


def test_a_provider_that_bars_us_is_retired_at_once_and_told_once():
    school = School(BIG, SMALL)
    permits = [school.asks("big"), school.asks("small")]
    for name, permit in zip(("big", "small"), permits, strict=True):
        school.fails(name, REGION_BLOCKED, permit=permit)
    assert sorted(event.target for event in school.events if isinstance(event, TargetRetired)) == [
        "big",
        "small",
    ]
