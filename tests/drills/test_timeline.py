"""The timeline: everything is counted once, in its bin, and memory does not grow with the drill."""

from __future__ import annotations

import pickle

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.judging import absences, timeline_tally
from failover.chaos.judging.absences import Absence, AbsenceCause, AbsenceTally
from failover.chaos.judging.timeline import BINS, bin_width_s
from failover.chaos.judging.timeline_tally import BINS_MOST, TimelineTally
from failover.chaos.scenario import load_scenario
from failover.core.events import BreakerChanged
from failover.core.failures import FailureKind
from failover.core.world_events import PriceInForce
from tests.drills.journals import FALLBACK, Journal, calm
from tests.drills.pictures import BAND, failing, stormy, tallied
from tests.drills.worlds import LITELLM_WARNS, written

OPEN, HALF_OPEN = AbsenceCause.OPEN, AbsenceCause.HALF_OPEN
COOLDOWN, RETIRED = AbsenceCause.COOLDOWN, AbsenceCause.RETIRED


@given(st.floats(min_value=1e-3, max_value=1e8))
def test_so_many_bins_cover_a_drill_of_any_length(for_s):
    assert bin_width_s(for_s) * BINS >= for_s


@pytest.mark.parametrize(("for_s", "width_s"), [(1, 0.01), (600, 5), (1500, 10), (86_400, 600), (1e6, 7200)])
def test_a_bin_is_as_wide_as_people_would_choose(for_s, width_s):
    assert bin_width_s(for_s) == width_s


def test_a_request_is_counted_when_it_arrives_and_its_failures_when_they_were_sent():
    journal = Journal().at(4.0)
    call = journal.call().asks("gpt").fails(FailureKind.TIMEOUT, after_s=3.0)
    call.asks("claude", FALLBACK).answers(after_s=9.0).ends("claude")
    journal.at(22.0).call().ends(error="NoEligibleTargetError")
    told = tallied(journal)
    gpt, claude, _ = told.targets
    assert told.bin_s == 5.0
    assert told.arrivals[:5] == (1, 0, 0, 0, 1)
    assert told.served[:5] == (1, 0, 0, 0, 0)
    assert told.unserved[:5] == (0, 0, 0, 0, 1)
    assert gpt.attempts[:2] == gpt.failures[:2] == (1, 0)
    assert claude.attempts[:2] == (0, 1)
    assert claude.served[:2] == (1, 0)
    assert told.latency_s.longest[:2] == (12.0, None)


def test_targets_stand_in_the_order_of_the_first_request():
    journal = Journal()
    journal.call(order=("mistral", "gpt")).asks("gpt").answers().ends("gpt")
    journal.call().asks("claude").answers().ends("claude")
    assert [line.name for line in tallied(journal).targets] == ["mistral", "gpt", "claude"]


def test_streams_tell_their_first_token():
    journal = Journal()
    journal.call().asks("gpt").streams(after_s=2.0).answers(after_s=3.0).ends("gpt")
    told = tallied(journal)
    assert told.first_token_s.longest[0] == 2.0
    assert told.latency_s.longest[0] == 5.0
    assert tallied(calm()).first_token_s is None


def test_what_was_spent_adds_up_and_an_unknown_price_is_said():
    journal = Journal().prices("gpt")
    for at_s in (1.0, 11.0):
        journal.at(at_s).call().asks("gpt").answers(tokens=(1000, 500)).ends("gpt")
    told = tallied(journal)
    each = told.cost_nusd[0]
    assert each > 0
    assert told.cost_nusd[:3] == (each, each, 2 * each)
    journal.call().asks("claude").answers(tokens=(1, 1), cost_nusd=None).ends("claude")
    assert tallied(journal).cost_nusd is None


def test_what_happens_after_the_last_arrival_still_has_its_bin_up_to_a_limit():
    late = Journal().at(599.0)
    late.call().asks("gpt").fails(FailureKind.TIMEOUT, after_s=20.0).asks("claude").answers().ends("claude")
    assert len(tallied(late).arrivals) == 124
    endless = Journal().at(599.0)
    endless.call().after(1e7).asks("gpt").answers().ends("gpt")
    assert len(tallied(endless).arrivals) == BINS_MOST


def test_only_another_price_is_a_change(monkeypatch):
    monkeypatch.setattr(timeline_tally, "PRICE_CHANGES_MOST", 2)
    journal = Journal().prices("gpt", "claude").at(60.0)
    journal.write(*(PriceInForce(60.0 + number, "gpt", number, number) for number in range(3)))
    changes = tallied(journal).price_changes
    assert [(each.at_s, each.target) for each in changes] == [(60.0, "gpt"), (61.0, "gpt")]


counts = st.lists(st.tuples(st.floats(0.0, 599.0), st.sampled_from(["gpt", "claude", None])), max_size=30)


@given(counts)
def test_nothing_is_counted_twice_or_lost(calls):
    journal = Journal()
    for at_s, served_by in sorted(calls, key=lambda call: call[0]):
        call = journal.at(at_s).call().asks("gpt")
        if served_by is None:
            call.fails(FailureKind.OVERLOADED).ends(error="AllTargetsFailedError")
        else:
            call.answers(tokens=(3, 4)).ends(served_by)
    told = tallied(journal)
    assert sum(told.arrivals) == len(calls)
    assert all(a == s + u for a, s, u in zip(told.arrivals, told.served, told.unserved, strict=True))
    by_target = [sum(rows) for rows in zip(*(line.served for line in told.targets), strict=True)]
    assert not calls or by_target == list(told.served)
    assert told.cost_nusd[-1] == sum(getattr(event, "cost_nusd", 0) or 0 for event in journal.events) / 2


