"""What a 200 really holds: an answer, an error in disguise, a stream that was cut, or nothing usable.

Every rule needs positive evidence: an endpoint or dialect that is not known is taken for a success as long
as it parses. A stream is called cut only where its dialect has a terminal marker and the marker is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from failover.adapters.event_stream import BrokenFrameError, frames
from failover.adapters.evidence import looks_like_html
from failover.adapters.wire import WireReply
from failover.core.failures import FailureKind

_K = FailureKind


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an answer. `kind` None: an error object, to be judged as a refusal is."""

    kind: FailureKind | None
    error: Any = None
    streamed: bool = False
    code: str = ""


_STOPPED: dict[str, FailureKind] = {
    "content_filter": _K.CONTENT_FILTERED,
    "content_filtered": _K.CONTENT_FILTERED,
    "guardrail_intervened": _K.CONTENT_FILTERED,
    "refusal": _K.CONTENT_FILTERED,
    "sensitive": _K.CONTENT_FILTERED,
    "safety": _K.CONTENT_FILTERED,
    "3": _K.CONTENT_FILTERED,
    "4": _K.CONTENT_FILTERED,
    "image_safety": _K.CONTENT_FILTERED,
    "prohibited_content": _K.CONTENT_FILTERED,
    "blocklist": _K.CONTENT_FILTERED,
    "spii": _K.CONTENT_FILTERED,
    "recitation": _K.CONTENT_FILTERED,
    "error_toxic": _K.CONTENT_FILTERED,
    "malformed_function_call": _K.MALFORMED_REPLY,
    "unexpected_tool_call": _K.MALFORMED_REPLY,
    "malformed_model_output": _K.MALFORMED_REPLY,
    "malformed_tool_use": _K.MALFORMED_REPLY,
    "network_error": _K.SERVER_ERROR,
    "error": _K.SERVER_ERROR,
}
"""Finish and stop reasons, in lower case, under which there is no answer. Others end a good one.

The figures are Gemini's own numbers for SAFETY and RECITATION, as its proto clients send them.
"""

_FINISH_KEYS = ("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason", "blockReason")

_OPENED_AND_CLOSED: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (frozenset({"message_start", "messageStart"}), frozenset({"message_stop", "messageStop"})),
    (frozenset({"message-start"}), frozenset({"message-end"})),
    (frozenset({"stream-start"}), frozenset({"stream-end"})),
    (
        frozenset({"response.created"}),
        frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"}),
    ),
)
"""Event names: Anthropic and Bedrock converse; Cohere v2; Cohere v1; OpenAI Responses."""


def fault_in_answer(reply: WireReply) -> Fault | None:
    """What is wrong with a reply of status 2xx, None for a success. Total."""
    media = reply.headers.get("content-type", "").split(";")[0].strip().lower()
    if not reply.body.strip():
        return None if reply.status == HTTPStatus.NO_CONTENT else Fault(_K.MALFORMED_REPLY)
    if media.startswith(("audio/", "image/", "video/")):
        return None
    if media == "application/vnd.amazon.eventstream":
        return _in_binary_stream(reply.body)
    text = reply.body.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if looks_like_html(reply.body):
        return Fault(_K.MALFORMED_REPLY)
    if media == "text/event-stream" or text.startswith(("data:", "event:", "id:", ":")):
        return _in_events(text)
    return _in_json(text, media)


def _in_json(text: str, media: str) -> Fault | None:
    """One JSON value, or one to a line (Ollama)."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _in_lines(text, media)
    if isinstance(value, list):
        parts = [part for part in value if isinstance(part, Mapping)]
        return _in_parts(parts, streamed=True) or _cut(parts, set())
    if isinstance(value, Mapping):
        return _in_parts([value], streamed=False) or _hollow(value)
    return (
        None if media not in {"", "application/json"} or isinstance(value, str) else Fault(_K.MALFORMED_REPLY)
    )


def _in_lines(text: str, media: str) -> Fault | None:
    lines = [line for line in text.splitlines() if line.strip()]
    values = [_parsed(line) for line in lines]
    parts = [value for value in values if isinstance(value, Mapping)]
    if not parts or not isinstance(values[0], Mapping):
        cut_array = text.startswith("[") and '"candidates"' in text
        written = not text.startswith(("{", "[")) and media.startswith("text/")
        return Fault(_K.TRUNCATED_STREAM) if cut_array else None if written else Fault(_K.MALFORMED_REPLY)
    if len(lines) > 1 and len(parts) < len(lines) - 1:
        return Fault(_K.MALFORMED_REPLY)
    return _in_parts(parts, streamed=True) or _cut(parts, set(), broken=len(parts) < len(lines))


def _in_events(text: str) -> Fault | None:
    """Server-sent events: an error among them, or the missing end of a known dialect."""
    names: set[str] = set()
    parts: list[Mapping[str, Any]] = []
    broken = done = seen = False
    for name, data in _events(text):
        names.add(name)
        if data == "[DONE]":
            done = True
        value = None if data == "[DONE]" else _parsed(data)
        seen = seen or bool(data)
        if isinstance(value, Mapping):
            parts.append(value)
            names.add(str(value.get("type") or value.get("event_type") or ""))
        elif name == "error":
            return Fault(None, data, streamed=True)
        elif data != "[DONE]" and data.startswith(("{", "[")):
            broken = True
    if found := _in_parts(parts, streamed=True):
        return found
    # A part that does not parse is lost, whether or not the stream went on to its end.
    if broken or not seen:
        return Fault(_K.TRUNCATED_STREAM)
    return None if done else _cut(parts, names)


def _events(text: str) -> Iterator[tuple[str, str]]:
    """Event name and data of every event, the unfinished last one included."""
    name, data = "", list[str]()
    for line in [*text.splitlines(), ""]:
        if line.startswith("data:"):
            data.append(line[5:].strip())
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif not line.strip() and (name or data):
            yield name, "\n".join(data)
            name, data = "", []


def _in_binary_stream(body: bytes) -> Fault | None:
    """Amazon's event stream: an exception is a frame of its own, a cut shows in the last frame."""
    names: set[str] = set()
    parts: list[Mapping[str, Any]] = []
    try:
        for headers, payload in frames(body):
            names.add(headers.get(":event-type", ""))
            value = _parsed(payload.decode("utf-8", "replace"))
            if headers.get(":message-type") in {"exception", "error"}:
                code = headers.get(":exception-type") or headers.get(":error-code", "")
                told = value if isinstance(value, Mapping) else {"message": str(value)}
                return Fault(None, {**told, "code": code}, streamed=True)
            if isinstance(value, Mapping):
                parts.append(value)
    except BrokenFrameError as broken:
        return Fault(_K.TRUNCATED_STREAM if broken.cut and names else _K.MALFORMED_REPLY, streamed=True)
    return _in_parts(parts, streamed=True) or _cut(parts, names)


