"""When a refusal says more of who refused than of what was asked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core import controls, evidence
from failover.core.breaker import CLOSED, OPEN
from failover.core.events import OutageSuspected
from failover.core.failures import Failure, FailureKind
from failover.core.messages import Failed, Send, Succeeded, Wake
from failover.core.vocabulary import Outcome
from failover.errors import AllTargetsFailedError, RequestRejectedError
from tests.core.school import School
from tests.core.story import BAD_REQUEST, CONTENT_FILTERED, OVERLOADED, UNAUTHORIZED, Story, target

KEY = {"provider": "openai", "credential": "key-1"}
A, B, C = (target(name, **KEY) for name in "abc")
LONG_S = 300.0
CODE = "invalid_request_error"


def suspected(story):
    return [event for event in story.events if isinstance(event, OutageSuspected)]


# A key that is refused.


def test_one_refusal_of_a_key_that_worked_a_moment_ago_keeps_us_from_that_target_for_a_short_time():
    school = School(A, B)
    school.succeeds("b", now=0.0)
    school.fails("a", UNAUTHORIZED, now=10.0)
    assert (school.away(19.9), school.away(20.0)) == ({"a"}, set())
    assert suspected(school) == [OutageSuspected(10.0, "a", UNAUTHORIZED, 1)]


def test_a_last_resort_may_doubt_it_after_a_second():
    school = School(A)
    school.succeeds("a", now=0.0)
    school.fails("a", UNAUTHORIZED, now=10.0)
    assert school.state("a").breaker.ready_at_s(10.0, 0.25, last_resort=True) == 11.0


def test_a_key_that_did_not_work_within_the_last_minute_is_left_alone_for_long_at_once():
    school = School(A, B)
    school.succeeds("b", now=0.0)
    school.fails("a", UNAUTHORIZED, now=60.1)
    assert (school.away(60.0 + LONG_S), school.away(60.1 + LONG_S)) == ({"a", "b"}, set())
    assert suspected(school) == []


def test_a_revoked_key_is_left_alone_after_three_refusals():
    school = School(A)
    school.succeeds("a", now=0.0)
    for now in (1.0, 11.0, 31.0):
        assert school.state("a").eligible(now)
        school.fails("a", UNAUTHORIZED, now=now)
    assert school.away(30.9 + LONG_S) == {"a"}
    assert [event.evidence for event in suspected(school)] == [1, 2]


def test_a_revoked_key_of_several_targets_costs_one_refusal_of_each_and_one_probe():
    school = School(A, B, C)
    for name in "abc":
        school.succeeds(name, now=0.0)
    for name in "abc":
        school.fails(name, UNAUTHORIZED, now=1.0)
    assert school.away(10.9) == {"a", "b", "c"}
    school.fails("b", UNAUTHORIZED, now=11.0)
    assert school.away(10.9 + LONG_S) == {"a", "b", "c"}


def test_a_hiccup_that_refuses_everything_under_way_is_one_refusal():
    school = School(A, B, C)
    for name in "abc":
        school.succeeds(name, now=0.0)
    for name in "abc":
        school.fails(name, UNAUTHORIZED, now=1.0)
    assert school.away(11.0) == set()


def test_a_key_that_is_answered_between_its_refusals_is_never_given_up():
    school = School(A, B)
    for now in range(0, 800, 40):
        school.succeeds("a", now=float(now))
        school.succeeds("b", now=float(now))
        school.fails("a", UNAUTHORIZED, now=now + 1.0)
        assert school.away(now + 31.0) == set()


def test_one_model_that_a_working_key_may_not_use_is_left_alone_for_long_and_no_other():
    school = School(A, B)
    for now in (1.0, 11.0, 31.0):
        school.succeeds("b", now=now)
        school.fails("a", UNAUTHORIZED, now=now)
        school.succeeds("b", now=now)
    assert school.away(30.9 + LONG_S) == {"a"}


def test_a_reset_forgets_what_a_target_refused_and_rejected():
    school = School(A)
    school.succeeds("a", now=0.0)
    for now in (1.0, 11.0):
        school.fails("a", UNAUTHORIZED, now=now)
    controls.reset(school.learned, school.state("a"), 12.0)
    school.succeeds("a", now=12.0)
    school.fails("a", UNAUTHORIZED, now=13.0)
    assert school.away(23.0) == set()


@given(st.lists(st.sampled_from([0.0, 0.5, 10.0, 30.0]), min_size=1, max_size=30), st.integers(1, 4))
def test_a_key_that_is_never_answered_again_is_asked_few_times_in_the_first_minutes(waits_s, targets):
    school = School(*[target(f"t{number}", **KEY) for number in range(targets)])
    for name in school.learned.states:
        school.succeeds(name, now=0.0)
    now, asked = 1.0, 0
    for waited_s in waits_s:
        now += waited_s
        for name, state in school.learned.states.items():
            if now <= LONG_S and state.eligible(now):
                school.fails(name, UNAUTHORIZED, now=now)
                asked += 1
    assert asked <= 3 * targets


# A request that is rejected.


def rejected(story, by=("a",), code=CODE):
    """A call that each of `by` in turn rejects."""
    call = story.call()
    for name in by:
        call.sends_to(name).fails(BAD_REQUEST, code=code)
    return call


def well(*chain, **limits):
    """A story whose first target served a moment ago."""
    story = Story(*(chain or ("a", "b", "c")), **limits)
    story.call().sends_to("a").succeeds()
    return story


def suspicious(*chain, **limits):
    """Two calls were rejected: the third is suspicious."""
    story = well(*chain, **limits)
    for _ in range(2):
        rejected(story.after(1.0)).raises(RequestRejectedError)
    return story


def waving(*chain):
    """A wave that another target proved."""
    story = suspicious(*chain)
    rejected(story).sends_to("b").succeeds()
    return story


def test_the_third_call_rejected_alike_goes_on_to_the_next_target():
    rejected(suspicious()).sends_to("b").succeeds()


def test_a_suspicious_rejection_says_nothing_of_its_target():
    story = suspicious()
    rejected(story)
    [*_, ended] = [event for event in story.events if event.event == "attempt_ended"]
    assert ended.permit is Outcome.ABANDONED


def test_another_target_that_serves_it_proves_a_wave_which_is_told_once():
    story = suspicious()
    for _ in range(2):
        rejected(story).sends_to("b").succeeds()
    assert suspected(story) == [OutageSuspected(2.0, "a", BAD_REQUEST, 3)]


def test_in_a_wave_rejections_open_the_breaker_and_probes_keep_it_open():
    story = waving()
    for _ in range(5):
        rejected(story).sends_to("b").succeeds()
    assert story.state("a").breaker.state == OPEN
    story.call().sends_to("b").succeeds()
    rejected(story.after(10.0)).sends_to("b").succeeds()
    assert story.state("a").breaker.state == OPEN


def receding():
    """A wave whose target serves again, and more than it rejects."""
    story = waving()
    for _ in range(3):
        story.call().sends_to("a").succeeds()
    return story


def test_in_a_wave_that_recedes_rejections_go_on_and_say_nothing_of_the_target():
    story = receding()
    rejected(story).sends_to("b").succeeds()
    [*_, rejection, _] = [event for event in story.events if event.event == "attempt_ended"]
    assert rejection.permit is Outcome.ABANDONED


def test_a_wave_is_over_five_minutes_after_its_last_proof():
    story = receding().after(300.1)
    story.call().sends_to("a").succeeds()
    rejected(story).raises(RequestRejectedError)
    assert story.state("a").breaker.state == CLOSED


def test_what_another_provider_rejects_too_ends_a_wave_that_recedes():
    story = receding()
    rejected(story, by="ab").raises(RequestRejectedError)
    rejected(story).raises(RequestRejectedError)


def test_a_wave_that_comes_and_goes_is_told_once():
    story = waving()
    for _ in range(20):
        for _ in range(3):
            story.after(5.0).call().sends_to("a").succeeds()
        rejected(story).sends_to("b").succeeds()
    assert len(suspected(story)) == 1


def test_what_another_provider_rejects_too_is_a_bad_request():
    story = suspicious()
    rejected(story, by="ab").raises(RequestRejectedError)


def test_each_contradiction_doubles_what_it_takes_to_be_suspicious():
    story = suspicious()
    rejected(story, by="ab").raises(RequestRejectedError)
    for needed in (6, 12, 24, 48, 96, 96):
        for _ in range(needed - 1):
            rejected(story).raises(RequestRejectedError)
        story.call().sends_to("a").succeeds() if needed == 96 else None
        rejected(story, by="ab").raises(RequestRejectedError)


def test_after_a_quiet_minute_contradictions_are_forgotten():
    story = suspicious()
    rejected(story, by="ab").raises(RequestRejectedError)
    story.after(61.0).call().sends_to("a").succeeds()
    for _ in range(2):
        rejected(story).raises(RequestRejectedError)
    rejected(story).sends_to("b").succeeds()


def test_bad_requests_in_a_wave_weigh_against_it_one_by_one():
    story = waving()
    rejected(story, by="ab").raises(RequestRejectedError)
    rejected(story).sends_to("b").succeeds()
    rejected(story, by="ab").raises(RequestRejectedError)
    rejected(story, by="ab").raises(RequestRejectedError)
    rejected(story).raises(RequestRejectedError)


def test_a_target_of_the_same_provider_that_rejects_it_too_shows_nothing():
    story = suspicious(target("a", **KEY), target("b", **KEY), "c")
    rejected(story, by="ab").sends_to("c").succeeds()
    assert [event.target for event in suspected(story)] == ["a", "b"]


def test_one_provider_that_rejects_it_with_all_its_targets_contradicts():
    story = suspicious(target("a", **KEY), target("b", **KEY))
    rejected(story, by="ab").raises(RequestRejectedError)
    rejected(story).raises(RequestRejectedError)


def test_who_is_alone_rejects_on_its_own_word():
    story = suspicious("a")
    for _ in range(5):
        rejected(story).raises(RequestRejectedError)
    assert story.state("a").breaker.state == CLOSED


def test_a_next_target_that_fails_otherwise_proves_nothing():
    story = suspicious("a", "b", attempts=2)
    rejected(story).sends_to("b").fails(OVERLOADED).raises(AllTargetsFailedError)
    assert suspected(story) == []
    rejected(story).sends_to("b")


def test_who_served_nothing_within_the_minute_before_is_believed():
    story = well().after(60.1)
    for _ in range(6):
        rejected(story).raises(RequestRejectedError)


def test_rejections_of_more_than_a_minute_ago_are_forgotten():
    story = well()
    for _ in range(2):
        rejected(story).raises(RequestRejectedError)
    story.after(59.0).call().sends_to("a").succeeds()
    rejected(story.after(2.0)).raises(RequestRejectedError)


def test_what_was_under_way_when_a_wave_began_does_not_outnumber_it():
    story = well()
    under_way = [story.call().sends_to("a") for _ in range(10)]
    for _ in range(2):
        rejected(story.after(1.0)).raises(RequestRejectedError)
    for call in under_way:
        call.succeeds()
    rejected(story).sends_to("b").succeeds()


def test_rejections_that_served_calls_outnumber_are_believed():
    story = well()
    for _ in range(20):
        rejected(story).raises(RequestRejectedError)
        for _ in range(2):
            story.call().sends_to("a").succeeds()


def test_rejections_of_different_codes_are_no_wave():
    story = well()
    for number in range(20):
        rejected(story, code=f"code-{number}").raises(RequestRejectedError)
    assert len(story.state("a").history.rejections) == evidence.CODES_MOST


def test_a_wave_whose_code_was_forgotten_meanwhile_is_neither_proven_nor_contradicted():
    story = suspicious()
    served, contradicted = rejected(story), rejected(story)
    controls.reset(story.learned, story.state("a"), story.now)
    served.sends_to("b").succeeds()
    contradicted.sends_to("b").fails(BAD_REQUEST, code=CODE).raises(RequestRejectedError)
    assert suspected(story) == []


def test_what_safety_rules_forbid_is_no_sign_of_a_wave():
    story = well()
    for _ in range(5):
        story.call().sends_to("a").fails(CONTENT_FILTERED).raises(RequestRejectedError)


@pytest.mark.parametrize("kind", [FailureKind.LOCAL])
def test_our_own_bug_ends_a_call_also_in_a_wave(kind):
    story = waving()
    call = story.call().sends_to("a").fails(kind)
    assert call.call.done


def played(story, is_bad):
    """One call in a world where targets reject bad requests and serve good ones; how often it was sent."""
    call, sends = story.call(), 0
    while isinstance(call.wanted[0], Send | Wake):
        if isinstance(call.wanted[0], Wake):
            call.wake_at_s = call.wanted[0].at_s
            call.wakes()
            continue
        sends += 1
        attempt = call.wanted[0].attempt
        rejection = Failed(attempt, _bad(), None)
        call.hears(rejection if is_bad else Succeeded(attempt, None))
    return sends, call


def _bad():
    return Failure(BAD_REQUEST, 400, CODE)


CHAINS = [("a", "b", "c"), (A, B, "c"), (A, B), ("a",)]


@given(
    st.sampled_from(CHAINS),
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.5, 5.0, 40.0])), max_size=80),
)
def test_what_nobody_takes_opens_no_breaker_and_always_ends_as_a_rejected_request(chain, requests):
    story = Story(*chain)
    for is_bad, waits_s in requests:
        story.after(waits_s)
        _, call = played(story, is_bad)
        if is_bad:
            call.raises(RequestRejectedError)
    assert {state.breaker.state for state in story.learned.states.values()} == {CLOSED}
    assert suspected(story) == []


@given(st.lists(st.booleans(), min_size=20, max_size=200))
def test_few_of_the_requests_that_nobody_takes_are_sent_twice(requests):
    story = Story("a", "b", "c")
    resent = sum(played(story.after(0.1), is_bad)[0] - 1 for is_bad in requests)
    assert resent <= 5


@given(st.integers(3, 40), st.floats(0.0, 2.0))
def test_a_wave_of_rejections_fails_two_callers_and_no_more(calls, apart_s):
    story = well()
    refused = 0
    for _ in range(calls):
        call = story.after(apart_s).call()
        if call.wanted[0].target.name == "a":
            call.hears(Failed(call.wanted[0].attempt, _bad(), None))
        if isinstance(call.wanted[0], Send):
            call.hears(Succeeded(call.wanted[0].attempt, None))
        else:
            refused += 1
    assert refused == 2


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 75.0)), min_size=10, max_size=60))
def test_a_target_that_rejects_good_requests_now_and_then_fails_nobody_once_that_is_proven(calls):
    story = waving()
    for is_rejected, waits_s in calls:
        call, now = story.after(waits_s).call(), story.now
        if call.wanted[0].target.name == "a" and (is_rejected or now - proven_s(story) > 225.0):
            call.hears(Failed(call.wanted[0].attempt, _bad(), None))
        call.hears(Succeeded(call.wanted[0].attempt, None))
        assert call.call.done
    assert not [event for event in story.events if event.event == "call_ended" and event.error][2:]


def proven_s(story):
    """When a request was last served after a rejection."""
    seen = [event for event in story.events if event.event == "attempt_ended"]
    after = [two.at_s for one, two in pairwise(seen) if one.failure and not two.failure]
    return after[-1]
