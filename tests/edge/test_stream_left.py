"""Readers who leave a stream early: the provider's end is closed, and nobody is blamed."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from failover import Router
from failover.adapters.seam import Outbound, Piece
from failover.core.failures import FailureKind
from failover.core.vocabulary import Outcome, Usage
from failover.stream import Stream
from tests.edge.scripted import (
    FOR_EVER_S,
    HELLO,
    ROLE,
    ScriptedAdapter,
    config,
    heard,
    in_flight,
    in_virtual_time,
    named,
    paced,
    router,
    running_tasks,
    stop,
    streams,
    token,
)

OVERLOADED = FailureKind.OVERLOADED
WHOLE = streams(ROLE, "he", "llo", stop(Usage(1000, 100)), gap_s=1.0)


async def opened(service: Router) -> Stream:
    return await service.acompletion("chat", HELLO, stream=True)


async def left_by_aclose(service: Router) -> None:
    stream = await opened(service)
    await anext(stream)
    await stream.aclose()
    assert [chunk async for chunk in stream] == []


async def left_by_leaving_a_block(service: Router) -> None:
    async with await opened(service) as stream:
        await anext(stream)


async def left_by_breaking(service: Router) -> None:
    async for _chunk in await opened(service):
        break


async def left_unread(service: Router) -> None:
    await opened(service)


async def left_in_a_cycle(service: Router) -> None:
    stream: Any = await opened(service)
    stream.itself = stream
    del stream
    gc.collect()


async def left_by_cancelling(service: Router) -> None:
    stream = await opened(service)
    await anext(stream)
    reading = asyncio.create_task(anext(stream))
    await asyncio.sleep(0.5)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


@pytest.mark.parametrize(
    "leave",
    [
        left_by_aclose,
        left_by_leaving_a_block,
        left_by_breaking,
        left_unread,
        left_in_a_cycle,
        left_by_cancelling,
    ],
)
@in_virtual_time
async def test_who_leaves_early_blames_nobody_and_closes_the_connection(leave):
    adapter = ScriptedAdapter(gpt=streams("he", "llo", stop(), gap_s=1.0))
    service = router(adapter, "gpt", breaker={"failures": 1})
    events = heard(service)
    await leave(service)
    # A dropped stream is closed by the loop, which needs a turn for it.
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)
    [ended] = named(events, "attempt_ended")
    assert (ended.outcome, ended.permit) == (Outcome.ABANDONED, Outcome.ABANDONED)
    assert named(events, "call_ended")[0].error == "cancelled"
    assert (in_flight(service), adapter.running) == ({}, 0)
    assert running_tasks() == {asyncio.current_task()}


class KeepingHold(ScriptedAdapter):
    """Its streams are known to somebody else too, so that no garbage collector closes them."""

    def stream(self, outbound: Outbound) -> AsyncIterator[Piece]:
        self.streams = [*getattr(self, "streams", []), super().stream(outbound)]
        return self.streams[-1]


@pytest.mark.parametrize("by", ["aclose", "dropping"])
@in_virtual_time
async def test_who_leaves_after_the_finish_reason_had_the_whole_answer(by):
    fate = paced((1.0, "hi"), (0.0, stop(Usage(1000, 100))), (FOR_EVER_S, token("")))
    adapter = KeepingHold(gpt=fate)
    service = router(adapter, "gpt")
    events = heard(service)
    stream = await opened(service)
    await anext(stream)
    await anext(stream)
    if by == "aclose":
        await stream.aclose()
    del stream
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)
    [ended] = named(events, "attempt_ended")
    assert (ended.outcome, ended.cost_nusd) == (Outcome.SUCCESS, 3_000_000)
    assert adapter.running == 0


@in_virtual_time
async def test_closing_twice_is_closing_once():
    service = router(ScriptedAdapter(gpt=WHOLE), "gpt")
    events = heard(service)
    stream = await opened(service)
    await stream.aclose()
    await stream.aclose()
    assert len(named(events, "call_ended")) == 1


@in_virtual_time
async def test_a_closed_stream_hands_nothing_on():
    stream = await opened(router(ScriptedAdapter(gpt=WHOLE), "gpt"))
    await stream.aclose()
    assert [chunk async for chunk in stream] == []


class Grumbling(ScriptedAdapter):
    """Its connections break once more when they are closed."""

    async def stream(self, outbound: Outbound) -> AsyncIterator[Piece]:
        try:
            async for piece in super().stream(outbound):
                yield piece
        finally:
            raise ConnectionResetError


@in_virtual_time
async def test_what_a_provider_says_to_being_left_no_longer_matters():
    async with await opened(router(Grumbling(gpt=WHOLE), "gpt")) as stream:
        await anext(stream)


class SlowToClose(ScriptedAdapter):
    """Its connections take a while to close."""

    async def stream(self, outbound: Outbound) -> AsyncIterator[Piece]:
        try:
            async for piece in super().stream(outbound):
                yield piece
        finally:
            await asyncio.sleep(1.0)


@pytest.mark.parametrize("reloaded", [False, True])
@in_virtual_time
async def test_the_connection_of_a_stream_dropped_in_a_cycle_is_closed_by_one_alone(reloaded):
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, told: complaints.append(told))
    service = router(SlowToClose(gpt=WHOLE), "gpt")
    stream: Any = await opened(service)
    stream.itself = stream
    if reloaded:
        service.reload(config("gpt"))
    del stream
    gc.collect()
    await asyncio.sleep(2.0)
    gc.collect()
    assert complaints == []
    assert running_tasks() == {asyncio.current_task()}


@in_virtual_time
async def test_a_stream_dropped_during_a_decision_is_told_after_it():
    deciding, told_inside = False, []

    def rng() -> float:
        # The garbage collector runs when it likes: here in the middle of a ranking.
        nonlocal deciding
        deciding = True
        gc.collect()
        deciding = False
        return 0.5

    loop = asyncio.get_running_loop()
    mapping = config("gpt", "claude")
    mapping["routes"]["chat"].update(strategy="latency", chain=[["gpt", "claude"]])
    service = Router.from_dict(
        mapping, adapter=ScriptedAdapter(gpt=WHOLE, claude=WHOLE), clock=loop.time, wall=loop.time, rng=rng
    )
    service.subscribe(lambda event: told_inside.append(event.event) if deciding else None)
    stream: Any = await opened(service)
    stream.itself = stream
    gc.disable()
    try:
        del stream
        service.decide("chat", HELLO)
    finally:
        gc.enable()
    assert told_inside == []
    await asyncio.sleep(0.0)
    assert in_flight(service) == {}
