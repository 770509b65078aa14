"""Takes secrets and identities out of recorded exchanges before they reach a file.

Three nets, since one is never enough: headers and query parameters by name, known shapes of keys and
identities anywhere in text, and the very values of the credentials in use, in every form they travel in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit, urlunsplit

REDACTED = "REDACTED"

# Hints about quotas and waiting are what recordings are for; some of their names speak of projects.
_KEPT_HEADERS = re.compile(
    r"ratelimit|retry-after|^content-|^accept|^date$|-version$|^anthropic-beta$", re.IGNORECASE
)
_SECRET_HEADERS = re.compile(
    r"auth|key|cookie|token|secret|signature|credential|session|organi[sz]ation|project|account|tenant"
    r"|workspace|subscription|user(?!-agent)|client|request-?id|trace|span|cf-|x-amz|amzn|x-goog|ray|-ip$"
    r"|forwarded|via$|x-served-by|nel$|report",
    re.IGNORECASE,
)
# The OpenAI SDK tells about the machine it runs on.
_DROPPED_HEADERS = ("x-stainless-",)
_SECRET_PARAMETERS = re.compile(
    r"key|token|sig|secret|code|credential|auth|password|session|user", re.IGNORECASE
)
_SECRET_FIELDS = (
    r"user|user_id|end_user_id|safety_identifier|organization|organization_id|org_id|project_id|account_id|tenant_id|workspace_id|customer_id"
    r"|subscription_id|email|consumer|ip_address"
)

# Shapes seen in provider documents and error bodies. Providers quote keys half-masked (`sk-ab**cd`),
# so a mask is part of a shape.
_SHAPES = re.compile(
    r"""
    -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----[\s\S]*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    | (?i:\b(?:bearer|basic)\s+)(?=[A-Za-z._~+/=*-]*[0-9])[A-Za-z0-9._~+/=*-]{8,}
    | \bsk[-_][A-Za-z0-9_*-]{8,}
    | \b(?:pk|rk|csk|xai|pplx|nvapi|glpat)-(?=[A-Za-z_*-]*[0-9])[A-Za-z0-9_*-]{12,}
    | \b(?:gsk|hf|fw|r8|tgp_v1|ghp|gho|ghu|ghs|ghr|github_pat)_[A-Za-z0-9_*]{8,} | \bdapi[0-9a-f]{16,}
    | \bxox[a-z]-[A-Za-z0-9-]{8,}
    | \bAIza[0-9A-Za-z_*-]{16,} | \bya29\.[0-9A-Za-z_-]{8,} | \b(?:AKIA|ASIA)[0-9A-Z]{12,}
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?
    | \borg[-_][A-Za-z0-9*]{12,} | \bproj[-_][A-Za-z0-9*]{8,} | \b(?:user|acct|cus)[-_][A-Za-z0-9]{12,}
    | \barn:aws[\w-]*:[^\s"'<>\\]+
    | (?<=projects/)(?!REDACTED)[\w-]+ | (?<=[/:"])\d{12}(?=[/:"])
    | (?<![\w.!$%&*+/=?^`{|}~-])[A-Za-z0-9][\w.!$%&*+/=?^`{|}~-]{0,255}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+
    """,
    re.VERBOSE,
)
_FIELDS = re.compile(rf'(\\?"(?:{_SECRET_FIELDS})\\?"\s*:\s*\\?")(?!{REDACTED})[^"\\]+', re.IGNORECASE)
_NUMBERED_FIELDS = re.compile(rf'("(?:{_SECRET_FIELDS})"\s*:\s*)[1-9]\d*', re.IGNORECASE)
_SHORTEST_SECRET = 4


class Scrubber:
    """Replaces what must not be published by `REDACTED`, in requests and responses as vcrpy holds them.

    `secrets`: values of credentials in use; those of fewer than four characters are no secrets and
    would take ordinary words with them.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST_SECRET for form in _forms(secret)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def text(self, text: str) -> str:
        """`text` without secrets."""
        if self._secrets is not None:
            text = self._secrets.sub(REDACTED, text)
        text = _FIELDS.sub(rf"\g<1>{REDACTED}", _SHAPES.sub(_kept_word, text))
        return _NUMBERED_FIELDS.sub(r"\g<1>0", text)

    def body(self, body: bytes) -> bytes:
        """A body without secrets. One that is not UTF-8 is kept byte by byte around them."""
        return self.text(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def uri(self, uri: str) -> str:
        """A URI without user, secret parameters and secrets in its path."""
        parts = urlsplit(uri)
        host = parts.netloc.rpartition("@")[2]
        query = "&".join(self._parameter(pair) for pair in parts.query.split("&") if pair)
        return self.text(urlunsplit((parts.scheme, host, parts.path, query, "")))

    def headers(self, headers: Mapping[str, Any]) -> dict[str, Any]:
        """Headers by name; a value is one string or a list of them, as vcrpy has it."""
        return {
            str(name): self._header(str(name), value)
            for name, value in headers.items()
            if not str(name).lower().startswith(_DROPPED_HEADERS)
        }

    def request(self, request: Any) -> Any:
        """vcrpy's `before_record_request`."""
        request.uri = self.uri(request.uri)
        request.headers = self.headers(dict(request.headers))
        if isinstance(request.body, bytes):
            request.body = self.body(request.body)
        return request

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        """vcrpy's `before_record_response`."""
        body = response["body"]["string"]
        scrubbed = self.body(body) if isinstance(body, bytes) else self.text(body)
        return {
            **response,
            "headers": self.headers(response["headers"]),
            "body": {**response["body"], "string": scrubbed},
        }

    def _header(self, name: str, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [self._header(name, item) for item in value]
        if not _KEPT_HEADERS.search(name) and _SECRET_HEADERS.search(name):
            return REDACTED
        return self.text(value.decode("latin-1") if isinstance(value, bytes) else str(value))

    def _parameter(self, pair: str) -> str:
        name, equals, _ = pair.partition("=")
        return f"{name}={REDACTED}" if equals and _SECRET_PARAMETERS.search(name) else pair


def secret_shapes(text: str) -> list[str]:
    """Every part of `text` that has the shape of a secret or an identity."""
    patterns = (_SHAPES, _FIELDS, _NUMBERED_FIELDS)
    return [hit.group() for pattern in patterns for hit in pattern.finditer(text)]


def _kept_word(hit: re.Match[str]) -> str:
    """`Bearer` and `Basic` are words of the protocol: what follows them is the secret."""
    scheme = re.match(r"(?i)(?:bearer|basic)\s+", hit.group())
    return (scheme.group() if scheme else "") + REDACTED


def _forms(secret: str) -> set[str]:
    """A secret as it is, as it stands in a URL, and as it stands in JSON."""
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
