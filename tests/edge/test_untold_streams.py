"""Streams that tell no usage, or tell it where litellm does not look: counted, and said to be an estimate."""

from __future__ import annotations

from typing import Any

import pytest

from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from failover.adapters.seam import Piece
from failover.core.vocabulary import Usage
from tests.edge.fake_wire import (
    ANTHROPIC_STREAM,
    ENVIRONMENT,
    OPENAI_STREAM,
    FakeProvider,
    event,
    openai_chunk,
    outbound,
    streamed,
    target,
    whole_answer,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]
LLAMA = "hyperbolic/meta-llama/Llama-3.3-70B-Instruct"
TOLD = {"prompt_tokens": 283, "completion_tokens": 43, "total_tokens": 326}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """litellm 1.106 asks a network for the tokenizer of Llama whenever a stream of it begins."""
    monkeypatch.setattr(load_litellm(), "disable_hf_tokenizer_download", True)


async def read(*parts: bytes, model: str = LLAMA, **payload: Any) -> list[Piece]:
    adapter = LitellmAdapter(FakeProvider(lambda _: streamed(*parts)), ENVIRONMENT)
    return [piece async for piece in adapter.stream(outbound(target(model), **payload))]


def usages(pieces: list[Piece]) -> list[Usage]:
    return [piece.usage for piece in pieces if piece.usage is not None]


@pytest.mark.parametrize("model", [LLAMA, "openai/gpt-5.6-luna", "groq/llama-3.1-8b-instant"])
async def test_a_stream_without_a_usage_is_counted_and_said_to_be(model):
    pieces = await read(*OPENAI_STREAM, model=model)
    [usage] = usages(pieces)
    assert usage.estimated
    assert usage.tokens_out >= 1
    assert pieces[-1].value.usage.completion_tokens == usage.tokens_out


async def test_a_usage_that_comes_after_the_end_goes_before_a_count():
    *beginning, done = OPENAI_STREAM
    pieces = await read(
        *beginning, event({"object": "chat.completion.chunk", "choices": [], "usage": TOLD}), done
    )
    assert usages(pieces) == [Usage(283, 43)]
    assert pieces[-1].value.usage.prompt_tokens == 283


async def test_a_usage_where_litellm_does_not_look_is_the_replys_too():
    beginning, done = OPENAI_STREAM[:2], OPENAI_STREAM[-1]
    pieces = await read(
        *beginning, openai_chunk({}, "stop", x_groq={"usage": TOLD}), done, model="groq/llama-3.1"
    )
    assert usages(pieces) == [Usage(283, 43)]
    assert pieces[-1].value.usage.prompt_tokens == 283


async def test_the_prompt_that_anthropic_tells_first_is_known_at_once():
    pieces = await read(*ANTHROPIC_STREAM, model="anthropic/claude-sonnet-5")
    assert (usages(pieces)[0], usages(pieces)[-1]) == (Usage(3, 1), Usage(3, 2))


async def test_whoever_asks_for_no_usage_still_has_what_the_wire_tells():
    options = {"include_usage": False}
    pieces = await read(*ANTHROPIC_STREAM, model="anthropic/claude-sonnet-5", stream_options=options)
    assert usages(pieces)[-1] == Usage(3, 2)


async def test_a_whole_answer_without_a_usage_is_counted():
    adapter = LitellmAdapter(FakeProvider(lambda _: whole_answer("hello world", usage=None)), ENVIRONMENT)
    answer = await adapter.send(outbound(target("openai/gpt-5.6-luna")))
    assert answer.usage == Usage(0, 2, estimated=True)
