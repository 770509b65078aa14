"""What a streamed chunk costs in the router, beside what it costs in litellm alone, in one run.

Usage: python benchmarks/stream.py. Both read the same stream from the same transport, in OpenAI's dialect;
the router watches the wire, keeps the limits and sees the end. A stream's set-up is taken off: each figure
is the difference between a long stream and a short one, over the chunks between. The least of several rounds
counts, with the garbage collector off, since its pauses fall where they like.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import httpx
import openai

from failover import Router
from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm

ROUNDS, SHORT, LONG = 20, 100, 1100
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
    """Answers every request with `count` chunks, at once."""

    count = SHORT

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """A new stream for each."""
        return httpx.Response(
            200, headers={"content-type": "text/event-stream"}, stream=Words(self.count), request=request
        )


Read = Callable[[], Awaitable[None]]


async def least_us(reads: Sequence[Read], provider: Provider) -> list[float]:
    """Microseconds of one more chunk, for each way to read; the ways take turns, so that noise hits all."""
    took_s: dict[tuple[int, int], float] = {}
    for _ in range(ROUNDS):
        for count in (SHORT, LONG):
            provider.count = count
            for way, read in enumerate(reads):
                gc.collect()
                began_s = time.process_time()
                await read()
                one_s = time.process_time() - began_s
                took_s[way, count] = min(one_s, took_s.get((way, count), one_s))
    return [(took_s[way, LONG] - took_s[way, SHORT]) / (LONG - SHORT) * 1e6 for way in range(len(reads))]


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
    plain_us, ours_us = await least_us((alone, routed), provider)
    share = (ours_us - plain_us) / plain_us
    print(f"litellm alone       {plain_us:8.1f} us for each chunk")
    print(f"through the router  {ours_us:8.1f} us, {ours_us - plain_us:.1f} us more")
    print(f"  of litellm's:     {share:.1%} (budget: at most {BUDGET_SHARE:.0%})")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    asyncio.run(main())
