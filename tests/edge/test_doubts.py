"""Answers that came whole and are not what was asked for: seen on the wire and in litellm's own objects."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.adapters.doubts import (
    NOT_OFFERED,
    UNPARSABLE,
    ToolCalls,
    is_same_model,
    offered_tools,
    wrong_model,
)
from failover.adapters.litellm import LitellmAdapter
from failover.core.failures import FailureKind
from tests.edge.fake_wire import (
    ENVIRONMENT,
    FakeProvider,
    event,
    openai_chunk,
    outbound,
    streamed,
    target,
    whole_answer,
)

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]

# pydantic about litellm: the first once in a process, the second whenever a stream tells its usage.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]


# Which model served

SAME = [
    ("openai/gpt-4o", "gpt-4o"),
    ("openai/gpt-4o", "gpt-4o-2024-08-06"),
    ("openai/gpt-4", "gpt-4-0613"),
    ("openai/gpt-4o-2024-08-06", "gpt-4o"),
    ("anthropic/claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
    ("gemini/gemini-2.5-flash", "models/gemini-2.5-flash"),
    ("gemini/gemini-2.0-flash", "gemini-2.0-flash-001"),
    ("mistral/mistral-large-latest", "mistral-large-2512"),
    ("groq/meta-llama/Llama-4", "meta-llama/llama-4"),
    ("together_ai/deepseek-ai/DeepSeek-V3", "DeepSeek-V3"),
]
OTHER = [
    ("openai/gpt-4o", "gpt-4o-mini"),
    ("openai/gpt-4o", "gpt-4o-mini-2024-07-18"),
    ("anthropic/claude-sonnet-4", "claude-sonnet-4-5-20250929"),
    ("deepseek/deepseek-reasoner", "deepseek-v4-flash"),
    ("xai/grok-4-fast", "grok-4-fast-reasoning"),
    ("openai/gpt-5.6-luna", "gpt-5.5"),
]


@pytest.mark.parametrize(("asked", "served"), SAME)
def test_a_dated_build_is_the_model_that_was_asked_for(asked: str, served: str) -> None:
    assert is_same_model(asked, served)


@pytest.mark.parametrize(("asked", "served"), OTHER)
def test_another_size_or_generation_is_another_model(asked: str, served: str) -> None:
    assert not is_same_model(asked, served)


@given(st.text(), st.text())
def test_any_two_names_can_be_compared(asked: str, served: str) -> None:
    assert is_same_model(asked, served) == is_same_model(served, asked)


@given(st.binary(max_size=400))
def test_any_body_may_be_looked_at(body: bytes) -> None:
    wrong_model(target(api_base=""), body)


def test_who_only_talks_about_a_model_is_not_taken_for_it() -> None:
    told = {"content": 'say "model": "gpt-mini"', "model": "gpt-5.6-luna"}
    assert wrong_model(target(api_base=""), json.dumps(told).encode()) == ()


def test_a_gateway_may_call_its_models_as_it_likes() -> None:
    assert wrong_model(target(), b'{"model": "my-own"}') == ()


@pytest.mark.parametrize("model", ["azure/my-deployment", "bedrock/anthropic.claude-3"])
def test_the_name_of_a_deployment_says_nothing_of_its_model(model: str) -> None:
    assert wrong_model(target(model, api_base=""), b'{"model": "gpt-4o"}') == ()


@pytest.mark.parametrize("stream", [False, True])
async def test_the_model_that_served_is_read_from_the_wire(*, stream: bool) -> None:
    def answer(_: Any) -> Any:
        if not stream:
            return whole_answer(model="gpt-mini")
        chunk = openai_chunk({"role": "assistant", "content": "hi"}, "stop")
        return streamed(chunk.replace(b'"model": "m"', b'"model": "gpt-mini"'), event(b"[DONE]"))

    adapter = LitellmAdapter(FakeProvider(answer), ENVIRONMENT)
    sent = outbound(target(api_base=""))
    if stream:
        pieces = [piece async for piece in adapter.stream(sent)]
        doubts = [doubt for piece in pieces for doubt in piece.doubts]
        assert pieces[0].doubts
    else:
        doubts = list((await adapter.send(sent)).doubts)
    assert [(doubt.kind, doubt.code) for doubt in doubts] == [(FailureKind.WRONG_MODEL, "gpt-mini")]


# Tool calls


@pytest.mark.parametrize(
    ("name", "arguments", "codes"),
    [
        pytest.param("weather", '{"city": "Ulm"}', [], id="sound"),
        pytest.param("weather", "", [], id="no arguments at all"),
        pytest.param("weather", '{"city": "U', [UNPARSABLE], id="cut"),
        pytest.param("weather", '["Ulm"]', [UNPARSABLE], id="no object"),
        pytest.param("launch", "{}", [NOT_OFFERED], id="never offered"),
        pytest.param("launch", "{", [UNPARSABLE, NOT_OFFERED], id="both"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_call_is_sound_or_doubted(
    name: str, arguments: str, codes: list[str], *, stream: bool
) -> None:
    def answer(_: Any) -> Any:
        function = {"name": name, "arguments": arguments}
        call = {"index": 0, "id": "1", "type": "function", "function": function}
        if not stream:
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            return whole_answer(choices=[{"index": 0, "finish_reason": "tool_calls", "message": message}])
        half = len(arguments) // 2
        first = {**call, "function": {"name": name, "arguments": arguments[:half]}}
        rest = {"index": 0, "function": {"arguments": arguments[half:]}}
        parts = [openai_chunk({"tool_calls": [one]}) for one in (first, rest)]
        return streamed(*parts, openai_chunk({}, "tool_calls"), event(b"[DONE]"))

    adapter = LitellmAdapter(FakeProvider(answer), ENVIRONMENT)
    sent = outbound(target(), tools=TOOLS)
    if stream:
        pieces = [piece async for piece in adapter.stream(sent)]
        doubts = [doubt for piece in pieces for doubt in piece.doubts]
        assert [piece.tool_call for piece in pieces][:2] == [True, True]
    else:
        doubts = list((await adapter.send(sent)).doubts)
    assert [doubt.code for doubt in doubts] == codes


def test_tools_are_offered_in_several_forms() -> None:
    payload = {
        "tools": [*TOOLS, {"type": "function", "name": "flat"}, "garbage"],
        "functions": [{"name": "old"}],
    }
    assert offered_tools(payload) == {"weather", "flat", "old"}


def test_tools_that_the_provider_runs_itself_have_names_of_their_own() -> None:
    assert offered_tools({"tools": [*TOOLS, {"type": "web_search"}]}) is None


def test_who_calls_no_tool_is_not_doubted_for_it() -> None:
    assert ToolCalls({}).doubts() == ()


# Chunks and replies


async def test_chunks_are_put_together_to_the_reply_they_make() -> None:
    parts = [openai_chunk({"role": "assistant", "content": "he"}), openai_chunk({"content": "llo"}, "stop")]
    adapter = LitellmAdapter(FakeProvider(lambda _: streamed(*parts, event(b"[DONE]"))), ENVIRONMENT)
    sent = outbound(target())
    reply = adapter.assemble(sent, [piece.value async for piece in adapter.stream(sent)])
    assert type(reply).__name__ == "ModelResponse"
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("hello", "stop")


def test_no_chunks_make_no_reply() -> None:
    adapter = LitellmAdapter(FakeProvider(lambda _: whole_answer()), ENVIRONMENT)
    with pytest.raises(Exception):  # noqa: B017, PT011 - litellm's class is what must not matter
        adapter.assemble(outbound(target()), [])


def test_a_restart_mark_is_one_of_litellms_chunks_with_nothing_in_it() -> None:
    mark = LitellmAdapter().restart_mark(outbound(target()))
    assert type(mark).__name__ == "ModelResponseStream"
    assert not mark.choices[0].delta.content
    assert json.loads(mark.model_dump_json())["object"] == "chat.completion.chunk"
