"""Refusals as each provider words them on the wire: keys, bills, places, retired models, too sharp a ramp.

Sources: bodies recorded from the providers' APIs, and, where no recording is public, their error pages and
the issue threads of clients: OpenAI `insufficient_quota`, `invalid_api_key`, `slow_down`,
`unsupported_country_region_territory`; Anthropic's credit balance and blocked output (400s), spend limit and
acceleration limit (429s), and `forbidden` for a place, which it does not name (anthropics/claude-code#1613);
Gemini's 400 for a bad key and for a place, its 200 with a `blockReason`; Groq `model_decommissioned`;
DeepSeek's 402; Azure `DeploymentNotFound`; OpenRouter's 403 for a place and for moderation; Bedrock's legacy
lock, tokens per day, and unsupported countries (anthropics/claude-code#2656). Messages are cut to what
matters, identifying values left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from http import HTTPStatus
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


_NO_DEPLOYMENT = _openai(
    404, _REQUEST, "DeploymentNotFound", "The API deployment for this resource does not exist."
)
_INVALID_MODEL = Wording(
    400, {"object": "error", "message": "Invalid model", "type": "invalid_model", "code": "1500"}
)

WORDINGS: Mapping[Refused, Mapping[str, Wording]] = {
    Refused.QUOTA: {
        "": _openai(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
        "anthropic": _anthropic(400, _REQUEST, "Your credit balance is too low to access the Anthropic API."),
        **_google_names(_google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.")),
        "deepseek": _openai(402, "unknown_error", _REQUEST, "Insufficient Balance"),
        "openrouter": Wording(402, {"error": {"message": "Insufficient credits", "code": 402}}),
        "cohere": _bare(402, "You have reached your billing limit."),
        "bedrock": _bare(429, "Too many tokens per day, please wait before trying again."),
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
        "bedrock": _bare(429, "Too many tokens per day, please wait before trying again."),
    },
    Refused.KEY: {
        "": _openai(401, _REQUEST, "invalid_api_key", "Incorrect API key provided."),
        "anthropic": _anthropic(401, "authentication_error", "invalid x-api-key"),
        **_google_names(_google(400, "INVALID_ARGUMENT", "API key not valid.", "API_KEY_INVALID")),
        "vertex_ai": _google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        "azure": Wording(
            401, {"error": {"code": "401", "message": "Access denied: invalid subscription key."}}
        ),
        "mistral": Wording(401, {"detail": "Unauthorized"}),
        "openrouter": Wording(401, {"error": {"message": "No auth credentials found", "code": 401}}),
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
        # Without the outer `type` that its other errors have: who stands before the API says this.
        "anthropic": Wording(403, {"error": {"type": "forbidden", "message": "Request not allowed"}}),
        **_google_names(
            _google(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
        ),
        "openrouter": Wording(
            403, {"error": {"message": "This model is not available in your region.", "code": 403}}
        ),
        "bedrock": _bare(
            400,
            "Access to Anthropic models is not allowed from unsupported countries, regions, or territories.",
        ),
    },
    Refused.RETIRED: {
        "": _openai(404, _REQUEST, "model_not_found", "The model has been deprecated."),
        "anthropic": _anthropic(404, "not_found_error", "model: retired"),
        **_google_names(_google(404, "NOT_FOUND", "The model is not found for API version v1beta.")),
        "azure": _NO_DEPLOYMENT,
        "openrouter": Wording(404, {"error": {"message": "No endpoints found for the model.", "code": 404}}),
        "groq": _openai(
            400,
            _REQUEST,
            "model_decommissioned",
            "The model has been decommissioned and is no longer supported.",
        ),
        "mistral": _INVALID_MODEL,
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
        "azure": _NO_DEPLOYMENT,
        "mistral": _INVALID_MODEL,
        **_google_names(_google(404, "NOT_FOUND", "This model is no longer available to new users.")),
        "bedrock": _bare(
            404,
            "Access denied. This Model is marked by provider as Legacy and you have not been actively using "
            "the model in the last 30 days.",
        ),
    },
    Refused.ACCELERATION: {
        "": _openai(
            503,
            "server_error",
            "slow_down",
            "A sudden increase in your request rate is impacting service reliability. Slow down.",
        ),
        "anthropic": _anthropic(
            429, "rate_limit_error", "This request would exceed your organization's acceleration limit."
        ),
        **_google_names(_google(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted.")),
        "bedrock": _bare(429, "Too many requests, please wait before trying again."),
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
        "anthropic": _anthropic(400, _REQUEST, "Output blocked by content filtering policy"),
        "bedrock": _bare(400, "Output blocked by content filtering policy"),
        # No refusal, but an answer without a candidate.
        **_google_names(
            Wording(
                200,
                {
                    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
                    "usageMetadata": {"promptTokenCount": 0, "totalTokenCount": 0},
                },
            )
        ),
        "openrouter": Wording(
            403,
            {
                "error": {
                    "message": "The model requires moderation, and your input was flagged.",
                    "code": 403,
                    "metadata": {"reasons": ["violence"], "provider_name": "OpenAI"},
                }
            },
        ),
    },
}
"""By provider, as its targets name it; whoever is not listed words it as OpenAI does, as most do."""


@cache
def refusal_image(
    provider: str, why: Refused, retry_after_s: float | None = None, *, stream: bool = False
) -> Image:
    """A refusal of `provider`. The same arguments give the very same image.

    Where it comes under a 200, who asked for a `stream` gets it as an event.
    """
    wordings = WORDINGS[why]
    wording = wordings.get(provider, wordings[""])
    content = json.dumps(wording.body).encode()
    headers = {"content-type": "application/json"}
    if stream and wording.status == HTTPStatus.OK:
        headers, content = {"content-type": "text/event-stream"}, b"data: " + content + b"\n\n"
    if retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(retry_after_s))
    return Image(f"injected {why}", reply=WireReply(wording.status, headers, content))
