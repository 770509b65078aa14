"""Plays recorded exchanges beneath a real HTTP client, in the time they took, at a cost that does not grow
with their number.

vcrpy compares a request with every recording in turn, plays each once, and knows no time. Here recordings
are found by hash, a sequence (429, 429, 200) plays in its order and then again, and waiting happens on the
running loop's clock, which may be a virtual one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import httpx

from failover.cassettes.dialects import endpoint_of, is_streamed, json_of, model_of, provider_of
from failover.cassettes.episodes import Episode
from failover.cassettes.timing import Timing
from failover.errors import CassetteError

Pace = Callable[[float], Awaitable[object]]
"""Waits so many seconds; `asyncio.sleep` is one."""

_EVENT_END = re.compile(rb"\r?\n\r?\n")
_NO_LONGER_TRUE = frozenset({"content-length", "content-encoding", "transfer-encoding"})
_NEAREST = 3
_LONGEST_CHAIN = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, however its address is spelled: the key that recordings are found by."""

    method: str
    provider: str
    endpoint: str
    model: str
    stream: bool

    def __str__(self) -> str:
        streamed = "streamed" if self.stream else "not streamed"
        return f"{self.method} {self.endpoint} of {self.model or 'no model'} at {self.provider}, {streamed}"

    def elsewhere(self) -> Asked:
        """The same of any provider: an address of one's own does not tell whose API it is."""
        return Asked(self.method, "", self.endpoint, self.model, self.stream)


@dataclass(slots=True)
class _Sequence:
    episodes: list[Episode] = field(default_factory=list)
    played: int = 0

    def next(self) -> Episode:
        episode = self.episodes[self.played % len(self.episodes)]
        self.played += 1
        return episode


class CassettePlayer(httpx.AsyncBaseTransport):
    """A transport that answers from `episodes`; a request that none of them answers is a `CassetteError`.

    A request whose very body was recorded gets that recording's replies; any other gets what was
    recorded for its method, endpoint, model and stream flag. Replies of one key play in their order,
    then from the start. `plays` counts them by `file#n`; `misses` holds what could not be answered.
    """

    def __init__(self, episodes: Iterable[Episode], pace: Pace = asyncio.sleep) -> None:
        self._pace = pace
        self._recorded: dict[Asked, Episode] = {}
        self._by_key: dict[object, _Sequence] = {}
        self.plays: Counter[str] = Counter()
        self.misses: list[str] = []
        for episode in episodes:
            request = episode.request
            asked = asked_of(request.method, request.url, request.body)
            self._recorded.setdefault(asked, episode)
            for key in _keys(asked, request.body):
                self._by_key.setdefault(key, _Sequence()).episodes.append(episode)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The recorded reply, as fast as it was recorded; `httpx.ReadTimeout` where the client waits less."""
        body = await request.aread()
        episode = self._found(asked_of(request.method, str(request.url), body), body)
        self.plays[f"{episode.file}#{episode.n}"] += 1
        waits = _Waits(self._pace, request)
        timing = episode.timing or Timing()
        first_s = timing.first_byte_s or 0.0
        await waits.until(first_s)
        headers = {
            name: value for name, value in episode.reply.headers.items() if name not in _NO_LONGER_TRUE
        }
        stream = _PacedStream(tuple(_chunks(episode, timing)), waits)
        return httpx.Response(episode.reply.status, headers=headers, stream=stream, request=request)

    def _found(self, asked: Asked, body: bytes) -> Episode:
        for key in _keys(asked, body):
            sequence = self._by_key.get(key)
            if sequence is not None:
                return sequence.next()
        nearest = sorted(self._recorded, key=lambda other: (-_likeness(asked, other), str(other)))[:_NEAREST]
        names = [f"{self._recorded[other].file}#{self._recorded[other].n} ({other})" for other in nearest]
        miss = f"nothing is recorded for {asked}; nearest: {'; '.join(names) or 'nothing at all'}"
        self.misses.append(miss)
        raise CassetteError(miss)


def asked_of(method: str, url: str, body: bytes) -> Asked:
    """The key of a request."""
    content = json_of(body)
    endpoint = endpoint_of(url)
    return Asked(
        method=method.upper(),
        provider=provider_of(url, endpoint),
        endpoint=endpoint,
        model=model_of(url, content, b""),
        stream=is_streamed(endpoint, url, content, ""),
    )


def cassette_miss(error: BaseException) -> CassetteError | None:
    """The `CassetteError` at the bottom of what a client made of it, None where there is none.

    litellm turns whatever a transport raises into a provider's failure; a miss is none, and counting it
    as one would make a drill pass for want of recordings.
    """
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _LONGEST_CHAIN:
        link = waiting.pop(0)
        if isinstance(link, CassetteError):
            return link
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            waiting += [link.__cause__, link.__context__, getattr(link, "original_exception", None)]
    return None


def _keys(asked: Asked, body: bytes) -> Iterator[object]:
    """From the most to the least specific."""
    digest = _digest(body)
    yield asked, digest
    yield asked.elsewhere(), digest
    yield asked
    yield asked.elsewhere()


def _digest(body: bytes) -> bytes:
    content = json_of(body)
    canonical = body if content is None else json.dumps(content, sort_keys=True).encode()
    return hashlib.sha256(canonical).digest()


def _likeness(asked: Asked, other: Asked) -> int:
    """A recording of the same model helps most who looks for what is missing."""
    return (
        8 * (asked.model == other.model)
        + 4 * (asked.endpoint == other.endpoint)
        + 2 * (asked.provider == other.provider)
        + (asked.stream == other.stream)
    )


def _chunks(episode: Episode, timing: Timing) -> Iterator[tuple[float, bytes]]:
    """The body's parts, each with the second since the send at which it comes."""
    body = episode.reply.body
    parts = (
        _events(body) if episode.reply.headers.get("content-type", "").startswith("text/event-") else [body]
    )
    last_s = max(timing.total_s or 0.0, *timing.chunk_offsets_s, timing.first_byte_s or 0.0)
    offsets_s = timing.chunk_offsets_s or (timing.first_byte_s or 0.0, last_s)
    if len(parts) == 1:
        yield last_s, body
        return
    for position, part in enumerate(parts):
        # One offset per event where the recorder was ours; any other number is spread over the events.
        yield offsets_s[position * len(offsets_s) // len(parts)], part


def _events(body: bytes) -> list[bytes]:
    stops = [0, *(hit.end() for hit in _EVENT_END.finditer(body))]
    if stops[-1] < len(body) or len(stops) == 1:
        stops.append(len(body))
    return [body[start:stop] for start, stop in pairwise(stops)]


class _Waits:
    """Waiting on a clock that starts with the request, never longer at once than the client reads for."""

    def __init__(self, pace: Pace, request: httpx.Request) -> None:
        self._pace = pace
        self._request = request
        self._at_s = 0.0
        self._patience_s = (request.extensions.get("timeout") or {}).get("read")

    async def until(self, at_s: float) -> None:
        wait_s, self._at_s = at_s - self._at_s, max(at_s, self._at_s)
        if wait_s <= 0:
            return
        if self._patience_s is not None and wait_s > self._patience_s:
            await self._pace(self._patience_s)
            raise httpx.ReadTimeout("the recording takes longer than the client waits", request=self._request)
        await self._pace(wait_s)


class _PacedStream(httpx.AsyncByteStream):
    def __init__(self, chunks: tuple[tuple[float, bytes], ...], waits: _Waits) -> None:
        self._chunks = chunks
        self._waits = waits

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at_s, chunk in self._chunks:
            await self._waits.until(at_s)
            yield chunk
