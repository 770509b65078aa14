"""A transport that keeps what passes through it, as it passes: every byte, and when it came."""

from __future__ import annotations

import bisect
import itertools
import re
import time
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import httpx

from failover.errors import CassetteError

MOST_BODY_BYTES = 32 * 1024 * 1024
"""A longer body, compressed or not, is refused: it is no recording of a chat."""

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_EVENT_END = re.compile(rb"\r?\n\r?\n")


@dataclass(slots=True)
class Taking:
    """One exchange while it passes by."""

    request: httpx.Request
    status: int
    reason: str
    headers: list[tuple[str, str]]
    started_s: float
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    kept_bytes: int = 0
    total_s: float = 0.0
    cut: bool = False

    def keep(self, chunk: bytes) -> None:
        """Note a chunk and when it came."""
        self.total_s = _now_s() - self.started_s
        self.kept_bytes += len(chunk)
        if self.kept_bytes > MOST_BODY_BYTES:
            raise CassetteError(f"the reply is longer than {MOST_BODY_BYTES} bytes: not recorded")
        self.chunks.append((self.total_s, chunk))

    def body(self) -> bytes:
        """The body as the client gets it, decompressed."""
        raw = b"".join(chunk for _, chunk in self.chunks)
        encoding = dict(self.headers).get("content-encoding", "").strip().lower()
        if encoding in ("", "identity"):
            return raw
        return _inflated(raw, encoding)


class RecordingTransport(httpx.AsyncBaseTransport):
    """Any transport; what goes through it is kept, and costs the client neither time nor order."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.taken: list[Taking] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and note the response as it streams through."""
        request.headers["accept-encoding"] = "identity"
        await request.aread()
        started_s = _now_s()
        response = await self._inner.handle_async_request(request)
        taking = Taking(
            request=request,
            status=response.status_code,
            reason=response.reason_phrase,
            headers=[(name.lower(), value) for name, value in response.headers.multi_items()],
            started_s=started_s,
        )
        self.taken.append(taking)
        response.stream = _NotedStream(cast("httpx.AsyncByteStream", response.stream), taking)
        return response

    async def aclose(self) -> None:
        """Close the transport beneath."""
        await self._inner.aclose()


class _NotedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, taking: Taking) -> None:
        self._inner = inner
        self._taking = taking

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taking = self._taking
        try:
            async for chunk in self._inner:
                taking.keep(chunk)
                yield chunk
        except Exception:
            taking.cut = True
            raise

    async def aclose(self) -> None:
        """Close the stream beneath."""
        await self._inner.aclose()


def offsets_s(taking: Taking) -> list[float]:
    """When each event of a stream was complete: the network's chunks are no unit that a player knows."""
    media = dict(taking.headers).get("content-type", "")
    encoded = dict(taking.headers).get("content-encoding", "identity") not in ("", "identity")
    if encoded or not media.startswith("text/event-stream"):
        return [at_s for at_s, _ in taking.chunks]
    raw = b"".join(chunk for _, chunk in taking.chunks)
    ends = list(itertools.accumulate(len(chunk) for _, chunk in taking.chunks))
    stops = [hit.end() for hit in _EVENT_END.finditer(raw)]
    if raw and (not stops or stops[-1] < len(raw)):
        stops.append(len(raw))
    return [taking.chunks[bisect.bisect_left(ends, stop)][0] for stop in stops]


def _inflated(raw: bytes, encoding: str) -> bytes:
    window_bits = _WINDOW_BITS.get(encoding)
    if window_bits is None:
        raise CassetteError(f"the reply's encoding {encoding!r} cannot be read: not recorded")
    decoder = zlib.decompressobj(window_bits)
    try:
        body = decoder.decompress(raw, MOST_BODY_BYTES)
    except zlib.error as error:
        raise CassetteError(f"the reply is not the {encoding} that it says: not recorded") from error
    if decoder.unconsumed_tail:
        raise CassetteError(f"the reply is longer than {MOST_BODY_BYTES} bytes: not recorded")
    return body


def _now_s() -> float:
    return time.perf_counter()
