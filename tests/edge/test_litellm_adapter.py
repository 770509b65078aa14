"""The adapter over the real litellm: answers untouched, failures as the wire had them, no global moved."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from llmock.scenarios import Fail, StreamFault
from llmock.testing import LLMockServer

from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from failover.adapters.seam import Piece
from failover.adapters.transport import BrokenReplyError
from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Target, Usage
from failover.errors import CassetteError, ConfigError
from tests.edge.fake_wire import (
    ENVIRONMENT,
    STREAMS,
    Body,
    FakeProvider,
    event,
    openai_chunk,
    outbound,
    refusal,
    streamed,
    target,
    whole_answer,
)

_K = FailureKind
OPENAI, MISTRAL = "openai/gpt-5.6-luna", "mistral/mistral-large-2512"

# pydantic about litellm: the first once in a process, the second whenever a stream tells its usage.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]

# litellm counts tokens of a stream without usage; no tokenizer is to be looked for on a network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def server() -> Iterator[LLMockServer]:
    with LLMockServer() as running:
        yield running


async def pieces_of(adapter: LitellmAdapter, chosen: Target, **payload: Any) -> list[Piece]:
    return [piece async for piece in adapter.stream(outbound(chosen, **payload))]


async def failure_of(
    answer: httpx.Response | Exception, model: str = OPENAI, *, stream: bool = False
) -> Failure:
    """What the adapter makes of one answer."""
    provider = FakeProvider(lambda _: answer)
    adapter, chosen = LitellmAdapter(provider, ENVIRONMENT), target(model)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - litellm's class is what must not matter
        await (pieces_of(adapter, chosen) if stream else adapter.send(outbound(chosen)))
    await adapter.aclose()
    assert len(provider.requests) == 1, "an attempt is one send"
    return adapter.classify(chosen, raised.value)


@pytest.mark.parametrize(
    "model", [OPENAI, MISTRAL, "perplexity/sonar", "xai/grok-4.3", "deepseek/deepseek-chat"]
)
async def test_an_answer_is_litellms_own_object(model: str) -> None:
    adapter = LitellmAdapter(FakeProvider(lambda _: whole_answer("hi")), ENVIRONMENT)
    answer = await adapter.send(outbound(target(model)))
    assert type(answer.value).__name__ == "ModelResponse"
    assert answer.value.choices[0].message.content == "hi"
    assert answer.usage == Usage(tokens_in=3, tokens_out=2)


@pytest.mark.parametrize("model", STREAMS)
async def test_a_stream_comes_in_pieces_that_say_what_they_carry(model: str) -> None:
    adapter = LitellmAdapter(FakeProvider(lambda _: streamed(*STREAMS[model])), ENVIRONMENT)
    pieces = await pieces_of(adapter, target(model))
    assert "".join(piece.text for piece in pieces) == "hello"
    assert [piece.finish_reason for piece in pieces if piece.finish_reason] == ["stop"]
    assert pieces[0].has_token
    assert not any(piece.has_token for piece in pieces if piece.finish_reason and not piece.text)
    assert all(type(piece.value).__name__ == "ModelResponseStream" for piece in pieces)


async def test_a_tool_call_is_a_token() -> None:
    call = {"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    chunks = (openai_chunk({"role": "assistant", "tool_calls": [call]}), openai_chunk({}, "tool_calls"))
    adapter = LitellmAdapter(FakeProvider(lambda _: streamed(*chunks)), ENVIRONMENT)
    first, *_ = await pieces_of(adapter, target())
    assert (first.has_token, first.text) == (True, "")


async def test_reasoning_is_a_token() -> None:
    chunks = (openai_chunk({"role": "assistant", "reasoning_content": "hm"}), openai_chunk({}, "stop"))
    adapter = LitellmAdapter(FakeProvider(lambda _: streamed(*chunks)), ENVIRONMENT)
    first, *_ = await pieces_of(adapter, target("deepseek/deepseek-reasoner"))
    assert (first.has_token, first.text) == (True, "")


async def test_usage_is_asked_for_in_a_stream_and_told() -> None:
    usage = openai_chunk({}, None, usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
    provider = FakeProvider(lambda _: streamed(*STREAMS[OPENAI][:3], usage, event(b"[DONE]")))
    pieces = await pieces_of(LitellmAdapter(provider, ENVIRONMENT), target())
    assert b'"include_usage":true' in provider.requests[0].content.replace(b" ", b"")
    assert [piece.usage for piece in pieces if piece.usage] == [Usage(3, 2)]


async def test_the_callers_stream_options_stand() -> None:
    provider = FakeProvider(lambda _: streamed(*STREAMS[OPENAI]))
    adapter = LitellmAdapter(provider, ENVIRONMENT)
    await pieces_of(adapter, target(), stream_options={"include_usage": False})
    assert b'"include_usage":false' in provider.requests[0].content.replace(b" ", b"")


@pytest.mark.parametrize("model", STREAMS)
async def test_a_stream_that_ends_early_is_no_success(model: str) -> None:
    """litellm invents the finish reason `stop` here."""
    failure = await failure_of(streamed(*STREAMS[model][:2]), model, stream=True)
    assert (failure.kind, failure.status) == (_K.TRUNCATED_STREAM, 200)


@pytest.mark.parametrize("model", STREAMS)
async def test_a_stream_cut_by_the_network_is_truncated(model: str) -> None:
    cut = streamed(*STREAMS[model][:2], httpx.ReadError("reset"))
    assert (await failure_of(cut, model, stream=True)).kind is _K.TRUNCATED_STREAM


async def test_a_cut_stream_gives_its_pieces_and_no_invented_end() -> None:
    adapter = LitellmAdapter(FakeProvider(lambda _: streamed(*STREAMS[OPENAI][:2])), ENVIRONMENT)
    seen: list[Piece] = []

    async def read() -> None:
        async for piece in adapter.stream(outbound(target())):
            seen.append(piece)  # noqa: PERF401 - a comprehension would lose what came before the error

    with pytest.raises(BrokenReplyError, match="no complete answer"):
        await read()
    assert "".join(piece.text for piece in seen) == "hello"
    assert not any(piece.finish_reason for piece in seen)


@pytest.mark.parametrize("model", [OPENAI, MISTRAL])
async def test_a_stream_with_a_chunk_that_does_not_parse_is_truncated(model: str) -> None:
    """litellm's own handlers skip such a chunk, and the answer with it."""
    first, second, *rest = STREAMS[model]
    assert (
        await failure_of(streamed(first, b"data: {nope\n\n", second, *rest), model, stream=True)
    ).kind is _K.TRUNCATED_STREAM


