"""Refusals as each provider words them on the wire: keys, bills, places, retired models, too sharp a ramp.

Sources: bodies recorded from the providers' APIs, and, where no recording is public, their error pages and
the issue threads of clients: OpenAI `insufficient_quota`, `invalid_api_key`,
`unsupported_country_region_territory`; Anthropic's credit balance (a 400), spend limit and acceleration limit
(429s); Gemini's 400 for a bad key and for a place; Groq `model_decommissioned`; DeepSeek's 402; Bedrock's
legacy lock. Messages are cut to what matters, identifying values left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from failover.adapters.wire import WireReply
from failover.chaos.world.image import Image


class Refused(StrEnum):
    """Why a provider says no."""

    QUOTA = "quota"
    SPEND_CAP = "spend_cap"
    KEY = "key"
    PERMISSION = "permission"
    REGION = "region"
    RETIRED = "retired"
    ACCESS_NARROWED = "access_narrowed"
    ACCELERATION = "acceleration"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Wording:
    """A status, and the body that comes with it."""

    status: int
    body: Any


def _openai(status: int, kind: str, code: str | None, message: str, param: str | None = None) -> Wording:
    return Wording(status, {"error": {"message": message, "type": kind, "param": param, "code": code}})


def _anthropic(status: int, kind: str, message: str, **details: Any) -> Wording:
    return Wording(status, {"type": "error", "error": {"type": kind, "message": message, **details}})


def _google(status: int, name: str, message: str, reason: str = "") -> Wording:
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if reason:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    return Wording(status, {"error": error})


def _bare(status: int, message: str) -> Wording:
    return Wording(status, {"message": message})


_REQUEST = "invalid_request_error"
_GOOGLE_NAMES = ("gemini", "google-gemini", "vertex_ai", "google-vertex")


def _google_names(wording: Wording) -> dict[str, Wording]:
    return dict.fromkeys(_GOOGLE_NAMES, wording)


WORDINGS: Mapping[Refused, Mapping[str, Wording]] = {
    Refused.QUOTA: {
        "": _openai(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
        "anthropic": _anthropic(400, _REQUEST, "Your credit balance is too low to access the Anthropic API."),
        **_google_names(_google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.")),
        "deepseek": _openai(402, "unknown_error", _REQUEST, "Insufficient Balance"),
        "openrouter": Wording(402, {"error": {"message": "Insufficient credits", "code": 402}}),
        "cohere": _bare(402, "You have reached your billing limit."),
        "bedrock": _bare(403, "Your account is not authorized to invoke this API operation."),
    },
    Refused.SPEND_CAP: {
        "": _openai(429, "insufficient_quota", "insufficient_quota", "You have reached your spend limit."),
        "anthropic": _anthropic(
            429,
            "rate_limit_error",
            "You have reached your monthly spend limit.",
            details={"error_code": "enforced_spend_limit_reached"},
        ),
        **_google_names(_google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.")),
    },
    Refused.KEY: {
        "": _openai(401, _REQUEST, "invalid_api_key", "Incorrect API key provided."),
        "anthropic": _anthropic(401, "authentication_error", "invalid x-api-key"),
        **_google_names(_google(400, "INVALID_ARGUMENT", "API key not valid.", "API_KEY_INVALID")),
        "vertex_ai": _google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        "mistral": Wording(401, {"detail": "Unauthorized"}),
        "cohere": _bare(401, "invalid api token"),
        "bedrock": _bare(403, "The security token included in the request is invalid."),
    },
    Refused.PERMISSION: {
        "": _openai(403, _REQUEST, None, "You are not allowed to sample from this model"),
        "anthropic": _anthropic(403, "permission_error", "Your account does not have access to this API."),
        **_google_names(_google(403, "PERMISSION_DENIED", "The caller does not have permission.")),
        "cohere": _bare(403, "your account may not use this model"),
        "bedrock": _bare(403, "You don't have access to the model with the specified model ID."),
    },
    Refused.REGION: {
        "": _openai(
            403,
            "request_forbidden",
            "unsupported_country_region_territory",
            "Country, region, or territory not supported",
        ),
        "anthropic": _anthropic(403, "forbidden", "Request not allowed"),
        **_google_names(
            _google(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
        ),
    },
    Refused.RETIRED: {
        "": _openai(404, _REQUEST, "model_not_found", "The model has been deprecated."),
        "anthropic": _anthropic(404, "not_found_error", "model: retired"),
        **_google_names(_google(404, "NOT_FOUND", "The model is not found for API version v1beta.")),
        "groq": _openai(
            400,
            _REQUEST,
            "model_decommissioned",
            "The model has been decommissioned and is no longer supported.",
        ),
        "mistral": Wording(
            400, {"object": "error", "message": "Invalid model", "type": "invalid_model", "code": "1500"}
        ),
        "deepseek": _openai(400, _REQUEST, _REQUEST, "Model Not Exist"),
        "cohere": _bare(404, "model was removed. See our documentation for the models that are left."),
        "bedrock": _bare(404, "This model version has reached the end of its life."),
        "perplexity": Wording(
            400, {"error": {"message": "Invalid model", "type": "invalid_model", "code": 400}}
        ),
    },
    Refused.ACCESS_NARROWED: {
        "": _openai(
            404, _REQUEST, "model_not_found", "The model does not exist or you do not have access to it."
        ),
        "anthropic": _anthropic(404, "not_found_error", "model: narrowed"),
        **_google_names(_google(404, "NOT_FOUND", "This model is no longer available to new users.")),
        "bedrock": _bare(
            404,
            "Access denied. This Model is marked by provider as Legacy and you have not been actively using "
            "the model in the last 30 days.",
        ),
    },
    Refused.ACCELERATION: {
        "": _openai(429, "requests", "rate_limit_exceeded", "Slow down: your request rate grew too fast."),
        "anthropic": _anthropic(
            429, "rate_limit_error", "This request would exceed your organization's acceleration limit."
        ),
        **_google_names(_google(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted.")),
    },
    Refused.FILTERED: {
        "": _openai(
            400,
            _REQUEST,
            "content_policy_violation",
            "Your request was rejected as a result of our safety system.",
        ),
        "azure": _openai(
            400,
            "content_filter",
            "content_filter",
            "The response was filtered due to the prompt triggering a content management policy.",
            "prompt",
        ),
    },
}
"""By provider, as its targets name it; whoever is not listed words it as OpenAI does, as most do."""


@cache
def refusal_image(provider: str, why: Refused, retry_after_s: float | None = None) -> Image:
    """A refusal of `provider`. The same arguments give the very same image."""
    wordings = WORDINGS[why]
    wording = wordings.get(provider, wordings[""])
    headers = {"content-type": "application/json"}
    if retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(retry_after_s))
    reply = WireReply(wording.status, headers, json.dumps(wording.body).encode())
    return Image(f"injected {why}", reply=reply)
