"""After a cooldown attempts go one at a time until somebody is answered: no herd at its end."""

from __future__ import annotations

import pytest

from failover.core.target_state import TRIAL_S
from failover.core.vocabulary import Reason
from tests.core.story import OVERLOADED, RATE_LIMITED, Story, target


def cooled(*chain, **options) -> Story:
    """A story whose first target was refused, and asked to be left alone for four seconds."""
    story = Story(*(chain or ("gpt", "claude")), **options)
    story.call().sends_to(story.route.targets()[0].name).fails(RATE_LIMITED, retry_after_s=4.0)
    return story.after(4.0)


def test_the_first_after_a_cooldown_is_alone():
    story = cooled()
    story.call().sends_to("gpt")
    story.call().sends_to("claude")
    passed_over = story.call().call.story(story.now).passed_over
    assert [(each.target.name, each.reason) for each in passed_over] == [("gpt", Reason.PROBE_RUNNING)]


def test_an_answer_lets_everybody_in_again():
    story = cooled()
    story.call().sends_to("gpt").succeeds()
    story.call().sends_to("gpt")
    story.call().sends_to("gpt")


def test_the_first_token_of_a_stream_is_answer_enough():
    story = cooled()
    story.call(stream=True).sends_to("gpt").streams()
    story.call().sends_to("gpt")


def test_an_answer_that_takes_long_does_not_keep_others_out():
    story = cooled()
    story.call().sends_to("gpt").after(TRIAL_S)
    story.call().sends_to("gpt")
    story.call().sends_to("claude")


@pytest.mark.parametrize("kind", [RATE_LIMITED, OVERLOADED])
def test_a_refused_trial_lets_the_next_one_try_when_it_may(kind):
    story = cooled("gpt")
    story.call().sends_to("gpt").fails(kind, retry_after_s=4.0)
    story.after(4.0).call().sends_to("gpt")


def test_a_caller_who_leaves_ends_his_trial():
    story = cooled()
    story.call().sends_to("gpt").leaves()
    story.call().sends_to("gpt")


def test_whoever_has_nobody_else_looks_again_soon():
    story = cooled("gpt")
    first = story.call().sends_to("gpt")
    waits = story.call().waits_until(story.now + 0.25)
    first.succeeds()
    waits.wakes().sends_to("gpt")


def test_a_sibling_that_cooled_down_with_it_is_tried_by_one_as_well():
    shared = {"provider": "openai", "model": "gpt", "credential": "key"}
    story = cooled(target("us", region="us", **shared), target("eu", region="eu", **shared), "claude")
    story.call().sends_to("us")
    story.call().sends_to("eu")
    story.call().sends_to("claude")
