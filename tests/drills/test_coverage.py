"""What a drill exercised: edges, transitions, failures, words, and how each injection was met."""

from __future__ import annotations

import pytest

from failover.chaos.scenario import Sometimes
from failover.core.failures import FailureKind
from failover.core.vocabulary import AttemptCause, Reason
from tests.drills.journals import (
    DEARER,
    FALLBACK,
    LAST_RESORT,
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
MODEL_GONE, RATE_LIMITED = FailureKind.MODEL_GONE, FailureKind.RATE_LIMITED


def coverage(journal, where=None, on=None):
    return judged(journal, where, on).coverage


def met(journal, where, on=None):
    [injection] = coverage(journal, where, on).injections
    return injection


def test_a_fallback_is_an_edge_from_the_attempt_before_it():
    journal = Journal()
    for _ in range(2):
        call = journal.call().asks("gpt").fails(CONNECTION).asks("gpt", RETRY).fails(CONNECTION)
        call = call.asks("claude", FALLBACK).fails(OVERLOADED).asks("mistral", FALLBACK).answers()
        call.ends("mistral")
    assert coverage(journal).fallback_edges == {"claude->mistral": 2, "gpt->claude": 2}


def test_calls_that_run_at_once_do_not_mix_their_edges():
    journal = Journal()
    one, other = journal.call().asks("gpt"), journal.call().asks("mistral")
    one.fails(OVERLOADED).asks("claude", FALLBACK)
    other.fails(OVERLOADED).asks("claude", FALLBACK)
    assert coverage(journal).fallback_edges == {"gpt->claude": 1, "mistral->claude": 1}


def test_the_moves_of_breakers_are_counted():
    assert coverage(weathered(), scenario(OUTAGE)).breaker_transitions == {
        "closed->open": 1,
        "half-open->closed": 1,
        "open->half-open": 1,
    }


def test_failures_and_what_follows_from_them_are_counted():
    journal = Journal()
    for kind in (CONNECTION, OVERLOADED, RATE_LIMITED, MODEL_GONE):
        journal.call().asks("gpt").fails(kind).ends(error="AllTargetsFailedError")
    seen = coverage(journal)
    assert seen.failures == {"connection": 1, "model_gone": 1, "overloaded": 1, "rate_limited": 1}
    assert seen.dispositions == {"breaker": 2, "cooldown": 1, "retirement": 1}


ENDED = {"kind": "deprecation", "target": "gpt", "at_s": 100}


@pytest.mark.parametrize(("reason", "met"), [(Reason.RETIREMENT_DUE, True), (Reason.COOLDOWN, False)])
def test_an_end_that_was_known_ahead_is_met_by_passing_its_target_over(reason, met):
    journal = Journal().at(100.0).starts()
    journal.call(order=("claude",), passed_over=(("gpt", reason),)).asks("claude")
    [seen] = coverage(journal, scenario(ENDED)).injections
    assert (seen.exercised, seen.attempts) == (met, 0)


EXAMPLES = {
    Sometimes.BREAKER_OPENED: lambda journal: journal.breaker("gpt", "closed", "open", 1.0),
    Sometimes.BREAKER_CLOSED: lambda journal: journal.breaker("gpt", "half-open", "closed"),
    Sometimes.PROBE: lambda journal: journal.call().asks("gpt", probe=True),
    Sometimes.FALLBACK: lambda journal: journal.call().asks("gpt", FALLBACK),
    Sometimes.RETRY: lambda journal: journal.call().asks("gpt", RETRY),
    Sometimes.LAST_RESORT: lambda journal: journal.call().asks("gpt", LAST_RESORT),
    Sometimes.WAIT: lambda journal: journal.call().waits(5.0),
    Sometimes.COOLDOWN: lambda journal: journal.cools_down("gpt", 5.0),
    Sometimes.RETIRED: lambda journal: journal.retires("gpt"),
    Sometimes.HEDGE: lambda journal: journal.call().asks("gpt", AttemptCause.HEDGE),
    Sometimes.FATE_SHARED: lambda journal: journal.shares_fate("gpt", "claude", until_s=5.0),
    Sometimes.OUTAGE_SUSPECTED: lambda journal: journal.suspects("gpt"),
    Sometimes.RETIREMENT_AHEAD: lambda journal: journal.warns_of_its_end("gpt"),
    Sometimes.RETIREMENT_REACHED: lambda journal: journal.reaches_its_end("gpt"),
    Sometimes.KEEP_WARM: lambda journal: journal.call().asks("gpt", AttemptCause.KEEP_WARM),
}


@pytest.mark.parametrize("word", Sometimes)
def test_each_word_of_sometimes_is_counted_by_what_it_says(word):
    journal = Journal()
    EXAMPLES[word](journal)
    counts = coverage(journal).sometimes
    assert {name for name, count in counts.items() if count} == {word.value}
    assert list(counts) == [each.value for each in Sometimes]


def test_a_breaker_that_opens_again_while_open_opened_once():
    journal = Journal().breaker("gpt", "closed", "open", 5.0).breaker("gpt", "open", "open", 9.0)
    assert coverage(journal).sometimes["breaker_opened"] == 1


def test_an_injection_is_met_by_attempts_at_its_targets_while_it_is_active():
    journal = calm().at(100.0).starts().served("gpt", times=3).served("claude", times=4)
    journal.at(200.0).ends().served("gpt", times=5)
    seen = met(journal, scenario(OUTAGE))
    assert (seen.kind, seen.selector, seen.attempts, seen.exercised) == ("outage", "target gpt", 3, True)


def test_injections_that_overlap_are_told_apart():
    standby = {**OUTAGE, "target": "claude"}
    journal = Journal().starts(0).served("gpt").starts(1).served("claude").ends(0).served("gpt")
    counts = [each.attempts for each in coverage(journal, scenario(OUTAGE, standby)).injections]
    assert counts == [1, 1]


def test_a_fault_of_a_target_that_is_never_asked_is_not_exercised():
    standby = scenario({**OUTAGE, "target": "claude"})
    journal = calm().at(100.0).starts()
    journal.call(order=("gpt", "claude")).asks("gpt").answers().ends("gpt")
    seen = met(journal, standby)
    assert (seen.attempts, seen.decisions, seen.exercised) == (0, 1, False)


def turned_dear():
    journal = calm().at(100.0).starts()
    journal.call(order=("claude", "gpt")).asks("claude").answers().ends("claude")
    return journal


def test_a_price_that_drove_everybody_away_is_exercised_where_prices_are_looked_at():
    assert met(turned_dear(), scenario(DEARER), route("cost")).exercised


@pytest.mark.parametrize("strategy", ["priority", "latency"])
def test_a_price_that_nobody_looks_at_is_exercised_by_those_who_pay_it(strategy):
    assert not met(turned_dear(), scenario(DEARER), route(strategy)).exercised
    assert met(turned_dear().served("gpt"), scenario(DEARER), route(strategy)).exercised
