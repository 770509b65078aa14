"""What an operator's word and another config do to what was learned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.core import controls
from failover.core.breaker import CLOSED, HALF_OPEN, OPEN
from failover.core.events import (
    BreakerChanged,
    ConfigReloaded,
    TargetDrained,
    TargetForcedOpen,
    TargetReset,
    TargetUndrained,
)
from failover.core.failures import Failure
from failover.core.learned import Learned
from failover.core.policy import BreakerPolicy, Policy, RetryBudgetPolicy
from failover.core.vocabulary import Outcome, Reason, Route
from failover.errors import AllTargetsFailedError, NoEligibleTargetError
from tests.core.school import BACKOFF, BIG, SMALL, School
from tests.core.story import (
    CONTEXT_LENGTH,
    MODEL_GONE,
    OVERLOADED,
    RATE_LIMITED,
    REGION_BLOCKED,
    UNAUTHORIZED,
    Story,
    chain_of,
    target,
)

CHAT = Route("chat", chain_of(BIG, SMALL))


def reloaded(school: School, *routes: Route, now: float = 1.0) -> Learned:
    """The school goes on under these routes."""
    school.learned = controls.successor(school.learned, routes, now)
    return school.learned


def drained(story: Story, name: str) -> Story:
    controls.drain(story.learned, story.state(name), story.now)
    return story


def forced_open(story: Story, name: str, for_s: float | None = None) -> Story:
    controls.force_open(story.learned, story.state(name), story.now, for_s)
    return story


# Drained


def test_a_drained_target_is_passed_over_with_that_reason():
    story = drained(Story("gpt", "claude"), "gpt")
    call = story.call().sends_to("claude").succeeds()
    told = [(each.target.name, each.reason, each.until_s) for each in call.call.story(0.0).passed_over]
    assert told == [("gpt", Reason.DRAINED, None)]


def test_a_drained_target_is_asked_by_nobody_not_even_as_a_last_resort():
    drained(Story("gpt"), "gpt").call().raises(NoEligibleTargetError)


def test_a_drained_target_is_not_asked_a_second_time_by_a_running_call():
    story = Story("gpt")
    call = story.call().sends_to("gpt")
    drained(story, "gpt")
    call.fails(RATE_LIMITED, retry_after_s=1.0).raises(AllTargetsFailedError)


def test_a_target_drained_while_a_call_waits_for_it_is_not_asked():
    story = Story("gpt").cools_down("gpt", 5.0)
    call = story.call().waits_until(5.0)
    drained(story, "gpt")
    call.wakes().raises(NoEligibleTargetError)


def test_a_request_is_not_rejected_while_a_drained_target_might_have_taken_it():
    small, large = target("gpt", context_window_tokens=10), target("claude", context_window_tokens=20)
    story = drained(Story(small, large), "claude")
    story.call().sends_to("gpt").fails(CONTEXT_LENGTH).raises(AllTargetsFailedError)


def test_an_attempt_that_runs_at_a_drained_target_may_end():
    school = School()
    permit = school.asks("big")
    controls.drain(school.learned, school.state("big"), 1.0)
    school.learned.succeed(school.state("big"), permit, 2.0, None)
    assert (permit.settled, school.state("big").in_flight) == (Outcome.SUCCESS, 0)


def test_draining_is_told_once_and_so_is_its_end():
    school = School()
    for now in (1.0, 2.0):
        controls.drain(school.learned, school.state("big"), now)
    for now in (3.0, 4.0):
        controls.undrain(school.learned, school.state("big"), now)
    assert school.events == [TargetDrained(1.0, "big"), TargetUndrained(3.0, "big")]
    assert school.away() == set()


# Forced open


def test_a_breaker_forced_open_stays_so_until_it_is_reset():
    school = School()
    controls.force_open(school.learned, school.state("big"), 1.0, None)
    assert school.away(now=1e12) == {"big"}
    why = school.state("big").passed_over(1e12)
    assert (why.reason, why.until_s) == (Reason.BREAKER_OPEN, None)
    controls.reset(school.learned, school.state("big"), 2.0)
    assert school.away(now=2.0) == set()


def test_forcing_open_is_told_with_its_end():
    school = School()
    controls.force_open(school.learned, school.state("big"), 1.0, None)
    controls.force_open(school.learned, school.state("small"), 1.0, 9.0)
    assert school.events == [
        TargetForcedOpen(1.0, "big", None),
        BreakerChanged(1.0, "big", CLOSED, OPEN, None),
        TargetForcedOpen(1.0, "small", 10.0),
        BreakerChanged(1.0, "small", CLOSED, OPEN, 10.0),
    ]


def test_a_breaker_forced_open_for_a_time_is_probed_after_it():
    school = School()
    controls.force_open(school.learned, school.state("big"), 1.0, 9.0)
    assert (school.away(9.9), school.away(10.0)) == ({"big"}, set())
    assert school.asks("big", 10.0).probe


def test_a_last_resort_does_not_ask_a_target_that_is_forced_open():
    forced_open(Story("gpt"), "gpt").call().raises(NoEligibleTargetError)


def test_a_last_resort_waits_out_the_time_a_target_is_forced_open_for():
    forced_open(Story("gpt"), "gpt", 9.0).call().waits_until(9.0).wakes().sends_to("gpt")


def test_the_operators_word_replaces_the_time_a_breaker_had_opened_for():
    story = forced_open(Story("gpt").opens_the_breaker_of("gpt", 50.0), "gpt", 9.0)
    story.call().waits_until(9.0)


def test_no_failure_shortens_what_is_forced_open():
    school = School()
    late = school.asks("small")
    controls.force_open(school.learned, school.state("big"), 1.0, None)
    school.fails("small", UNAUTHORIZED, permit=late, now=2.0)
    assert school.away(now=1e12) == {"big"}


def test_an_attempt_from_before_it_was_forced_open_does_not_close_it():
    school = School()
    permit = school.asks("big")
    controls.force_open(school.learned, school.state("big"), 1.0, None)
    school.learned.succeed(school.state("big"), permit, 2.0, None)
    assert school.state("big").breaker.state == OPEN


# Reset


@pytest.mark.parametrize("kind", [RATE_LIMITED, UNAUTHORIZED, MODEL_GONE, REGION_BLOCKED])
def test_a_reset_target_may_be_tried_whatever_spoke_against_it(kind):
    school = School()
    school.fails("big", kind, now=1.0)
    controls.reset(school.learned, school.state("big"), 2.0)
    assert school.state("big").eligible(2.0)
    assert TargetReset(2.0, "big") in school.events


def test_a_reset_forgets_the_evidence_for_a_retirement():
    school = School(BIG)
    for now in (0.0, 60.0):
        school.fails("big", MODEL_GONE, now=now)
    controls.reset(school.learned, school.state("big"), 120.0)
    school.fails("big", MODEL_GONE, now=121.0)
    assert school.away(now=400.0) == set()


def test_a_reset_forgets_the_failures_in_a_row():
    school = School()
    for _ in range(4):
        school.fails("big", OVERLOADED)
    controls.reset(school.learned, school.state("big"), 1.0)
    school.fails("big", OVERLOADED, now=2.0)
    assert school.state("big").breaker.state == CLOSED


def test_a_reset_forgets_that_the_breaker_opened_before():
    school = School()
    for now in (0.0, 10.0):
        for permit in [school.asks("big", now) for _ in range(5 if now == 0.0 else 1)]:
            school.fails("big", OVERLOADED, permit=permit, now=now)
    controls.reset(school.learned, school.state("big"), 11.0)
    for _ in range(5):
        school.fails("big", OVERLOADED, now=12.0)
    assert school.state("big").breaker.open_until_s == 22.0


def test_what_was_under_way_before_a_reset_counts_for_nothing():
    school = School()
    late = [school.asks("big") for _ in range(5)]
    controls.reset(school.learned, school.state("big"), 1.0)
    for permit in late:
        school.fails("big", OVERLOADED, permit=permit, now=2.0)
    assert school.state("big").breaker.state == CLOSED
    assert school.state("big").in_flight == 0


def test_a_reset_keeps_the_usual_speed_and_a_drain():
    school = School()
    state = school.state("big")
    state.total.observe(2.0, 0.0)
    controls.drain(school.learned, state, 0.0)
    controls.reset(school.learned, state, 1.0)
    assert (state.total.value_s, state.drained) == (2.0, True)


# Another config


def test_what_was_learned_of_a_target_that_stays_the_same_stands():
    school = School(BIG, SMALL)
    school.fails("big", RATE_LIMITED, retry_after_s=60.0)
    before = school.state("big")
    after = reloaded(school, CHAT)
    assert after.states["big"] is before
    assert school.away(now=59.0) == {"big"}


@pytest.mark.parametrize(
    "route",
    [
        Route("chat", chain_of(replace(BIG, region="eu"), SMALL)),
        Route("chat", CHAT.chain, policy=Policy(breaker=BreakerPolicy(failures=2))),
    ],
)
def test_a_target_that_changed_or_its_breaker_policy_is_learned_anew(route):
    school = School(BIG, SMALL)
    school.fails("big", UNAUTHORIZED)
    assert reloaded(school, route).states["big"].eligible(1.0)


def test_a_target_that_is_gone_is_forgotten():
    school = School(BIG, SMALL)
    school.fails("big", RATE_LIMITED, retry_after_s=60.0)
    assert list(reloaded(school, Route("chat", chain_of(SMALL))).states) == ["small"]
    assert reloaded(school, CHAT).states["big"].eligible(1.0)


def test_a_reload_is_told_with_who_stays_who_is_new_who_is_gone_and_who_is_back():
    school = School(BIG, SMALL)
    school.fails("big", REGION_BLOCKED)
    school.events.clear()
    reloaded(school, Route("chat", chain_of(BIG, "new")), now=3.0)
    assert school.events == [ConfigReloaded(3.0, ("big",), ("new",), ("small",), ("big",))]


def test_who_was_retired_until_a_reload_may_be_tried_again():
    school = School(BIG, SMALL)
    school.fails("big", REGION_BLOCKED)
    assert school.away(now=1e9) == {"big", "small"}
    reloaded(school, CHAT)
    assert school.away(now=1.0) == set()


def test_a_model_that_is_gone_is_gone_after_a_reload_too():
    school = School(BIG)
    for now in (0.0, 60.0, 360.0, 1260.0):
        school.fails("big", MODEL_GONE, now=now)
    reloaded(school, Route("chat", chain_of(BIG)), now=1261.0)
    assert school.away(now=1e9) == {"big"}


def test_an_attempt_from_before_a_reload_is_settled_on_what_is_known_after_it():
    school = School(BIG, SMALL)
    before, permit = school.learned, school.asks("big")
    after = reloaded(school, CHAT)
    assert after.states["big"].in_flight == 1
    before.blame(before.states["big"], permit, Failure(UNAUTHORIZED), 2.0, BACKOFF)
    assert (after.states["big"].in_flight, school.away(now=3.0)) == (0, {"big", "small"})


def test_a_late_failure_of_a_target_that_was_changed_is_not_held_against_its_successor():
    school = School(BIG)
    before, permit = school.learned, school.asks("big")
    after = reloaded(school, Route("chat", chain_of(replace(BIG, credential="key-9"))))
    before.blame(before.states["big"], permit, Failure(UNAUTHORIZED), 2.0, BACKOFF)
    assert after.states["big"].eligible(3.0)
    assert (before.states["big"].in_flight, after.states["big"].in_flight) == (0, 0)


def test_breakers_that_live_on_tell_their_changes_with_the_time_they_happen_at():
    school = School(BIG)
    reloaded(school, Route("chat", chain_of(BIG)))
    school.events.clear()
    school.fails("big", UNAUTHORIZED, now=7.0)
    school.asks("big", now=307.0)
    assert [(each.at_s, each.state_to) for each in school.events] == [(7.0, OPEN), (307.0, HALF_OPEN)]


def test_a_route_of_the_same_policy_keeps_its_retry_budget_and_its_token_mean():
    school = School(BIG)
    school.learned.budgets["chat"].try_withdraw(0.0)
    school.learned.tokens_out["chat"].observe("big", 9)
    before = school.learned
    after = reloaded(school, CHAT)
    assert after.budgets["chat"] is before.budgets["chat"]
    assert after.tokens_out["chat"] is before.tokens_out["chat"]


def test_a_route_of_another_policy_begins_with_a_full_budget():
    school = School(BIG)
    school.learned.budgets["chat"].try_withdraw(0.0)
    policy = Policy(retry_budget=RetryBudgetPolicy(floor_per_s=2.0))
    budget = reloaded(school, replace(CHAT, policy=policy)).budgets["chat"]
    assert budget.balance == budget.balance_max == 30.0


def test_what_an_operator_said_of_a_target_holds_after_it_was_changed():
    school = School(BIG, SMALL)
    controls.drain(school.learned, school.state("big"), 0.0)
    controls.force_open(school.learned, school.state("small"), 0.0, 9.0)
    chain = chain_of(replace(BIG, region="eu"), replace(SMALL, region="eu"))
    reloaded(school, Route("chat", chain), now=4.0)
    assert (school.away(8.9), school.away(9.0)) == ({"big", "small"}, {"big"})
