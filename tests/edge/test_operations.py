"""The operations beside chat, over the real litellm: one request per attempt, failures from the wire."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from llmock.scenarios import Fail
from llmock.testing import LLMockServer

from failover import AllTargetsFailedError, RequestRejectedError, Router
from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from failover.adapters.operations import METHODS, UnsupportedOperationError
from failover.adapters.seam import Outbound
from failover.adapters.usage import usage_of
from failover.core.failures import FailureKind
from failover.core.vocabulary import Operation, Reason, Usage
from failover.tokens import tokens_in
from tests.edge.fake_wire import (
    ENVIRONMENT,
    KEY_VARIABLE,
    LIMITS,
    Body,
    FakeProvider,
    refusal,
    target,
    whole_answer,
)

_K = FailureKind

# pydantic's, on litellm's own types and litellm's own use of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*ReadOnly:UserWarning"),
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
]

# No tokenizer is to be looked for on a network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

ASKED: dict[str, dict[str, Any]] = {
    "embedding": {"input": "hello"},
    "responses": {"input": "hello"},
    "image_generation": {"prompt": "a cat"},
    "moderation": {"input": "hello"},
    "transcription": {"file": ("a.wav", b"RIFF")},
    "speech": {"input": "hello", "voice": "alloy"},
    "rerank": {"query": "hello", "documents": ["one", "two"]},
}
VECTOR = {"object": "embedding", "index": 0, "embedding": [0.25, 0.5]}
SAID = {"type": "output_text", "text": "hi", "annotations": []}
MESSAGE = {"type": "message", "id": "1", "role": "assistant", "status": "completed", "content": [SAID]}
RESPONSE = {
    "id": "r",
    "model": "m",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "output": [MESSAGE],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "error": None,
    "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
}
GOOD: dict[str, dict[str, Any]] = {
    "embedding": {"object": "list", "data": [VECTOR], "usage": {"prompt_tokens": 3, "total_tokens": 3}},
    "responses": RESPONSE,
    "image_generation": {"created": 1, "data": [{"url": "http://provider.invalid/cat.png"}]},
    "moderation": {"id": "1", "model": "m", "results": [{"flagged": False, "categories": {}}]},
    "transcription": {"text": "hello"},
    "rerank": {"id": "1", "results": [{"index": 1, "relevance_score": 0.75}]},
}
EMPTY: dict[str, dict[str, Any]] = {
    "embedding": {**GOOD["embedding"], "data": []},
    "responses": {**RESPONSE, "output": []},
    "image_generation": {"created": 1, "data": []},
    "moderation": {"id": "1", "model": "m", "results": []},
    "rerank": {"id": "1", "results": []},
}
SPACE = {"model": "text-embedding-3-small"}
SOUND = {"content-type": "audio/mpeg"}
PROVIDERS = {"rerank": ("cohere", "jina_ai")}
OPERATIONS = sorted(ASKED)


def good(operation: str) -> httpx.Response:
    """A complete answer in OpenAI's shape, or Cohere's."""
    if operation == "speech":
        return httpx.Response(200, content=b"sound", headers=SOUND)
    return httpx.Response(200, json=GOOD[operation])


def providers(operation: str) -> tuple[str, str]:
    return PROVIDERS.get(operation, ("openai", "openai"))


def adapter_and(
    answer: Callable[[httpx.Request], httpx.Response | Exception],
) -> tuple[LitellmAdapter, FakeProvider]:
    provider = FakeProvider(answer)
    return LitellmAdapter(provider, ENVIRONMENT), provider


def outbound(operation: str, provider: str | None = None, **payload: Any) -> Outbound:
    chosen = target(f"{provider or providers(operation)[0]}/m")
    return Outbound(chosen, operation, {**ASKED[operation], **payload}, LIMITS)


def config(operation: str, *, models: tuple[str, ...] = ("m", "m"), **policy: Any) -> dict[str, Any]:
    """Two targets, each at an address of its own: `one` and `two`."""
    names = ("one", "two")
    return {
        "providers": {
            name: {"credential": f"env:{KEY_VARIABLE}", "api_base": f"http://{name}.invalid/v1"}
            for name in names
        },
        "targets": {
            name: {
                "provider": name,
                "model": f"{prefix}/{model}",
                "prices": {"input_usd_per_mtok": 2, "output_usd_per_mtok": 10},
            }
            for name, prefix, model in zip(names, providers(operation), models, strict=True)
        },
        "routes": {"all": {"chain": list(names), "policy": policy}},
    }


def routed(
    operation: str, answer: Callable[[httpx.Request], httpx.Response | Exception], **policy: Any
) -> tuple[Router, FakeProvider]:
    adapter, provider = adapter_and(answer)
    return Router.from_dict(config(operation, **policy), adapter=adapter, rng=lambda: 0.0), provider


async def asked(router: Router, operation: str, **more: Any) -> Any:
    return await getattr(router, f"a{operation}")("all", **{**ASKED[operation], **more})


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """litellm in a service that silenced its hint on standard output."""
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_second_target_answers_for_the_first(operation: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return refusal(503) if request.url.host == "one.invalid" else good(operation)

    router, provider = routed(operation, answer)
    async with router:
        reply = await asked(router, operation)
    assert [request.url.host for request in provider.requests] == ["one.invalid", "two.invalid"]
    assert [(each.target, each.failure, each.status) for each in reply.failover.attempts] == [
        ("one", "overloaded", 503),
        ("two", None, None),
    ]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_reply_is_litellms_own(operation: str) -> None:
    kinds = {
        "embedding": "EmbeddingResponse",
        "responses": "ResponsesAPIResponse",
        "image_generation": "ImageResponse",
        "moderation": "OpenAIModerationResponse",
        "transcription": "TranscriptionResponse",
        "speech": "HttpxBinaryResponseContent",
        "rerank": "RerankResponse",
    }
    router, _ = routed(operation, lambda _: good(operation))
    async with router:
        reply = await asked(router, operation)
    assert type(reply).__name__ == kinds[operation]
    assert reply.failover.target == "one"
    assert not hasattr(reply, "model_dump") or "failover" not in reply.model_dump()
    if operation == "speech":
        assert reply.content == b"sound"
    if operation == "embedding":
        assert reply.data[0]["embedding"] == [0.25, 0.5]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda: refusal(503, retry_after="7"), _K.OVERLOADED),
        (lambda: refusal(500), _K.SERVER_ERROR),
        (lambda: refusal(429, retry_after="7"), _K.RATE_LIMITED),
        (lambda: refusal(401), _K.UNAUTHORIZED),
        (lambda: httpx.ConnectError("refused"), _K.CONNECTION),
        (lambda: httpx.ConnectTimeout("slow"), _K.TIMEOUT),
    ],
    ids=["503", "500", "429", "401", "refused", "slow"],
)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_attempt_is_one_request_and_its_failure_what_the_wire_had(
    operation: str, answer: Callable[[], Any], kind: FailureKind
) -> None:
    """litellm would let OpenAI's SDK send embeddings and pictures three times."""
    adapter, provider = adapter_and(lambda _: answer())
    one = outbound(operation)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - litellm's class is what must not matter
        await adapter.send(one)
    assert adapter.classify(one.target, raised.value).kind is kind
    assert len(provider.requests) == 1


