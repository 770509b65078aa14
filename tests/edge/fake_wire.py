"""A provider made of bytes: what the tests put beneath the real litellm instead of a network."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx

from failover.adapters.seam import Outbound
from failover.core.messages import Limits
from failover.core.vocabulary import Target

LIMITS = Limits(connect_s=5.0, first_token_s=20.0, idle_s=20.0, total_s=30.0)
KEY_VARIABLE = "FAKE_KEY"
ENVIRONMENT = {KEY_VARIABLE: "made-up-for-a-test"}
STREAM = {"content-type": "text/event-stream"}


class Body(httpx.AsyncByteStream):
    """A body in parts; a part that is an exception is raised. `closed` counts the closings, `finished`
    says that it was read to its end.
    """

    def __init__(self, parts: Iterable[bytes | Exception]) -> None:
        self._parts = list(parts)
        self.closed = 0
        self.finished = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
            yield part
        self.finished = True

    async def aclose(self) -> None:
        self.closed += 1


class FakeProvider(httpx.AsyncBaseTransport):
    """Answers each request with what `answer` makes of it, or raises it; keeps the requests."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response | Exception]) -> None:
        self._answer = answer
        self.requests: list[httpx.Request] = []
        self.shut = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        answer = self._answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        self.shut = True


def target(model: str = "openai/gpt-5.6-luna", credential: str = KEY_VARIABLE, **more: Any) -> Target:
    """A target at an address that does not exist."""
    address = {"api_base": "http://provider.invalid/v1", **more}
    return Target("chosen", model.partition("/")[0], model, credential=credential, **address)


def outbound(chosen: Target, **payload: Any) -> Outbound:
    """One send of a short message."""
    return Outbound(
        chosen, "completion", {"messages": [{"role": "user", "content": "hello"}], **payload}, LIMITS
    )


def refusal(status: int, message: str = "no", **headers: str) -> httpx.Response:
    """An error in OpenAI's shape."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(
        status, headers=names, json={"error": {"message": message, "type": "x", "code": None}}
    )


def whole_answer(text: str = "hi", **changes: Any) -> httpx.Response:
    """A complete answer in OpenAI's shape."""
    message = {"role": "assistant", "content": text}
    content = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        **changes,
    }
    return httpx.Response(200, json=content)


def streamed(*parts: bytes | Exception, **headers: str) -> httpx.Response:
    """A stream made of `parts`."""
    return httpx.Response(200, headers={**STREAM, **headers}, stream=Body(parts))


def event(content: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + (content if isinstance(content, bytes) else json.dumps(content).encode()) + b"\n\n"


def openai_chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
    """A chunk in OpenAI's dialect."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return event({**head, "choices": [choice], **more})


def gemini_chunk(text: str, finish_reason: str | None = None) -> bytes:
    """A chunk in Gemini's dialect."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if finish_reason:
        candidate["finishReason"] = finish_reason
    return event({"candidates": [candidate], "modelVersion": "gemini-2.5-flash"})


def anthropic_event(kind: str, **content: Any) -> bytes:
    """An event in Anthropic's dialect."""
    return b"event: " + kind.encode() + b"\n" + event({"type": kind, **content})


def response_event(kind: str, **content: Any) -> bytes:
    """An event of OpenAI's Responses API."""
    return b"event: " + kind.encode() + b"\n" + event({"type": kind, **content})


def response(status: str = "completed", *output: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A response as OpenAI tells it."""
    head = {"id": "r", "object": "response", "created_at": 1, "model": "gpt-5.6-luna", "status": status}
    rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None}
    return {**head, **rest, "incomplete_details": None, "output": list(output), "usage": None, **more}


def message_item(text: str) -> dict[str, Any]:
    """A message in the output of a response."""
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}


def call_item(name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    """A call of a function in the output of a response."""
    call = {"type": "function_call", "id": "fc", "call_id": "c1", "status": "completed"}
    return {**call, "name": name, "arguments": arguments}


def text_delta(text: str) -> bytes:
    """A piece of the text of a response."""
    where = {"item_id": "m", "output_index": 0, "content_index": 0}
    return response_event("response.output_text.delta", **where, delta=text, sequence_number=4)


def response_end(*output: dict[str, Any], status: str = "completed", **more: Any) -> bytes:
    """The event that ends a response."""
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    whole = response(status, *output, **{"usage": usage, **more})
    return response_event(f"response.{status}", response=whole, sequence_number=9)


def call_events(name: str = "f", arguments: str = "{}") -> tuple[bytes, ...]:
    """A function that is called, in pieces."""
    made, where = call_item(name, arguments), {"output_index": 0}
    begun = {**made, "arguments": "", "status": "in_progress"}
    delta = {**where, "item_id": "fc", "delta": arguments}
    return (
        response_event("response.output_item.added", **where, item=begun, sequence_number=2),
        response_event("response.function_call_arguments.delta", **delta, sequence_number=3),
        response_event("response.output_item.done", **where, item=made, sequence_number=4),
    )


RESPONSE_BEGUN = (
    response_event("response.created", response=response("in_progress"), sequence_number=0),
    response_event("response.in_progress", response=response("in_progress"), sequence_number=1),
)
RESPONSE_STREAM = (
    *RESPONSE_BEGUN,
    text_delta("he"),
    text_delta("llo"),
    response_event(
        "response.output_item.done", output_index=0, item=message_item("hello"), sequence_number=5
    ),
    response_end(message_item("hello")),
)

OPENAI_STREAM = (
    openai_chunk({"role": "assistant", "content": "he"}),
    openai_chunk({"content": "llo"}),
    openai_chunk({}, "stop"),
    event(b"[DONE]"),
)
ANTHROPIC_STREAM = (
    anthropic_event(
        "message_start",
        message={
            "id": "m",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": "claude-sonnet-5",
            "stop_reason": None,
            "usage": {"input_tokens": 3, "output_tokens": 1},
        },
    ),
    anthropic_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    anthropic_event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hello"}),
    anthropic_event("content_block_stop", index=0),
    anthropic_event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2}),
    anthropic_event("message_stop"),
)
GEMINI_STREAM = (gemini_chunk("he"), gemini_chunk("llo"), gemini_chunk("", "STOP"))
STREAMS = {
    "openai/gpt-5.6-luna": OPENAI_STREAM,
    "anthropic/claude-sonnet-5": ANTHROPIC_STREAM,
    "gemini/gemini-2.5-flash": GEMINI_STREAM,
    "mistral/mistral-large-2512": OPENAI_STREAM,
    "perplexity/sonar": OPENAI_STREAM,
}
"""A complete stream in the dialect of each model's provider."""
RESPONSE_STREAMS = {
    "openai/gpt-5.6-luna": RESPONSE_STREAM,
    "azure/gpt-4o": RESPONSE_STREAM,
    "xai/grok-4.3": RESPONSE_STREAM,
    "anthropic/claude-sonnet-5": ANTHROPIC_STREAM,
    "gemini/gemini-2.5-flash": GEMINI_STREAM,
    "mistral/mistral-large-2512": OPENAI_STREAM,
}
"""The same of the Responses API; the last three are made of chats."""
