"""Streams in a drill: what their events are, when these come, and who waits too long for them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from failover.adapters.wire import ConnectionFault, WireReply
from failover.chaos.workload import Shape
from failover.chaos.world.events import events_of
from failover.chaos.world.image import Exchange, Image
from failover.chaos.world.outcome import Course, Outcome, Pace, SoFar, known_at, late, pace
from failover.core.failures import FailureKind, Phase
from failover.core.messages import Limits
from failover.core.vocabulary import Operation, Usage
from tests.drills.worlds import AS_RECORDED, LITELLM_WARNS, outcomes, target
from tests.edge.fake_wire import (
    ANTHROPIC_STREAM,
    GEMINI_STREAM,
    OPENAI_STREAM,
    RESPONSE_STREAM,
    STREAM,
    openai_chunk,
)

pytestmark = LITELLM_WARNS

# Events.

TEXTS = st.binary(max_size=80) | st.lists(
    st.sampled_from(
        [
            b"data: {}",
            b"event: x",
            b": ping",
            b"\n",
            b"\n\n",
            b"\r\n\r\n",
            b"\r\n",
            b'{"a": 1}',
            b" ",
            b"[",
            b"\xff",
        ]
    ),
    max_size=12,
).map(b"".join)


@given(TEXTS)
@example(b"")
@example(b"data: {}\n\ndata: [DONE]\n\n")
def test_the_events_together_are_the_body_whatever_it_is(body: bytes) -> None:
    events = events_of(body)
    assert b"".join(events) == body
    assert all(events)


@pytest.mark.parametrize("stream", [OPENAI_STREAM, ANTHROPIC_STREAM, GEMINI_STREAM])
def test_server_sent_events_come_one_by_one(stream: tuple[bytes, ...]) -> None:
    assert events_of(b"".join(stream)) == stream
    with_returns = tuple(each.replace(b"\n", b"\r\n") for each in stream)
    assert events_of(b"".join(with_returns)) == with_returns


def test_lines_of_json_come_one_by_one() -> None:
    lines = tuple(json.dumps({"n": number}).encode() + b"\n" for number in range(3))
    assert events_of(b"".join(lines)) == lines


@pytest.mark.parametrize("body", [b"<html>\n\n</html>", b"[{},\n\n{}]", b"\x00\x00\x01\n\n\n"])
def test_anything_else_comes_at_once(body: bytes) -> None:
    assert events_of(body) == (body,)


# When they come.


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """A few events: the client has a piece with some of them, and knows the end with the last or before."""
    events = draw(st.integers(1, 12))
    pieces = draw(st.lists(st.integers(0, events - 1), unique=True, max_size=events).map(sorted))
    ended = draw(st.integers(pieces[-1] if pieces else 0, events - 1))
    return Course(events, tuple(pieces), ended)


SECONDS = st.integers(0, 400).map(lambda number: number / 64)
EXCHANGES = st.builds(
    lambda first_s, rest_s, pause_s: Exchange(Image("any"), first_s, first_s + rest_s).paused(pause_s),
    SECONDS,
    SECONDS,
    st.just(0.0) | SECONDS,
)


@given(EXCHANGES, courses())
def test_events_come_in_their_order_and_the_last_when_the_answer_is_whole(exchange, course) -> None:
    paced = pace(exchange, course)
    times = [paced.at_s(event) for event in range(course.events)]
    assert all(later >= earlier for earlier, later in pairwise(times))
    if course.pieces:
        assert times[-1] == pytest.approx(exchange.total_s)


@given(EXCHANGES, courses())
def test_the_first_token_comes_when_it_should_and_nothing_before_it(exchange, course) -> None:
    assume(course.pieces and course.pieces[0] < course.events - 1)
    paced = pace(exchange, course)
    assert {paced.at_s(event) for event in range(course.pieces[0] + 1)} == {exchange.first_token_s}
    after_s = paced.at_s(course.pieces[0] + 1) - exchange.first_token_s
    assert after_s >= exchange.pause_s


@given(EXCHANGES, st.integers(1, 9))
def test_an_answer_in_the_last_event_comes_when_it_is_ready(exchange, events) -> None:
    """A provider that says all at once says it at its end."""
    paced = pace(exchange, Course(events, (events - 1,), events - 1))
    assert {paced.at_s(event) for event in range(events)} == {exchange.total_s}


@given(EXCHANGES, st.integers(0, 9))
def test_what_holds_no_answer_comes_at_once(exchange, events) -> None:
    paced = pace(exchange, Course(events, (), max(0, events - 1)))
    assert {paced.at_s(event) for event in range(events)} <= {exchange.first_token_s}


def test_after_a_pause_without_end_nothing_comes() -> None:
    stalled = pace(Exchange(Image("any"), 0.5, 2.0).paused(inf), Course(4, (0, 1, 2), 3))
    assert [stalled.at_s(event) for event in range(4)] == [0.5, inf, inf, inf]


# Who waits too long.


def reading(sent_s: float, paced: Pace, course: Course, limits: Limits) -> tuple[float, Phase] | None:
    """One piece after another, as somebody reads who looks at the clock."""
    now = sent_s + paced.at_s(course.pieces[0])
    for event in [*course.pieces[1:], course.ended]:
        idle_until_s, total_until_s = now + limits.idle_s, sent_s + limits.total_s
        comes_s = sent_s + paced.at_s(event)
        if comes_s >= min(idle_until_s, total_until_s):
            return min((idle_until_s, Phase.IDLE), (total_until_s, Phase.TOTAL), key=lambda limit: limit[0])
        now = comes_s
    return None


LIMITS = st.builds(lambda idle_s, total_s: Limits(1.0, 99.0, idle_s, total_s), SECONDS, SECONDS)


@st.composite
def running(draw: st.DrawFn) -> tuple[Pace, Course]:
    """A stream that has begun, at a pace of whole ticks: sums of them are exact, in microseconds too."""
    course = draw(courses().filter(lambda course: course.pieces))
    first_s, pause_s, step_s = draw(SECONDS), draw(st.just(0.0) | SECONDS), draw(SECONDS)
    return Pace(course.pieces[0], first_s, first_s + pause_s, step_s), course


@given(SECONDS, running(), LIMITS)
def test_a_limit_ends_a_stream_when_whoever_reads_it_piece_by_piece_would(sent_s, running, limits) -> None:
    paced, course = running
    assume(paced.first_token_s < limits.total_s)
    assert late(sent_s, paced, course, limits) == reading(sent_s, paced, course, limits)


@given(SECONDS, running())
def test_whoever_is_patient_hears_the_end(sent_s, running) -> None:
    assert late(sent_s, *running, Limits(1.0, 99.0, 1e6, 1e6)) is None


# What a client makes of them: found out event by event.


OPENAI, ANTHROPIC = "openai/gpt-5.6-luna", "anthropic/claude-sonnet-5"
ROLE = openai_chunk({"role": "assistant", "content": ""})


def found(
    model: str, *events: bytes, shape: Shape = AS_RECORDED, fault: ConnectionFault | None = None
) -> Outcome:
    image = Image("by hand", WireReply(200, STREAM, b"".join(events)), fault)
    return outcomes().of(target("asked", model), shape, image, stream=True)


def course(model: str, *events: bytes, **how: Any) -> Course:
    told = found(model, *events, **how).course
    assert told is not None
    return told


def test_a_chunk_that_only_names_a_role_brings_no_token() -> None:
    assert course(OPENAI, *OPENAI_STREAM).pieces[0] == 0
    assert course(OPENAI, ROLE, *OPENAI_STREAM).pieces[0] == 1
    assert course(ANTHROPIC, *ANTHROPIC_STREAM).pieces[0] == 2


def test_a_stream_ends_with_the_event_that_says_so() -> None:
    whole = course(OPENAI, *OPENAI_STREAM)
    assert (whole.events, whole.ended, whole.resumable, whole.held) == (4, 3, True, False)
    assert found(OPENAI, *OPENAI_STREAM).failure is None


@pytest.mark.parametrize("fault", [None, ConnectionFault.RESET], ids=["closed", "reset"])
def test_a_stream_that_is_cut_had_begun_and_can_be_continued(fault) -> None:
    cut = found(OPENAI, *OPENAI_STREAM[:2], fault=fault)
    assert cut.failure is not None
    assert cut.failure.kind is FailureKind.TRUNCATED_STREAM
    assert cut.course is not None
    assert (cut.course.events, cut.course.pieces, cut.course.ended, cut.course.resumable) == (
        2,
        (0, 1),
        1,
        True,
    )


def test_what_speaks_against_an_answer_is_known_as_soon_as_it_is_said() -> None:
    """Another model than the one that was asked for names itself in the first chunk."""
    (doubt,) = course(OPENAI, *OPENAI_STREAM).doubts
    assert (doubt.kind, doubt.code) == (FailureKind.WRONG_MODEL, "m")
    assert found(OPENAI, *OPENAI_STREAM).doubts == ()


def test_an_error_in_the_midst_of_a_stream_ends_it_there() -> None:
    error = (
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    )
    broken = found(ANTHROPIC, *ANTHROPIC_STREAM[:3], error)
    assert broken.failure is not None
    assert broken.failure.kind is FailureKind.OVERLOADED
    assert broken.course is not None
    assert (broken.course.pieces, broken.course.ended) == ((2,), 3)


def test_a_call_of_a_tool_is_held_and_cannot_be_continued() -> None:
    call = {"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    calling = course(OPENAI, ROLE, openai_chunk({"tool_calls": [call]}), openai_chunk({}, "tool_calls"))
    assert (calling.held, calling.resumable) == (True, False)


def test_a_response_cannot_be_continued_though_it_is_text() -> None:
    cut = course(OPENAI, *RESPONSE_STREAM[:4], shape=Shape(Operation.RESPONSES))
    assert (cut.pieces, cut.resumable) == ((2, 3), False)


def test_what_is_billed_is_known_as_soon_as_it_is_told() -> None:
    """Anthropic tells the length of the prompt first, and that of the answer last; OpenAI all at the end."""
    told = course(ANTHROPIC, *ANTHROPIC_STREAM).so_far
    assert [(each.event, each.usage) for each in told] == [(2, Usage(3, 1)), (4, Usage(3, 2))]
    counted = [each.usage for each in course(OPENAI, *OPENAI_STREAM).so_far]
    assert counted == [Usage(0, 1, estimated=True)]


def test_text_can_be_continued_until_more_than_text_is_said() -> None:
    """Reasoning comes before it, and the call of a tool after it."""
    call = {"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    chunks = (*OPENAI_STREAM[:2], openai_chunk({"tool_calls": [call]}), openai_chunk({}, "tool_calls"))
    assert [(each.event, each.resumable) for each in course(OPENAI, *chunks).so_far] == [
        (0, True),
        (2, False),
    ]
    thinking = (openai_chunk({"reasoning_content": "hm"}), *OPENAI_STREAM)
    known = course("deepseek/deepseek-reasoner", *thinking).so_far
    assert {each.resumable for each in known} == {False}


@given(SECONDS, running(), st.lists(st.booleans(), min_size=1, max_size=12), SECONDS)
def test_what_is_known_is_what_came_before(sent_s, running, told, after_s) -> None:
    paced, course = running
    notes = tuple(SoFar(event, None, flag) for event, flag in enumerate(told, course.pieces[0]))
    known = known_at(sent_s + after_s, sent_s, paced, replace(course, so_far=notes))
    came = [each for each in notes if paced.at_s(each.event) < after_s]
    assert known == (came[-1] if came else SoFar(0, None, resumable=False))