async def test_one_request_also_after_another_operation_on_the_same_client() -> None:
    adapter, provider = adapter_and(lambda _: refusal(500))
    for turn, operation in enumerate(("embedding", "image_generation", "moderation", "speech"), 1):
        with pytest.raises(Exception):  # noqa: B017, PT011 - litellm raises what it likes
            await adapter.send(outbound(operation))
        assert len(provider.requests) == turn


MEASURED = [(operation, provider) for operation, method in METHODS.items() for provider in method.styles]


@pytest.mark.parametrize(("operation", "provider"), MEASURED)
async def test_every_listed_provider_is_asked_through_the_client_of_ours(
    operation: str, provider: str
) -> None:
    adapter, wire = adapter_and(lambda _: refusal(503))
    one = outbound(operation, provider)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - litellm's class is what must not matter
        await adapter.send(one)
    assert adapter.classify(one.target, raised.value).status == 503
    assert len(wire.requests) == 1


@pytest.mark.parametrize("operation", sorted(EMPTY))
async def test_a_200_without_an_answer_is_malformed(operation: str) -> None:
    adapter, _ = adapter_and(lambda _: httpx.Response(200, json=EMPTY[operation]))
    one = outbound(operation)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - litellm's class is what must not matter
        await adapter.send(one)
    failure = adapter.classify(one.target, raised.value)
    assert (failure.kind, failure.status) == (_K.MALFORMED_REPLY, 200)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_200_that_is_a_web_page_is_malformed(operation: str) -> None:
    page = {"content-type": "text/html"}
    adapter, _ = adapter_and(lambda _: httpx.Response(200, text="<html>gateway</html>", headers=page))
    one = outbound(operation)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - litellm's class is what must not matter
        await adapter.send(one)
    assert adapter.classify(one.target, raised.value).kind is _K.MALFORMED_REPLY