@pytest.mark.parametrize("model", STREAMS)
async def test_nothing_is_handed_on_that_comes_after_a_chunk_that_does_not_parse(model: str) -> None:
    """A text with a hole in it must not be read on, nor resumed from its end."""
    first, *rest = STREAMS[model]
    holed = first, b'data: {"nope": 1\n\n', *rest
    adapter = LitellmAdapter(FakeProvider(lambda _: streamed(*holed)), ENVIRONMENT)
    whole = adapter.stream(outbound(target(model)))
    seen = []
    with pytest.raises(Exception) as raised:  # noqa: PT011, PT012 - litellm's class is what must not matter
        while True:
            seen.append((await anext(whole)).text)
    assert not isinstance(raised.value, StopAsyncIteration)
    assert "hello".startswith("".join(seen))
    assert "".join(seen) != "hello"


async def test_an_error_inside_a_stream_is_a_failure_with_its_code() -> None:
    broken = streamed(STREAMS[OPENAI][0], event({"error": {"message": "no", "type": "x", "code": "oops"}}))
    failure = await failure_of(broken, stream=True)
    assert failure.code == "oops"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, _K.UNAUTHORIZED), (429, _K.RATE_LIMITED), (503, _K.OVERLOADED), (500, _K.SERVER_ERROR)],
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", STREAMS)
async def test_a_refusal_is_classified_from_the_wire(
    model: str, status: int, kind: FailureKind, *, stream: bool
) -> None:
    failure = await failure_of(refusal(status, retry_after="7"), model, stream=stream)
    assert (failure.kind, failure.status) == (kind, status)
    if kind is _K.RATE_LIMITED:
        assert failure.retry_after_s == 7


