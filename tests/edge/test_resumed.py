"""Resuming over the real litellm: who goes on with an answer is told what it goes on with."""

from __future__ import annotations

import json
import os
from typing import Any

import httpx
import pytest

from failover import Router
from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from tests.edge.fake_wire import (
    ENVIRONMENT,
    KEY_VARIABLE,
    STREAMS,
    FakeProvider,
    openai_chunk,
    streamed,
)

HELLO = [{"role": "user", "content": "hello"}]
ANTHROPIC, MISTRAL, OPENAI = "anthropic/claude-sonnet-5", "mistral/mistral-large-2512", "openai/gpt-5.6-luna"

# pydantic about litellm: the first once in a process, the second whenever a stream tells its usage.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]

# litellm counts tokens of a stream without usage; no tokenizer is to be looked for on a network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """litellm in a service that silenced its hint on standard output."""
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)


async def heard(model: str, *broken: bytes | Exception) -> tuple[str, int, dict[str, Any]]:
    """What a caller reads where the first stream breaks: the text, how many marks, the second request."""

    def answer(request: httpx.Request) -> httpx.Response:
        return streamed(*(broken if request.url.host == "one.invalid" else STREAMS[model]))

    provider = FakeProvider(answer)
    addresses = {name: f"http://{name}.invalid/v1" for name in ("one", "two")}
    config = {
        "providers": {
            name: {"credential": f"env:{KEY_VARIABLE}", "api_base": address}
            for name, address in addresses.items()
        },
        "targets": {
            "one": {"provider": "one", "model": OPENAI},
            "two": {"provider": "two", "model": model, "capabilities": {"prefill": True}},
        },
        "routes": {"chat": {"chain": ["one", "two"], "policy": {"stream_recovery": "resume"}}},
    }
    async with Router.from_dict(config, adapter=LitellmAdapter(provider, ENVIRONMENT)) as router:
        chunks = [chunk async for chunk in await router.acompletion("chat", HELLO, stream=True)]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    marks = [chunk for chunk in chunks if hasattr(chunk, "failover")]
    body: dict[str, Any] = json.loads(provider.requests[-1].content)
    return text, len(marks), body


@pytest.mark.parametrize("model", [ANTHROPIC, MISTRAL])
async def test_the_next_target_is_told_what_it_goes_on_with(model: str) -> None:
    cut = httpx.ReadError("reset")
    text, marks, body = await heard(model, openai_chunk({"role": "assistant", "content": "Well:"}), cut)
    assert (text, marks) == ("Well:hello", 0)
    last = body["messages"][-1]
    assert last["role"] == "assistant"
    assert "Well:" in str(last["content"])
    assert last.get("prefix", False) is (model == MISTRAL)
