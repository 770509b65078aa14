"""Answers spoilt in the shape of their dialect: filtered, emptied, cut, or broken off by an error.

Whole replies are one JSON document, streams are events; what is in neither shape stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any

from failover.adapters.terminal import StreamWatch
from failover.adapters.wire import WireReply
from failover.chaos.world.events import events_of

_FINISHED = re.compile(rb'("(?:finish_reason|stop_reason|finishReason)"\s*:\s*")(\w+)(")')
_FILTERED = {b"finish_reason": b"content_filter", b"stop_reason": b"refusal", b"finishReason": b"SAFETY"}
_PART = re.compile(rb'"type"\s*:\s*"(?:content_block_|response\.(?:output_|content_part))')
"""Events that are a part of the answer: Anthropic's, and those of OpenAI's Responses."""
_DATA = b"data:"


def filtered(reply: WireReply) -> WireReply:
    """The same answer, ended by the provider's content filter: its own finish reason, and a 200."""
    return replace(reply, body=_FINISHED.sub(_as_filtered, reply.body))


def _as_filtered(found: re.Match[bytes]) -> bytes:
    word = next(word for key, word in _FILTERED.items() if key in found[1])
    return found[1] + word + found[3]


def emptied(reply: WireReply) -> WireReply:
    """The same answer with nothing in it: well formed, finished, and without a word."""
    return _rewritten(reply, _without_words)


def _without_words(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_words(each) for each in value]
    if not isinstance(value, dict):
        return value
    spared = {name: _without_words(each) for name, each in value.items()}
    for name in ("text", "thinking", "content", "reasoning_content", "delta"):
        if isinstance(spared.get(name), str):
            spared[name] = ""
    if isinstance(spared.get("parts"), list):
        spared["parts"] = []
    if isinstance(spared.get("content"), list) and "stop_reason" in spared:
        spared["content"] = []
    return spared


def without_choices(reply: WireReply) -> WireReply:
    """The same reply with nothing to choose from: no choice, no candidate, no block of content."""
    events = [event for event in events_of(reply.body) if _PART.search(event) is None]
    return _rewritten(replace(reply, body=b"".join(events)), _without_choices)


def _without_choices(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    spared = {name: _without_choices(each) for name, each in value.items()}
    for name in ("choices", "candidates", "content", "output"):
        if isinstance(spared.get(name), list):
            spared[name] = []
    return spared


def _rewritten(reply: WireReply, change: Callable[[Any], Any]) -> WireReply:
    lines = [reply.body] if reply.body.lstrip().startswith((b"{", b"[")) else reply.body.split(b"\n")
    return replace(reply, body=b"\n".join(_changed(line, change) for line in lines))


def _changed(line: bytes, change: Callable[[Any], Any]) -> bytes:
    prefix = _DATA + b" " if line.startswith(_DATA) else b""
    try:
        return prefix + json.dumps(change(json.loads(line.removeprefix(_DATA)))).encode()
    except ValueError:
        return line


def cut(reply: WireReply, share: float) -> WireReply:
    """The first `share` of the events of a stream before its end; nothing says that more was to come."""
    return replace(reply, body=b"".join(_kept(reply, share)))


def broken_off(reply: WireReply, share: float, error: bytes) -> WireReply:
    """The first `share` of the events of a stream before its end, and then one that says what went wrong."""
    return replace(reply, body=b"".join((*_kept(reply, share), error)))


def _kept(reply: WireReply, share: float) -> tuple[bytes, ...]:
    """Who has the end of a stream has the answer, whatever comes after it: it is never among these."""
    events = events_of(reply.body)
    watch = StreamWatch()
    for before_end, event in enumerate(events):
        watch.feed(event)
        if watch.ended:
            return events[: ceil(before_end * share)]
    return events[: ceil(len(events) * share)]


def garbled(reply: WireReply) -> WireReply:
    """Half of the JSON of a reply; of a stream, half of that of the event in its middle."""
    events = list(events_of(reply.body))
    if not events:
        return reply
    middle = len(events) // 2
    event = events[middle].rstrip(b"\r\n")
    ending = events[middle][len(event) :]
    events[middle] = event[: len(event) // 2] + ending
    return replace(reply, body=b"".join(events))
