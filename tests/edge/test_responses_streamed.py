"""Streamed responses over the real litellm: the events untouched, and every rule of a streamed chat."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseTextDeltaEvent,
)

from failover import Router, StreamInterruptedError
from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from failover.adapters.response_events import RESTART
from failover.adapters.seam import Outbound, Piece
from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Usage
from failover.openai_shape import Client
from tests.edge.fake_wire import (
    ENVIRONMENT,
    KEY_VARIABLE,
    LIMITS,
    RESPONSE_BEGUN,
    RESPONSE_STREAM,
    RESPONSE_STREAMS,
    Body,
    FakeProvider,
    call_events,
    call_item,
    message_item,
    openai_chunk,
    refusal,
    response,
    response_end,
    response_event,
    streamed,
    target,
    text_delta,
)

_K = FailureKind
OPENAI, MISTRAL = "openai/gpt-5.6-luna", "mistral/mistral-large-2512"
TOOLS = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]

# pydantic's, on litellm's own types and litellm's own use of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*ReadOnly:UserWarning"),
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
]

# litellm counts tokens of a stream without usage; no tokenizer is to be looked for on a network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """litellm in a service that silenced its hint on standard output."""
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)


def outbound(model: str = OPENAI, **payload: Any) -> Outbound:
    return Outbound(target(model), "responses", {"input": "hello", **payload}, LIMITS)


async def pieces_of(
    answer: httpx.Response, model: str = OPENAI, **payload: Any
) -> tuple[list[Piece], Failure | None]:
    """What the adapter makes of one answer, and what broke it."""
    provider, pieces, failure = FakeProvider(lambda _: answer), [], None
    adapter, sent = LitellmAdapter(provider, ENVIRONMENT), outbound(model, **payload)
    try:
        async for piece in adapter.stream(sent):
            pieces.append(piece)  # noqa: PERF401  # those before a failure count
    except Exception as error:  # noqa: BLE001  # litellm's class is what must not matter
        failure = adapter.classify(sent.target, error)
    await adapter.aclose()
    assert len(provider.requests) == 1, "an attempt is one send"
    return pieces, failure


def kinds(pieces: list[Piece]) -> list[str]:
    return [str(getattr(piece.value.type, "value", piece.value.type)) for piece in pieces]


# What the pieces say


@pytest.mark.parametrize("model", RESPONSE_STREAMS)
async def test_a_streamed_response_comes_in_pieces_that_say_what_they_carry(model: str) -> None:
    pieces, failure = await pieces_of(streamed(*RESPONSE_STREAMS[model]), model)
    assert failure is None
    assert "".join(piece.text for piece in pieces) == "hello"
    assert kinds(pieces)[0] == "response.created"
    assert kinds(pieces)[-1] == "response.completed"
    assert [piece.finish_reason for piece in pieces if piece.finish_reason] == ["completed"]
    assert all(bool(piece.text) == piece.has_token for piece in pieces)


async def test_the_usage_stands_in_the_last_event() -> None:
    pieces, _ = await pieces_of(streamed(*RESPONSE_STREAM))
    assert [piece.usage for piece in pieces if piece.usage] == [Usage(3, 2)]


async def test_what_the_headers_say_is_left_comes_with_the_first_event() -> None:
    left = {"x_ratelimit_remaining_requests": "7", "x_ratelimit_limit_requests": "10"}
    headers = {name.replace("_", "-"): value for name, value in left.items()}
    pieces, _ = await pieces_of(streamed(*RESPONSE_STREAM, **headers))
    assert [piece.headroom is not None for piece in pieces] == [True] + [False] * (len(pieces) - 1)


@pytest.mark.parametrize("kind", ["reasoning_summary_text", "reasoning_text", "refusal"])
async def test_what_is_no_text_is_a_token_all_the_same(kind: str) -> None:
    where = {"item_id": "x", "output_index": 0, "content_index": 0, "summary_index": 0}
    delta = response_event(f"response.{kind}.delta", **where, delta="hm", sequence_number=2)
    pieces, _ = await pieces_of(streamed(*RESPONSE_BEGUN, delta, response_end(message_item("hi"))))
    assert [(piece.has_token, piece.text) for piece in pieces][2] == (True, "")


@pytest.mark.parametrize("model", [OPENAI, MISTRAL])
async def test_a_tool_call_is_a_token_and_every_part_of_it_is_told_as_one(model: str) -> None:
    chat = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    wire = {
        OPENAI: (*RESPONSE_BEGUN, *call_events(), response_end(call_item())),
        MISTRAL: (
            openai_chunk({"role": "assistant", "tool_calls": [chat]}),
            openai_chunk({}, "tool_calls"),
        ),
    }
    pieces, failure = await pieces_of(streamed(*wire[model]), model, tools=TOOLS)
    assert failure is None
    assert next(piece.has_token for piece in pieces if piece.tool_call)
    told = {name for name, piece in zip(kinds(pieces), pieces, strict=True) if piece.tool_call}
    assert told >= {
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.output_item.done",
    }
    assert not any(piece.doubts for piece in pieces)


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [("f", "{", "tool_call_unparsable"), ("g", "{}", "tool_not_offered")],
)
async def test_an_unsound_tool_call_is_doubted_at_the_end(name: str, arguments: str, code: str) -> None:
    end = response_end(call_item(name, arguments))
    wire = streamed(*RESPONSE_BEGUN, *call_events(name, arguments), end)
    pieces, _ = await pieces_of(wire, tools=TOOLS)
    assert [[doubt.code for doubt in piece.doubts] for piece in pieces if piece.doubts] == [[code]]


async def test_an_unsound_tool_call_in_a_whole_response_is_doubted_too() -> None:
    answer = httpx.Response(200, json=response("completed", call_item("f", "{")))
    adapter = LitellmAdapter(FakeProvider(lambda _: answer), ENVIRONMENT)
    doubts = (await adapter.send(outbound(tools=TOOLS))).doubts
    assert [doubt.code for doubt in doubts] == ["tool_call_unparsable"]


async def test_another_model_than_asked_is_doubted_at_the_beginning() -> None:
    adapter = LitellmAdapter(FakeProvider(lambda _: streamed(*RESPONSE_STREAM)), ENVIRONMENT)
    asked = Outbound(target("openai/gpt-5.6-terra", api_base=""), "responses", {"input": "hello"}, LIMITS)
    first, *others = [piece async for piece in adapter.stream(asked)]
    assert [doubt.code for doubt in first.doubts] == ["gpt-5.6-luna"]
    assert not any(piece.doubts for piece in others)


async def test_a_model_that_cannot_stream_is_asked_for_the_whole() -> None:
    """litellm cuts the answer up by itself."""
    whole = httpx.Response(200, json=response("completed", message_item("hello")))
    pieces, failure = await pieces_of(whole, "openai/o1-pro")
    assert failure is None
    assert "".join(piece.text for piece in pieces) == "hello"
    assert pieces[-1].finish_reason == "completed"


# What is no success


@pytest.mark.parametrize("model", RESPONSE_STREAMS)
@pytest.mark.parametrize("error", [None, httpx.ReadError("reset")])
async def test_a_response_that_ends_early_is_no_success_and_gets_no_invented_end(
    model: str, error: Exception | None
) -> None:
    """litellm makes up `response.completed` where the stream is a chat's."""
    whole = RESPONSE_STREAMS[model]
    last = next(place for place, part in enumerate(whole) if b"llo" in part)
    parts = whole[: last + 1] if error is None else (*whole[: last + 1], error)
    pieces, failure = await pieces_of(streamed(*parts), model)
    assert failure is not None
    assert failure.kind is _K.TRUNCATED_STREAM
    assert not [kind for kind in kinds(pieces) if kind.endswith((".done", "completed"))]


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        ("failed", "server_error", _K.TRUNCATED_STREAM),
        ("failed", "rate_limit_exceeded", _K.RATE_LIMITED),
        ("cancelled", "", _K.TRUNCATED_STREAM),
    ],
)
async def test_a_response_that_fails_on_its_way_fails_as_it_says(
    status: str, error: str, kind: FailureKind
) -> None:
    last = response(status, error={"code": error, "message": "no"} if error else None)
    ended = response_event(f"response.{last['status']}", response=last, sequence_number=9)
    _, failure = await pieces_of(streamed(*RESPONSE_BEGUN, text_delta("he"), ended))
    assert failure is not None
    assert (failure.kind, failure.code) == (kind, error)


