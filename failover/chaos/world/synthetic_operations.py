"""A plain success of every operation but a chat, for targets that no cassette has an episode of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from failover.adapters.wire import WireReply
from failover.core.vocabulary import Operation

TEXT = "This answer is synthetic."
_JSON = {"content-type": "application/json"}
_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
_RESPONSE_USAGE = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


def synthetic_operation(
    operation: Operation, provider: str, model: str, *, stream: bool = False
) -> WireReply:
    """A reply as `provider`, by litellm's name, words it; only a response can be streamed."""
    if operation is Operation.SPEECH:
        return WireReply(200, {"content-type": "audio/mpeg"}, b"ID3 synthetic")
    if operation is Operation.RESPONSES and stream:
        body = b"".join(_event(event) for event in _response_events(model))
        return WireReply(200, {"content-type": "text/event-stream"}, body)
    body = json.dumps(_BODIES[operation](provider, model)).encode()
    return WireReply(200, _JSON, body)


def _embedding(provider: str, model: str) -> Any:
    vector = [0.25, -0.5, 0.75]
    if provider == "cohere":
        billed = {"billed_units": {"input_tokens": 0}}
        return {"id": "synthetic", "embeddings": [vector], "texts": [TEXT], "meta": billed}
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    return {"object": "list", "data": data, "model": model, "usage": _USAGE}


def _image(_provider: str, _model: str) -> Any:
    return {"created": 0, "data": [{"url": "https://pictures.invalid/synthetic.png"}]}


def _transcription(_provider: str, model: str) -> Any:
    return {"text": TEXT, "model": model, "language": "en", "segments": [], "usage": _USAGE}


def _rerank(_provider: str, model: str) -> Any:
    results = [{"index": 0, "relevance_score": 0.9}, {"index": 1, "relevance_score": 0.1}]
    tokens = {"billed_units": {"search_units": 1}, "tokens": {"input_tokens": 0}}
    # Voyage words its list `data`.
    return {
        "id": "synthetic",
        "model": model,
        "results": results,
        "data": results,
        "meta": tokens,
        "usage": _USAGE,
    }


def _moderation(_provider: str, model: str) -> Any:
    result = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.0}}
    return {"id": "synthetic", "model": model, "results": [result]}


def _response(_provider: str, model: str) -> Any:
    content = [{"type": "output_text", "text": TEXT, "annotations": []}]
    output = [
        {"type": "message", "id": "synthetic", "role": "assistant", "status": "completed", "content": content}
    ]
    return {
        "id": "synthetic",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": _RESPONSE_USAGE,
    }


def _response_events(model: str) -> tuple[dict[str, Any], ...]:
    whole = _response("", model)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    (message,) = whole["output"]
    where = {"item_id": "synthetic", "output_index": 0, "content_index": 0}
    events: tuple[dict[str, Any], ...] = (
        {"type": "response.created", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**message, "status": "in_progress", "content": []},
        },
        {"type": "response.output_text.delta", **where, "delta": TEXT},
        {"type": "response.output_text.done", **where, "text": TEXT},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": whole},
    )
    return tuple({**event, "sequence_number": number} for number, event in enumerate(events))


def _event(content: dict[str, Any]) -> bytes:
    return f"event: {content['type']}\ndata: {json.dumps(content)}\n\n".encode()


_BODIES: Mapping[str, Callable[[str, str], Any]] = {
    Operation.EMBEDDING: _embedding,
    Operation.IMAGE_GENERATION: _image,
    Operation.TRANSCRIPTION: _transcription,
    Operation.RERANK: _rerank,
    Operation.MODERATION: _moderation,
    Operation.RESPONSES: _response,
}
