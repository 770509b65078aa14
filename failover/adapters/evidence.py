"""What a refusal says, brought from every provider's shape into one: status, codes, prose, parameter.

The prose is used to recognise a rule and is then thrown away: it may quote the prompt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from failover.adapters.wire import WireReply

PROSE_CHARS = 8_000
"""A refusal that has not come to its point by then is not read further."""

_PARSE_BYTES, _DEEPEST = 1_000_000, 5
_URL = re.compile(r"https?://\S+")
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_CODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,63}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,63}")
_HTML = re.compile(rb"\s*(?:<!doctype|<html|<head|<\?xml|<center|<body)", re.IGNORECASE)
_PROSE_KEYS = ("message", "Message", "msg", "detail", "details", "error", "error_description", "title", "raw")
_CODE_KEYS = ("code", "error_code", "errorCode", "reason", "status", "type", "error_type", "__type")
_DETAIL_CODE_KEYS = ("reason", "quotaId")
# fmt: off
_NAMED = tuple(re.compile(pattern, re.IGNORECASE) for pattern in (
    (r"(?:unsupported|unknown|unrecognized|unrecognised) (?:request )?(?:parameter|argument)s?"
     r"(?: supplied)?:? ['\"`]?(?P<name>[\w.\[\]-]+)"),
    r"does not support parameters: \[['\"](?P<name>\w+)",  # litellm's own word, before it sends
    r"extraneous key \[(?P<name>[^\]]+)\]",
    r"unknown name \\?\"(?P<name>[^\"\\]+)",
    r"(?P<name>[\w.\[\]-]+): extra inputs are not permitted",
    r"unexpected keyword argument '(?P<name>\w+)'",
    r"['`](?P<name>[\w.\[\]-]+)['`] (?:is not|isn't) supported",
    r"model (?:does not|doesn't) support (?:the )?(?:parameter )?['`]?(?P<name>[\w.-]+)",
    r"(?P<name>max(?:_\w+)?_tokens)\b",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class Evidence:
    """One refusal, normalised. `status` is 0 where an in-band error names none.

    `codes` and `prose` are lower case; `code` is the provider's own spelling of the most telling one.
    `streamed`: it came inside a stream that had begun with a 200.
    """

    provider: str
    status: int
    headers: Mapping[str, str]
    code: str = ""
    codes: frozenset[str] = frozenset()
    prose: str = ""
    parameter: str = ""
    body: Any = field(default=None, repr=False)
    html: bool = False
    streamed: bool = False


def parse_body(body: bytes) -> Any:
    """JSON where it is JSON (trailing commas forgiven, as Vertex sends them), else text."""
    text = body[:_PARSE_BYTES].decode("utf-8", "replace").strip()
    if not text.startswith(("{", "[", '"')):
        return text
    for candidate in (text, _TRAILING_COMMA.sub(r"\1", text)):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    return text


def looks_like_html(body: bytes) -> bool:
    """Whether an edge or proxy speaks instead of the API."""
    return bool(_HTML.match(body[:200]))


def evidence_of(provider: str, reply: WireReply) -> Evidence:
    """The evidence of a reply whose status says that it failed."""
    return evidence_in(
        provider, reply.status, reply.headers, parse_body(reply.body), html=looks_like_html(reply.body)
    )


def evidence_in(
    provider: str,
    status: int,
    headers: Mapping[str, str],
    body: Any,
    *,
    html: bool = False,
    streamed: bool = False,
) -> Evidence:
    """The evidence in a parsed `body`: an object, a list that holds one (Vertex), or text."""
    found = tuple(_error_objects(body))
    spelled = tuple(_codes(found, headers))
    texts = [body] if isinstance(body, str) else [text for each in found for text in _texts(each)]
    told = _URL.sub(" ", " ".join(texts)[:PROSE_CHARS]).replace("\u2019", "'")
    return Evidence(
        provider=provider.lower(),
        status=status,
        headers=headers,
        code=_telling(spelled, status),
        codes=frozenset(code.lower() for code in spelled),
        prose=told.lower(),
        parameter=_parameter(found, told),
        body=body,
        html=html,
        streamed=streamed,
    )


def _error_objects(body: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The objects that describe the error, innermost last: what OpenRouter passes on lies in `raw`."""
    if isinstance(body, list):
        for child in body[:5]:
            yield from _error_objects(child, depth)
    if not isinstance(body, Mapping) or depth > _DEEPEST:
        return
    inner = [body.get("error"), body.get("response"), body.get("detail"), _raw(body.get("metadata"))]
    nested = [child for child in inner if isinstance(child, Mapping | list)]
    if not any(isinstance(body.get(key), Mapping) for key in ("error", "response")):
        yield body
    for child in nested:
        yield from _error_objects(child, depth + 1)
    details = body.get("details")
    if isinstance(details, list):
        yield from (detail for detail in details[:20] if isinstance(detail, Mapping))


def _raw(metadata: Any) -> Any:
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return parse_body(raw.encode("utf-8", "replace")) if isinstance(raw, str) else raw


def _codes(found: tuple[Mapping[str, Any], ...], headers: Mapping[str, str]) -> Iterator[str]:
    yield from _clean(headers.get("x-amzn-errortype", "").split(":")[0])
    for each in found:
        for key in _DETAIL_CODE_KEYS if "@type" in each else _CODE_KEYS:
            yield from _clean(each.get(key))
        violations = each.get("violations")
        for violation in violations[:10] if isinstance(violations, list) else ():
            yield from _clean(violation.get("quotaId") if isinstance(violation, Mapping) else None)


def _clean(code: Any) -> Iterator[str]:
    """A code is a short word: anything longer is prose, and prose is not kept."""
    if isinstance(code, bool) or not isinstance(code, str | int):
        return
    text = str(code).rpartition("#")[2].strip()
    if _CODE.fullmatch(text):
        yield text


def _telling(spelled: tuple[str, ...], status: int) -> str:
    """The most telling code: not one that repeats the status or merely says that it is an error."""
    telling = [code for code in spelled if code != str(status) and code.lower() not in _SAYS_NOTHING]
    return next(iter(telling or [code for code in spelled if code != str(status)] or spelled), "")


_SAYS_NOTHING = frozenset({"error", "invalid_request_error", "invalid_argument", "unknown_error", "failed"})


def _texts(found: Mapping[str, Any]) -> Iterator[str]:
    for key in _PROSE_KEYS:
        value = found.get(key)
        if isinstance(value, str):
            yield value
    metadata = found.get("metadata")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("raw"), str):
        yield metadata["raw"]


def _parameter(found: tuple[Mapping[str, Any], ...], prose: str) -> str:
    """The parameter that the error names, in a field of its own or in its prose."""
    for each in reversed(found):
        name = each.get("param")
        if isinstance(name, str) and _PARAMETER.fullmatch(name):
            return name
    return parameter_in(prose)


def parameter_in(prose: str) -> str:
    """The parameter that a refusal's prose names, empty where it names none."""
    matches = (match["name"] for pattern in _NAMED if (match := pattern.search(prose)))
    return next((name for name in matches if _PARAMETER.fullmatch(name)), "")