# The oracle


def told_by(*told, arrivals=4):
    tally = TimelineTally(600.0)
    journal = Journal()
    for _ in range(arrivals):
        journal.call().asks("gpt").answers().ends("gpt")
    for event in journal.events:
        if method := getattr(tally, event.event, None):
            method(event)
    for each in told:
        tally.oracle_told(*each)
    return tally.timeline().oracle


def test_without_an_oracle_there_is_no_line():
    assert told_by() is None


def test_a_sample_of_the_requests_stands_for_all():
    oracle = told_by((0.0, 100, 1.0), (0.0, 300, 3.0))
    assert oracle.cost_nusd[0] == oracle.cost_nusd[-1] == 800
    assert oracle.p50_s[0] == pytest.approx(1.0, rel=0.01)
    assert oracle.p95_s[0] == pytest.approx(3.0, rel=0.01)


def test_what_nobody_could_have_served_costs_nothing():
    oracle = told_by((0.0, 100, 1.0), (0.0, None, None), arrivals=2)
    assert oracle.cost_nusd[-1] == 100


def test_a_bin_of_which_nothing_was_told_costs_what_the_others_do():
    oracle = told_by((300.0, 100, 1.0), arrivals=2)
    assert oracle.cost_nusd[0] == 200


def test_a_price_that_is_not_known_leaves_only_the_latency():
    oracle = told_by((0.0, None, 1.0))
    assert oracle.cost_nusd is None
    assert oracle.p50_s[0] is not None


# Absences


def kept(journal, ends_s=600.0):
    tally = AbsenceTally()
    for event in journal.events:
        if method := getattr(tally, event.event, None):
            method(event)
    return tally.absences(ends_s)


def test_a_breaker_is_away_until_it_closes():
    journal = Journal().at(10.0).breaker("gpt", "closed", "open", 20.0).at(20.0)
    journal.breaker("gpt", "open", "half-open").at(21.0).breaker("gpt", "half-open", "closed")
    assert kept(journal) == (Absence("gpt", OPEN, 10.0, 20.0), Absence("gpt", HALF_OPEN, 20.0, 21.0))


def test_what_still_lasts_lasts_to_the_end():
    journal = Journal().at(10.0).breaker("gpt", "closed", "open", 20.0).retires("claude")
    journal.cools_down("mistral", until_s=1e6)
    assert kept(journal) == (
        Absence("claude", RETIRED, 10.0, 600.0),
        Absence("gpt", OPEN, 10.0, 600.0),
        Absence("mistral", COOLDOWN, 10.0, 600.0),
    )


def test_a_cooldown_that_is_renewed_is_one_and_a_later_one_another():
    journal = Journal().cools_down("gpt", 10.0).at(5.0).cools_down("gpt", 20.0).at(50.0)
    journal.cools_down("gpt", 60.0)
    assert kept(journal) == (Absence("gpt", COOLDOWN, 0.0, 20.0), Absence("gpt", COOLDOWN, 50.0, 60.0))


def test_too_many_absences_are_cut_off_and_that_is_said(monkeypatch):
    monkeypatch.setattr(absences, "ABSENCES_MOST", 4)
    tally = AbsenceTally()
    for number in range(20):
        tally.breaker_changed(BreakerChanged(float(number), "gpt", "closed", "open", None))
    assert len(tally.absences(100.0)) == 4
    assert tally.cut_off_s == 4.0


# As a whole


def test_a_picture_pickles_and_is_json():
    picture = failing()
    again = pickle.loads(pickle.dumps(picture))  # noqa: S301  our own bytes
    assert again == picture
    assert orjson.loads(orjson.dumps(picture.timeline))["bands"][0]["hits"] == ["gpt"]


@pytest.mark.parametrize("mode", [pytest.param("simulate", marks=LITELLM_WARNS)])
def test_a_drill_is_pictured_and_stays_the_same_drill(tmp_path, mode):
    from failover.chaos.drill import run_drill
    from failover.chaos.pictured import pictured_drill

    scenario = load_scenario(written(tmp_path))
    picture = pictured_drill(scenario, seed=3, mode=mode)
    alone = run_drill(scenario, seed=3, mode=mode)
    told, [band] = picture.timeline, picture.timeline.bands
    assert picture.verdict.journal_sha256 == alone.journal_sha256
    assert picture.title == "The primary goes dark"
    assert (band.kind, band.selector, band.starts_s, band.ends_s) == ("outage", "provider openai", 10.0, 30.0)
    assert band.hits == ("gpt",)
    assert sum(told.arrivals) == alone.requests
    assert sum(told.served) == alone.served
    assert {line.name: sum(line.attempts) for line in told.targets} == {
        name: target.attempts for name, target in alone.targets.items()
    }
    assert picture.excerpts == ()


def test_what_kept_targets_away_is_in_the_picture():
    told = tallied(stormy())
    assert {(each.target, each.cause) for each in told.absences} == {
        ("gpt", OPEN),
        ("gpt", HALF_OPEN),
        ("mistral", COOLDOWN),
        ("mistral", RETIRED),
    }
    assert BAND.hits == ("gpt",)
