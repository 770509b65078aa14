"""What a streamed chunk costs in the router, beside what it costs in litellm alone, in one run.

Usage: python benchmarks/stream.py. Both read the same stream from the same transport, in OpenAI's dialect,
asked for with the same arguments; the router watches the wire, keeps the limits and sees the end. They take
turns, and who begins changes; the median of the rounds' differences counts, with the garbage collector off,
since its pauses fall where they like. Two runs of the same code differ by a percent or two.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from statistics import median

import httpx
import openai

from failover import Router
from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm

ROUNDS, CHUNKS = 16, 2000
HELLO = [{"role": "user", "content": "hello"}]
KEY = "BENCHMARK_KEY"
BUDGET_SHARE = 0.05


def chunk(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"


class Words(httpx.AsyncByteStream):
    """So many chunks, none like the one before: litellm takes a repetition for a broken model."""

    def __init__(self, count: int) -> None:
        self._parts = [chunk({"content": f"word{number} "}) for number in range(count)]
        self._parts += [chunk({}, "stop"), b"data: [DONE]\n\n"]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


class Provider(httpx.AsyncBaseTransport):
    """Answers every request with so many chunks, at once."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """A new stream for each."""
        return httpx.Response(
            200, headers={"content-type": "text/event-stream"}, stream=Words(CHUNKS), request=request
        )


Read = Callable[[], Awaitable[None]]


async def took_us(read: Read) -> float:
    """Microseconds of one chunk."""
    gc.collect()
    began_s = time.process_time()
    await read()
    return (time.process_time() - began_s) / CHUNKS * 1e6


async def rounds_us(first: Read, second: Read) -> tuple[list[float], list[float]]:
    """Both, round by round."""
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(-1, ROUNDS):
        pair = {0: 0.0, 1: 0.0}
        for way in (number % 2, 1 - number % 2):
            pair[way] = await took_us(second if way else first)
        if number >= 0:  # the round before warms up
            took[0].append(pair[0])
            took[1].append(pair[1])
    return took


async def main() -> None:
    """Print both figures and the share."""
    litellm = load_litellm()
    litellm.suppress_debug_info = True
    os.environ[KEY] = "none"
    provider = Provider()
    client = openai.AsyncOpenAI(
        api_key="none", http_client=httpx.AsyncClient(transport=provider), max_retries=0
    )

    async def alone() -> None:
        options = {"include_usage": True}  # as the router asks
        stream = await litellm.acompletion(
            model="openai/gpt-4o",
            messages=HELLO,
            stream=True,
            stream_options=options,
            client=client,
            api_key="none",
            num_retries=0,
            max_retries=0,
            timeout=60,
        )
        async for _ in stream:
            pass

    router = Router.from_dict(
        {
            "providers": {"openai": {"credential": f"env:{KEY}"}},
            "targets": {"gpt": {"provider": "openai", "model": "openai/gpt-4o"}},
            "routes": {"chat": {"chain": ["gpt"]}},
        },
        adapter=LitellmAdapter(provider),
    )

    async def routed() -> None:
        async for _ in await router.acompletion("chat", HELLO, stream=True):
            pass

    gc.disable()
    plain, ours = await rounds_us(alone, routed)
    more_us = median(mine - theirs for mine, theirs in zip(ours, plain, strict=True))
    share = more_us / median(plain)
    print(f"litellm alone       {median(plain):8.1f} us for each chunk")
    print(f"through the router  {more_us:8.1f} us more")
    print(f"  of litellm's:     {share:.1%} (budget: at most {BUDGET_SHARE:.0%})")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    asyncio.run(main())
