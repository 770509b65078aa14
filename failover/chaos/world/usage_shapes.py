"""Where each dialect tells the tokens of a reply, so that a workload can set their number."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from failover.adapters.wire import WireReply

HOLDERS = {"usage", "usageMetadata", "tokens", "billed_units"}
FIELDS_IN = {"prompt_tokens", "input_tokens", "promptTokenCount", "prompt_eval_count"}
FIELDS_OUT = {"completion_tokens", "output_tokens", "candidatesTokenCount", "eval_count"}
FIELDS_TOTAL = {"total_tokens", "totalTokenCount"}
_EVENT = b"data:"
_COUNT = re.compile(
    b'("(?:%s)"\\s*:\\s*)(\\d{1,12})' % "|".join(sorted(FIELDS_IN | FIELDS_OUT | FIELDS_TOTAL)).encode()
)


def with_usage(reply: WireReply, tokens_in: int, tokens_out: int) -> WireReply:
    """`reply` with its token counts set; cached, reasoning and other detailed counts are dropped.

    A body that is neither JSON nor a stream of JSON events stays as it is.
    """
    try:
        body = _changed(reply.body, tokens_in, tokens_out)
    except ValueError:
        return reply
    headers = {name: value for name, value in reply.headers.items() if name != "content-length"}
    return WireReply(reply.status, headers, body)


def with_usage_scaled(reply: WireReply, factor: float) -> WireReply:
    """`reply` with every count of tokens multiplied by `factor`, rounded to whole tokens."""
    return replace(reply, body=_COUNT.sub(lambda found: _scaled(found, factor), reply.body))


def _scaled(found: re.Match[bytes], factor: float) -> bytes:
    return found[1] + str(round(int(found[2]) * factor)).encode()


def _changed(body: bytes, tokens_in: int, tokens_out: int) -> bytes:
    if body.lstrip().startswith((b"{", b"[")):
        try:
            return json.dumps(_replaced(json.loads(body), tokens_in, tokens_out)).encode()
        except ValueError:
            if b"\n" not in body.strip():
                raise
    lines = body.split(b"\n")
    return b"\n".join(_changed_line(line, tokens_in, tokens_out) for line in lines)


def _changed_line(line: bytes, tokens_in: int, tokens_out: int) -> bytes:
    """A line of an event stream, or of JSON Lines, which Ollama streams."""
    content = line.removeprefix(_EVENT).strip()
    if not content.startswith(b"{"):
        return line
    prefix = b"data: " if line.startswith(_EVENT) else b""
    return prefix + json.dumps(_replaced(json.loads(content), tokens_in, tokens_out)).encode()


def _replaced(value: Any, tokens_in: int, tokens_out: int) -> Any:
    if isinstance(value, list):
        return [_replaced(each, tokens_in, tokens_out) for each in value]
    if not isinstance(value, dict):
        return value
    if "prompt_eval_count" in value:  # Ollama's, beside the answer
        value = {**value, "prompt_eval_count": tokens_in, "eval_count": tokens_out}
    if _ends_untold(value):
        value = {**value, "usage": dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), 0)}
    return {
        name: _counts(each, tokens_in, tokens_out)
        if name in HOLDERS and isinstance(each, dict)
        else _replaced(each, tokens_in, tokens_out)
        for name, each in value.items()
    }


def _ends_untold(chunk: dict[str, Any]) -> bool:
    """Whether this is the last chunk of an OpenAI-style stream, and tells no usage.

    Some providers never tell it in a stream: a client then makes an estimate of its own.
    """
    if chunk.get("object") != "chat.completion.chunk" or chunk.get("usage"):
        return False
    choices = chunk.get("choices") or [{}]
    return isinstance(choices[0], dict) and bool(choices[0].get("finish_reason"))


def _counts(counts: dict[str, Any], tokens_in: int, tokens_out: int) -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    for name, value in counts.items():
        if name in HOLDERS and isinstance(value, dict):
            numbers[name] = _counts(value, tokens_in, tokens_out)
        elif name in FIELDS_IN:
            numbers[name] = tokens_in
        elif name in FIELDS_OUT:
            numbers[name] = tokens_out
        elif name in FIELDS_TOTAL:
            numbers[name] = tokens_in + tokens_out
    return numbers
