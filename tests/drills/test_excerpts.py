"""The journal around what does not hold: the right moment, told in lines that people can read."""

from __future__ import annotations

import dataclasses

import pytest

from failover.chaos.judging import excerpts as excerpts_module
from failover.chaos.judging.event_lines import event_line
from failover.chaos.judging.listening import EVENTS
from failover.core.events import CallStarted, FateShared, ReplyDoubted, TargetDrained
from failover.core.failures import FailureKind, Scope
from failover.core.vocabulary import Operation, Reason
from failover.core.world_events import PriceInForce
from tests.drills.journals import FALLBACK, OUTAGE, Journal, calm, scenario
from tests.drills.pictures import failing, passing, pictured, stormy


def excerpt(journal, *inject, **expect):
    """The only excerpt about what was expected of a drill."""
    told = pictured(journal, scenario(*inject, expect=expect)).excerpts
    [found] = [each for each in told if not each.is_invariant]
    return found


def text_of(found):
    return [line.text for line in found.lines]


def lost(journal):
    journal.call().asks("gpt").fails(FailureKind.OVERLOADED).ends(error="AllTargetsFailedError")
    return journal


def test_a_drill_that_passed_needs_no_explanation():
    assert passing().excerpts == ()


def test_what_was_not_served_shows_the_first_such_call():
    found = excerpt(lost(lost(calm())), success_ratio_min=1.0)
    assert found.about == "success_ratio_min"
    assert not found.is_invariant
    assert found.why == "The first call that was not served."
    assert [line.split(":")[0] for line in text_of(found)] == ["call 31"] * 4
    assert text_of(found)[-1].startswith("call 31: NOT served: AllTargetsFailedError after 0.500 s")


@pytest.mark.parametrize(
    ("expect", "call"),
    [
        ({"latency_p95_max_s": 0.1}, "call 31"),
        ({"first_token_p95_max_s": 0.1}, "call 32"),
        ({"cost_per_1k_max_usd": 0.0}, "call 33"),
        ({"amplification_max": 1.0}, "call 34"),
        ({"served_share_max": {"claude": 0.0}}, "call 34"),
        ({"served_share_min": {"gpt": 1.0}}, "call 34"),
    ],
)
def test_each_limit_is_explained_by_the_call_that_strains_it_most(expect, call):
    journal = calm()
    journal.call().asks("gpt").answers(after_s=20.0).ends("gpt")
    journal.call().asks("gpt").streams(after_s=3.0).answers(after_s=1.0).ends("gpt")
    journal.call().asks("gpt").answers(tokens=(10_000, 10_000)).ends("gpt")
    failed = journal.call().asks("gpt").fails(FailureKind.OVERLOADED)
    failed.asks("claude", FALLBACK).answers().ends("claude")
    assert text_of(excerpt(journal, **expect))[0].startswith(f"{call}:")


def test_a_target_that_never_failed_and_served_too_little_shows_who_served_instead():
    found = excerpt(calm(), served_share_min={"mistral": 1.0})
    assert found.why == "The first call that another target than mistral served."
    assert text_of(found)[-1].startswith("call 1: served by gpt")


def test_detection_is_explained_by_what_followed_the_first_fault():
    found = excerpt(stormy(), OUTAGE, detected_within_s=0.1)
    assert text_of(found)[0] == "INJECTION begins: outage of target gpt"
    assert "breaker of gpt: closed -> open until 110.500 s" in text_of(found)


def test_recovery_is_explained_by_what_followed_the_last_fault():
    found = excerpt(stormy(), OUTAGE, recovered_within_s=0.1)
    assert "INJECTION ends: outage of target gpt" in text_of(found)
    assert any(line.endswith("a probe of its breaker; limit 30.000 s") for line in text_of(found))


def test_what_never_happened_shows_what_did_when_the_fault_began():
    assert text_of(excerpt(stormy(), OUTAGE, sometimes=["hedge"]))[0].startswith("INJECTION begins")


def test_without_a_moment_there_are_no_lines():
    assert excerpt(calm(), sometimes=["hedge"]).lines == ()


def test_a_broken_rule_shows_the_call_that_broke_it_whole():
    journal = calm()
    call = journal.call()
    journal.at(31.0).breaker("gpt", "closed", "open", 1e6)
    call.asks("gpt").answers().ends("gpt")
    journal.call().asks("gpt").answers().ends("gpt")
    [found] = [each for each in pictured(journal).excerpts if each.about == "open_breaker_respected"]
    assert found.is_invariant
    assert found.why == "It was first broken at 31.000 s in call 31: this is that whole call."
    assert text_of(found)[0].startswith("call 31: a request arrives")
    assert "breaker of gpt: closed -> open until 1000000.000 s" in text_of(found)
    assert text_of(found)[-1].startswith("call 31: served by gpt")


