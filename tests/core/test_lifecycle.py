"""When a model ends: its stages, the warnings ahead, and what a date does to a call."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core import controls
from failover.core.calendar_events import RetirementAhead, RetirementReached
from failover.core.lifecycle import (
    DAY_S,
    FIRST_PLACE_S,
    NO_CALENDAR,
    Calendar,
    Lifecycle,
    Stage,
    days_until,
    thresholds,
)
from failover.core.messages import Send, Wake
from failover.core.vocabulary import AttemptCause, ByDate, Reason, RetirementShape
from failover.errors import NoEligibleTargetError
from tests.core.school import BIG, School
from tests.core.story import CONNECTION, MODEL_GONE, OVERLOADED, TIMEOUT, Story

STAGES = list(Stage)
INSTANTS = st.integers(0, 4_000_000_000).map(float)
MAYBE = st.none() | INSTANTS
LIFECYCLES = st.builds(
    Lifecycle,
    announced_s=MAYBE,
    deprecated_s=MAYBE,
    retired_s=MAYBE,
    shape=st.sampled_from(RetirementShape),
    by_date=st.sampled_from(ByDate),
)
END_S = 1000.0


def ends(at_s=END_S, **facts):
    return Lifecycle(retired_s=at_s, source="a list", **facts)


def dated(story, **lifecycles):
    """The story's router knows these ends."""
    calendar = Calendar(lifecycles, story.facts.epoch_s)
    story.facts = type(story.facts)(story.facts.prices, story.facts.epoch_s, calendar)
    for name, state in story.learned.states.items():
        state.ends(calendar.endings.get(name))
    return story


def passed_over(call):
    return [(each.target.name, each.reason, each.successor) for each in call.call.story(0.0).passed_over]


# Stages.


@given(LIFECYCLES, INSTANTS, INSTANTS)
def test_a_stage_never_goes_back(lifecycle, one_s, other_s):
    earlier, later = sorted((one_s, other_s))
    assert STAGES.index(lifecycle.stage(earlier)) <= STAGES.index(lifecycle.stage(later))


@given(LIFECYCLES, INSTANTS)
def test_retired_begins_at_its_instant_and_not_before(lifecycle, as_of_s):
    retired = lifecycle.retired_s is not None and as_of_s >= lifecycle.retired_s
    assert (lifecycle.stage(as_of_s) is Stage.RETIRED) == retired


@pytest.mark.parametrize(
    ("lifecycle", "stages"),
    [
        (Lifecycle(), ["active"] * 4),
        (Lifecycle(10.0, 20.0, 30.0), ["active", "announced", "deprecated", "retired"]),
        (Lifecycle(None, None, 30.0), ["announced", "announced", "announced", "retired"]),
        (Lifecycle(None, 20.0), ["announced", "announced", "deprecated", "deprecated"]),
        (Lifecycle(10.0), ["active", "announced", "announced", "announced"]),
    ],
)
def test_a_lifecycle_goes_through_its_stages(lifecycle, stages):
    assert [lifecycle.stage(as_of_s).value for as_of_s in (5.0, 15.0, 25.0, 35.0)] == stages


@pytest.mark.parametrize("shape", RetirementShape)
def test_only_three_shapes_end_the_model_that_was_chosen(shape):
    ending = {"hard_error", "redirect", "access_narrowed"}
    assert ends(shape=shape).due_s == (END_S if shape.value in ending else None)


def test_a_date_that_is_ignored_is_never_due():
    assert ends(by_date=ByDate.IGNORE).due_s is None


def test_nobody_acts_on_an_end_before_it_is_announced():
    assert ends(announced_s=END_S + 5.0).due_s == END_S + 5.0


@given(st.integers(-3000, 3000), st.floats(0.0, 0.5))
def test_days_count_a_begun_one_and_no_part_of_a_second(days, late_s):
    assert days_until(days * DAY_S, late_s) == days
    assert days_until(days * DAY_S, late_s - 7200.0) == days + 1


# Warnings.


@given(LIFECYCLES, st.lists(st.integers(1, 400), max_size=6))
def test_thresholds_come_in_order_none_before_the_announcement_and_the_end_last(lifecycle, warn_days):
    found = thresholds(lifecycle, warn_days)
    if lifecycle.retired_s is None:
        assert found == ()
        return
    times = [at_s for at_s, _ in found]
    assert times == sorted(set(times))
    assert [days for _, days in found] == sorted((days for _, days in found), reverse=True)
    assert found[-1] == (max(lifecycle.retired_s, lifecycle.announced_s or -inf), 0)
    assert all(at_s >= (lifecycle.announced_s or -inf) for at_s in times)


@given(
    st.integers(0, 200),
    st.lists(st.integers(0, 200), min_size=1, max_size=8),
    st.sets(st.integers(1, 120), max_size=4),
)
def test_each_threshold_is_told_at_most_once_however_time_is_looked_at(end_day, looks, warn_days):
    told = []
    calendar = Calendar({"gpt": ends(end_day * DAY_S)}, 0.0, warn_days)
    for day in sorted(looks):
        calendar.announce(day * DAY_S, told.append)
    ahead = [event.days_left for event in told if isinstance(event, RetirementAhead)]
    assert ahead == sorted(set(ahead), reverse=True)
    assert len(ahead) <= len(warn_days)
    reached = [event for event in told if isinstance(event, RetirementReached)]
    assert len(reached) == (max(looks) >= end_day)


