"""A plain success in each dialect, for targets that no cassette has an episode of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from failover.adapters.wire import WireReply

TEXT = "This answer is synthetic."


def _openai(model: str) -> Any:
    message = {"role": "assistant", "content": TEXT}
    return {
        "id": "synthetic",
        "object": "chat.completion",
        "created": 0,
        "model": model,
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


def _cohere(_model: str) -> Any:
    return {
        "id": "synthetic",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": TEXT}]},
        "usage": {"tokens": {"input_tokens": 0, "output_tokens": 0}},
    }


SUCCESSES: dict[str, Callable[[str], Any]] = {
    "anthropic": _anthropic,
    "gemini": _google,
    "vertex_ai": _google,
    "cohere": _cohere,
    "cohere_chat": _cohere,
}
"""By litellm's name of the provider; every other answers in OpenAI's shape."""


def synthetic_success(model: str) -> WireReply:
    """A whole, unstreamed reply as the provider of litellm's `model` words it."""
    prefix, _, bare = model.partition("/")
    body = SUCCESSES.get(prefix, _openai)(bare or prefix)
    return WireReply(200, {"content-type": "application/json"}, json.dumps(body).encode())
