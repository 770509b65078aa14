"""Streamed replies: failover before the first token, the provider's chunks after it, honest ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from failover import AllTargetsFailedError, DeadlineExceededError, Router, StreamInterruptedError
from failover.core.failures import Failure, FailureKind, Phase
from failover.core.vocabulary import Outcome, Usage
from failover.stream import Stream
from tests.edge.scripted import (
    CUT,
    FOR_EVER_S,
    HELLO,
    ROLE,
    ScriptedAdapter,
    ScriptedError,
    config,
    fails,
    hangs,
    heard,
    in_flight,
    in_virtual_time,
    named,
    paced,
    router,
    stop,
    streams,
    token,
)

OVERLOADED = FailureKind.OVERLOADED
WHOLE = streams(ROLE, "he", "llo", stop(Usage(1000, 100)), gap_s=1.0)


async def opened(service: Router) -> Stream:
    return await service.acompletion("chat", HELLO, stream=True)


async def read(stream: Stream) -> str:
    return " ".join([getattr(chunk, "text", chunk) async for chunk in stream])


async def failure_of(service: Router) -> Failure:
    """What broke the only attempt of a stream."""
    with pytest.raises((StreamInterruptedError, AllTargetsFailedError)) as raised:
        await read(await opened(service))
    return raised.value.failures[-1][1]


@in_virtual_time
async def test_a_stream_that_fails_before_its_first_token_falls_back():
    service = router(ScriptedAdapter(gpt=streams(ROLE, CUT, gap_s=1.0), claude=WHOLE), "gpt", "claude")
    stream = await opened(service)
    assert await read(stream) == "role only he llo stop"
    assert [(each.target, each.failure) for each in stream.failover.attempts] == [
        ("gpt", "truncated_stream"),
        ("claude", None),
    ]


@in_virtual_time
async def test_chunks_arrive_untouched_in_order_and_as_soon_as_they_come():
    pieces = [ROLE, token("he"), token("llo"), stop()]
    stream = await opened(router(ScriptedAdapter(gpt=streams(*pieces, gap_s=1.0)), "gpt"))
    clock = asyncio.get_running_loop().time
    seen = [(chunk, clock()) async for chunk in stream]
    assert [chunk for chunk, _ in seen] == [piece.value for piece in pieces]
    assert [at_s for _, at_s in seen] == [2.0, 2.0, 3.0, 4.0]


@in_virtual_time
async def test_opening_a_stream_waits_for_the_commit_point_and_no_longer():
    stream = await opened(router(ScriptedAdapter(gpt=WHOLE), "gpt"))
    assert asyncio.get_running_loop().time() == 2.0
    assert stream.failover.target is None
    await stream.aclose()


@in_virtual_time
async def test_a_finished_stream_tells_its_whole_story_and_charges_its_usage():
    service = router(ScriptedAdapter(gpt=fails(OVERLOADED, 1.0), claude=WHOLE), "gpt", "claude")
    stream = await opened(service)
    await read(stream)
    story = stream.failover
    assert (story.target, story.cost_usd) == ("claude", pytest.approx(0.003))
    assert [each.first_token_s for each in story.attempts] == [None, 2.0]
    assert story.attempts[1].duration_s == 4.0


@in_virtual_time
async def test_a_stream_that_breaks_after_its_first_token_keeps_the_partial_text():
    service = router(ScriptedAdapter(gpt=streams("he", "llo", CUT), claude=WHOLE), "gpt", "claude")
    stream = await opened(service)
    assert [(await anext(stream)).text, (await anext(stream)).text] == ["he", "llo"]
    with pytest.raises(StreamInterruptedError) as raised:
        await anext(stream)
    assert raised.value.partial_text == "hello"
    assert isinstance(raised.value.__cause__, ScriptedError)
    assert raised.value.failover.attempts[0].failure == "truncated_stream"
    assert in_flight(service) == {}


@in_virtual_time
async def test_the_text_of_a_discarded_attempt_is_no_part_of_the_partial_text():
    gpt = paced((0.0, ROLE), (0.0, CUT))
    service = router(ScriptedAdapter(gpt=gpt, claude=streams("only this", CUT)), "gpt", "claude")
    stream = await opened(service)
    with pytest.raises(StreamInterruptedError) as raised:
        await read(stream)
    assert raised.value.partial_text == "only this"


@in_virtual_time
async def test_a_stream_without_a_finish_reason_is_no_success():
    service = router(ScriptedAdapter(gpt=streams("he", "llo")), "gpt")
    events = heard(service)
    assert (await failure_of(service)).kind is FailureKind.TRUNCATED_STREAM
    assert named(events, "attempt_ended")[0].permit is Outcome.FAILURE


@in_virtual_time
async def test_a_stream_with_a_finish_reason_and_no_content_is_an_answer():
    service = router(ScriptedAdapter(gpt=streams(ROLE, stop(Usage(10, 0)), gap_s=1.0)), "gpt")
    stream = await opened(service)
    assert await read(stream) == "role only stop"
    assert stream.failover.target == "gpt"


@in_virtual_time
async def test_usage_after_the_finish_reason_is_charged():
    fate = streams("hi", stop(), token(""), gap_s=1.0)
    late = paced(*fate.steps[:2], (1.0, stop(Usage(1000, 100))))
    stream = await opened(router(ScriptedAdapter(gpt=late), "gpt"))
    await read(stream)
    assert stream.failover.cost_usd == pytest.approx(0.003)


@in_virtual_time
async def test_usage_of_a_broken_stream_is_charged():
    told = token("he")
    broken = streams(told, type(told)("usage", usage=Usage(1000, 100)), CUT)
    with pytest.raises(StreamInterruptedError) as raised:
        await read(await opened(router(ScriptedAdapter(gpt=broken), "gpt")))
    assert raised.value.failover.cost_usd == pytest.approx(0.003)


@pytest.mark.parametrize(
    ("fate", "phase", "at_s"),
    [
        pytest.param(hangs(), Phase.FIRST_TOKEN, 4.0, id="silence"),
        pytest.param(streams(*[ROLE] * 9, gap_s=1.0), Phase.FIRST_TOKEN, 4.0, id="chunks without a token"),
        pytest.param(paced((1.0, "he"), (FOR_EVER_S, "llo")), Phase.IDLE, 3.0, id="a stall"),
        pytest.param(streams(*["he"] * 99, gap_s=1.0), Phase.TOTAL, 10.0, id="an endless answer"),
    ],
)
@in_virtual_time
async def test_limits_of_a_stream_are_told_apart(fate, phase, at_s):
    service = router(ScriptedAdapter(gpt=fate), "gpt", first_token_s=4, idle_s=2, attempt_s=10, attempts=1)
    assert (await failure_of(service)).phase is phase
    assert asyncio.get_running_loop().time() == at_s


@in_virtual_time
async def test_an_answer_that_flows_is_not_cut_while_others_might_have_answered():
    flowing = streams(*["word"] * 40, stop(), gap_s=1.0)
    service = router(ScriptedAdapter(gpt=flowing, claude=WHOLE), "gpt", "claude", deadline_s=60)
    assert (await read(await opened(service))).endswith("stop")


@in_virtual_time
async def test_a_slow_reader_is_not_the_targets_fault():
    service = router(ScriptedAdapter(gpt=streams("he", "llo", stop(), gap_s=1.0)), "gpt", deadline_s=10)
    stream = await opened(service)
    chunks = []
    async for chunk in stream:
        chunks.append(chunk)
        await asyncio.sleep(20.0)
    assert len(chunks) == 3


@in_virtual_time
async def test_a_stream_that_nobody_starts_ends_at_the_deadline():
    service = router(ScriptedAdapter(gpt=hangs(), claude=hangs()), "gpt", "claude", deadline_s=6)
    with pytest.raises(DeadlineExceededError):
        await opened(service)
    assert in_flight(service) == {}


@in_virtual_time
async def test_a_function_that_streams_is_heard_item_by_item_and_nothing_is_added():
    async def complete(**_: Any) -> Any:
        for word in ("he", "llo"):
            yield word

    service = Router.from_dict(config("own", callables=["own"]), callables={"own": complete})
    stream = await opened(service)
    assert [chunk async for chunk in stream] == ["he", "llo"]
    assert stream.failover.target == "own"