def test_a_call_that_never_ends_is_shown_as_far_as_it_went():
    journal = calm()
    journal.call().asks("gpt")
    found = {each.about: each for each in pictured(journal).excerpts}
    assert [line.split(":")[0] for line in text_of(found["calls_end_once"])] == ["call 31", "call 31"]


def test_a_call_that_ends_twice_is_shown_although_it_is_over():
    journal = calm()
    call = journal.call().asks("gpt").answers()
    call.ends("gpt")
    call.ends("gpt")
    found = {each.about: each for each in pictured(journal).excerpts}
    assert text_of(found["calls_end_once"])[0].startswith("call 31: a request arrives")


def test_a_rule_that_is_broken_outside_of_a_call_shows_what_happened_before():
    journal = calm().breaker("gpt", "closed", "open", 1e6).at(40.0).breaker("gpt", "open", "half-open")
    [found] = pictured(journal).excerpts
    assert found.why.startswith("It was first broken at 40.000 s; this is what happened before")
    assert "breaker of gpt: closed -> open until 1000000.000 s" in text_of(found)


def test_a_call_that_waits_and_waits_is_told_once():
    journal = calm()
    call = journal.call()
    for number in range(4):
        call.waits(journal.now + 1.0 + number).after(1.0)
    call.ends(error="DeadlineExceededError")
    lines = text_of(excerpt(journal, success_ratio_min=1.0))
    assert len(lines) == 3
    assert lines[1].endswith("nobody may be asked now, and again up to 33.000 s (4 times in all)")


def test_a_long_story_is_cut_in_its_middle(monkeypatch):
    monkeypatch.setattr(excerpts_module, "LINES_MOST", 6)
    journal = calm()
    call = journal.call()
    for _ in range(10):
        call.asks("gpt").fails(FailureKind.OVERLOADED)
    call.ends(error="AllTargetsFailedError")
    found = excerpt(journal, success_ratio_min=1.0)
    assert (len(found.lines), found.left_out, found.cut_after) == (6, 16, 3)
    assert text_of(found)[-1].startswith("call 31: NOT served")


def test_what_is_kept_does_not_grow_with_the_drill():
    short, long = (
        pictured(lost(Journal().served(times=times).at(5000.0)), scenario()) for times in (300, 3000)
    )
    assert [len(each.lines) for each in short.excerpts] == [len(each.lines) for each in long.excerpts]


def test_the_record_of_a_line_is_the_journals_own():
    line = failing().excerpts[0].lines[0]
    assert line.record["event"] == "call_started"
    assert line.record["at_s"] == line.at_s


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event)
def test_every_event_has_a_line(event):
    """Made of stand-ins for its fields: none is left out, and none breaks the line."""
    values = {
        "str": "gpt",
        "float": 1.5,
        "int": 2,
        "bool": True,
        "float | None": 2.5,
        "int | None": 3,
        "str | None": "gpt",
    }
    facts = {
        field.name: values.get(str(field.type), (("gpt", "r"),) if "Reason" in str(field.type) else ("gpt",))
        for field in dataclasses.fields(event)
    }
    assert len(event_line(event(**facts))) > 8


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            CallStarted(
                1.0, "7", "chat", 9.0, (), (("a", Reason.BREAKER_OPEN),), ("b",), Operation.COMPLETION
            ),
            "call 7: a request arrives; to be tried: nobody; held back for now: b; "  # noqa: ISC004  # one line
            "passed over: a (breaker_open); deadline 9.000 s",
        ),
        (
            FateShared(5.0, Scope.PROVIDER, "openai", ("gpt", "mini"), 9.0),
            "gpt, mini kept away too, until 9.000 s at the latest: shares provider openai",
        ),
        (
            FateShared(5.0, Scope.PROVIDER, "openai", ("gpt",), 5.0),
            "gpt may be probed again: another target of provider openai answered",
        ),
        (
            PriceInForce(0.0, "gpt", 200_000_000, 1_200_000_000),
            "price of gpt: $0.2 and $1.2 for a million tokens in and out",
        ),
        (
            ReplyDoubted(0.0, "7", 1, "gpt", FailureKind.WRONG_MODEL, "other"),
            "call 7: the answer of gpt is doubted: wrong_model (other)",
        ),
        (TargetDrained(0.0, "gpt"), "target drained"),
    ],
)
def test_lines_say_who_did_what(event, line):
    assert event_line(event) == line
