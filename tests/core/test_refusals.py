"""A parameter that a target refused goes to others for a while, as long as somebody else takes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.capabilities import Needs
from failover.core.controls import reset
from failover.core.failures import FailureKind
from failover.core.refusals import REFUSED_S, REMEMBERED, Refusals
from failover.core.vocabulary import PassedOver, Reason
from failover.errors import AllTargetsFailedError
from tests.core.story import OVERLOADED, RATE_LIMITED, Story

UNSUPPORTED = FailureKind.UNSUPPORTED_PARAMETER
WITH_SEED = {"needs": Needs(parameters=frozenset({"seed", "temperature"}))}


def refused(*chain, parameter="seed"):
    """A story in which the first target refused a parameter."""
    story = Story(*chain)
    call = story.call(**WITH_SEED).sends_to(chain[0]).fails(UNSUPPORTED, parameter=parameter)
    call.sends_to(chain[1]).succeeds()
    return story


def test_the_next_request_with_it_goes_past_the_target_that_refused_it():
    call = refused("gpt", "claude").call(**WITH_SEED).sends_to("claude").succeeds()
    [passed] = call.call.story(0.0).passed_over
    assert (passed.target.name, passed.reason, passed.until_s) == ("gpt", Reason.PARAMETER_REFUSED, REFUSED_S)


@pytest.mark.parametrize("needs", [Needs(), Needs(parameters=frozenset({"temperature"}))])
def test_a_request_without_it_is_not_concerned(needs):
    refused("gpt", "claude").call(needs=needs).sends_to("gpt").succeeds()


def test_after_a_while_it_is_tried_again():
    story = refused("gpt", "claude").after(REFUSED_S - 1.0)
    story.call(**WITH_SEED).sends_to("claude").succeeds()
    story.after(1.0).call(**WITH_SEED).sends_to("gpt").fails(UNSUPPORTED, parameter="seed").sends_to("claude")
    story.call(**WITH_SEED).sends_to("claude")


def test_a_refusal_that_names_no_parameter_teaches_nothing():
    refused("gpt", "claude", parameter="").call(**WITH_SEED).sends_to("gpt").succeeds()


def test_with_nobody_else_to_ask_it_is_asked_again():
    story = refused("gpt", "claude").opens_the_breaker_of("claude", 60.0)
    story.call(**WITH_SEED).sends_to("gpt").succeeds()


def test_when_everybody_refused_it_they_are_asked_in_the_authors_order():
    story = Story("gpt", "claude")
    for _ in range(2):
        call = story.call(**WITH_SEED).sends_to("gpt").fails(UNSUPPORTED, parameter="seed")
        call.sends_to("claude").fails(UNSUPPORTED, parameter="seed").raises(AllTargetsFailedError)


def test_when_the_others_fail_it_gets_its_second_chance():
    call = (
        refused("gpt", "claude").call(**WITH_SEED).sends_to("claude").fails(RATE_LIMITED, retry_after_s=9.0)
    )
    call.sends_to("gpt").succeeds()


def test_a_target_that_is_away_is_told_as_away():
    story = refused("gpt", "claude").cools_down("gpt", 5.0)
    [passed] = story.call(**WITH_SEED).sends_to("claude").call.story(0.0).passed_over
    assert passed == PassedOver(story.state("gpt").target, Reason.COOLDOWN, 5.0)


def test_another_failure_teaches_nothing_about_parameters():
    story = Story("gpt", "claude")
    story.call(**WITH_SEED).sends_to("gpt").fails(OVERLOADED).sends_to("claude").succeeds()
    story.call(**WITH_SEED).sends_to("gpt").succeeds()


def test_a_reset_forgets_it():
    story = refused("gpt", "claude")
    reset(story.learned, story.state("gpt"), story.now)
    story.call(**WITH_SEED).sends_to("gpt").succeeds()


def test_of_too_many_the_first_is_forgotten():
    refusals = Refusals()
    for number in range(REMEMBERED + 1):
        refusals.learn(f"p{number}", 0.0)
    known = [refusals.until_s(frozenset({f"p{number}"}), 1.0) for number in range(REMEMBERED + 1)]
    assert known == [None, *[REFUSED_S] * REMEMBERED]


@given(st.lists(st.tuples(st.integers(0, 99), st.floats(0, 1000)), max_size=99), st.floats(0, 2000))
def test_the_latest_refusals_are_remembered_and_only_so_many(told, now):
    refusals, expected = Refusals(), {}
    for number, at_s in told:
        refusals.learn(f"p{number}", at_s)
        expected.pop(number, None)
        expected[number] = at_s + REFUSED_S
    latest = dict(list(expected.items())[-REMEMBERED:])
    assert bool(refusals) == bool(told)
    for number in range(100):
        until_s = latest.get(number, 0.0)
        assert refusals.until_s(frozenset({f"p{number}"}), now) == (until_s if until_s > now else None)
