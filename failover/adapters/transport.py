"""What one attempt sees on the wire, noted beneath the client that makes sense of it.

An `Exchange` belongs to one attempt. It travels in a context variable, so concurrent attempts that
share one connection pool never mix. Whatever litellm makes of a reply, the exchange still holds the
status, the headers, the body of an error and the way a stream ended.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

import httpx

from failover.adapters.terminal import StreamWatch, is_streamed
from failover.adapters.wire import WireReply
from failover.core.failures import Failure
from failover.errors import FailoverError

MOST_BODY_BYTES = 4 * 1024 * 1024
"""How much of a body is kept for classification; a longer one is not judged by its body."""

_AT_HAND_S = 0.05
_READABLE = {"": None, "identity": None, "gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

_current: ContextVar[Exchange | None] = ContextVar("failover_exchange", default=None)


class BrokenReplyError(FailoverError):
    """The provider answered 200 with something that is no answer; `failure` says what it was."""

    def __init__(self, message: str, failure: Failure) -> None:
        self.failure = failure
        super().__init__(message)


@dataclass(slots=True)
class Exchange:
    """What one attempt saw: times are seconds since its request was handed to the transport.

    `error` is what the connection raised; `status` is None until a response came. `connect_s` is the
    limit for connecting, the only one that cannot be enforced from outside the transport. `watch` is
    set where the reply is a stream in a known dialect. `over`: nothing more comes, whole or cut.
    """

    connect_s: float | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None
    first_byte_s: float | None = None
    watch: StreamWatch | None = None
    readable: bool = True
    over: bool = False
    _body: list[bytes] = field(default_factory=list, repr=False)
    _body_bytes: int = 0
    _streams: list[httpx.AsyncByteStream] = field(default_factory=list, repr=False)

    def reply(self) -> WireReply | None:
        """The response as far as it was read, decompressed; None without one, or where it is unreadable."""
        if self.status is None or not (self.readable or self.status >= HTTPStatus.BAD_REQUEST):
            return None
        return WireReply(self.status, self.headers, self.seen())

    def seen(self) -> bytes:
        """The body as far as it was read, decompressed; nothing where it is unreadable."""
        return b"".join(self._body)

    def keep(self, chunk: bytes) -> None:
        """Note a piece of the body, decompressed."""
        self._body_bytes += len(chunk)
        if self._body_bytes > MOST_BODY_BYTES:
            self.readable = False
            self._body.clear()
        elif self.readable:
            self._body.append(chunk)
        if self.watch is not None:
            self.watch.feed(chunk)

    def follow(self, stream: httpx.AsyncByteStream) -> None:
        """Close `stream` with this exchange."""
        self._streams.append(stream)

    async def aclose(self) -> None:
        """Close what is still open, so that a cancelled attempt leaves no connection behind."""
        streams, self._streams = self._streams, []
        for stream in streams:
            await stream.aclose()


@contextmanager
def watched(exchange: Exchange) -> Iterator[None]:
    """Requests made by this task inside the block belong to `exchange`."""
    token = _current.set(exchange)
    try:
        yield
    finally:
        _current.reset(token)


class WatchedStream(httpx.AsyncByteStream):
    """Passes a response's body on untouched, and notes in its exchange what went by."""

    def __init__(self, inner: httpx.AsyncByteStream, exchange: Exchange, started_s: float) -> None:
        self._inner = inner
        self._chunks = aiter(inner)
        self._exchange = exchange
        self._started_s = started_s
        encoding = exchange.headers.get("content-encoding", "").strip().lower()
        window_bits = _READABLE.get(encoding)
        self._decoder = zlib.decompressobj(window_bits) if window_bits else None
        exchange.readable = encoding in _READABLE
        if exchange.readable and is_streamed(exchange.headers.get("content-type", "")):
            exchange.watch = StreamWatch()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        exchange, decoder = self._exchange, self._decoder
        try:
            async for chunk in self._chunks:
                if exchange.first_byte_s is None:
                    exchange.first_byte_s = asyncio.get_running_loop().time() - self._started_s
                exchange.keep(chunk if decoder is None else self._decoded(chunk))
                yield chunk
            exchange.over = True
        except Exception as error:
            exchange.error, exchange.over = error, True
            raise

    def _decoded(self, chunk: bytes) -> bytes:
        assert self._decoder is not None  # noqa: S101  # asked only where there is one
        try:
            return self._decoder.decompress(chunk, MOST_BODY_BYTES)
        except zlib.error:
            self._exchange.readable = False
            return b""

    async def aclose(self) -> None:
        """Close the stream beneath, read to its end where that is at hand.

        The OpenAI SDK stops at `[DONE]`, a few bytes early; a connection closed there cannot serve the
        next call.
        """
        watch = self._exchange.watch
        try:
            if watch is not None and watch.ended and self._exchange.error is None:
                with suppress(Exception):
                    async with asyncio.timeout(_AT_HAND_S):
                        async for _ in self._chunks:
                            pass
        finally:
            await self._inner.aclose()


class WatchingTransport(httpx.AsyncBaseTransport):
    """Any transport, watched for the attempt in whose context a request is made.

    Clients above close their transport as they please; the pool beneath outlives them until `shut`.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, noting what comes back; after a connection error the same attempt does not send again."""
        exchange = _current.get()
        if exchange is None:
            return await self._inner.handle_async_request(request)
        if exchange.error is not None:
            # litellm's handler sends again by itself after a connection error. An attempt is one send.
            raise exchange.error
        return await self._exchanged(request, exchange)

    async def _exchanged(self, request: httpx.Request, exchange: Exchange) -> httpx.Response:
        started_s = asyncio.get_running_loop().time()
        _limit_connecting(request, exchange.connect_s)
        # Brotli and zstd could not be watched without a dependency.
        request.headers["accept-encoding"] = "gzip, deflate"
        try:
            response = await self._inner.handle_async_request(request)
        except Exception as error:
            exchange.error = error
            raise
        if response.is_closed:
            response = _unread(response)
        exchange.status = response.status_code
        exchange.headers = {name.lower(): value for name, value in response.headers.items()}
        stream = WatchedStream(cast("httpx.AsyncByteStream", response.stream), exchange, started_s)
        exchange.follow(stream)
        response.stream = stream
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            await _read_whole(response, stream)
        return response

    async def aclose(self) -> None:
        """Nothing: a client that goes does not take the pool with it."""

    async def shut(self) -> None:
        """Close the transport beneath."""
        await self._inner.aclose()


def _unread(response: httpx.Response) -> httpx.Response:
    """A response that was made with its content, as one whose body is still to come."""
    return httpx.Response(
        response.status_code,
        headers=response.headers,
        stream=response.stream,
        extensions=response.extensions,
    )


async def _read_whole(response: httpx.Response, stream: WatchedStream) -> None:
    """An error's body is read at once: not every client above would read it."""
    try:
        response.stream = httpx.ByteStream(b"".join([chunk async for chunk in stream]))
    finally:
        await stream.aclose()


def _limit_connecting(request: httpx.Request, connect_s: float | None) -> None:
    if connect_s is None:
        return
    limits = dict(request.extensions.get("timeout") or {})
    for phase in ("connect", "pool"):
        limits[phase] = connect_s if limits.get(phase) is None else min(limits[phase], connect_s)
    request.extensions = {**request.extensions, "timeout": limits}
