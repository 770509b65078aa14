"""Errors as each provider words them on the wire.

Sources: error bodies recorded from the providers' APIs (OpenAI 404 `model_not_found`, Anthropic 404
`not_found_error` and 529 `overloaded_error`, Gemini 404 `NOT_FOUND` and 503 `UNAVAILABLE`, Mistral's
flat bodies, Cohere's bare `message`), with their identifying values left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

from failover.adapters.wire import WireReply
from failover.chaos.world.image import Image
from failover.core.vocabulary import Target

MESSAGES = {
    400: "The request could not be processed.",
    404: "The requested model does not exist or is no longer available.",
    429: "Rate limit reached. Please try again later.",
    500: "Internal server error.",
    502: "Bad gateway.",
    503: "The server is currently overloaded or not ready yet.",
    504: "Upstream timed out.",
    529: "Overloaded",
    530: "error code: 1016",
}


ORIGIN_UNREACHABLE = 530
"""Cloudflare's own: it has no address of who is behind it, and says so in a line of text."""


def _openai(status: int, message: str) -> Any:
    kinds = {
        400: ("invalid_request_error", None),
        404: ("invalid_request_error", "model_not_found"),
        429: ("requests", "rate_limit_exceeded"),
    }
    kind, code = kinds.get(status, ("server_error", None))
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _anthropic(status: int, message: str) -> Any:
    kinds = {
        400: "invalid_request_error",
        404: "not_found_error",
        429: "rate_limit_error",
        529: "overloaded_error",
    }
    kind = kinds.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def _google(status: int, message: str) -> Any:
    names = {
        400: "INVALID_ARGUMENT",
        404: "NOT_FOUND",
        429: "RESOURCE_EXHAUSTED",
        500: "INTERNAL",
        502: "INTERNAL",
        504: "DEADLINE_EXCEEDED",
    }
    name = names.get(status, "UNAVAILABLE")
    return {"error": {"code": status, "message": message, "status": name}}


def _mistral(status: int, message: str) -> Any:
    kinds = {
        400: ("invalid_request_error", "3000"),
        404: ("invalid_model", "1500"),
        429: ("rate_limited", "1300"),
    }
    kind, code = kinds.get(status, ("internal_server_error", "1000"))
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def _bare(status: int, message: str) -> Any:
    return {"message": message}


BODIES: dict[str, Callable[[int, str], Any]] = {
    "anthropic": _anthropic,
    "gemini": _google,
    "google-gemini": _google,
    "vertex_ai": _google,
    "google-vertex": _google,
    "mistral": _mistral,
    "cohere": _bare,
    "bedrock": _bare,
}
"""By provider; whoever is not listed answers in OpenAI's shape, as most compatible APIs do."""


def dialect_of(target: Target) -> str:
    """Whose words a target uses: litellm's name for its provider; the config may call it as it likes."""
    prefix, slash, _ = target.model.partition("/")
    return prefix if slash else target.provider


def in_band_error(provider: str, status: int) -> bytes:
    """The event with which a stream of `provider` says that it broke."""
    content = json.dumps(BODIES.get(provider, _openai)(status, MESSAGES[status])).encode()
    name = b"event: error\n" if provider == "anthropic" else b""
    return name + b"data: " + content + b"\n\n"


@cache
def in_band_image(provider: str, status: int) -> Image:
    """The same error as a whole reply, under a 200. The same arguments give the very same image."""
    content = json.dumps(BODIES.get(provider, _openai)(status, MESSAGES[status])).encode()
    reply = WireReply(200, {"content-type": "application/json"}, content)
    return Image(f"injected {status} inside a 200", reply=reply)


@cache
def parameter_image(provider: str, parameter: str) -> Image:
    """A 400 that says `parameter` is not taken any more. The same arguments give the very same image."""
    message = f"Unsupported parameter: '{parameter}' is not supported with this model."
    body = BODIES.get(provider, _openai)(400, message)
    if "error" in body and "param" in body["error"]:
        body["error"] |= {
            "type": "invalid_request_error",
            "param": parameter,
            "code": "unsupported_parameter",
        }
    reply = WireReply(400, {"content-type": "application/json"}, json.dumps(body).encode())
    return Image(f"injected 400 for {parameter}", reply=reply)


@cache
def error_image(provider: str, status: int, retry_after_s: float | None = None) -> Image:
    """An error reply of `provider`, or of the edge before it. The same arguments give the very same image."""
    if status == ORIGIN_UNREACHABLE:
        page = WireReply(status, {"content-type": "text/plain"}, MESSAGES[status].encode())
        return Image(f"injected {status}", reply=page)
    body = BODIES.get(provider, _openai)(status, MESSAGES[status])
    headers = {"content-type": "application/json"}
    if retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(retry_after_s))
    reply = WireReply(status, headers, json.dumps(body).encode())
    return Image(f"injected {status}", reply=reply)
