"""Streams before and after their commit point, callers who leave, messages that come too late."""

from __future__ import annotations

import pytest

from failover.core.failures import Failure
from failover.core.messages import CallerLeft, Failed, FirstToken, Succeeded, Woken
from failover.core.vocabulary import Outcome, Usage
from failover.errors import AllTargetsFailedError, StreamInterruptedError
from tests.core.story import OVERLOADED, RATE_LIMITED, TIMEOUT, TRUNCATED_STREAM, Story


def ended(story):
    return [event for event in story.events if event.event == "attempt_ended"]


# Streams


def test_a_stream_that_breaks_before_its_first_token_falls_back():
    call = Story("gpt", "claude").call(stream=True).sends_to("gpt").fails(TRUNCATED_STREAM)
    call.sends_to("claude").after(0.5).streams().after(2.0).succeeds()


def test_a_stream_that_breaks_after_its_first_token_is_an_interruption():
    call = Story("gpt", "claude").call(stream=True).sends_to("gpt").streams().fails(TRUNCATED_STREAM)
    error = call.raises(StreamInterruptedError)
    assert "the stream of gpt broke after its first token (truncated_stream)" in str(error)
    assert error.partial_text == ""


def test_the_commit_point_is_told_once():
    call = Story("gpt").call(stream=True).sends_to("gpt").streams()
    call.hears(FirstToken(call.send.attempt)).does_nothing()


def test_the_time_to_the_first_token_is_learned_from_a_stream_that_ended_well():
    story = Story("gpt")
    story.call(stream=True).sends_to("gpt").after(0.5).streams().after(2.0).succeeds()
    assert (story.state("gpt").first_token.value_s, story.state("gpt").total.value_s) == (0.5, 2.5)


def test_a_whole_reply_teaches_nothing_of_first_tokens():
    story = Story("gpt")
    story.call().sends_to("gpt").after(2.5).succeeds()
    assert (story.state("gpt").first_token.value_s, story.state("gpt").total.value_s) == (None, 2.5)


def test_slow_first_tokens_open_the_breaker():
    story = Story("gpt", "claude")
    calls = [story.call(stream=True).sends_to("gpt") for _ in range(20)]
    story.after(11.0)
    for call in calls:
        call.streams().succeeds()
    story.call().sends_to("claude")


def test_the_length_of_answers_is_learned():
    story = Story("gpt")
    before = story.learned.tokens_out["chat"].overall.value
    story.call().sends_to("gpt").succeeds(Usage(10, 5000))
    assert story.learned.tokens_out["chat"].overall.value > before


# Callers who leave


def test_when_the_caller_leaves_the_attempt_is_cancelled_and_nobody_blamed():
    story = Story("gpt")
    call = story.call().sends_to("gpt").leaves().cancels()
    [attempt] = ended(story)
    assert (attempt.outcome, attempt.permit, attempt.failure) == (Outcome.ABANDONED, Outcome.ABANDONED, None)
    assert story.state("gpt").in_flight == 0
    assert call.call.done


def test_a_caller_may_leave_in_the_middle_of_a_stream():
    Story("gpt").call(stream=True).sends_to("gpt").streams().leaves().cancels()


def test_a_caller_may_leave_while_the_call_waits():
    story = Story("gpt").cools_down("gpt", 4.0)
    call = story.call().waits_until(4.0).leaves().does_nothing()
    call.wakes().does_nothing()
    assert (story.events[-1].event, story.events[-1].error) == ("call_ended", "cancelled")


# Messages that come too late

LATE = [Succeeded(1), FirstToken(1), Failed(1, Failure(OVERLOADED)), Woken(), CallerLeft()]
STALE = LATE[:3]


def broken_off(story):
    return story.call().sends_to("gpt").leaves()


def served(story):
    return story.call().sends_to("gpt").succeeds()


def failed(story):
    call = story.call().sends_to("gpt").fails(TIMEOUT)
    call.raises(AllTargetsFailedError)
    return call


@pytest.mark.parametrize("message", LATE, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("finish", [broken_off, served, failed])
def test_messages_after_the_end_change_nothing(finish, message):
    story = Story("gpt")
    call = finish(story)
    told = list(story.events)
    call.hears(message).does_nothing()
    assert story.events == told


@pytest.mark.parametrize("message", STALE, ids=lambda message: type(message).__name__)
def test_messages_of_an_attempt_that_is_over_change_nothing(message):
    story = Story("gpt", "claude")
    call = story.call(stream=True).sends_to("gpt").fails(TIMEOUT).sends_to("claude")
    told = list(story.events)
    call.hears(message).does_nothing()
    assert story.events == told
    call.streams().succeeds()


@pytest.mark.parametrize("message", STALE, ids=lambda message: type(message).__name__)
def test_messages_of_an_attempt_while_the_call_waits_change_nothing(message):
    call = Story("gpt").call().sends_to("gpt").fails(RATE_LIMITED, retry_after_s=3.0).waits_until(3.0)
    call.hears(message).does_nothing()
    call.wakes().sends_to("gpt").succeeds()


def test_a_message_of_no_kind_is_refused():
    with pytest.raises(AssertionError):
        Story("gpt").call().hears("hello")
