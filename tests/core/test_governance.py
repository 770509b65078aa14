"""Governance: a forbidden target is sent nothing, by any path of a call, whatever fails."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from failover.core.attempts import Attempts
from failover.core.candidates import Pick
from failover.core.decide import Facts, decide, forbidden
from failover.core.governance import SYNTHETIC, UNLABELLED, Governance, Newest, Oversight
from failover.core.logbook import Logbook
from failover.core.policy import HedgePolicy, LastResort, StreamRecovery
from failover.core.stats import Recent
from failover.core.terms import DAY_S, Requirement, Terms
from failover.core.vocabulary import AttemptCause, Reason, Request
from failover.errors import AllTargetsFailedError, LocalError, NoEligibleTargetError, StreamInterruptedError
from tests.core.governed import FORGETS, KEEPS, SECRET, governance, governed, told_anew
from tests.core.story import CONNECTION, RATE_LIMITED, Story, in_the_middle, target

ASKED = {"data_class": "secret"}
FORBIDDEN = Reason.FORBIDDEN_BY_TERMS
WHY = "retention 30 days, at most 0 days allowed"
ACME = target("acme")


def keeping_from(since_s: float, until_s: float = inf) -> tuple[Terms, ...]:
    return FORGETS, Terms(retention_days=30, valid_from_s=since_s, valid_to_s=until_s)


def the(**classes: Requirement) -> Governance:
    return Governance({"acme": ACME}, {"acme": (KEEPS,)}, classes)


# What is allowed to whom, as of when.


def test_where_nothing_is_governed_everybody_may_have_everything():
    nothing = Governance({"acme": ACME})
    assert not nothing.is_on
    assert nothing.bar("acme", UNLABELLED, 0.0) is None
    assert nothing.bar("acme", SYNTHETIC, 0.0) is None
    assert nothing.turns_s("acme") == ()


@pytest.mark.parametrize("governs", [Governance(), the(secret=SECRET)], ids=["ungoverned", "governed"])
def test_data_of_a_class_that_nobody_defined_go_to_nobody(governs):
    assert governs.bar("acme", "secrte", 0.0).why == "no data class of that name is defined"
    assert not governs.knows("secrte")


def test_data_of_no_class_may_be_of_any_so_only_who_may_have_all_gets_them():
    both = the(secret=SECRET, eu=Requirement(residency=frozenset({"eu"})), public=Requirement())
    assert both.bar("acme", UNLABELLED, 0.0).why == (
        f"if it is secret: {WHY}; if it is eu: its terms say nothing of where data lie"
    )
    assert both.bar("acme", "public", 0.0) is None


def test_what_the_library_sends_by_itself_is_bound_by_owner_limits_alone_unless_a_class_says_more():
    assert the(secret=SECRET).bar("acme", SYNTHETIC, 0.0) is None
    assert the(synthetic=SECRET).bar("acme", SYNTHETIC, 0.0).why == WHY
    barred = replace(the(), owner=Requirement(sectors=frozenset({"us_federal"})))
    assert barred.bar("acme", SYNTHETIC, 0.0).why == "its terms say nothing of whom it bars by sector"


def test_owner_limits_hold_whatever_the_data():
    terms = {"acme": (Terms(owned_from=frozenset({"cn"})),)}
    owned = Governance({"acme": ACME}, terms, owner=Requirement(owned_from=frozenset({"cn"})))
    assert owned.is_on
    assert owned.bar("acme", UNLABELLED, 0.0).why == "it bars those owned from cn"


@pytest.mark.parametrize(
    ("asked", "route", "counts"),
    [("a", "chat", "a"), ("", "chat", "of-chat"), ("", "other", "of-all"), ("b", "other", "b")],
)
def test_a_request_says_its_class_else_its_route_does_else_the_default(asked, route, counts):
    assert Governance(routes={"chat": "of-chat"}, default="of-all").class_of(asked, route) == counts


def test_a_change_of_terms_takes_effect_at_its_instant_and_says_until_when():
    dated = Governance({"acme": ACME}, {"acme": keeping_from(10.0, 20.0)}, {"secret": SECRET})
    assert [dated.bar("acme", "secret", at_s) is None for at_s in (9.99, 10.0, 19.99, 20.0)] == [
        *(True, False, False, True)
    ]
    (bar,) = dated.bars("acme", "secret")
    assert (bar.since_s, bar.until_s, bar.free_s) == (10.0, 20.0, 20.0)
    assert dated.turns_s("acme") == (10.0, 20.0)


def test_reasons_may_change_while_it_stays_forbidden():
    layers = (KEEPS, Terms(retention_days=60, valid_from_s=10.0), Terms(retention_days=0, valid_from_s=20.0))
    first, second = Governance({"acme": ACME}, {"acme": layers}, {"secret": SECRET}).bars("acme", "secret")
    assert (first.why, second.why) == (WHY, "retention 60 days, at most 0 days allowed")
    assert (first.until_s, first.free_s, second.free_s) == (10.0, 20.0, 20.0)


def test_terms_that_change_nothing_that_matters_leave_one_stretch():
    layers = (KEEPS, Terms(dpa=True, valid_from_s=10.0))
    (bar,) = Governance({"acme": ACME}, {"acme": layers}, {"secret": SECRET}).bars("acme", "secret")
    assert (bar.since_s, bar.until_s) == (-inf, inf)


def test_a_review_that_grows_too_old_ends_what_was_allowed():
    layers = (Terms(reviewed_s=DAY_S), Terms(reviewed_s=100 * DAY_S, valid_from_s=50 * DAY_S))
    recent = {"recent": Requirement(reviewed_within_days=30)}
    (first, second) = Governance({"acme": ACME}, {"acme": layers}, recent).bars("acme", "recent")
    assert (first.since_s, first.until_s) == (31 * DAY_S, 50 * DAY_S)
    assert (second.since_s, second.until_s) == (130 * DAY_S, inf)


def test_more_terms_lie_upon_those_of_their_target():
    more = the(secret=SECRET).with_terms({"acme": (FORGETS,)})
    assert more.bar("acme", "secret", 0.0) is None
    assert more.terms_of("acme", 0.0).retention_days == 0


def test_a_target_that_a_later_config_dropped_or_changed_may_have_nothing():
    later = the(secret=SECRET, public=Requirement())
    assert later.bar_of(ACME, "public", 0.0) is None
    for stranger in (target("other"), replace(ACME, provider="elsewhere"), replace(ACME, region="us")):
        assert later.bar_of(stranger, "public", 0.0).why == "the config now in force has no such target"
    assert later.bar_of(replace(ACME, weight=7.0), "public", 0.0) is None
    assert Governance().bar_of(target("other"), UNLABELLED, 0.0) is None


# Every path of a call.


def barred(story: Story) -> list[str]:
    decision = decide(
        story.route, Request("1", **ASKED), story.learned, story.facts, story.now, in_the_middle
    )
    return [f"{each.target.name}: {each.detail}" for each in decision.passed_over if each.reason is FORBIDDEN]


def test_a_decision_passes_over_whom_the_terms_forbid_and_says_why():
    story = governed(Story("gpt", "claude"), gpt=KEEPS)
    assert barred(story) == [f"gpt: {WHY}"]
    story.call(data_class="public").sends_to("gpt")
    story.call(**ASKED).sends_to("claude")
    assert [event.data_class for event in story.events if event.event == "call_started"] == [
        "public",
        "secret",
    ]


def test_it_says_until_when_on_the_clock_of_the_call():
    story = governed(Story("gpt", epoch_s=1000.0), gpt=keeping_from(900.0, 1030.0))
    passed = forbidden(story.route.targets()[0], Request("1", **ASKED), story.route, story.facts, 0.0)
    assert (passed.reason, passed.until_s, passed.detail) == (FORBIDDEN, 30.0, WHY)
    error = story.call(deadline_s=20.0, **ASKED).raises(NoEligibleTargetError)
    assert error.retry_after_s == 30.0


def test_a_call_waits_for_terms_that_will_let_it_in_time():
    story = governed(Story("gpt", epoch_s=1000.0, deadline_s=60.0), gpt=keeping_from(900.0, 1030.0))
    story.call(**ASKED).waits_until(30.0).wakes().sends_to("gpt").succeeds()


def test_or_it_fails_at_once_where_the_policy_says_so():
    fails = {"deadline_s": 60.0, "last_resort": LastResort.FAIL}
    story = governed(Story("gpt", epoch_s=1000.0, **fails), gpt=keeping_from(900.0, 1030.0))
    story.call(**ASKED).raises(NoEligibleTargetError)


def test_nobody_allowed_is_an_error_that_names_each_objection():
    story = governed(Story("gpt", "claude"), gpt=KEEPS, claude=Terms())
    error = story.call(**ASKED).raises(NoEligibleTargetError)
    assert f"gpt: forbidden_by_terms ({WHY})" in str(error)
    assert "claude: forbidden_by_terms (its terms say nothing of how long data are kept)" in str(error)
    assert story.told() == ["call_started", "call_ended"]


def test_a_request_that_names_no_class_goes_only_to_who_may_have_all():
    governed(Story("gpt", "claude"), gpt=KEEPS).call().sends_to("claude")


def test_a_label_that_nobody_obeys_is_refused_also_where_nothing_is_governed():
    error = Story("gpt").call(**ASKED).raises(NoEligibleTargetError)
    assert "no data class of that name is defined" in str(error)


def test_no_fallback_goes_to_the_forbidden_and_the_error_says_so():
    story = governed(Story("gpt", "claude"), claude=KEEPS)
    call = story.call(**ASKED).sends_to("gpt").fails(RATE_LIMITED, retry_after_s=1e6)
    error = call.raises(AllTargetsFailedError)
    assert f"not asked: claude: forbidden_by_terms ({WHY})" in str(error)


def test_terms_that_change_in_mid_call_bind_its_next_attempt():
    story = governed(Story("gpt", "claude", "mistral"), claude=keeping_from(5.0))
    call = story.call(**ASKED).sends_to("gpt").after(6.0).fails(RATE_LIMITED)
    call.sends_to("mistral").succeeds()


def test_no_retry_goes_to_whom_the_terms_forbid_by_now():
    story = governed(Story("gpt", "claude"), gpt=keeping_from(5.0))
    story.call(**ASKED).sends_to("gpt").after(6.0).fails(CONNECTION).sends_to("claude")


def test_who_may_have_the_data_only_now_is_a_second_chance():
    story = governed(Story("gpt", "claude"), claude=keeping_from(-1.0, 5.0))
    call = story.call(**ASKED).sends_to("gpt").after(6.0).fails(RATE_LIMITED, retry_after_s=1e6)
    call.sends_to("claude").succeeds()


def test_no_hedge_goes_to_the_forbidden():
    story = governed(
        Story("gpt", "claude", "mistral", hedge=HedgePolicy(share=1.0, usd_share=None)), claude=KEEPS
    )
    for _ in range(Recent.LEAST):
        story.state("gpt").observe(0.2, 0.2, 0.0)
        story.learned.deposit("chat")
    call = story.call(**ASKED).sends_and_wakes("gpt", 0.2).wakes()
    call.sends_to("mistral")


def test_no_last_resort_goes_to_the_forbidden():
    story = governed(Story("gpt", "claude"), gpt=KEEPS)
    for name in ("gpt", "claude"):
        story.state(name).breaker.trip(0.0, None, counted=True)
    story.call(**ASKED).waits_until(1.0).wakes().sends_to("claude")


def test_a_forbidden_target_that_is_well_does_not_keep_the_others_from_a_last_resort():
    story = governed(Story("gpt", "claude"), gpt=KEEPS)
    story.state("claude").breaker.trip(0.0, None, counted=True)
    story.call(**ASKED).waits_until(1.0).wakes().sends_to("claude")


def test_where_the_last_resort_is_to_fail_it_fails():
    story = governed(Story("gpt", "claude", last_resort=LastResort.FAIL), gpt=KEEPS)
    story.cools_down("claude", 5.0).call(**ASKED).raises(NoEligibleTargetError)


def test_a_call_that_waited_sees_the_terms_as_they_are_when_it_wakes():
    story = governed(Story("gpt"), gpt=keeping_from(15.0)).cools_down("gpt", 20.0)
    story.call(**ASKED).waits_until(20.0).wakes().raises(NoEligibleTargetError)


def test_the_text_of_a_broken_stream_is_not_handed_to_the_forbidden():
    story = governed(Story("gpt", "claude", stream_recovery=StreamRecovery.RESUME), claude=KEEPS)
    call = story.call(stream=True, **ASKED).sends_to("gpt").streams().fails(RATE_LIMITED, retry_after_s=1e6)
    call.raises(StreamInterruptedError)


def test_a_stream_that_runs_goes_on_when_terms_change():
    story = governed(Story("gpt", "claude"), gpt=keeping_from(5.0))
    story.call(stream=True, **ASKED).sends_to("gpt").streams().after(6.0).succeeds()


# A reload in mid-call.


def test_a_later_config_binds_the_calls_of_earlier_ones():
    story = governed(Story("gpt", "claude", "mistral"))
    call = story.call(**ASKED).sends_to("gpt")
    told_anew(story, claude=KEEPS)
    call.fails(RATE_LIMITED).sends_to("mistral")


def test_a_later_config_allows_nothing_that_a_call_s_own_forbids():
    story = governed(Story("gpt", "claude"), claude=KEEPS)
    call = story.call(**ASKED).sends_to("gpt")
    told_anew(story)
    call.fails(RATE_LIMITED, retry_after_s=1e6).raises(AllTargetsFailedError)


def test_governance_that_comes_with_a_later_config_binds_calls_that_began_without_any():
    story = Story("gpt", "claude")
    newest = Newest(Governance())
    story.facts = Facts(oversight=Oversight(Governance(), newest))
    call = story.call().sends_to("gpt")
    newest.put(governance({each.name: each for each in story.route.targets()}, claude=KEEPS))
    call.fails(RATE_LIMITED, retry_after_s=1e6).raises(AllTargetsFailedError)


def test_once_governed_a_router_goes_on_looking():
    newest = Newest(the(secret=SECRET))
    newest.put(Governance())
    assert newest.is_on


# The moment of sending.


def test_whoever_would_send_to_the_forbidden_is_stopped_before_anything_is_sent():
    """No call gets there: this is what stands behind it."""
    story = governed(Story("gpt", "claude"), gpt=KEEPS)
    request, nobody = Request("1", **ASKED), Logbook("1", "chat", "completion", None)
    attempts = Attempts(request, story.route, story.learned, story.facts, nobody)
    with pytest.raises(LocalError, match=r"gpt was about to be sent what it may not have .*nothing was sent"):
        attempts.open(Pick(story.state("gpt"), AttemptCause.FALLBACK), 0.0, None)
    assert story.state("gpt").in_flight == 0
    assert attempts.open(Pick(story.state("claude"), AttemptCause.FALLBACK), 0.0, None).number == 1