@pytest.mark.parametrize("model", STREAMS)
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("refused"), _K.CONNECTION),
        (httpx.RemoteProtocolError("disconnected"), _K.CONNECTION),
        (httpx.ConnectTimeout("slow"), _K.TIMEOUT),
    ],
)
async def test_a_connection_error_is_no_server_error(model: str, error: Exception, kind: FailureKind) -> None:
    """litellm makes a 500 of it, and its handlers would send a second time."""
    assert (await failure_of(error, model)).kind is kind


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>gateway</html>", headers={"content-type": "text/html"}),
        httpx.Response(200, text="{not json", headers={"content-type": "application/json"}),
        whole_answer(choices=[]),
    ],
    ids=["html", "no json", "no choices"],
)
@pytest.mark.parametrize("model", [OPENAI, MISTRAL])
async def test_a_200_that_is_no_answer_is_malformed(model: str, answer: httpx.Response) -> None:
    assert (await failure_of(answer, model)).kind is _K.MALFORMED_REPLY


async def test_cancelling_closes_the_connection() -> None:
    reached, body = asyncio.Event(), Body([])

    class Silent(Body):
        async def __aiter__(self) -> Any:
            yield STREAMS[OPENAI][0]
            reached.set()
            await asyncio.get_running_loop().create_future()

        async def aclose(self) -> None:
            await body.aclose()

    silent = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Silent([]))
    adapter = LitellmAdapter(FakeProvider(lambda _: silent), ENVIRONMENT)
    task = asyncio.create_task(pieces_of(adapter, target()))
    async with asyncio.timeout(30):
        await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    assert body.closed
    assert adapter.classify(target(), raised.value).kind is _K.CANCELLED


async def test_a_credential_that_is_not_set_is_named_and_nothing_is_sent() -> None:
    provider = FakeProvider(lambda _: whole_answer())
    adapter, chosen = LitellmAdapter(provider, {"OTHER": "value"}), target(credential="ABSENT_KEY")
    with pytest.raises(ConfigError, match="ABSENT_KEY is not set") as raised:
        await adapter.send(outbound(chosen))
    assert "value" not in str(raised.value)
    assert adapter.classify(chosen, raised.value).kind is _K.LOCAL
    assert not provider.requests


async def test_the_credential_of_the_moment_is_sent() -> None:
    provider, environment = FakeProvider(lambda _: whole_answer()), {"ROTATED": "first"}
    adapter, chosen = LitellmAdapter(provider, environment), target(credential="ROTATED")
    for value in ("first", "second"):
        environment["ROTATED"] = value
        await adapter.send(outbound(chosen))
    sent = [request.headers["authorization"] for request in provider.requests]
    assert sent == ["Bearer first", "Bearer second"]


async def test_an_error_of_ours_beneath_litellm_comes_up_as_it_is() -> None:
    miss = CassetteError("nothing is recorded")
    for stream in (False, True):
        adapter = LitellmAdapter(FakeProvider(lambda _: miss), ENVIRONMENT)
        with pytest.raises(CassetteError) as raised:
            await (pieces_of(adapter, target()) if stream else adapter.send(outbound(target())))
        assert raised.value is miss


async def test_another_operation_is_refused() -> None:
    adapter, chosen = LitellmAdapter(FakeProvider(lambda _: whole_answer())), target()
    asked = outbound(chosen)
    with pytest.raises(ConfigError, match="call"):
        await adapter.send(type(asked)(chosen, "call", {}, asked.limits))


async def test_classify_is_total() -> None:
    adapter = LitellmAdapter(FakeProvider(lambda _: whole_answer()))
    for error in (KeyError("x"), TimeoutError(), asyncio.CancelledError(), BaseException()):
        assert isinstance(adapter.classify(target(), error), Failure)


