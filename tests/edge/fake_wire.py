"""A provider made of bytes: what the tests put beneath the real litellm instead of a network."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx

from failover.adapters.seam import Outbound
from failover.core.vocabulary import Limits, Target

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
