"""What a request needs is read from litellm's arguments, and nothing that a caller may write breaks that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.attempts import Errand
from failover.core.capabilities import NOTHING, Capability, Needs
from failover.core.vocabulary import Operation
from failover.errands import CallOptions
from failover.needs import SHORT_TOKENS, needs_of, request_of
from tests.edge.scripted import HELLO

TOOL = {"type": "function", "function": {"name": "look", "parameters": {}}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "look"}}]}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}


class Answered:
    """The message of an earlier reply: an object, as litellm hands it out."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update({"role": "assistant", "content": None, "tool_calls": None, **fields})


def needed(operation: str = "completion", **arguments: Any) -> set[str]:
    return set(needs_of({"messages": HELLO, **arguments}, operation).capabilities)


def said(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}, *HELLO]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({}, set()),
        ({"temperature": 0.5, "max_tokens": 9, "stream": True}, set()),
        ({"tools": [TOOL]}, {"tools"}),
        ({"tools": [TOOL], "tool_choice": "auto"}, {"tools"}),
        ({"tools": [TOOL], "tool_choice": "none"}, set()),
        ({"tools": []}, set()),
        ({"functions": [TOOL["function"]]}, {"tools"}),
        ({"functions": [TOOL["function"]], "function_call": "none"}, set()),
        ({"response_format": SCHEMA}, {"json_schema"}),
        ({"response_format": Needs}, {"json_schema"}),
        ({"response_format": {"type": "json_object"}}, set()),
        ({"response_format": None, "tools": None}, set()),
        ({"modalities": ["text", "audio"]}, {"audio_output"}),
        ({"modalities": ["text"]}, set()),
        ({"modalities": 7}, set()),
        ({"reasoning_effort": "high"}, {"reasoning"}),
        ({"reasoning_effort": "none"}, set()),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, {"reasoning"}),
        ({"thinking": {"type": "disabled"}}, set()),
        ({"messages": [*HELLO, {"role": "assistant", "content": "He"}]}, {"prefill"}),
        ({"messages": [*HELLO, Answered(content="He")]}, {"prefill"}),
        ({"messages": [*HELLO, {"role": "assistant", "content": "He"}, *HELLO]}, set()),
        ({"messages": [*HELLO, CALLED]}, {"tools"}),
        ({"messages": [*HELLO, Answered(tool_calls=[{}]), *HELLO]}, {"tools"}),
        ({"messages": [*HELLO, {**CALLED, "tool_calls": None, "content": "x"}, *HELLO]}, set()),
    ],
)
def test_a_chat_needs_what_its_arguments_ask_for(arguments: dict[str, Any], found: set[str]) -> None:
    assert needed(**arguments) == found


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({"type": "text", "text": "look"}, set()),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}, {"vision"}),
        ({"type": "image", "source": {}}, {"vision"}),
        ({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}, {"audio_input"}),
        ({"type": "file", "file": {"file_id": "1"}}, {"files"}),
        ({"type": "document", "source": {}}, {"files"}),
        ({"type": "of another world"}, set()),
        ("a bare word", set()),
    ],
)
def test_a_part_of_a_message_needs_who_takes_such_parts(part: Any, found: set[str]) -> None:
    assert needed(messages=said(part)) == found


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"input": "Hello"}, set()),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, {"vision"}),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, {"files"}),
        ({"input": [{"type": "function_call_output", "output": "4"}]}, {"tools"}),
        ({"input": [{"role": "assistant", "content": "Hi"}]}, set()),
        ({"input": "Hello", "text": {"format": SCHEMA}}, {"json_schema"}),
        ({"input": "Hello", "text": {"format": {"type": "text"}}}, set()),
        ({"input": "Hello", "text_format": Needs}, {"json_schema"}),
        ({"input": "Hello", "reasoning": {"effort": "low"}}, {"reasoning"}),
        ({"input": "Hello", "tools": [{"type": "web_search"}]}, {"tools"}),
    ],
)
def test_the_responses_api_says_it_in_its_own_words(arguments: dict[str, Any], found: set[str]) -> None:
    assert set(needs_of(arguments, Operation.RESPONSES).capabilities) == found


def test_parameters_are_what_the_caller_set_beside_the_request_itself() -> None:
    payload = {"messages": HELLO, "temperature": 0, "seed": None, "stream": True, "user": "x"}
    assert needs_of(payload).parameters == {"temperature", "user"}


def test_a_short_chat_without_parameters_needs_nothing() -> None:
    assert needs_of({"messages": HELLO}, prompt_tokens=SHORT_TOKENS) is NOTHING
    assert needs_of({"messages": HELLO}, prompt_tokens=SHORT_TOKENS + 1) == Needs(tokens_in=SHORT_TOKENS + 1)


def test_the_request_carries_the_lengths_that_were_asked_for() -> None:
    payload = {"messages": [{"role": "user", "content": "x" * 8000}], "max_tokens": 300}
    request = request_of(7, Errand(Operation.COMPLETION, payload), CallOptions(3.0, stream=True))
    assert (request.id, request.stream, request.deadline_s) == ("7", True, 3.0)
    assert (request.tokens_out, request.tokens_out_max) == (None, 300)
    assert (request.needs.tokens_in, request.needs.tokens_out) == (request.tokens_in, 300)


@pytest.mark.parametrize("operation", sorted(set(Operation) - {Operation.COMPLETION, Operation.RESPONSES}))
def test_inputs_that_are_no_one_prompt_are_held_against_no_window(operation: str) -> None:
    payload = {"input": ["x" * 400_000] * 3, "tools": [TOOL], "dimensions": 3}
    needs = needs_of(payload, operation, prompt_tokens=300_000)
    assert needs == Needs(parameters=frozenset({"tools", "dimensions"}))
    assert needs_of({"input": "x"}, operation, prompt_tokens=300_000) is NOTHING


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(
    st.sampled_from(["messages", "input", "tools", "response_format", "modalities", "text", "thinking"])
    | st.sampled_from(["reasoning", "reasoning_effort", "max_tokens", "functions", "seed"]),
    ANYTHING | st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls"]), ANYTHING)),
)


@given(ARGUMENTS, st.sampled_from(Operation))
def test_whatever_a_caller_writes_it_is_for_the_provider_to_refuse(payload: Any, operation: str) -> None:
    needs = needs_of(payload, operation, 5, payload.get("max_tokens"))
    assert needs.capabilities <= set(Capability)
    assert needs.parameters <= payload.keys()
