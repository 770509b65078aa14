"""Transports that answer with images, beneath the real litellm."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from failover.adapters.wire import ConnectionFault
from failover.chaos.modes.virtual_loop import threads_inlined
from failover.chaos.world.events import events_of
from failover.chaos.world.image import Image

PAST_EVERY_LIMIT_S = 1e9


class _AnyCredential(Mapping[str, str]):
    """Every credential exists and opens nothing, and every address is nobody's: nothing is sent anywhere."""

    def __getitem__(self, name: str) -> str:
        if name.endswith("_VERSION"):
            raise KeyError(name)
        return "https://provider.invalid" if name.endswith("_BASE") else "a-drill-needs-no-credential"

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __contains__(self, name: object) -> bool:
        return True


ANY_CREDENTIAL = _AnyCredential()


@contextmanager
def litellm_drilled() -> Iterator[None]:
    """litellm as a drill needs it, for its time: silent, offline, and without threads in virtual time.

    It prints a hint to standard output on every error, and logs each change of the loop: in a drill errors
    are the point. To count the tokens of a stream it downloads the model's tokenizer.
    """
    litellm: Any = load_litellm()
    logger = logging.getLogger("LiteLLM")
    before, level = litellm.suppress_debug_info, logger.level
    downloads = litellm.disable_hf_tokenizer_download
    litellm.suppress_debug_info = litellm.disable_hf_tokenizer_download = True
    logger.setLevel(logging.CRITICAL)
    try:
        with threads_inlined():
            yield
    finally:
        litellm.suppress_debug_info = before
        litellm.disable_hf_tokenizer_download = downloads
        logger.setLevel(level)


def image_adapter(image: Image, at_s: Callable[[int], float]) -> LitellmAdapter:
    """The shipping adapter, over a transport that answers every request with `image`.

    Its events come at `at_s`, in seconds from the send.
    """
    return LitellmAdapter(_ImageTransport(image, at_s), ANY_CREDENTIAL)


class _ImageTransport(httpx.AsyncBaseTransport):
    def __init__(self, image: Image, at_s: Callable[[int], float]) -> None:
        self._image = image
        self._at_s = at_s

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await played_streamed(self._image, request, self._at_s)


async def played(image: Image, request: httpx.Request, after_s: float) -> httpx.Response:
    """`image` on the running loop's clock, whole after `after_s`; or the connection breaks then."""
    await _waited(image, request, asyncio.get_running_loop().time() + after_s)
    assert image.reply is not None  # noqa: S101  # else it raised
    if image.fault is ConnectionFault.RESET:
        raise _reset(request)
    content = image.reply.body
    return httpx.Response(image.reply.status, headers=_headers(image), content=content, request=request)


async def played_streamed(
    image: Image, request: httpx.Request, at_s: Callable[[int], float]
) -> httpx.Response:
    """`image` event by event, each `at_s` seconds from now; then the connection closes, or breaks."""
    sent_s = asyncio.get_running_loop().time()
    await _waited(image, request, sent_s + at_s(0))
    assert image.reply is not None  # noqa: S101  # else it raised
    stream = _EventStream(image, request, sent_s, at_s)
    return httpx.Response(image.reply.status, headers=_headers(image), stream=stream, request=request)


async def _waited(image: Image, request: httpx.Request, until_s: float) -> None:
    await _read(request, PAST_EVERY_LIMIT_S if image.fault is ConnectionFault.HANG else until_s)
    if image.fault is ConnectionFault.REFUSED:
        raise httpx.ConnectError("injected: connection refused", request=request)
    if image.reply is None:
        raise _reset(request)


async def _read(request: httpx.Request, at_s: float) -> None:
    """Wait until `at_s`, no longer than the client would for what it reads; raises httpx's timeout."""
    limit_s = request.extensions.get("timeout", {}).get("read")
    late_s = None if limit_s is None else asyncio.get_running_loop().time() + limit_s
    if late_s is None or at_s < late_s:
        await _reached(at_s)
        return
    await _reached(late_s)
    raise httpx.ReadTimeout("played: nothing came within the client's own limit", request=request)


async def _reached(at_s: float) -> None:
    """It is `at_s` on the loop's clock, to the microsecond, as in a simulation."""
    loop = asyncio.get_running_loop()
    due: asyncio.Future[None] = loop.create_future()
    timer = loop.call_at(round(min(at_s, PAST_EVERY_LIMIT_S), 6), _ring, due)
    try:
        await due
    finally:
        timer.cancel()


def _ring(due: asyncio.Future[None]) -> None:
    if not due.done():
        due.set_result(None)


def _reset(request: httpx.Request) -> httpx.ReadError:
    return httpx.ReadError("injected: connection reset", request=request)


def _headers(image: Image) -> dict[str, str]:
    headers = {} if image.reply is None else image.reply.headers
    return {name: value for name, value in headers.items() if name not in DROPPED_HEADERS}


class _EventStream(httpx.AsyncByteStream):
    def __init__(
        self, image: Image, request: httpx.Request, sent_s: float, at_s: Callable[[int], float]
    ) -> None:
        self._image = image
        self._request = request
        self._sent_s = sent_s
        self._at_s = at_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        body = b"" if self._image.reply is None else self._image.reply.body
        for index, event in enumerate(events_of(body)):
            at_s = self._sent_s + self._at_s(index)
            if at_s > loop.time():
                await _read(self._request, at_s)
            yield event
        if self._image.fault is ConnectionFault.RESET:
            raise _reset(self._request)


DROPPED_HEADERS = {"content-length", "content-encoding", "transfer-encoding"}