async def test_calls_reuse_their_connection(server: LLMockServer) -> None:
    """Whole and streamed: the OpenAI SDK stops reading before the end of a stream."""
    opened: list[str] = []

    class Traced(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            async def trace(name: str, _: Mapping[str, Any]) -> None:
                if name == "connection.connect_tcp.complete":
                    opened.append(name)

            request.extensions = {**request.extensions, "trace": trace}
            return await super().handle_async_request(request)

    adapter = LitellmAdapter(Traced(), ENVIRONMENT)
    for model, address in ((OPENAI, server.base_url("openai")), (MISTRAL, server.base_url("mistral"))):
        for _ in range(2):
            await adapter.send(outbound(target(model, api_base=address)))
            await pieces_of(adapter, target(model, api_base=address))
    await adapter.aclose()
    assert len(opened) == 1


async def test_over_real_sockets_faults_are_what_they_are(server: LLMockServer) -> None:
    adapter, chosen = (
        LitellmAdapter(environment=ENVIRONMENT),
        target(OPENAI, api_base=server.base_url("openai")),
    )
    faults = {
        Fail(429, retry_after=3): _K.RATE_LIMITED,
        StreamFault("disconnect", after_chunks=2): _K.TRUNCATED_STREAM,
        StreamFault("truncate", after_chunks=2): _K.TRUNCATED_STREAM,
        StreamFault("malformed", after_chunks=2): _K.TRUNCATED_STREAM,
    }
    for fault, kind in faults.items():
        server.state.scenarios.add(fault)
        with pytest.raises(Exception) as raised:  # noqa: PT011 - litellm's class is what must not matter
            await pieces_of(adapter, chosen)
        assert adapter.classify(chosen, raised.value).kind is kind, fault
    await adapter.aclose()


def test_an_adapter_works_on_one_loop_after_another(server: LLMockServer) -> None:
    adapter = LitellmAdapter(environment=ENVIRONMENT)
    chosen = target(OPENAI, api_base=server.base_url("openai"))

    async def once() -> str:
        answer = await adapter.send(outbound(chosen))
        await adapter.aclose()
        return str(answer.value.choices[0].message.content)

    assert asyncio.run(once()) == asyncio.run(once())


def globals_of(litellm: Any) -> dict[str, Any]:
    """Every simple value and every container's content of litellm's module."""
    found: dict[str, Any] = {}
    for name, value in vars(litellm).items():
        if isinstance(value, str | int | float | bool | None):
            found[name] = value
        elif isinstance(value, list | set | frozenset | tuple):
            found[name] = [repr(item) for item in value]
    found["model_cost"] = hashlib.sha256(repr(sorted(litellm.model_cost.items())).encode()).hexdigest()
    found["clients"] = sorted(litellm.in_memory_llm_clients_cache.cache_dict)
    return found


async def test_ten_adapters_later_no_global_of_litellm_has_moved() -> None:
    litellm = load_litellm()
    # litellm makes a client of its own at its first stream, whoever reads it, and never uses it.
    assert litellm.module_level_aclient is not None
    before, environment = globals_of(litellm), dict(os.environ)
    for _ in range(10):
        for model, stream in STREAMS.items():
            answers = [streamed(*stream), streamed(*stream[:2]), refusal(500), httpx.ConnectError("refused")]
            adapter = LitellmAdapter(FakeProvider(lambda _, left=answers: left.pop(0)), ENVIRONMENT)
            while answers:
                try:
                    await pieces_of(adapter, target(model))
                except Exception as error:  # noqa: BLE001 - failures are part of the use
                    adapter.classify(target(model), error)
            await adapter.aclose()
    assert globals_of(litellm) == before
    assert dict(os.environ) == environment


def test_litellm_is_imported_at_first_use_and_the_environment_restored() -> None:
    script = (
        "import os, sys\n"
        "from failover.adapters.litellm import LitellmAdapter\n"
        "from failover.adapters.loading import load_litellm\n"
        "LitellmAdapter()\n"
        "assert 'litellm' not in sys.modules\n"
        "before = dict(os.environ)\n"
        "load_litellm()\n"
        "assert 'litellm' in sys.modules\n"
        "assert dict(os.environ) == before, set(os.environ) ^ set(before)\n"
    )
    environment = {
        name: value for name, value in os.environ.items() if name != "LITELLM_LOCAL_MODEL_COST_MAP"
    }
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
