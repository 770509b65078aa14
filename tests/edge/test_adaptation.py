"""The same request in the form that a target takes: what goes over the wire, beneath the real litellm."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.adapters.adaptation import adapted
from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from failover.adapters.seam import Outbound
from failover.core.capabilities import Capabilities
from failover.core.vocabulary import Target
from tests.edge.fake_wire import ENVIRONMENT, KEY_VARIABLE, LIMITS, FakeProvider, whole_answer

OPENAI, MISTRAL, GROQ = "openai/gpt-4o", "mistral/mistral-large-2512", "groq/llama-3.3-70b-versatile"
DEEPSEEK = "deepseek/deepseek-chat"
ANTHROPICS_ID, OPENAIS_ID, MISTRALS_ID = "toolu_01VpEm654HvfMoRcrE3Hgdc6", "call_PTLP8xhu3uw", "4fZ9aBcD0"
CALL = {"type": "function", "function": {"name": "look", "arguments": "{}"}}

pytestmark = pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning")


def talk(*identities: str) -> list[dict[str, Any]]:
    """A conversation whose answer was thought through, and called tools with these ids."""
    calls = [{**CALL, "id": identity} for identity in identities]
    results = [{"role": "tool", "tool_call_id": identity, "content": "4"} for identity in identities]
    thoughts = [{"type": "thinking", "thinking": "2 + 2", "signature": "s"}]
    thought = {"reasoning_content": "2 + 2", "thinking_blocks": thoughts}
    answer = {"role": "assistant", "content": "ok", "tool_calls": calls, **thought}
    return [{"role": "user", "content": "2 + 2?"}, answer, *results]


def target(model: str, *unsupported: str, api_base: str = "") -> Target:
    capabilities = Capabilities(unsupported_parameters=frozenset(unsupported))
    provider = model.partition("/")[0]
    return Target("t", provider, model, credential=KEY_VARIABLE, api_base=api_base, capabilities=capabilities)


async def sent(chosen: Target, **payload: Any) -> dict[str, Any]:
    """The body that reaches the provider."""
    provider = FakeProvider(lambda _: whole_answer("hi", service_tier="default"))
    adapter = LitellmAdapter(provider, ENVIRONMENT)
    await adapter.send(Outbound(chosen, "completion", {"messages": talk(), **payload}, LIMITS))
    await adapter.aclose()
    [request] = provider.requests
    body: dict[str, Any] = json.loads(request.content)
    return body


def ids(messages: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Of the calls, and of their results."""
    calls = [call["id"] for message in messages for call in message.get("tool_calls") or ()]
    return calls, [message["tool_call_id"] for message in messages if message["role"] == "tool"]


async def test_mistral_gets_ids_of_the_shape_that_it_takes() -> None:
    body = await sent(target(MISTRAL), messages=talk(ANTHROPICS_ID, MISTRALS_ID))
    calls, results = ids(body["messages"])
    assert calls == results
    assert re.fullmatch(r"[A-Za-z0-9]{9}", calls[0])
    assert calls[1] == MISTRALS_ID


async def test_others_get_the_ids_as_they_are() -> None:
    body = await sent(target(OPENAI), messages=talk(ANTHROPICS_ID, OPENAIS_ID))
    assert ids(body["messages"]) == ([ANTHROPICS_ID, OPENAIS_ID],) * 2


@pytest.mark.parametrize("model", [OPENAI, GROQ, MISTRAL])
async def test_thoughts_of_another_are_left_out_where_they_would_be_refused(model: str) -> None:
    body = await sent(target(model), messages=talk(OPENAIS_ID))
    assert body["messages"][1].keys() == {"role", "content", "tool_calls"}


@pytest.mark.parametrize("chosen", [target(DEEPSEEK), target(OPENAI, api_base="https://ours.invalid/v1")])
async def test_thoughts_stay_where_they_may_be_wanted_back(chosen: Target) -> None:
    body = await sent(chosen, messages=talk(OPENAIS_ID))
    assert body["messages"][1]["reasoning_content"] == "2 + 2"


@pytest.mark.parametrize("model", [OPENAI, MISTRAL])
async def test_a_reply_of_before_may_be_part_of_the_conversation_as_it_is(model: str) -> None:
    litellm = load_litellm()
    reply = litellm.Message(**talk(ANTHROPICS_ID)[1])
    before = reply.model_dump()
    body = await sent(target(model), messages=[*talk()[:1], reply, *talk(ANTHROPICS_ID)[2:]])
    calls, results = ids(body["messages"])
    assert calls == results
    assert not {"reasoning_content", "thinking_blocks"} & body["messages"][1].keys()
    assert reply.model_dump() == before


