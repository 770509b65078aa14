"""Streams that break after their first token, answers held back until whole, and answers in doubt."""

from __future__ import annotations

import pytest

from failover.core.capabilities import Capabilities, Capability
from failover.core.failures import Failure, FailureKind
from failover.core.messages import Cancel, Commit, Failed, FirstToken, Return, Send, Succeeded
from failover.core.policy import Delivery, OnDoubt, StreamRecovery
from failover.core.vocabulary import Operation, Outcome, Usage
from failover.errors import AllTargetsFailedError, StreamInterruptedError
from tests.core.story import BAD_REQUEST, OVERLOADED, TIMEOUT, TRUNCATED_STREAM, CallStory, Story, target

WRONG_MODEL = Failure(FailureKind.WRONG_MODEL, code="gpt-mini")
RESTART, RESUME = StreamRecovery.RESTART, StreamRecovery.RESUME
UNSOUND = Failure(FailureKind.MALFORMED_REPLY, code="tool_call_unparsable")


def broken(story: Story, *, resumable: bool = True) -> CallStory:
    """A live stream of the first target that breaks after its first token."""
    call = story.call(stream=True)
    [call.send] = call.wanted
    call.streams().after(1.0)
    return call.hears(Failed(call.send.attempt, Failure(TRUNCATED_STREAM), resumable=resumable))


def ended(story: Story):
    return [event for event in story.events if event.event == "attempt_ended"]


# After the first token


def test_by_default_a_broken_stream_is_an_interruption():
    broken(Story("gpt", "claude")).raises(StreamInterruptedError)


def test_a_restart_asks_the_next_target_and_tells_the_caller_to_clear():
    call = broken(Story("gpt", "claude", stream_recovery=RESTART)).sends_to("claude")
    call.hears(FirstToken(call.send.attempt))
    assert call.wanted == (Commit(call.send.attempt, restart=True),)
    call.succeeds()


def test_the_usage_of_the_broken_part_is_told():
    story = Story("gpt", "claude", stream_recovery=RESTART)
    call = story.call(stream=True).sends_to("gpt").streams().fails(TRUNCATED_STREAM, usage=Usage(10, 3))
    call.sends_to("claude").streams().succeeds(Usage(10, 9))
    assert [(event.tokens_in, event.tokens_out) for event in ended(story)] == [(10, 3), (10, 9)]


def test_a_restarted_answer_that_is_handed_on_at_its_end_also_says_clear():
    call = broken(Story("gpt", "claude", stream_recovery=RESTART)).sends_to("claude")
    call.hears(FirstToken(call.send.attempt, held=True)).does_nothing()
    call.hears(Succeeded(call.send.attempt))
    assert call.wanted == (Return(call.send.attempt, restart=True),)


def test_a_stream_that_broke_falls_on_until_somebody_begins():
    call = broken(Story("gpt", "claude", "mistral", stream_recovery=RESTART))
    call.sends_to("claude").fails(OVERLOADED).sends_to("mistral").streams().succeeds()


def test_a_recovered_stream_may_break_again():
    call = broken(Story("gpt", "claude", "mistral", stream_recovery=RESTART))
    call.sends_to("claude").streams().fails(TRUNCATED_STREAM).sends_to("mistral").streams().succeeds()


@pytest.mark.parametrize("kind", [OVERLOADED, BAD_REQUEST])
def test_what_cannot_be_recovered_is_an_interruption_whatever_came_after(kind):
    call = broken(Story("gpt", "claude", stream_recovery=RESTART, attempts=2))
    error = call.sends_to("claude").fails(kind).raises(StreamInterruptedError)
    assert [name for name, _ in error.failures] == ["gpt", "claude"]
    assert "the stream of gpt broke after its first token (truncated_stream)" in str(error)
    assert "could not be saved (claude:" in str(error)


def test_a_stream_is_not_recovered_past_the_deadline():
    story = Story("gpt", "claude", stream_recovery=RESTART, deadline_s=5.0)
    call = story.call(stream=True).sends_to("gpt").streams().after(5.0)
    call.fails(TIMEOUT).raises(StreamInterruptedError)


