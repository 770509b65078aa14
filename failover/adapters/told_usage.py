"""What a provider said on the wire that an answer used, also one that broke: it is billed all the same.

Of an answer that broke, or that is no answer, the client above gives no usage; the wire had it where the
provider tells it early: Anthropic with its first event, others with every chunk or with a refusal inside a
200. Of a stream litellm misses what some tell (Groq, Cerebras), and counts tokens itself. Counts are read
only from where a provider tells them: what a model *says*, or gives a tool, is never taken for one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from failover.adapters.usage import usage_of
from failover.core.vocabulary import Usage

USAGE = "failover_usage"
"""The attribute of an exception that holds it."""

LONGEST_READ_BYTES = 256 * 1024
"""A whole body longer than this holds vectors or pictures; the client above has read its counts."""

_TOLD = re.compile(rb'"(?:usage|usageMetadata|tokens|billed_units)"\s*:\s*\{|"prompt_eval_count"')
# Of an event that is cut, or between the bytes of a binary one.
_IN = re.compile(rb'"(?:prompt_tokens|input_tokens|promptTokenCount|inputTokens)"\s*:\s*(\d{1,12})')
_OUT = re.compile(
    rb'"(?:completion_tokens|output_tokens|candidatesTokenCount|outputTokens)"\s*:\s*(\d{1,12})'
)
_HOLDERS = ("message", "response", "delta", "x_groq", "meta")
_COUNTS = tuple(each.name for each in fields(Usage) if each.name != "estimated")


def usage_in(body: bytes) -> Usage | None:
    """The counts in a body, whole or cut, None where there are none. Of each count the last word holds."""
    if not _TOLD.search(body):
        return None
    begins = body.lstrip()[:1]
    if begins in (b"{", b"[") and (whole := _parsed(body)) is not None:
        return _told_by(whole if isinstance(whole, list) else [whole])
    told: Usage | None = None
    for line in _telling_lines(body):
        part = _parsed(line.removeprefix(b"data:"))
        told = grown(told, _told_by([part]) if part is not None else _in_fragment(line))
    return told


def grown(before: Usage | None, later: Usage | None) -> Usage | None:
    """What is known after two tellings: the later word on everything that it counts."""
    if before is None or later is None:
        return before or later
    counts: dict[str, Any] = {name: getattr(later, name) or getattr(before, name) for name in _COUNTS}
    return replace(later, **counts)


def usage_told(error: BaseException | None) -> Usage | None:
    """What came with a failed attempt; a limit of ours is raised from the cancellation that it caused."""
    for each in (error, getattr(error, "__cause__", None)):
        told = getattr(each, USAGE, None)
        if isinstance(told, Usage):
            return told
    return None


def _telling_lines(body: bytes) -> Iterator[bytes]:
    """The lines that hold counts, each once; of Amazon's binary stream, what follows its count's name."""
    ended = 0
    for found in _TOLD.finditer(body):
        if found.start() < ended:
            continue
        begun = body.rfind(b"\n", 0, found.start()) + 1
        ended = body.find(b"\n", found.end())
        ended = len(body) if ended < 0 else ended
        yield body[max(begun, 0) : ended].strip()


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _told_by(parts: list[Any]) -> Usage | None:
    told: Usage | None = None
    for part in parts:
        if isinstance(part, Mapping):
            for holder in (part, *(part.get(name) for name in _HOLDERS)):
                told = grown(told, _held(holder))
    return told


def _held(holder: Any) -> Usage | None:
    """What one of the places says where counts are told."""
    if not isinstance(holder, Mapping):
        return None
    if "prompt_eval_count" in holder:
        return usage_of(holder)  # Ollama tells them beside its answer
    counts = holder.get("usage") or holder.get("usageMetadata") or holder
    if not isinstance(counts, Mapping):
        return None
    # Cohere bills other counts than it used: without its own preamble.
    billed = counts.get("billed_units") or counts.get("tokens")
    if isinstance(billed, Mapping):
        return usage_of(billed)
    return None if counts is holder else usage_of(counts)


def _in_fragment(text: bytes) -> Usage | None:
    counted_in, counted_out = _IN.findall(text), _OUT.findall(text)
    if not counted_in and not counted_out:
        return None
    return Usage(int(counted_in[-1]) if counted_in else 0, int(counted_out[-1]) if counted_out else 0)