async def test_a_limit_goes_under_the_name_that_the_target_takes() -> None:
    ours = target("openai/ours", "max_tokens", api_base="https://ours.invalid/v1")
    assert (await sent(ours, max_tokens=7))["max_completion_tokens"] == 7
    body = await sent(target(OPENAI, "max_completion_tokens"), max_completion_tokens=7)
    assert body["max_tokens"] == 7
    assert "max_completion_tokens" not in body


NAMES = st.sampled_from(["max_tokens", "max_completion_tokens", "seed"])
IDENTITIES = st.sampled_from([ANTHROPICS_ID, OPENAIS_ID, MISTRALS_ID, "1", "é" * 9, ""])


@given(
    st.sampled_from([OPENAI, MISTRAL, GROQ, DEEPSEEK]),
    st.lists(IDENTITIES, unique=True),
    st.frozensets(NAMES),
    st.dictionaries(NAMES, st.none() | st.integers(1, 9)),
)
def test_nothing_is_lost_and_the_callers_own_objects_stay(model, identities, unsupported, limits) -> None:
    payload = {"messages": talk(*identities), **limits}
    before = copy.deepcopy(payload)
    outbound = Outbound(target(model, *unsupported), "completion", payload, LIMITS)
    found = adapted(outbound, model.partition("/")[0])
    assert payload == before
    asked = {name: value for name, value in limits.items() if value is not None}
    got = {name: found[name] for name in found.keys() - {"messages"} if found[name] is not None}
    assert sorted(got.values()) == sorted(asked.values())
    assert got.keys() == asked.keys() or not got.keys() - asked.keys() & unsupported
    assert [message["content"] for message in found["messages"]] == [
        each["content"] for each in before["messages"]
    ]
    calls, results = ids(found["messages"])
    assert calls == results
    assert len({*calls}) == len(identities)


@pytest.mark.parametrize("messages", [None, "Hello", 7, [None, "Hello", 7, {}]])
def test_what_is_no_conversation_is_left_to_the_provider(messages: Any) -> None:
    payload = {"messages": messages, "input": "x"}
    for provider in ("openai", "mistral"):
        assert adapted(Outbound(target(f"{provider}/x"), "completion", payload, LIMITS), provider) is payload


async def test_what_litellm_refuses_by_itself_names_the_parameter_so_that_it_can_be_learned() -> None:
    provider = FakeProvider(lambda _: whole_answer("hi"))
    adapter, chosen = LitellmAdapter(provider, ENVIRONMENT), target(MISTRAL)
    with pytest.raises(Exception, match="reasoning_effort") as raised:
        await adapter.send(
            Outbound(chosen, "completion", {"messages": talk(), "reasoning_effort": "high"}, LIMITS)
        )
    await adapter.aclose()
    failure = adapter.classify(chosen, raised.value)
    assert (failure.kind, failure.parameter) == ("unsupported_parameter", "reasoning_effort")
    assert provider.requests == []


# An answer to be gone on with

BEGUN = [{"role": "user", "content": "Count."}]


async def sent_to_go_on(model: str, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages of a stream that is to go on with "one, two"."""
    provider = FakeProvider(lambda _: whole_answer("hi", service_tier="default"))
    adapter = LitellmAdapter(provider, ENVIRONMENT)
    await adapter.send(Outbound(target(model), "completion", {"messages": messages}, LIMITS, "one, two"))
    await adapter.aclose()
    [request] = provider.requests
    found: list[dict[str, Any]] = json.loads(request.content)["messages"]
    return found


@pytest.mark.parametrize("model", [OPENAI, GROQ])
async def test_the_text_so_far_is_the_last_message(model):
    said = {"role": "assistant", "content": "one, two"}
    assert await sent_to_go_on(model, BEGUN) == [*BEGUN, said]


@pytest.mark.parametrize("model", [MISTRAL, DEEPSEEK])
async def test_it_is_marked_where_an_unmarked_one_is_refused(model):
    said = {"role": "assistant", "content": "one, two", "prefix": True}
    assert await sent_to_go_on(model, BEGUN) == [*BEGUN, said]


async def test_it_is_added_to_an_answer_that_the_caller_had_begun():
    begun = [*BEGUN, {"role": "assistant", "content": "Well: "}]
    untouched = copy.deepcopy(begun)
    said = {"role": "assistant", "content": "Well: one, two"}
    assert await sent_to_go_on(OPENAI, begun) == [*BEGUN, said]
    assert begun == untouched