# Resuming


def prefilled(name: str):
    return target(name, capabilities=Capabilities(able=frozenset({Capability.PREFILL})))


def test_who_takes_a_prefill_goes_on_where_the_stream_broke():
    call = broken(Story("gpt", prefilled("claude"), stream_recovery=RESUME)).sends_to("claude")
    assert call.send.resume
    call.hears(FirstToken(call.send.attempt))
    assert call.wanted == (Commit(call.send.attempt, restart=False),)
    call.succeeds()


def test_who_takes_no_prefill_starts_again():
    call = broken(Story("gpt", "claude", stream_recovery=RESUME)).sends_to("claude")
    assert not call.send.resume
    call.hears(FirstToken(call.send.attempt))
    assert call.wanted == (Commit(call.send.attempt, restart=True),)


def test_what_is_more_than_text_is_not_resumed():
    story = Story("gpt", prefilled("claude"), stream_recovery=RESUME)
    assert not broken(story, resumable=False).sends_to("claude").send.resume


def test_a_restart_never_resumes():
    story = Story("gpt", prefilled("claude"), stream_recovery=RESTART)
    assert not broken(story).sends_to("claude").send.resume


@pytest.mark.parametrize("kind", [BAD_REQUEST, FailureKind.UNSUPPORTED_PARAMETER])
def test_who_refuses_a_prefill_after_all_is_asked_once_more_from_the_beginning(kind):
    call = broken(Story("gpt", prefilled("claude"), prefilled("mistral"), stream_recovery=RESUME))
    call.sends_to("claude").fails(kind).sends_to("claude")
    assert not call.send.resume
    call.hears(FirstToken(call.send.attempt))
    assert call.wanted == (Commit(call.send.attempt, restart=True),)


def test_who_breaks_while_it_goes_on_is_followed_by_the_next_who_does():
    call = broken(Story("gpt", prefilled("claude"), prefilled("mistral"), stream_recovery=RESUME))
    call.sends_to("claude").fails(OVERLOADED).sends_to("mistral")
    assert call.send.resume


def test_who_refuses_it_from_the_beginning_too_ends_the_call():
    call = broken(Story("gpt", prefilled("claude"), prefilled("mistral"), stream_recovery=RESUME))
    call.sends_to("claude").fails(BAD_REQUEST).sends_to("claude").fails(BAD_REQUEST)
    call.raises(StreamInterruptedError)


def test_nobody_is_asked_a_third_time_for_having_refused_a_prefill():
    story = Story(prefilled("gpt"), stream_recovery=RESUME)
    call = broken(story).waits_until(1.125).wakes().sends_to("gpt")
    assert call.send.resume
    call.fails(BAD_REQUEST).raises(StreamInterruptedError)


# Answers held back until whole


@pytest.mark.parametrize("by", ["request", "policy"])
def test_a_stream_delivered_whole_is_rescued_whenever_it_breaks(by):
    policy = {"delivery": Delivery.WHOLE} if by == "policy" else {}
    asked = {"delivery": Delivery.WHOLE} if by == "request" else {}
    call = Story("gpt", "claude", **policy).call(stream=True, **asked).sends_to("gpt")
    assert call.send.stream
    call.hears(FirstToken(call.send.attempt)).does_nothing()
    call.fails(TRUNCATED_STREAM).sends_to("claude")
    call.hears(FirstToken(call.send.attempt)).does_nothing().succeeds()


def test_a_request_may_ask_for_live_chunks_where_the_policy_holds_them_back():
    story = Story("gpt", delivery=Delivery.WHOLE)
    story.call(stream=True, delivery=Delivery.LIVE).sends_to("gpt").streams().succeeds()


def test_a_tool_call_is_no_commit_point_until_it_is_whole():
    call = Story("gpt", "claude").call(stream=True).sends_to("gpt")
    call.hears(FirstToken(call.send.attempt, held=True)).does_nothing()
    call.fails(TRUNCATED_STREAM).sends_to("claude").streams().succeeds()


# Streams beneath whole replies


