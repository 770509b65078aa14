"""The service of docs/integrations/fastapi.md, over a real server, real clients and providers on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import httpx
import pytest
import uvicorn
from llmock.scenarios import Fail, Reply, StreamFault
from llmock.testing import LLMockServer

from failover import CallError, Router
from tests.edge.page_programs import copied
from tests.edge.scripted import HELLO, in_flight

# pydantic's, on litellm's own types and litellm's own use of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*ReadOnly:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]

QUESTION = {"messages": HELLO}
DOWN = Fail(503, times=None)


@pytest.fixture(scope="module")
def both() -> Iterator[dict[str, LLMockServer]]:
    with LLMockServer() as first, LLMockServer() as second:
        yield {"openai": first, "anthropic": second}


@pytest.fixture
def providers(both) -> Iterator[dict[str, LLMockServer]]:
    yield both
    for server in both.values():
        server.state.scenarios.clear()


@pytest.fixture
def service(providers, tmp_path, monkeypatch) -> ModuleType:
    return copied("integrations/fastapi.md", providers, tmp_path, monkeypatch)


@asynccontextmanager
async def running(service: ModuleType) -> AsyncIterator[tuple[httpx.AsyncClient, Router]]:
    """The service behind a real server, on this very loop; a client of it, and its router."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(service.app, log_level="warning", lifespan="on"))
    begun = asyncio.Event()
    startup = server.startup

    async def and_tell(sockets: Any = None) -> None:
        await startup(sockets)
        begun.set()

    server.startup = and_tell
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await begun.wait()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
            yield client, service.app.state.router
    finally:
        server.should_exit = True
        await serving
        listening.close()


async def test_the_second_provider_answers_for_the_first(service, providers):
    providers["openai"].state.scenarios.add(DOWN)
    providers["anthropic"].state.scenarios.add(Reply("from the second"))
    async with running(service) as (client, router):
        answer = await client.post("/chat", json=QUESTION)
        assert answer.json() == {"text": "from the second", "target": "claude"}
        assert in_flight(router) == {}


async def test_a_stream_comes_line_by_line_from_the_second(service, providers):
    providers["openai"].state.scenarios.add(DOWN)
    providers["anthropic"].state.scenarios.add(Reply("word by word"))
    async with running(service) as (client, router):
        answer = await client.post("/chat/stream", json=QUESTION)
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert len(lines) > 1
        assert "".join(line["text"] for line in lines) == "word by word"
        assert in_flight(router) == {}


async def test_a_reader_who_leaves_ends_the_providers_stream_and_blames_nobody(service, providers):
    providers["openai"].state.scenarios.add(StreamFault("stall", after_chunks=3))
    async with running(service) as (client, router):
        ended = asyncio.Event()
        events = []

        def listen(event: Any) -> None:
            events.append(event)
            if event.event == "call_ended":
                ended.set()

        router.subscribe(listen)
        async with client.stream("POST", "/chat/stream", json=QUESTION) as answer:
            assert json.loads(await anext(answer.aiter_lines()))["text"]
            assert in_flight(router) == {"gpt": 1}
        async with asyncio.timeout(20):  # a service that never notices would hang the test
            await ended.wait()
        assert in_flight(router) == {}
        assert events[-1].event == "call_ended"
        assert router.snapshot().targets["gpt"].breaker == "closed"


async def test_a_stream_that_breaks_says_so_in_its_last_line(service, providers):
    providers["openai"].state.scenarios.add(StreamFault("disconnect", after_chunks=3))
    async with running(service) as (client, router):
        answer = await client.post("/chat/stream", json=QUESTION)
        assert answer.status_code == 200
        assert json.loads(answer.text.splitlines()[-1]) == {"error": "the answer is incomplete"}
        assert in_flight(router) == {}


@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
async def test_when_everybody_is_away_it_is_a_503_that_says_how_long(service, providers, path):
    for server in providers.values():
        server.state.scenarios.add(Fail(429, retry_after=70, times=None))
    async with running(service) as (client, router):
        answer = await client.post(path, json=QUESTION)
        assert (answer.status_code, answer.json()) == (503, {"error": "every provider failed"})
        assert 60 < int(answer.headers["retry-after"]) <= 70
        health = await client.get("/health")
        assert (health.status_code, health.json()["serving"]) == (503, False)
        assert in_flight(router) == {}


async def test_a_request_that_nobody_can_take_is_a_400(service, providers):
    for server in providers.values():
        server.state.scenarios.add(Fail(400, times=None))
    async with running(service) as (client, _):
        answer = await client.post("/chat", json=QUESTION)
    assert (answer.status_code, "retry-after" in answer.headers) == (400, False)


async def test_the_service_is_well_while_one_provider_is(service, providers):
    providers["openai"].state.scenarios.add(Fail(429, retry_after=70))
    async with running(service) as (client, _):
        assert (await client.get("/health")).json() == {
            "serving": True,
            "away": {"gpt": None, "claude": None},
        }
        await client.post("/chat", json=QUESTION)
        health = await client.get("/health")
    assert (health.status_code, health.json()) == (
        200,
        {"serving": True, "away": {"gpt": "cooldown", "claude": None}},
    )


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("RequestRejectedError", 400),
        ("NoEligibleTargetError", 503),
        ("AllTargetsFailedError", 503),
        ("DeadlineExceededError", 504),
        ("StreamInterruptedError", 500),
        ("LocalError", 500),
    ],
)
async def test_every_error_of_a_call_has_its_status(service, name, status):
    [kind] = [kind for kind in CallError.__subclasses__() if kind.__name__ == name]
    answer = await service.refused(None, kind("what happened", route="chat", retry_after_s=0.2))
    assert (answer.status_code, answer.headers.get("retry-after")) == (
        status,
        "1" if status == 503 else None,
    )
    assert b"what happened" not in answer.body