async def test_a_response_that_failed_is_a_failure() -> None:
    failed = {
        **RESPONSE,
        "status": "failed",
        "error": {"code": "server_error", "message": "no"},
        "output": [],
    }
    adapter, _ = adapter_and(lambda _: httpx.Response(200, json=failed))
    one = outbound("responses")
    with pytest.raises(Exception) as raised:  # noqa: PT011 - litellm's class is what must not matter
        await adapter.send(one)
    assert adapter.classify(one.target, raised.value).kind is _K.SERVER_ERROR


async def test_a_response_still_under_way_in_the_background_is_an_answer() -> None:
    queued = {**RESPONSE, "status": "queued", "output": [], "usage": None}
    adapter, _ = adapter_and(lambda _: httpx.Response(200, json=queued))
    assert (await adapter.send(outbound("responses", background=True))).value.status == "queued"


async def test_a_recording_of_silence_is_an_answer() -> None:
    adapter, _ = adapter_and(lambda _: httpx.Response(200, json={"text": ""}))
    assert (await adapter.send(outbound("transcription"))).value.text == ""


@pytest.mark.parametrize(
    ("operation", "usage", "cost_usd"),
    [
        ("embedding", Usage(3, 0), 0.000006),
        ("responses", Usage(3, 2), 0.000026),
        ("image_generation", None, None),
        ("rerank", None, None),
    ],
)
async def test_what_was_used_is_charged_and_what_nobody_told_is_not_called_free(
    operation: str, usage: Usage | None, cost_usd: float | None
) -> None:
    router, _ = routed(operation, lambda _: good(operation))
    async with router:
        reply = await asked(router, operation)
    assert reply.failover.cost_usd == cost_usd
    adapter, _ = adapter_and(lambda _: good(operation))
    assert (await adapter.send(outbound(operation))).usage == usage


def test_a_usage_made_of_zeros_is_none() -> None:
    assert usage_of(type("Usage", (), {"prompt_tokens": 0, "completion_tokens": None})()) is None


async def test_the_callers_arguments_go_through_as_they_are() -> None:
    adapter, provider = adapter_and(lambda _: good("embedding"))
    one = outbound("embedding", input=["a", "b"], dimensions=2, user="someone")
    await adapter.send(replace(one, target=target("openai/text-embedding-3-small")))
    sent = json.loads(provider.requests[0].content)
    assert sent.pop("encoding_format", "float") in ("float", "base64")
    assert sent == {**SPACE, "input": ["a", "b"], "dimensions": 2, "user": "someone"}


async def test_chat_models_answer_responses_too() -> None:
    adapter, provider = adapter_and(lambda _: whole_answer("hi"))
    answer = await adapter.send(outbound("responses", "mistral"))
    assert (answer.value.output[0].content[0].text, answer.usage) == ("hi", Usage(3, 2))
    assert provider.requests[0].url.path.endswith("/chat/completions")


async def test_what_litellm_cannot_do_for_a_provider_is_asked_of_the_next() -> None:
    """litellm itself makes an empty picture of such a request, and asks nobody."""
    source = config("image_generation")
    source["targets"]["one"]["model"] = "anthropic/m"
    adapter, provider = adapter_and(lambda _: good("image_generation"))
    async with Router.from_dict(source, adapter=adapter) as router:
        reply = await asked(router, "image_generation")
    assert [request.url.host for request in provider.requests] == ["two.invalid"]
    assert [each.failure for each in reply.failover.attempts] == ["unsupported_parameter", None]


async def test_when_nobody_can_do_it_the_error_says_so() -> None:
    source = config("rerank")
    for each in source["targets"].values():
        each["model"] = "anthropic/m"
    adapter, provider = adapter_and(lambda _: good("rerank"))
    async with Router.from_dict(source, adapter=adapter) as router:
        with pytest.raises(AllTargetsFailedError, match="one: unsupported_parameter rerank") as raised:
            await asked(router, "rerank")
    assert isinstance(raised.value.__cause__, UnsupportedOperationError)
    assert "rerank is not sent to 'anthropic'; it is to cohere" in str(raised.value.__cause__)
    assert provider.requests == []


async def test_an_embedding_does_not_leave_its_vector_space() -> None:
    router, provider = routed("embedding", lambda _: refusal(503), models=("small", "large"), attempts=2)
    async with router:
        with pytest.raises(AllTargetsFailedError) as raised:
            await asked(router, "embedding")
    assert [request.url.host for request in provider.requests] == ["one.invalid", "one.invalid"]
    told = [(each.target.name, each.reason) for each in raised.value.passed_over]
    assert told == [("two", Reason.OTHER_VECTOR_SPACE)]


