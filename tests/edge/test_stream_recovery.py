"""What a caller gets of streams that break, of answers held back until whole, and of races."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from failover import AllTargetsFailedError, Router, StreamInterruptedError
from failover.adapters.seam import Answer, Piece
from failover.core.failures import Failure, FailureKind
from failover.core.stats import Recent
from failover.core.vocabulary import AttemptCause, Outcome, Usage
from tests.edge.scripted import (
    CUT,
    FOR_EVER_S,
    HELLO,
    ROLE,
    Said,
    ScriptedAdapter,
    answers,
    config,
    fails,
    hangs,
    heard,
    in_flight,
    in_virtual_time,
    named,
    paced,
    router,
    running_tasks,
    stop,
    streams,
)

OVERLOADED = FailureKind.OVERLOADED
UNSOUND = Failure(FailureKind.MALFORMED_REPLY, code="tool_call_unparsable")
WRONG_MODEL = Failure(FailureKind.WRONG_MODEL, code="gpt-mini")
WHOLE = streams(ROLE, "he", "llo", stop(Usage(1000, 100)), gap_s=1.0)
BROKEN = streams(ROLE, "he", CUT, gap_s=1.0)
CALLED = Piece(Said("{call}"), has_token=True, tool_call=True)


async def read(service: Router, **options: Any) -> list[str]:
    """The texts of all chunks; a restart mark reads as `clear`."""
    stream = await service.acompletion("chat", HELLO, stream=True, **options)
    return [
        "clear" if hasattr(chunk, "failover") else getattr(chunk, "text", chunk) async for chunk in stream
    ]


# After the first token


@in_virtual_time
async def test_a_restart_tells_the_caller_to_clear_and_begins_anew():
    service = router(ScriptedAdapter(gpt=BROKEN, claude=WHOLE), "gpt", "claude", stream_recovery="restart")
    assert await read(service) == ["role only", "he", "clear", "role only", "he", "llo", "stop"]


@in_virtual_time
async def test_the_mark_says_what_happened_and_who_begins():
    service = router(ScriptedAdapter(gpt=BROKEN, claude=WHOLE), "gpt", "claude", stream_recovery="restart")
    stream = await service.acompletion("chat", HELLO, stream=True)
    [mark] = [chunk.failover async for chunk in stream if hasattr(chunk, "failover")]
    assert (mark.event, mark.target) == ("restart", "claude")
    assert stream.failover.target == "claude"


@in_virtual_time
async def test_what_the_caller_has_after_two_breaks_is_the_last_answers_text():
    adapter = ScriptedAdapter(gpt=streams("one", CUT), claude=streams("two", CUT), mistral=hangs())
    service = router(adapter, "gpt", "claude", "mistral", stream_recovery="restart", deadline_s=9)
    with pytest.raises(StreamInterruptedError) as raised:
        await read(service)
    assert raised.value.partial_text == "two"
    assert in_flight(service) == {}


@in_virtual_time
async def test_who_leaves_between_two_answers_leaves_nothing_behind():
    adapter = ScriptedAdapter(gpt=BROKEN, claude=hangs())
    service = router(adapter, "gpt", "claude", stream_recovery="restart")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5.0):
            await read(service)
    assert (in_flight(service), adapter.running) == ({}, 0)


# The whole answer, or none


@in_virtual_time
async def test_an_answer_held_back_until_whole_is_rescued():
    service = router(ScriptedAdapter(gpt=BROKEN, claude=WHOLE), "gpt", "claude")
    assert await read(service, delivery="whole") == ["role only", "he", "llo", "stop"]


@in_virtual_time
async def test_an_answer_held_back_stalls_at_its_idle_limit():
    stalls = paced((1.0, "he"), (FOR_EVER_S, "llo"))
    service = router(ScriptedAdapter(gpt=stalls, claude=WHOLE), "gpt", "claude", delivery="whole", idle_s=2)
    assert "stop" in await read(service)
    assert asyncio.get_running_loop().time() == 3.0 + 4.0


async def test_a_delivery_that_is_none_is_refused():
    service = Router.from_dict(config("gpt"), adapter=ScriptedAdapter(gpt=WHOLE))
    with pytest.raises(ValueError, match="delivery must be 'live' or 'whole', not 'later'"):
        await service.acompletion("chat", HELLO, stream=True, delivery="later")


# Streams beneath whole replies


@in_virtual_time
async def test_a_whole_reply_may_be_streamed_to_us():
    adapter = ScriptedAdapter(gpt=BROKEN, claude=WHOLE)
    service = router(adapter, "gpt", "claude", stream_upstream=True)
    reply = await service.acompletion("chat", HELLO)
    assert (reply.text, reply.failover.cost_usd) == ("hello", pytest.approx(0.003014))
    assert [attempt.usage.estimated for attempt in reply.failover.attempts] == [True, False]
    assert [attempt.first_token_s for attempt in reply.failover.attempts] == [2.0, 2.0]


@in_virtual_time
async def test_chunks_that_make_no_reply_are_a_malformed_one():
    class Unbuildable(ScriptedAdapter):
        def assemble(self, *_: Any) -> Any:
            raise ValueError

    service = router(Unbuildable(gpt=WHOLE), "gpt", stream_upstream=True, attempts=1)
    with pytest.raises(AllTargetsFailedError) as raised:
        await service.acompletion("chat", HELLO)
    assert raised.value.failures[0][1].kind is FailureKind.MALFORMED_REPLY
    assert isinstance(raised.value.__cause__, ValueError)


# Tool calls


@in_virtual_time
async def test_a_tool_call_is_handed_on_when_it_is_whole():
    fate = paced((1.0, CALLED), (1.0, CALLED), (1.0, Piece("end", finish_reason="tool_calls")))
    stream = await router(ScriptedAdapter(gpt=fate), "gpt").acompletion("chat", HELLO, stream=True)
    assert asyncio.get_running_loop().time() == 3.0
    assert [getattr(chunk, "text", chunk) async for chunk in stream] == ["{call}", "{call}", "end"]


@in_virtual_time
async def test_an_unsound_tool_call_is_never_seen():
    unsound = streams(CALLED, Piece("end", finish_reason="tool_calls", doubts=(UNSOUND,)))
    service = router(ScriptedAdapter(gpt=unsound, claude=WHOLE), "gpt", "claude")
    assert await read(service) == ["role only", "he", "llo", "stop"]


@in_virtual_time
async def test_an_unsound_tool_call_after_text_interrupts_the_stream_without_showing_it():
    unsound = streams("he", CALLED, Piece("end", finish_reason="tool_calls", doubts=(UNSOUND,)))
    service = router(ScriptedAdapter(gpt=unsound), "gpt")
    stream = await service.acompletion("chat", HELLO, stream=True)
    assert (await anext(stream)).text == "he"
    with pytest.raises(StreamInterruptedError):
        await anext(stream)


@in_virtual_time
async def test_who_passes_tool_calls_on_gets_them_as_they_come():
    fate = paced((1.0, CALLED), (5.0, Piece("end", finish_reason="tool_calls", doubts=(UNSOUND,))))
    service = router(ScriptedAdapter(gpt=fate), "gpt", on_unsound_tool_call="pass")
    stream = await service.acompletion("chat", HELLO, stream=True)
    assert (await anext(stream)).text == "{call}"
    assert asyncio.get_running_loop().time() == 1.0
    assert await anext(stream) == "end"


@in_virtual_time
async def test_a_whole_reply_with_an_unsound_tool_call_falls_back():
    adapter = ScriptedAdapter(
        gpt=paced((0.0, Answer(Said("bad"), doubts=(UNSOUND,)))), claude=answers("good")
    )
    reply = await router(adapter, "gpt", "claude").acompletion("chat", HELLO)
    assert reply.text == "good"


@in_virtual_time
async def test_a_reply_by_another_model_is_handed_on_and_told():
    adapter = ScriptedAdapter(gpt=paced((0.0, Answer(Said("hi"), doubts=(WRONG_MODEL,)))))
    service = router(adapter, "gpt")
    events = heard(service)
    reply = await service.acompletion("chat", HELLO)
    assert (reply.text, reply.failover.attempts[0].doubts) == ("hi", ("wrong_model",))
    assert [event.code for event in named(events, "reply_doubted")] == ["gpt-mini"]


# Races


async def warmed(adapter: ScriptedAdapter, **policy: Any) -> Router:
    """A router whose first target was seen to answer within a second."""
    hedge = {"after_quantile": 0.5, "share": 1.0, "usd_share": None}
    service = router(adapter, "gpt", "claude", hedge=hedge, **policy)
    for _ in range(Recent.LEAST):
        await service.acompletion("chat", HELLO)
        stream = await service.acompletion("chat", HELLO, stream=True)
        assert [chunk async for chunk in stream]
    return service


def slow_at_last(slow: Any) -> list[Any]:
    """Fates of a target that answers in a second, until it does not."""
    return [answers(after_s=1.0), streams("he", stop(), gap_s=1.0)] * Recent.LEAST + [slow]


@in_virtual_time
async def test_a_silent_target_is_overtaken_and_its_connection_closed():
    adapter = ScriptedAdapter(gpt=slow_at_last(hangs()), claude=answers("quick", after_s=0.25))
    service = await warmed(adapter)
    began_s, events = asyncio.get_running_loop().time(), heard(service)
    reply = await service.acompletion("chat", HELLO)
    assert (reply.text, asyncio.get_running_loop().time() - began_s) == ("quick", 1.25)
    assert [event.cause for event in named(events, "attempt_started")] == [
        AttemptCause.FIRST,
        AttemptCause.HEDGE,
    ]
    assert [event.permit for event in named(events, "attempt_ended")] == [Outcome.ABANDONED, Outcome.SUCCESS]
    await asyncio.sleep(0.0)
    assert (in_flight(service), adapter.running) == ({}, 0)
    assert running_tasks() == {asyncio.current_task()}


@in_virtual_time
async def test_a_race_of_streams_is_won_by_the_first_token():
    adapter = ScriptedAdapter(gpt=slow_at_last(streams("slow", stop(), gap_s=9.0)), claude=WHOLE)
    service = await warmed(adapter)
    assert await read(service) == ["role only", "he", "llo", "stop"]
    assert (in_flight(service), adapter.running) == ({}, 0)


@in_virtual_time
async def test_who_is_cancelled_in_a_race_leaves_nothing_running():
    adapter = ScriptedAdapter(gpt=slow_at_last(hangs()), claude=hangs())
    service = await warmed(adapter)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5.0):
            await service.acompletion("chat", HELLO)
    await asyncio.sleep(0.0)
    assert (in_flight(service), adapter.running) == ({}, 0)
    assert running_tasks() == {asyncio.current_task()}


@in_virtual_time
async def test_a_race_that_both_lose_goes_on():
    gone = fails(OVERLOADED, after_s=2.0)
    adapter = ScriptedAdapter(gpt=slow_at_last(gone), claude=[fails(OVERLOADED, 0.5), answers("late")])
    service = await warmed(adapter)
    assert (await service.acompletion("chat", HELLO)).text == "late"


@in_virtual_time
async def test_what_is_not_replay_safe_is_waited_for():
    adapter = ScriptedAdapter(gpt=slow_at_last(answers("slow", after_s=9.0)), claude=answers("quick"))
    service = await warmed(adapter)
    assert (await service.acompletion("chat", HELLO, replay_safe=False)).text == "slow"
