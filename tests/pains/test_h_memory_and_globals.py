"""Theme H: memory, callbacks, overhead, and the event loop.

Without a test of their own: 13362 and 24230 as far as they are about Redis and a proxy's connections.
15046, 6345, 8671 were about milliseconds; here the work of a call is counted in function calls, which no
busy machine changes. The time itself is measured by `benchmarks/`.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import subprocess
import sys
import tracemalloc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from failover import AllTargetsFailedError, Router
from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from failover.core.failures import FailureKind
from failover.core.vocabulary import Usage
from tests.edge.fake_wire import ENVIRONMENT, refusal, streamed, whole_answer
from tests.edge.fake_wire import OPENAI_STREAM as STREAM
from tests.edge.scripted import (
    HELLO,
    ScriptedAdapter,
    answers,
    fails,
    heard,
    in_virtual_time,
    router,
    running_tasks,
    stop,
    streams,
)
from tests.pains.wire import QUIET, config_over, wired

pytestmark = QUIET
DOWN = fails(FailureKind.OVERLOADED, status=503)
CALLBACKS = [
    "callbacks",
    "input_callback",
    "success_callback",
    "failure_callback",
    "_async_success_callback",
    "_async_failure_callback",
]


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = load_litellm()
    monkeypatch.setattr(module, "suppress_debug_info", True)
    return module


def callbacks_of(litellm: Any) -> dict[str, list[Any]]:
    return {name: list(getattr(litellm, name)) for name in CALLBACKS}


async def test_a_hundred_and_twenty_routers_leave_the_callbacks_of_the_process_alone(litellm):
    """BerriAI/litellm 8246, 9792, 12975, Skyvern 4678: nothing is registered, so nothing fills up."""
    before = callbacks_of(litellm)
    for _ in range(120):
        service, provider = wired({"gpt": whole_answer})
        async with service:
            await service.acompletion("chat", HELLO)
            assert len(provider.requests) == 1
    assert callbacks_of(litellm) == before


@in_virtual_time
async def test_the_last_of_many_routers_still_opens_its_breaker():
    """BerriAI/litellm 9792, 12975: health is decided in the loop of the call, not in a callback."""
    others = [router(ScriptedAdapter(gpt=answers()), "gpt") for _ in range(110)]
    service = router(ScriptedAdapter(gpt=DOWN, claude=answers()), "gpt", "claude")
    for _ in range(5):
        await service.acompletion("chat", HELLO)
    assert service.snapshot().targets["gpt"].breaker == "open"
    assert {each.snapshot().targets["gpt"].breaker for each in others} == {"closed"}


@in_virtual_time
async def test_who_listens_to_one_router_hears_that_one_once():
    """BerriAI/litellm 12381, 12975: listeners belong to a router, and no event is doubled."""
    mine, other = (router(ScriptedAdapter(gpt=answers()), "gpt") for _ in range(2))
    events = heard(mine)
    for service in (mine, other):
        await service.acompletion("chat", HELLO)
    assert [event.event for event in events] == [
        "call_started",
        "attempt_started",
        "attempt_ended",
        "call_ended",
    ]


async def test_a_router_that_is_closed_is_gone(litellm):
    """BerriAI/litellm 41582, 12685: no cache, list or task of the process holds it."""
    service, _ = wired({"gpt": whole_answer, "claude": whole_answer})
    await service.acompletion("chat", HELLO)
    await service.aclose()
    gone = weakref.ref(service)
    del service
    gc.collect()
    assert gone() is None


@in_virtual_time
async def test_neither_messages_nor_errors_are_kept():
    """BerriAI/litellm 2461, 2462: what a call was about is forgotten with it."""

    class Prompt(list[Any]):
        """A list that can be watched."""

    adapter = ScriptedAdapter(gpt=[DOWN, answers()])
    service = router(adapter, "gpt", attempts=1)
    prompt = Prompt(HELLO)
    watched: list[Any] = [weakref.ref(prompt)]
    with pytest.raises(AllTargetsFailedError) as raised:
        await service.acompletion("chat", prompt)
    watched += [weakref.ref(raised.value), weakref.ref(raised.value.__cause__)]
    await service.acompletion("chat", prompt)
    del prompt, raised
    adapter.sent.clear()
    gc.collect()
    assert [each() for each in watched] == [None, None, None]


@in_virtual_time
async def test_memory_is_flat_over_more_than_a_thousand_calls():
    """BerriAI/litellm 3422, 6404, 12685, 15128, 27954, 38193: failures, fallbacks and streams included."""
    adapter = ScriptedAdapter(
        lambda outbound: DOWN if outbound.target.name == "gpt" else streams("he", stop(Usage(10, 10)))
    )
    whole = ScriptedAdapter(gpt=DOWN, claude=answers(after_s=0.1, usage=Usage(10, 10)))
    services = [router(each, "gpt", "claude", breaker={"failures": 10**6}) for each in (adapter, whole)]

    async def call(count: int) -> int:
        for _ in range(count):
            stream = await services[0].acompletion("chat", HELLO, stream=True)
            _ = [chunk async for chunk in stream]
            await services[1].acompletion("chat", HELLO)
            adapter.sent.clear()
            whole.sent.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = await call(100)
        after = await call(600)
    finally:
        tracemalloc.stop()
    assert (after - before) / 1200 < 10, "bytes per call"


async def function_calls(what: Callable[[], Awaitable[Any]]) -> int:
    """How many Python functions that takes."""
    calls = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        await what()
    finally:
        sys.setprofile(None)
    return calls


@in_virtual_time
async def test_a_call_takes_little_work_and_no_more_after_thousands():
    """BerriAI/litellm 6345, 8671, 13362, 15046: and nobody has to restart the process."""
    service = router(ScriptedAdapter(gpt=answers(), claude=answers()), "gpt", "claude")
    ask = lambda: service.acompletion("chat", HELLO)  # noqa: E731  it is asked many times
    await ask()
    early = await function_calls(ask)
    for _ in range(2000):
        await ask()
    late = await function_calls(ask)
    assert late <= early + 5
    assert early < 250, "litellm's Router takes more than 5000 for the same"


async def test_closing_a_router_closes_its_connections_and_leaves_no_task(litellm):
    """BerriAI/litellm 13251, 13891, 15443, 24230: nothing is left in litellm's cache of clients either."""
    before, cached = running_tasks(), set(litellm.in_memory_llm_clients_cache.cache_dict)
    service, provider = wired({"gpt": lambda: refusal(503), "claude": lambda: streamed(*STREAM)})
    async with service:
        stream = await service.acompletion("chat", HELLO, stream=True)
        assert await anext(stream)
        await stream.aclose()
    assert provider.shut
    for _ in range(10):
        await asyncio.sleep(0)  # litellm itself notes each call in a task that lasts one turn
    assert running_tasks() <= before
    assert set(litellm.in_memory_llm_clients_cache.cache_dict) == cached