async def test_an_error_among_the_events_is_a_failure() -> None:
    error = response_event("error", code="rate_limit_exceeded", message="no", param=None, sequence_number=3)
    _, failure = await pieces_of(streamed(*RESPONSE_BEGUN, text_delta("he"), error))
    assert failure is not None
    assert failure.kind is _K.RATE_LIMITED


@pytest.mark.parametrize(
    ("reason", "kind"), [("max_output_tokens", None), ("content_filter", _K.CONTENT_FILTERED)]
)
async def test_an_incomplete_response_is_an_answer_unless_it_was_filtered(
    reason: str, kind: FailureKind | None
) -> None:
    end = response_end(message_item("he"), status="incomplete", incomplete_details={"reason": reason})
    pieces, failure = await pieces_of(streamed(*RESPONSE_BEGUN, text_delta("he"), end))
    assert (failure.kind if failure else None) is kind
    assert [piece.finish_reason for piece in pieces if piece.finish_reason] == (
        [] if kind else ["incomplete"]
    )


# By a router


Answers = Callable[[httpx.Request], httpx.Response | Exception]
BROKEN = (*RESPONSE_STREAM[:3], httpx.ReadError("reset"))


def routed(answer: Answers, **policy: Any) -> tuple[Router, FakeProvider]:
    """Two targets, `one` and `two`, each at an address of its own."""
    names, provider = ("one", "two"), FakeProvider(answer)
    prices = {"input_usd_per_mtok": 2, "output_usd_per_mtok": 10}
    config = {
        "providers": {
            name: {"credential": f"env:{KEY_VARIABLE}", "api_base": f"http://{name}.invalid/v1"}
            for name in names
        },
        "targets": {name: {"provider": name, "model": OPENAI, "prices": prices} for name in names},
        "routes": {"all": {"chain": list(names), "policy": policy}},
    }
    adapter = LitellmAdapter(provider, ENVIRONMENT)
    return Router.from_dict(config, adapter=adapter, rng=lambda: 0.0), provider