async def test_a_decision_can_be_asked_for_an_operation() -> None:
    router, _ = routed("embedding", lambda _: good("embedding"), models=("small", "large"))
    async with router:
        assert [each.name for each in router.decide("all").order] == ["one", "two"]
        made = router.decide("all", operation="embedding", input="hello")
        assert [each.name for each in made.order] == ["one"]
        with pytest.raises(ValueError, match="telepathy"):
            router.decide("all", operation="telepathy")


async def test_a_request_at_fault_is_taken_to_nobody_else() -> None:
    router, provider = routed("moderation", lambda _: refusal(400))
    async with router:
        with pytest.raises(RequestRejectedError):
            await asked(router, "moderation")
    assert len(provider.requests) == 1


@pytest.mark.parametrize("wrapped", [False, True])
async def test_an_open_file_reaches_the_second_target_whole(*, wrapped: bool) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return refusal(503) if request.url.host == "one.invalid" else good("transcription")

    router, provider = routed("transcription", answer)
    file = io.BytesIO(b"RIFF and so on")
    async with router:
        await asked(router, "transcription", file=("a.wav", file) if wrapped else file)
    assert all(b"RIFF and so on" in request.content for request in provider.requests)
    assert len(provider.requests) == 2


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_cancelling_closes_the_connection_and_blames_nobody(operation: str) -> None:
    reached = asyncio.Event()

    class Silent(Body):
        async def __aiter__(self) -> Any:
            reached.set()
            await asyncio.get_running_loop().create_future()
            yield b""

    body = Silent([])
    router, _ = routed(operation, lambda _: httpx.Response(200, stream=body))
    async with router:
        task = asyncio.create_task(asked(router, operation))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        seen = router.snapshot().targets["one"]
    assert body.closed
    assert (seen.in_flight, seen.breaker) == (0, "closed")


def globals_of(litellm: Any) -> dict[str, Any]:
    """Every simple value and every collection of litellm's module, and the clients that it keeps."""
    kinds = (str, int, float, bool, list, dict, set, tuple, type(None))
    found = {name: repr(value) for name, value in vars(litellm).items() if isinstance(value, kinds)}
    return {**found, "clients": sorted(litellm.in_memory_llm_clients_cache.cache_dict)}


async def use_all() -> None:
    for operation in OPERATIONS:
        for answer in (good(operation), refusal(503), httpx.ConnectError("refused")):
            adapter, _ = adapter_and(lambda _, answer=answer: answer)
            one = outbound(operation)
            try:
                await adapter.send(one)
            except Exception as error:  # noqa: BLE001 - failures are part of the use
                adapter.classify(one.target, error)
            await adapter.aclose()


async def test_no_global_of_litellm_moves() -> None:
    litellm = load_litellm()
    await use_all()  # what litellm sets up for itself at its first call
    before, environment = globals_of(litellm), dict(os.environ)
    await use_all()
    assert globals_of(litellm) == before
    assert dict(os.environ) == environment


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[LLMockServer, LLMockServer]]:
    with LLMockServer() as first, LLMockServer() as second:
        yield first, second


@pytest.mark.parametrize("operation", ["embedding", "image_generation"])
async def test_over_real_sockets_the_second_server_answers_for_the_first(both: Any, operation: str) -> None:
    source = config(operation)
    for server, provider in zip(both, source["providers"].values(), strict=True):
        provider["api_base"] = server.base_url("openai")
    both[0].state.scenarios.add(Fail(503))
    async with Router.from_dict(source, adapter=LitellmAdapter(environment=ENVIRONMENT)) as router:
        reply = await asked(router, operation)
    assert reply.data
    assert (reply.failover.target, len(reply.failover.attempts)) == ("two", 2)


def test_every_operation_has_a_method_and_a_place_on_the_router() -> None:
    assert set(METHODS) == set(Operation) - {Operation.CALL}
    assert all(hasattr(Router, f"a{operation}") for operation in METHODS)


@pytest.mark.parametrize(
    ("payload", "tokens"),
    [
        ({"input": "x" * 40}, 10),
        ({"input": ["x" * 20, "x" * 20]}, 10),
        ({"input": [1, 2, 3]}, 3),
        ({"input": [[1, 2], [3]]}, 3),
        ({"prompt": "x" * 8}, 2),
        ({"query": "xxxx", "documents": ["xxxx", {"text": "xxxx"}]}, 3),
    ],
)
def test_what_is_asked_is_estimated(payload: dict[str, Any], tokens: int) -> None:
    assert tokens_in(payload) == tokens