def test_what_the_caller_wants_whole_may_be_streamed_to_us():
    story = Story("gpt", "claude", stream_upstream=True, first_token_s=4.0, idle_s=2.0)
    call = story.call().sends_to("gpt")
    assert (call.send.stream, call.send.limits.first_token_s, call.send.limits.idle_s) == (True, 4.0, 2.0)
    call.after(1.0).hears(FirstToken(call.send.attempt)).does_nothing()
    call.after(1.0).fails(TIMEOUT).sends_to("claude").succeeds()
    assert ended(story)[0].first_token_s == 1.0


def test_a_plain_function_is_not_asked_to_stream_what_is_wanted_whole():
    story = Story(target("own", callable="module:function"), stream_upstream=True)
    assert not story.call().sends_to("own").send.stream


@pytest.mark.parametrize("operation", Operation)
def test_only_chats_and_responses_come_in_pieces(operation):
    story = Story("gpt", stream_upstream=True)
    streamed = story.call(operation=operation).sends_to("gpt").send.stream
    assert streamed is (operation in (Operation.COMPLETION, Operation.RESPONSES))


def test_whole_replies_are_whole_by_default():
    assert not Story("gpt").call().sends_to("gpt").send.stream


# Answers in doubt


def told(story: Story):
    return [
        (event.target, event.failure, event.code) for event in story.events if event.event == "reply_doubted"
    ]


@pytest.mark.parametrize(
    ("doubt", "key"), [(WRONG_MODEL, "on_wrong_model"), (UNSOUND, "on_unsound_tool_call")]
)
def test_a_doubt_is_a_failure_a_warning_or_nothing_as_the_policy_says(doubt, key):
    story = Story("gpt", "claude", **{key: OnDoubt.FAIL})
    call = story.call().sends_to("gpt")
    call.hears(Succeeded(call.send.attempt, Usage(10, 5), doubts=(doubt,)))
    call.sends_to("claude").succeeds()
    [failed, _] = ended(story)
    assert (failed.outcome, failed.failure, failed.tokens_out) == (Outcome.FAILURE, doubt.kind, 5)

    story = Story("gpt", **{key: OnDoubt.WARN})
    call = story.call().sends_to("gpt")
    call.hears(Succeeded(call.send.attempt, doubts=(doubt,)))
    assert told(story) == [("gpt", doubt.kind, doubt.code)]
    assert call.call.story(0.0).attempts[0].doubts == (doubt.kind,)

    story = Story("gpt", **{key: OnDoubt.PASS})
    call = story.call().sends_to("gpt")
    call.hears(Succeeded(call.send.attempt, doubts=(doubt,)))
    assert (told(story), call.call.story(0.0).attempts[0].doubts) == ([], ())


def test_an_unsound_tool_call_from_everybody_is_an_error():
    call = Story("gpt").call().sends_to("gpt")
    call.hears(Succeeded(call.send.attempt, doubts=(UNSOUND,))).waits_until(0.125).wakes().sends_to("gpt")
    call.hears(Succeeded(call.send.attempt, doubts=(UNSOUND,))).raises(AllTargetsFailedError)


def test_a_wrong_model_is_seen_before_the_caller_sees_anything():
    story = Story("gpt", "claude", on_wrong_model=OnDoubt.FAIL)
    call = story.call(stream=True).sends_to("gpt")
    first = call.send.attempt
    call.hears(FirstToken(first, doubts=(WRONG_MODEL,)))
    cancel, call.send = call.wanted
    assert (cancel, type(call.send), call.send.target.name) == (Cancel(first), Send, "claude")
    call.streams().succeeds()


def test_another_model_than_asked_says_nothing_against_the_breaker():
    story = Story("gpt", "claude", on_wrong_model=OnDoubt.FAIL)
    call = story.call().sends_to("gpt")
    call.hears(Succeeded(call.send.attempt, doubts=(WRONG_MODEL,)))
    assert ended(story)[0].permit is Outcome.SUCCESS


def test_nobody_needs_to_listen_to_a_doubt():
    call = Story("gpt", listening=False).call().sends_to("gpt")
    call.hears(Succeeded(call.send.attempt, doubts=(WRONG_MODEL,)))
    assert call.call.done