def test_who_starts_late_is_told_the_nearest_threshold_alone():
    told = []
    Calendar({"gpt": ends(40 * DAY_S, replacement="gpt-9")}, 0.0).announce(20 * DAY_S, told.append)
    hard = RetirementShape.HARD_ERROR
    assert told == [RetirementAhead(20 * DAY_S, "gpt", 20, hard, "gpt-9", "a list")]


def test_a_config_after_another_does_not_warn_of_the_same_again():
    told = []
    before = Calendar({"gpt": ends(40 * DAY_S)}, 0.0)
    before.announce(20 * DAY_S, told.append)
    after = Calendar({"gpt": ends(40 * DAY_S)}, 0.0, told=before.told)
    after.announce(20 * DAY_S, told.append)
    assert len(told) == 1
    Calendar({"gpt": ends(41 * DAY_S)}, 0.0, told=before.told).announce(20 * DAY_S, told.append)
    assert len(told) == 2


def test_whoever_knows_no_date_warns_of_nothing():
    assert NO_CALENDAR.first_due_s == inf
    NO_CALENDAR.announce(1e12, pytest.fail)


def test_a_call_tells_what_has_come_nearer():
    story = dated(Story("gpt", "claude"), gpt=ends(DAY_S))
    story.call().sends_to("gpt").succeeds()
    story.after(DAY_S).call().sends_to("claude")
    words = [event for event in story.told() if event.startswith("retirement")]
    assert words == ["retirement_ahead", "retirement_reached"]


def test_an_event_says_whether_the_date_keeps_calls_away():
    def reached(by_date, shape):
        return RetirementReached(0.0, "gpt", by_date, shape, "", "")

    hard, moved = RetirementShape.HARD_ERROR, RetirementShape.ALIAS_MOVED
    assert reached(ByDate.BAR, hard).bars
    assert reached(ByDate.PASS_OVER, hard).keeps_away
    assert not reached(ByDate.PASS_OVER, hard).bars
    assert not reached(ByDate.IGNORE, hard).keeps_away
    assert not reached(ByDate.BAR, moved).keeps_away


# A list's date: passed over while others are left.


def test_who_is_due_is_passed_over_from_its_instant_with_its_successor_named():
    story = dated(Story("gpt", "claude"), gpt=ends(replacement="gpt-9"))
    story.after(END_S - 0.5).call().sends_to("gpt")
    call = story.after(0.5).call().sends_to("claude")
    assert passed_over(call) == [("gpt", Reason.RETIREMENT_DUE, "gpt-9")]


def test_who_is_due_is_asked_where_nobody_else_can_be():
    story = dated(Story("gpt", "claude"), gpt=ends()).after(END_S)
    story.opens_the_breaker_of("claude", 500.0)
    story.call().sends_to("gpt").succeeds()


def test_who_is_due_is_the_last_resort_of_a_call_whose_others_failed():
    story = dated(Story("gpt", "claude"), gpt=ends()).after(END_S)
    call = story.call().sends_to("claude").fails(OVERLOADED).sends_to("gpt").succeeds()
    assert call.call.story(0.0).attempts[-1].cause is AttemptCause.LAST_RESORT


def test_where_all_are_due_all_are_asked_in_their_order():
    story = dated(Story("gpt", "claude"), gpt=ends(), claude=ends()).after(END_S)
    story.call().sends_to("gpt").fails(OVERLOADED).sends_to("claude").succeeds()


# A date of one's own: barred.


def test_who_is_barred_is_asked_until_its_instant_and_never_after():
    story = dated(Story("gpt", "claude"), gpt=ends(by_date=ByDate.BAR))
    story.after(END_S - 0.5).call().sends_to("gpt")
    call = story.after(0.5).call().sends_to("claude")
    assert passed_over(call) == [("gpt", Reason.RETIRED, "")]
    call.fails(OVERLOADED).waits_until(END_S + 0.125).wakes().sends_to("claude")


def test_who_is_barred_is_not_asked_even_if_it_is_alone():
    story = dated(Story("gpt"), gpt=ends(by_date=ByDate.BAR)).after(END_S)
    story.call().raises(NoEligibleTargetError)


def test_a_call_that_waits_over_the_instant_does_not_ask_who_is_barred_by_then():
    story = dated(Story("gpt", deadline_s=30), gpt=ends(5.0, by_date=ByDate.BAR))
    story.cools_down("gpt", 10.0)
    story.call().waits_until(10.0).wakes().raises(NoEligibleTargetError)


