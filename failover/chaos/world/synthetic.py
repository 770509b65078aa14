"""A plain success in each dialect, for targets that no cassette has an episode of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from failover.adapters.wire import WireReply
from failover.chaos.world.synthetic_operations import synthetic_operation
from failover.core.vocabulary import Operation

TEXT = "This answer is synthetic."
WORDS = ("This ", "answer ", "is ", "synthetic.")
"""The same in the pieces of a stream: one that came in one piece could not break off."""


def _openai(model: str) -> Any:
    message = {"role": "assistant", "content": TEXT}
    return {
        "id": "synthetic",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        # litellm's Groq code raises where it is missing.
        "service_tier": "default",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def _anthropic(model: str) -> Any:
    return {
        "id": "synthetic",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def _google(model: str) -> Any:
    content = {"role": "model", "parts": [{"text": TEXT}]}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "modelVersion": model,
        "usageMetadata": {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0},
    }


def _ollama(model: str) -> Any:
    message = {"role": "assistant", "content": TEXT}
    counts = {"prompt_eval_count": 0, "eval_count": 0}
    return {"model": model, "message": message, "done": True, "done_reason": "stop", **counts}


def _openai_stream(model: str) -> tuple[bytes, ...]:
    whole = _openai(model)
    head = {"id": whole["id"], "object": "chat.completion.chunk", "created": 0, "model": model}
    deltas = [{"role": "assistant", "content": word} for word in WORDS]
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return (
        *(
            _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            for delta in deltas
        ),
        _event({**head, "choices": [last]}),
        _event({**head, "choices": [], "usage": whole["usage"]}),
        b"data: [DONE]\n\n",
    )


def _anthropic_stream(model: str) -> tuple[bytes, ...]:
    whole = _anthropic(model)
    begun = {**whole, "content": [], "stop_reason": None}
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    events: tuple[dict[str, Any], ...] = (
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
            for word in WORDS
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": delta, "usage": whole["usage"]},
        {"type": "message_stop"},
    )
    return tuple(b"event: " + each["type"].encode() + b"\n" + _event(each) for each in events)


def _google_stream(model: str) -> tuple[bytes, ...]:
    whole = _google(model)
    contents = [{"role": "model", "parts": [{"text": word}]} for word in WORDS]
    last = {"content": contents[-1], "finishReason": "STOP", "index": 0}
    return (
        *(
            _event({"candidates": [{"content": content, "index": 0}], "modelVersion": model})
            for content in contents[:-1]
        ),
        _event({**whole, "candidates": [last]}),
    )


def _ollama_stream(model: str) -> tuple[bytes, ...]:
    pieces: list[dict[str, Any]] = [
        {"model": model, "message": {"role": "assistant", "content": word}, "done": False} for word in WORDS
    ]
    last = {**_ollama(model), "message": {"role": "assistant", "content": ""}}
    return tuple(json.dumps(piece).encode() + b"\n" for piece in (*pieces, last))


def _event(content: Any) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


SUCCESSES: dict[str, Callable[[str], Any]] = {
    "anthropic": _anthropic,
    "gemini": _google,
    "vertex_ai": _google,
    "ollama_chat": _ollama,
}
"""By litellm's name of the provider; every other answers in OpenAI's shape."""


STREAMS: dict[str, Callable[[str], tuple[bytes, ...]]] = {
    "anthropic": _anthropic_stream,
    "gemini": _google_stream,
    "vertex_ai": _google_stream,
    "ollama_chat": _ollama_stream,
}


def synthetic_success(
    model: str, operation: Operation = Operation.COMPLETION, *, stream: bool = False
) -> WireReply:
    """A reply, whole or streamed, as the provider of litellm's `model` words it."""
    prefix, _, bare = model.partition("/")
    if operation is not Operation.COMPLETION:
        return synthetic_operation(operation, prefix, bare or prefix, stream=stream)
    if stream:
        content_type = "application/x-ndjson" if prefix.startswith("ollama") else "text/event-stream"
        events = STREAMS.get(prefix, _openai_stream)(bare or prefix)
        return WireReply(200, {"content-type": content_type}, b"".join(events))
    body = SUCCESSES.get(prefix, _openai)(bare or prefix)
    return WireReply(200, {"content-type": "application/json"}, json.dumps(body).encode())