def _in_parts(parts: list[Mapping[str, Any]], *, streamed: bool) -> Fault | None:
    for part in parts:
        if (error := _error_in(part)) is not None:
            return Fault(None, error, streamed)
        if streamed and any(True for _ in _finishes(part)):
            break  # what OpenRouter complains of after the end does not undo the answer
    for reason in (reason for part in parts for reason in _finishes(part)):
        kind = _STOPPED.get(reason.lower())
        if kind is not None and not (reason == "guardrail_intervened" and _only_masked(parts)):
            return Fault(kind, streamed=streamed, code=reason)
    return None


def _error_in(part: Mapping[str, Any]) -> Any:
    """The error that a part of an answer carries, whatever the dialect; None for a good part."""
    error = part.get("error")
    if isinstance(error, Mapping | str) and error:
        return part
    if str(part.get("type")) in {"error", "response.failed"} or part.get("object") == "error":
        return part
    inner = part.get("response")
    if isinstance(inner, Mapping) and isinstance(inner.get("error"), Mapping) and inner["error"]:
        return inner
    return part if part.get("object") == "response" and part.get("status") == "failed" else None


def _finishes(part: Mapping[str, Any]) -> Iterator[str]:
    """Every reason for which a part says that the answer ended."""
    holders: list[Any] = [part, part.get("delta"), part.get("promptFeedback"), part.get("output")]
    for key in ("choices", "candidates"):
        children = part.get(key)
        holders += children if isinstance(children, list) else []
    inner = part.get("response") if isinstance(part.get("response"), Mapping) else part
    holders.append(_incomplete(inner))
    for holder in holders:
        if isinstance(holder, Mapping):
            told = (holder.get(key) for key in _FINISH_KEYS)
            yield from (str(reason) for reason in told if isinstance(reason, str | int) and reason)


def _incomplete(inner: Any) -> Mapping[str, Any]:
    details = inner.get("incomplete_details") if isinstance(inner, Mapping) else None
    return {"finish_reason": details.get("reason")} if isinstance(details, Mapping) else {}


def _only_masked(parts: list[Mapping[str, Any]]) -> bool:
    """A guardrail that only masked words let the answer through."""
    told = json.dumps(parts, default=str)
    return '"ANONYMIZED"' in told and '"BLOCKED"' not in told


def _hollow(value: Mapping[str, Any]) -> Fault | None:
    """Parsed, but without an answer in it: empty choices, or a Gemini reply with no candidate."""
    empty_choices = value.get("choices") == [] and value.get("object") != "chat.completion.chunk"
    no_candidate = "modelVersion" in value and "usageMetadata" in value and not value.get("candidates")
    return Fault(_K.MALFORMED_REPLY) if empty_choices or no_candidate else None


def _cut(parts: list[Mapping[str, Any]], names: set[str], *, broken: bool = False) -> Fault | None:
    """A stream whose dialect has an end that did not come, or whose last part is no longer whole."""
    finished = any(True for part in parts for _ in _finishes(part)) or any(
        part.get("done") is True for part in parts
    )
    if finished:
        return None
    for opened, closed in _OPENED_AND_CLOSED:
        if names & opened:
            return None if names & closed else Fault(_K.TRUNCATED_STREAM, streamed=True)
    speaks = any("candidates" in part or part.get("done") is False or _is_chunk(part) for part in parts)
    return Fault(_K.TRUNCATED_STREAM, streamed=True) if speaks or broken else None


def _is_chunk(part: Mapping[str, Any]) -> bool:
    choices = part.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, Mapping) and isinstance(first.get("delta"), Mapping)


def _parsed(text: str) -> Any:
    """The JSON value that `text` begins with: a stray byte after it, as Cerebras sent, takes nothing away."""
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None
