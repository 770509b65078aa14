"""A transport that answers with images, beneath the real litellm."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from failover.adapters.wire import ConnectionFault
from failover.chaos.world.image import Image

PAST_EVERY_LIMIT_S = 1e9


class _AnyCredential(Mapping[str, str]):
    """Every credential exists and opens nothing: nothing is sent anywhere."""

    def __getitem__(self, name: str) -> str:
        return "a-drill-needs-no-credential"

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __contains__(self, name: object) -> bool:
        return True


ANY_CREDENTIAL = _AnyCredential()


@contextmanager
def litellm_quiet() -> Iterator[None]:
    """litellm prints a hint to standard output on every error, and logs each change of the loop.

    In a drill errors are the point, so both are silenced for its time, and restored.
    """
    litellm: Any = load_litellm()
    logger = logging.getLogger("LiteLLM")
    before, level = litellm.suppress_debug_info, logger.level
    litellm.suppress_debug_info = True
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        litellm.suppress_debug_info = before
        logger.setLevel(level)


def image_adapter(image: Image) -> LitellmAdapter:
    """The shipping adapter, over a transport that answers every request with `image`, at once."""
    return LitellmAdapter(_ImageTransport(image), ANY_CREDENTIAL)


class _ImageTransport(httpx.AsyncBaseTransport):
    def __init__(self, image: Image) -> None:
        self._image = image

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await played(self._image, request, 0.0)


async def played(image: Image, request: httpx.Request, after_s: float) -> httpx.Response:
    """`image` on the running loop's clock, whole after `after_s`."""
    if image.fault is ConnectionFault.HANG:
        await asyncio.sleep(PAST_EVERY_LIMIT_S)
    await asyncio.sleep(after_s)
    if image.fault is ConnectionFault.REFUSED:
        raise httpx.ConnectError("injected: connection refused", request=request)
    if image.reply is None:
        raise httpx.ReadError("injected: connection reset", request=request)
    reply = image.reply
    headers = {name: value for name, value in reply.headers.items() if name not in DROPPED_HEADERS}
    return httpx.Response(reply.status, headers=headers, content=reply.body, request=request)


DROPPED_HEADERS = {"content-length", "content-encoding", "transfer-encoding"}
