"""Streams that go on where another one broke: what the next target is sent, and what the caller sees."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover import Router
from failover.adapters.continuation import Continuation
from failover.adapters.litellm import LitellmAdapter
from failover.config import config_from_dict
from failover.core.capabilities import Capability
from failover.known_models import with_model_facts
from tests.edge.fake_wire import ENVIRONMENT, KEY_VARIABLE, FakeProvider, event, openai_chunk, streamed

if TYPE_CHECKING:
    import httpx

# pydantic about litellm: the first once in a process, the second whenever a stream tells its usage.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]

PARTS = st.lists(st.text(alphabet="ab \n", max_size=4), max_size=6)


def split(text: str, cuts: list[int]) -> list[str]:
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(places)]


def heard(prefill: str, pieces: list[str]) -> str:
    continuation = Continuation(prefill)
    return "".join([continuation.new(piece) for piece in pieces]) + continuation.rest()


@given(st.text("ab \n", min_size=1), st.text("ab \n"), st.lists(st.integers(0, 20)))
def test_a_prefill_that_is_said_again_is_not_heard_twice(prefill: str, rest: str, cuts: list[int]) -> None:
    """However it is cut; the white space that could not be sent may be said again or not."""
    said = prefill.rstrip() + prefill[len(prefill.rstrip()) :] + rest
    assert prefill + heard(prefill, split(said, cuts)) == said


@given(st.text("ab \n"), PARTS)
def test_what_is_no_prefill_said_again_is_heard(prefill: str, pieces: list[str]) -> None:
    fresh = ["X", *pieces]
    assert heard(prefill, fresh) == "".join(fresh)


def test_the_white_space_that_could_not_be_sent_is_not_doubled() -> None:
    assert heard("once upon ", [" a", " time"]) == "a time"


def test_an_answer_that_ends_like_its_prefill_began_is_heard() -> None:
    assert heard("the cat", ["the"]) == "the"


def answered(*texts: str, cut: bool = False) -> httpx.Response:
    chunks = [openai_chunk({"role": "assistant", "content": text}) for text in texts]
    ends = [] if cut else [openai_chunk({}, "stop"), event(b"[DONE]")]
    return streamed(*chunks, *ends)


async def told(model: str, second: httpx.Response) -> tuple[str, dict[str, Any]]:
    """What a caller hears when the first target breaks in the middle, and what the second was sent."""

    def answer(request: httpx.Request) -> httpx.Response:
        return answered("once", " upon ", cut=True) if request.url.host == "first.invalid" else second

    provider = FakeProvider(answer)
    common = {"provider": "p", "credential": f"env:{KEY_VARIABLE}", "capabilities": {"prefill": True}}
    config = {
        "providers": {"p": {}},
        "targets": {
            "first": {**common, "model": "openai/gpt", "api_base": "http://first.invalid/v1"},
            "second": {**common, "model": model, "api_base": "http://second.invalid/v1", "region": "eu"},
        },
        "routes": {"chat": {"chain": ["first", "second"], "policy": {"stream_recovery": "resume"}}},
        "lifecycle": {"sources": []},
    }
    router = Router.from_dict(config, adapter=LitellmAdapter(provider, ENVIRONMENT))
    messages = [{"role": "user", "content": "a tale"}]
    async with router:
        stream = await router.acompletion("chat", messages=messages, stream=True)
        chunks = [chunk async for chunk in stream]
    assert not any(hasattr(chunk, "failover") for chunk in chunks)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    return text, json.loads(provider.requests[-1].content)


async def test_the_next_target_goes_on_where_the_text_ended() -> None:
    text, sent = await told("openai/gpt-4", answered("a", " time"))
    assert text == "once upon a time"
    assert sent["messages"][-1] == {"role": "assistant", "content": "once upon"}


async def test_who_says_the_beginning_again_is_heard_once() -> None:
    text, sent = await told("mistral/mistral-large-2512", answered("once", " up", "on a time"))
    assert text == "once upon a time"
    assert sent["messages"][-1] == {"role": "assistant", "content": "once upon", "prefix": True}


@pytest.mark.parametrize(("address", "able"), [("", False), ("https://api.deepseek.com/beta", True)])
def test_deepseek_takes_a_prefill_only_at_its_beta_address(address: str, *, able: bool) -> None:
    target = {
        "provider": "p",
        "model": "deepseek/deepseek-chat",
        **({"api_base": address} if address else {}),
    }
    config = config_from_dict(
        {"providers": {"p": {}}, "targets": {"t": target}, "routes": {"chat": {"chain": ["t"]}}}
    )
    known = with_model_facts(config).targets["t"].capabilities
    assert (Capability.PREFILL in known.able) is able
