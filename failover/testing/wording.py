"""Errors in a provider's own words, for every status that one is scripted with."""

from __future__ import annotations

import json

from failover.chaos.world.wire_shapes import MESSAGES, error_image

REFUSALS: dict[int, tuple[str, str, str, str]] = {
    400: ("The request is invalid.", "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    401: ("Incorrect API key provided.", "invalid_api_key", "authentication_error", "UNAUTHENTICATED"),
    402: ("The credit balance is too low.", "insufficient_quota", "billing_error", "FAILED_PRECONDITION"),
    403: (
        "The key has no permission for this.",
        "permission_denied",
        "permission_error",
        "PERMISSION_DENIED",
    ),
    413: ("The request is too large.", "request_too_large", "request_too_large", "INVALID_ARGUMENT"),
}
"""Of errors that no outage has: the message, OpenAI's code, Anthropic's type, Google's status.

Injections word the other ones (`wire_shapes`), and theirs go first.
"""

WORDED = frozenset(MESSAGES) | frozenset(REFUSALS)
"""The statuses that have words."""


def error_body(dialect: str, status: int) -> bytes:
    """The body of an error of `status`, one of `WORDED`; `dialect` is litellm's name of the provider."""
    if status in MESSAGES:
        reply = error_image(dialect, status).reply
        assert reply is not None  # noqa: S101  # an error image always has one
        return reply.body
    message, code, kind, name = REFUSALS[status]
    if dialect == "anthropic":
        return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
    if dialect in {"gemini", "vertex_ai"}:
        return json.dumps({"error": {"code": status, "message": message, "status": name}}).encode()
    about = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return json.dumps({"error": about}).encode()
