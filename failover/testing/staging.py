"""Between the shipping adapter and nothing: each request is noted, and played to instead of sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx

from failover.adapters.litellm import LitellmAdapter
from failover.adapters.seam import Answer, Outbound, Piece
from failover.adapters.wire import ConnectionFault
from failover.chaos.modes.playing import ANY_CREDENTIAL, DROPPED_HEADERS, PAST_EVERY_LIMIT_S
from failover.core.vocabulary import Target


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request that reached a target: when, with which of the caller's arguments, and how it was worded.

    `at_s`: on the router's clock. `body`: the JSON on the wire; None for a plain function, and where it
    is no JSON.
    """

    target: str
    at_s: float
    operation: str
    arguments: Mapping[str, Any]
    stream: bool = False
    body: Any = None


@dataclass(frozen=True, slots=True)
class Played:
    """What comes over the wire: after `after_s` the head, then each piece of the body after its gap.

    `fault`: there is no response at all. `error` is raised in its place. `cut`: the connection breaks
    after the last piece; `stalled`: nothing follows it, ever.
    """

    after_s: float = 0.0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[tuple[float, bytes], ...] = ()
    fault: ConnectionFault | None = None
    error: Exception | None = None
    cut: bool = False
    stalled: bool = False


Play = Callable[[Target, SentRequest], Played]


@dataclass(slots=True)
class _Asking:
    outbound: Outbound
    stream: bool


_asking: ContextVar[_Asking] = ContextVar("failover_testing_asking")


@contextmanager
def _asked_for(outbound: Outbound, *, stream: bool) -> Iterator[None]:
    token = _asking.set(_Asking(outbound, stream))
    try:
        yield
    finally:
        _asking.reset(token)


class StagedAdapter:
    """The shipping adapter over a stage; it also tells the stage which target a request belongs to."""

    def __init__(
        self,
        play: Play,
        requests: list[SentRequest],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        adapter = LitellmAdapter(_Stage(play, requests, clock), ANY_CREDENTIAL, wall)
        self._adapter = adapter
        self.assemble = adapter.assemble
        self.restart_mark = adapter.restart_mark
        self.classify = adapter.classify
        self.aclose = adapter.aclose

    async def send(self, outbound: Outbound) -> Answer:
        """The complete reply, as the shipping adapter reads it."""
        with _asked_for(outbound, stream=False):
            return await self._adapter.send(outbound)

    async def stream(self, outbound: Outbound) -> AsyncIterator[Piece]:
        """The reply in pieces, as the shipping adapter reads them."""
        async with aclosing(self._adapter.stream(outbound)) as pieces:
            # Whoever reads a generator runs it: nothing may stay set while it rests.
            with _asked_for(outbound, stream=True):
                piece = await anext(pieces, None)
            while piece is not None:
                yield piece
                piece = await anext(pieces, None)


class _Stage(httpx.AsyncBaseTransport):
    """The transport beneath litellm: there is no network beneath it."""

    def __init__(self, play: Play, requests: list[SentRequest], clock: Callable[[], float]) -> None:
        self._play = play
        self._requests = requests
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asking = _asking.get()
        outbound = asking.outbound
        sent = SentRequest(
            outbound.target.name,
            self._clock(),
            outbound.operation,
            outbound.payload,
            asking.stream,
            _json(await request.aread()),
        )
        self._requests.append(sent)
        return await respond(self._play(outbound.target, sent), request)


async def respond(played: Played, request: httpx.Request) -> httpx.Response:
    """The response, on the running loop's clock. Raises httpx's errors for faults."""
    if played.fault is ConnectionFault.HANG:
        await asyncio.sleep(PAST_EVERY_LIMIT_S)
    await asyncio.sleep(played.after_s)
    if played.error is not None:
        raise played.error
    if played.fault is ConnectionFault.REFUSED:
        raise httpx.ConnectError("scripted: connection refused", request=request)
    if played.fault is not None:
        raise httpx.ReadError("scripted: connection reset", request=request)
    headers = {name: value for name, value in played.headers.items() if name not in DROPPED_HEADERS}
    return httpx.Response(played.status, headers=headers, stream=_Body(played, request), request=request)


class _Body(httpx.AsyncByteStream):
    def __init__(self, played: Played, request: httpx.Request) -> None:
        self._played = played
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for gap_s, piece in self._played.pieces:
            if gap_s:
                await asyncio.sleep(gap_s)
            yield piece
        if self._played.stalled:
            await asyncio.sleep(PAST_EVERY_LIMIT_S)
        if self._played.cut:
            raise httpx.ReadError("scripted: the connection broke", request=self._request)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
