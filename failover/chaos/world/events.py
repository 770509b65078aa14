"""The events that a streamed body is made of: what a provider sends at once."""

from __future__ import annotations

import re

_BLANK_LINE = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)")
_LINE = re.compile(rb"(?<=\n)")
_SERVER_SENT = re.compile(rb"^(?:data|event|id|retry)?:", re.MULTILINE)


def events_of(body: bytes) -> tuple[bytes, ...]:
    """Server-sent events, lines of JSON, or, of anything else, the whole; together they are the body."""
    if _SERVER_SENT.search(body):
        parts = _BLANK_LINE.split(body)
    elif body.lstrip().startswith(b"{"):
        parts = _LINE.split(body)
    else:
        parts = [body]
    return tuple(part for part in parts if part)