def by_host(one: Callable[[], httpx.Response], two: Callable[[], httpx.Response]) -> Answers:
    return lambda request: one() if request.url.host == "one.invalid" else two()


def text_of(events: list[Any]) -> str:
    return "".join(each.delta for each in events if each.type == "response.output_text.delta")


async def test_a_response_that_does_not_begin_is_rescued_unseen() -> None:
    router, _ = routed(by_host(lambda: refusal(503), lambda: streamed(*RESPONSE_STREAM)))
    async with router:
        stream = await router.aresponses("all", "hello", stream=True)
        assert text_of([event async for event in stream]) == "hello"
        assert (stream.failover.target, stream.failover.cost_usd) == ("two", 0.000026)


async def test_a_response_that_breaks_after_its_first_token_says_what_was_read() -> None:
    router, _ = routed(by_host(lambda: streamed(*BROKEN), lambda: streamed(*RESPONSE_STREAM)))
    async with router:
        stream = await router.aresponses("all", "hello", stream=True)
        with pytest.raises(StreamInterruptedError) as raised:
            _ = [event async for event in stream]
    assert raised.value.partial_text == "he"


@pytest.mark.parametrize("recovery", ["restart", "resume"])
async def test_a_broken_response_begins_anew_behind_a_mark_and_is_never_continued(recovery: str) -> None:
    answers = by_host(lambda: streamed(*BROKEN), lambda: streamed(*RESPONSE_STREAM))
    router, provider = routed(answers, stream_recovery=recovery)
    async with router:
        events = [event async for event in await router.aresponses("all", "hello", stream=True)]
    [mark] = [place for place, event in enumerate(events) if hasattr(event, "failover")]
    assert (events[mark].type, events[mark].failover.target) == (RESTART, "two")
    assert (text_of(events[:mark]), text_of(events[mark:])) == ("he", "hello")
    assert provider.requests[0].content == provider.requests[1].content


async def test_a_response_held_back_until_whole_is_rescued_whenever_it_breaks() -> None:
    router, _ = routed(by_host(lambda: streamed(*BROKEN), lambda: streamed(*RESPONSE_STREAM)))
    async with router:
        stream = await router.aresponses("all", "hello", stream=True, delivery="whole")
        assert text_of([event async for event in stream]) == "hello"


async def test_an_unsound_tool_call_is_never_seen() -> None:
    unsound = (*RESPONSE_BEGUN, *call_events("g"), response_end(call_item("g")))
    router, _ = routed(by_host(lambda: streamed(*unsound), lambda: streamed(*RESPONSE_STREAM)))
    async with router:
        events = [event async for event in await router.aresponses("all", "hello", stream=True, tools=TOOLS)]
    assert text_of(events) == "hello"
    assert not [event for event in events if "function_call" in event.type]


async def test_what_is_wanted_whole_may_be_streamed_to_us() -> None:
    answers = by_host(lambda: streamed(*BROKEN), lambda: streamed(*RESPONSE_STREAM))
    router, provider = routed(answers, stream_upstream=True)
    async with router:
        reply = await router.aresponses("all", "hello")
    assert type(reply).__name__ == "ResponsesAPIResponse"
    assert reply.output[0].content[0].text == "hello"
    assert reply.failover.target == "two"
    assert all(b'"stream":true' in request.content.replace(b" ", b"") for request in provider.requests)


