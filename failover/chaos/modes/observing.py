"""Passes an image through the real client and the real classifier, and notes what comes of it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from failover.adapters.seam import Adapter, Outbound
from failover.attempts import StreamedAttempt, WholeAttempt
from failover.chaos.modes.playing import image_adapter, litellm_drilled
from failover.chaos.modes.virtual_loop import run_virtual
from failover.chaos.workload import Shape
from failover.chaos.world.events import events_of
from failover.chaos.world.image import Image
from failover.chaos.world.outcome import Course, Outcome, Taken, so_far
from failover.core.messages import Failed, FirstToken, Limits, Message, Send, Succeeded
from failover.core.vocabulary import Target

EVENT_S = 1.0
_AMPLE_S = 1e8
_AMPLE = Limits(_AMPLE_S, _AMPLE_S, _AMPLE_S, _AMPLE_S)


def observed(target: Target, shape: Shape, image: Image, *, stream: bool) -> Outcome:
    """What an attempt at `target` that meets `image` observes, in virtual time."""
    # In a thread of its own: whoever asks may run on an event loop, as a replay does.
    with litellm_drilled(), ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(run_virtual, _observe(target, shape, image, stream=stream)).result()


async def _observe(target: Target, shape: Shape, image: Image, *, stream: bool) -> Outcome:
    adapter: Adapter = image_adapter(image, lambda event: event * EVENT_S)
    errand = shape.errand()
    send = Send(1, target, _AMPLE, stream)
    outbound = Outbound(target, errand.operation, errand.payload, _AMPLE)
    try:
        if stream:
            return await _course(StreamedAttempt(adapter, send, outbound, holds=True, whole=False), image)
        return _outcome(await WholeAttempt(adapter, send, outbound).message())
    finally:
        await adapter.aclose()


async def _course(attempt: StreamedAttempt, image: Image) -> Outcome:
    loop = asyncio.get_running_loop()
    events = events_of(image.reply.body) if image.reply is not None else ()
    pieces: dict[int, Taken] = {}
    began = FirstToken(1)
    while True:
        message = await attempt.read()
        event = min(int(loop.time() / EVENT_S), max(0, len(events) - 1))
        if isinstance(message, FirstToken):
            began = message
        if message is not None and message is not began:
            break
        if pieces or message is began:
            pieces[event] = Taken(attempt.is_resumable(), attempt.came())
    ended = _outcome(message)
    course = Course(
        events=len(events),
        pieces=tuple(pieces),
        ended=event,
        held=began.held,
        doubts=began.doubts,
        so_far=so_far(events, pieces) if pieces else (),
    )
    return Outcome(ended.failure, ended.usage, ended.doubts, course)


def _outcome(message: Message) -> Outcome:
    match message:
        case Succeeded(usage=usage, doubts=doubts):
            return Outcome(None, usage, doubts)
        case Failed(failure=failure, usage=usage):
            return Outcome(failure, usage)
        case _:
            raise AssertionError(message)
