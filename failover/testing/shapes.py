"""A line of a script on the wire, in the shape of the target's provider."""

from __future__ import annotations

import json
import math
from typing import Any

from failover.adapters.wire import WireReply
from failover.chaos.world.synthetic import TEXT, WORDS, synthetic_success
from failover.chaos.world.usage_shapes import with_usage
from failover.core.vocabulary import Operation, Target
from failover.errors import FailoverError
from failover.testing.scripts import Broken, Line, Replied, Said
from failover.testing.staging import Played, SentRequest
from failover.testing.wording import error_body
from failover.tokens import CHARACTERS_PER_TOKEN, tokens_in

_OF_THE_END = {"finishReason", "usageMetadata", "done_reason"}


class ScriptError(FailoverError):
    """The script cannot be played: it has no line for this target, or its line does not fit the operation."""


def played(line: Line, target: Target, request: SentRequest) -> Played:
    """What `target` puts on the wire for `request`. Raises `ScriptError`."""
    match line:
        case Exception():
            return Played(error=line)
        case Broken():
            return Played(line.after_s, fault=line.fault)
        case Replied():
            return _replied(line, target)
        case Said():
            return _said(line, target, request)


def _replied(line: Replied, target: Target) -> Played:
    headers = {
        "content-type": "application/json",
        **{name.lower(): value for name, value in line.headers.items()},
    }
    if line.retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(line.retry_after_s))
    body = line.body
    if body is None:
        content = error_body(target.model.partition("/")[0], line.status)
    elif isinstance(body, str | bytes):
        content = body.encode() if isinstance(body, str) else body
    else:
        content = json.dumps(body).encode()
    return Played(line.after_s, line.status, headers, ((0.0, content),))


def _said(line: Said, target: Target, request: SentRequest) -> Played:
    if request.operation != Operation.COMPLETION:
        raise ScriptError(
            f"target {target.name}: answer(…) and stream(…) answer a chat, and it was asked for "
            f"{request.operation}: use raw(…) with the provider's own JSON"
        )
    text = "".join(line.parts)
    reply = with_usage(
        synthetic_success(target.model, stream=request.stream),
        max(1, tokens_in(request.arguments)) if line.tokens_in is None else line.tokens_in,
        max(1, len(text) // CHARACTERS_PER_TOKEN) if line.tokens_out is None else line.tokens_out,
    )
    cut, stalled = line.then == "cut", line.then == "stall"
    if request.stream:
        pieces = _streamed(line, reply)
        return Played(line.after_s, reply.status, reply.headers, pieces, cut=cut, stalled=stalled)
    after_s = line.after_s + line.gap_s * max(0, len(line.parts) - 1)
    body = json.dumps(_with_text(json.loads(reply.body), text)).encode()
    piece = body if line.then == "end" else body[: len(body) // 2]
    return Played(after_s, reply.status, reply.headers, ((0.0, piece),), cut=cut, stalled=stalled)


def _streamed(line: Said, reply: WireReply) -> tuple[tuple[float, bytes], ...]:
    """The synthetic stream with its text told in the script's parts."""
    separator = b"\n\n" if b"data:" in reply.body else b"\n"
    events = [event + separator for event in reply.body.split(separator) if event.strip()]
    words = [index for index, event in enumerate(events) if any(word.encode() in event for word in WORDS)]
    # The last of them, since with some dialects it is also the one that ends the answer.
    where, over = words[-1], line.then == "end"
    pieces = [(0.0, event) for event in events[: words[0]]]
    for number, part in enumerate(line.parts):
        last = over and number == len(line.parts) - 1
        gap_s = line.gap_s if number else 0.0
        pieces.append((gap_s, _told(events[where], part, last=last)))
    return (*pieces, *((0.0, event) for event in events[where + 1 :] if over))


def _told(event: bytes, part: str, *, last: bool) -> bytes:
    """The event with this text; where a dialect ends the answer with its text, only the last ends it."""
    begin = event.index(b"{")
    end = event.rindex(b"}") + 1
    content = _with_text(json.loads(event[begin:end]), part)
    if not last:
        content = _unended(content)
    return event[:begin] + json.dumps(content).encode() + event[end:]


def _with_text(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {name: _with_text(part, text) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_text(part, text) for part in value]
    return text if value == TEXT or value in WORDS else value


def _unended(value: Any) -> Any:
    if isinstance(value, list):
        return [_unended(part) for part in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _unended(part) for name, part in value.items() if name not in _OF_THE_END}
    return {**kept, "done": False} if "done" in kept else kept