async def test_a_stream_that_ends_with_no_answer_makes_no_reply() -> None:
    empty = (*RESPONSE_BEGUN, response_end())
    answers = by_host(lambda: streamed(*empty), lambda: streamed(*RESPONSE_STREAM))
    router, _ = routed(answers, stream_upstream=True)
    async with router:
        reply = await router.aresponses("all", "hello")
    assert [each.failure for each in reply.failover.attempts] == [_K.MALFORMED_REPLY, None]


def test_no_event_at_all_makes_no_reply() -> None:
    with pytest.raises(ValueError, match="make no response"):
        LitellmAdapter().assemble(outbound(), ())


@pytest.mark.parametrize("operation", ["embedding", "moderation"])
async def test_what_has_no_stream_is_not_streamed_to_us(operation: str) -> None:
    good = {
        "embedding": {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]},
        "moderation": {"id": "1", "model": "m", "results": [{"flagged": False, "categories": {}}]},
    }
    router, provider = routed(lambda _: httpx.Response(200, json=good[operation]), stream_upstream=True)
    async with router:
        await getattr(router, f"a{operation}")("all", "hello")
    assert b'"stream"' not in provider.requests[0].content


async def test_a_reader_who_leaves_closes_the_connection_and_blames_nobody() -> None:
    class Stalled(Body):
        async def __aiter__(self) -> Any:
            for part in RESPONSE_STREAM[:3]:
                yield part
            await asyncio.get_running_loop().create_future()

    body = Stalled([])
    headers = {"content-type": "text/event-stream"}
    router, _ = routed(lambda _: httpx.Response(200, headers=headers, stream=body))
    async with router:
        async with await router.aresponses("all", "hello", stream=True) as stream:
            assert (await anext(stream)).type == "response.created"
        seen = router.snapshot().targets["one"]
    assert body.closed
    assert (seen.in_flight, seen.breaker) == (0, "closed")


# Without an event loop, and in the shape of OpenAI's SDK


@pytest.mark.parametrize("name", ["respond", "responses"])
def test_threads_read_the_same_events(name: str) -> None:
    answers = by_host(lambda: streamed(*BROKEN), lambda: streamed(*RESPONSE_STREAM))
    router, _ = routed(answers, stream_recovery="restart")
    with router:
        events = list(getattr(router, name)("all", "hello", stream=True))
    assert [event.failover.event for event in events if hasattr(event, "failover")] == ["restart"]
    assert text_of(events) == "hehello"


async def test_the_sdks_shape_gives_the_sdks_own_events() -> None:
    wire = (*RESPONSE_STREAM[:3], *call_events(), response_end(message_item("he"), call_item()))
    router, _ = routed(lambda _: streamed(*wire))
    async with router:
        stream = await router.responses.create(model="all", input="hello", stream=True, tools=TOOLS)
        events = [event async for event in stream]
    [delta] = [event for event in events if isinstance(event, ResponseTextDeltaEvent)]
    assert (delta.delta, type(delta.type)) == ("he", str)
    assert [
        event.delta for event in events if isinstance(event, ResponseFunctionCallArgumentsDeltaEvent)
    ] == ["{}"]
    assert isinstance(events[-1], ResponseCompletedEvent)
    assert isinstance(events[-1].response, Response)
    assert events[-1].response.output_text == "he"
    assert stream.failover.target == "one"


@pytest.mark.parametrize("api", ["responses", "chat"])
async def test_a_mark_keeps_its_story_in_the_sdks_shape(api: str) -> None:
    wire = {"responses": RESPONSE_STREAM, "chat": RESPONSE_STREAMS[MISTRAL]}[api]
    broken = {"responses": BROKEN, "chat": (*wire[:1], httpx.ReadError("reset"))}[api]
    answers = by_host(lambda: streamed(*broken), lambda: streamed(*wire))
    router, _ = routed(answers, stream_recovery="restart")
    async with router:
        if api == "responses":
            stream = await router.responses.create(model="all", input="hello", stream=True)
        else:
            asked = [{"role": "user", "content": "hello"}]
            stream = await router.chat.completions.create(model="all", messages=asked, stream=True)
        marks = [each.failover for each in [each async for each in stream] if hasattr(each, "failover")]
    assert [(mark.event, mark.target) for mark in marks] == [("restart", "two")]


def test_the_sync_shape_streams_responses_too() -> None:
    router, _ = routed(lambda _: streamed(*RESPONSE_STREAM))
    with router, Client(router).responses.create(model="all", input="hello", stream=True) as stream:
        assert text_of(list(stream)) == "hello"
