"""The router over the real litellm and real sockets: two providers on loopback, one of them broken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from llmock.scenarios import Fail, Match, Reply, StreamFault, ToolCall
from llmock.testing import LLMockServer

from failover import AllTargetsFailedError, Router
from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from tests.edge.scripted import HELLO, heard, in_flight, named

# pydantic's, on litellm's own types and litellm's own use of them.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*ReadOnly:UserWarning", "ignore:Accessing the 'model_:DeprecationWarning"
)

# litellm counts tokens of a stream without usage; no tokenizer is to be looked for on a network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

MODELS = {
    "openai": "openai/gpt-5.6-luna",
    "anthropic": "anthropic/claude-sonnet-5",
    "gemini": "gemini/gemini-2.5-flash",
    "mistral": "mistral/mistral-large-2512",
}
KEYS = {f"{provider.upper()}_TEST_KEY": f"made-up-for-{provider}" for provider in MODELS}
PAIRS = [("openai", "anthropic"), ("anthropic", "openai"), ("gemini", "mistral"), ("mistral", "gemini")]
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"of": {"type": "string"}}},
    },
}
DOWN = Fail(503, times=None)


class HandClock:
    """Time that a test moves; the sockets beneath live in real time, and nobody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[LLMockServer, LLMockServer]]:
    with LLMockServer() as first, LLMockServer() as second:
        yield first, second


@pytest.fixture
def servers(both, monkeypatch) -> Iterator[tuple[LLMockServer, LLMockServer]]:
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)
    yield both
    for server in both:
        server.state.scenarios.clear()


def router(
    servers: tuple[LLMockServer, LLMockServer], *providers: str, clock: Any = None, **policy: Any
) -> Router:
    """A route over one target of each provider, each served by a server of its own."""
    config = {
        "providers": {
            provider: {
                "credential": f"env:{provider.upper()}_TEST_KEY",
                "api_base": base_of(server, provider),
            }
            for provider, server in zip(providers, servers, strict=True)
        },
        "targets": {provider: {"provider": provider, "model": MODELS[provider]} for provider in providers},
        "routes": {"chat": {"chain": list(providers), "policy": policy}},
        "lifecycle": {"sources": []},
    }
    time_of_its_own = {} if clock is None else {"clock": clock, "wall": clock}
    return Router.from_dict(
        config, adapter=LitellmAdapter(environment=KEYS), rng=lambda: 0.0, **time_of_its_own
    )


def base_of(server: LLMockServer, provider: str) -> str:
    """The address as litellm wants it: for Gemini with the version of its API."""
    return server.base_url(provider) + ("/v1beta" if provider == "gemini" else "")


def requests(server: LLMockServer) -> int:
    return len(server.state.journal.records())


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_the_second_provider_answers_for_the_first(servers, first, second):
    servers[0].state.scenarios.add(DOWN)
    servers[1].state.scenarios.add(Reply("from the second"))
    async with router(servers, first, second) as service:
        reply = await service.acompletion("chat", HELLO)
    assert reply.choices[0].message.content == "from the second"
    assert reply.failover.target == second
    assert [(each.target, each.failure, each.status) for each in reply.failover.attempts] == [
        (first, "overloaded", 503),
        (second, None, None),
    ]
    assert in_flight(service) == {}


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_a_stream_falls_back_before_its_first_token(servers, first, second):
    servers[0].state.scenarios.add(DOWN)
    servers[1].state.scenarios.add(Reply("word by word"))
    async with router(servers, first, second) as service:
        stream = await service.acompletion("chat", HELLO, stream=True)
        chunks = [chunk async for chunk in stream]
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "word by word"
    )
    assert (stream.failover.target, len(stream.failover.attempts)) == (second, 2)


async def test_a_stream_cut_before_its_first_token_falls_back_too(servers):
    servers[0].state.scenarios.add(StreamFault("disconnect", after_chunks=0))
    async with router(servers, "openai", "anthropic") as service:
        stream = await service.acompletion("chat", HELLO, stream=True)
        assert [chunk async for chunk in stream]
    assert stream.failover.target == "anthropic"


async def test_a_breaker_opens_and_its_target_serves_again_after_one_probe(servers):
    broken, clock = servers[0], HandClock()
    broken.state.scenarios.add(DOWN)
    async with router(
        servers, "openai", "anthropic", clock=clock, breaker={"failures": 3, "open_s": 5}
    ) as service:
        events = heard(service)
        before = requests(broken)
        for _ in range(5):
            assert (await service.acompletion("chat", HELLO)).failover.target == "anthropic"
        assert requests(broken) - before == 3
        assert service.snapshot().targets["openai"].breaker == "open"

        broken.state.scenarios.clear()
        clock.now_s += 5.0
        assert (await service.acompletion("chat", HELLO)).failover.target == "openai"
    moves = [(event.state_from, event.state_to) for event in named(events, "breaker_changed")]
    assert moves == [("closed", "open"), ("open", "half-open"), ("half-open", "closed")]
    assert [event.probe for event in named(events, "attempt_started")][-1] is True


async def test_a_target_that_asked_for_time_is_left_alone_for_as_long(servers):
    limited, clock = servers[0], HandClock()
    limited.state.scenarios.add(Fail(429, retry_after=7))
    async with router(servers, "openai", "anthropic", clock=clock) as service:
        before = requests(limited)
        await service.acompletion("chat", HELLO)
        clock.now_s = 6.9
        assert service.snapshot().targets["openai"].away == "cooldown"
        assert (await service.acompletion("chat", HELLO)).failover.passed_over[0].until_s == 7.0
        assert requests(limited) - before == 1
        clock.now_s = 7.0
        assert (await service.acompletion("chat", HELLO)).failover.target == "openai"


async def test_when_everybody_asks_for_time_the_error_tells_the_soonest(servers):
    servers[0].state.scenarios.add(Fail(429, retry_after=70))
    servers[1].state.scenarios.add(Fail(429, retry_after=90))
    async with router(servers, "openai", "anthropic", clock=HandClock(), deadline_s=30) as service:
        with pytest.raises(AllTargetsFailedError) as raised:
            await service.acompletion("chat", HELLO)
    assert raised.value.retry_after_s == 70.0
    assert type(raised.value.__cause__).__name__ == "RateLimitError"


@pytest.mark.parametrize("provider", MODELS)
async def test_tools_go_in_and_tool_calls_come_out(servers, provider):
    servers[0].state.scenarios.add(DOWN)
    servers[1].state.scenarios.add(
        Reply(tool_calls=(ToolCall("look_up", {"of": "x"}),), match=Match(tools=True))
    )
    other = "openai" if provider != "openai" else "mistral"
    async with router(servers, other, provider) as service:
        reply = await service.acompletion("chat", HELLO, tools=[TOOL])
    assert reply.failover.target == provider
    [call] = reply.choices[0].message.tool_calls
    assert call.function.name == "look_up"


async def test_a_credential_is_in_no_error_and_no_event(servers):
    for server in servers:
        server.state.scenarios.add(Fail(401, times=None, message=f"bad key {KEYS['OPENAI_TEST_KEY']}"))
    async with router(servers, "openai", "anthropic") as service:
        events = heard(service)
        with pytest.raises(AllTargetsFailedError) as raised:
            await service.acompletion("chat", HELLO)
    told = f"{raised.value} {vars(raised.value)} {events} {service.snapshot()}"
    assert not any(key in told for key in KEYS.values())