class Crowd(httpx.AsyncBaseTransport):
    """A provider that answers nobody before all are there."""

    def __init__(self, size: int) -> None:
        self._barrier = asyncio.Barrier(size)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._barrier.wait()
        return whole_answer()


async def test_a_hundred_calls_wait_at_once_and_hold_no_thread_each(litellm):
    """BerriAI/litellm 10104: more than any pool of threads has, all at the provider together."""
    adapter = LitellmAdapter(Crowd(100), ENVIRONMENT)
    service = Router.from_dict(config_over("gpt", first_token_s=60, attempt_s=60), adapter=adapter)
    async with service:
        replies = await asyncio.gather(*(service.acompletion("chat", HELLO) for _ in range(100)))
    assert len(replies) == 100


def test_making_a_router_asks_no_network_and_imports_no_litellm():
    """BerriAI/litellm 926, 2677, 12135: with the network forbidden, in a process of its own."""
    script = (
        "import sys\n"
        "def forbid(event, _):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'): raise SystemExit(event)\n"
        "sys.addaudithook(forbid)\n"
        "import failover\n"
        "target = {'provider': 'p', 'model': 'openai/gpt-4o'}\n"
        "config = {'providers': {'p': {}}, 'targets': {'t': target}, 'routes': {'r': {'chain': ['t']}}}\n"
        "failover.Router.from_dict(config).decide('r')\n"
        "assert 'litellm' not in sys.modules\n"
    )
    done = subprocess.run(  # noqa: S603  our own script
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_litellm_fetches_no_price_map_when_it_is_imported(litellm):
    """BerriAI/litellm 6175, 12135: it was told to read the one it brings, and does not say it had to."""
    told = importlib.import_module(
        "litellm.litellm_core_utils.get_model_cost_map"
    ).get_model_cost_map_source_info()
    assert (told["source"], told["is_env_forced"]) == ("local", True)


async def test_two_routers_at_once_share_no_setting_that_one_could_lock(litellm):
    """OpenHands/software-agent-sdk 4012: what a call wants travels with it, and no global moves."""
    settings = ("modify_params", "drop_params", "num_retries", "request_timeout", "api_key", "cache")
    before = {name: getattr(litellm, name) for name in settings}
    seen: list[Any] = []

    def answer() -> httpx.Response:
        seen.append({name: getattr(litellm, name) for name in settings})
        return whole_answer()

    first, second = (wired({"gpt": answer})[0] for _ in range(2))
    async with first, second:
        await asyncio.gather(
            first.acompletion("chat", HELLO, drop_params=True), second.acompletion("chat", HELLO)
        )
    assert seen == [before, before]