@given(st.lists(st.sampled_from([OVERLOADED, MODEL_GONE, CONNECTION, TIMEOUT]), max_size=12), st.booleans())
def test_whatever_fails_nothing_is_sent_to_who_is_barred(kinds, hands_on):
    story = Story("gpt", ["claude", "luna"], deadline_s=20)
    dated(story, gpt=ends(by_date=ByDate.BAR, successor="luna" if hands_on else "")).after(END_S)
    call = story.call()
    for kind in kinds:
        for command in call.wanted:
            assert not isinstance(command, Send) or command.target.name != "gpt"
        if isinstance(call.wanted[0], Send):
            call.send = call.wanted[0]
            call.fails(kind)
        elif isinstance(call.wanted[0], Wake):
            call.wake_at_s = call.wanted[0].at_s
            call.wakes()
        if call.call.done:
            call = story.after(1.0).call()


# Successors.


def test_the_successor_takes_the_place_of_who_is_due():
    story = dated(Story("gpt", "claude", "luna"), gpt=ends(successor="luna"))
    story.call().sends_to("gpt")
    story.after(END_S).call().sends_to("luna")


def test_the_successor_joins_the_tier_of_who_is_barred():
    story = dated(Story(["gpt", "azure"], "claude", "luna"), azure=ends(successor="luna", by_date=ByDate.BAR))
    call = story.after(END_S).call().sends_to("gpt")
    call.fails(OVERLOADED).sends_to("luna")


def test_a_successor_that_stands_before_already_stays_where_it_is():
    story = dated(Story("luna", "claude", "gpt"), gpt=ends(successor="luna")).after(END_S)
    story.call().sends_to("luna").fails(OVERLOADED).sends_to("claude")


def test_a_successor_within_the_tier_moves_only_forward():
    story = dated(Story(["luna", "gpt", "claude"]), gpt=ends(successor="luna")).after(END_S)
    story.call().sends_to("luna").fails(OVERLOADED).sends_to("claude")
    story = dated(Story(["gpt", "claude", "luna"]), gpt=ends(successor="luna")).after(END_S)
    story.call().sends_to("luna").fails(OVERLOADED).sends_to("claude")


def test_a_successor_that_ended_too_hands_on_to_its_own():
    story = dated(
        Story("gpt", "claude", "luna", "sol"), gpt=ends(successor="luna"), luna=ends(successor="sol")
    )
    story.after(END_S).call().sends_to("sol")


def test_successors_in_a_circle_do_no_harm():
    story = dated(Story("gpt", "luna", "claude"), gpt=ends(successor="luna"), luna=ends(successor="gpt"))
    story.after(END_S).call().sends_to("claude")


def test_a_successor_that_the_chain_does_not_name_is_not_asked():
    story = dated(Story("gpt", "claude"), gpt=ends(successor="luna"))
    story.after(END_S).call().sends_to("claude")


def test_within_a_call_the_successor_of_who_is_not_found_is_asked_next():
    story = dated(Story("gpt", "claude", "luna"), gpt=Lifecycle(successor="luna"))
    story.call().sends_to("gpt").fails(MODEL_GONE).sends_to("luna").succeeds()
    story.call().sends_to("luna")


def test_who_was_not_found_once_is_asked_again_in_its_own_place():
    story = dated(Story("gpt", "claude", "luna"), gpt=Lifecycle(successor="luna"))
    story.call().sends_to("gpt").fails(MODEL_GONE).sends_to("luna").succeeds()
    story.after(60.0).call().sends_to("gpt").succeeds()
    assert not story.state("gpt").is_going(story.now)


def test_without_a_successor_the_order_stands_when_a_model_is_not_found():
    story = dated(Story("gpt", "claude", "luna"), gpt=ends())
    story.call().sends_to("gpt").fails(MODEL_GONE).sends_to("claude")


# Date and evidence.


def test_one_refusal_proves_what_a_date_says_from_the_first_place_on_earth_that_has_it():
    for early_s, gone in ((FIRST_PLACE_S + 1.0, False), (FIRST_PLACE_S - 1.0, True), (0.0, True)):
        school = School(BIG)
        end_s = 10 * DAY_S
        school.state("big").ends(Calendar({"big": ends(end_s)}).endings["big"])
        school.fails("big", MODEL_GONE, now=end_s - early_s)
        assert (school.state("big").retired_by is MODEL_GONE) == gone


def test_an_end_without_notice_is_not_expected_before_its_announcement():
    calendar = Calendar({"gpt": ends(announced_s=END_S)})
    assert calendar.endings["gpt"].near_s == END_S


def test_who_has_no_date_is_given_up_only_after_four_refusals():
    school = School(BIG)
    school.state("big").ends(Calendar({"big": Lifecycle(successor="small")}).endings["big"])
    school.fails("big", MODEL_GONE, now=5.0)
    assert school.state("big").retired_by is None


def test_a_reset_does_not_undo_a_date_that_bars():
    story = dated(Story("gpt", "claude"), gpt=ends(by_date=ByDate.BAR)).after(END_S)
    controls.reset(story.learned, story.state("gpt"), story.now)
    story.call().sends_to("claude")


def test_a_target_forgets_an_end_that_its_config_names_no_more():
    story = dated(Story("gpt", "claude"), gpt=ends(by_date=ByDate.BAR)).after(END_S)
    dated(story)
    story.call().sends_to("gpt")
