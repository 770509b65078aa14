"""How long a prompt probably is, without a tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

CHARACTERS_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text; other languages and code need more tokens per character."""


def tokens_in(payload: Mapping[str, Any]) -> int:
    """An estimate of the prompt's tokens, from the text in messages, tools and input alone.

    Used to compare quotes, never to bill: charges come from the provider's own count.
    """
    parts = (payload.get("messages"), payload.get("tools"), payload.get("input"))
    return sum(map(len, _texts(parts))) // CHARACTERS_PER_TOKEN


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        # Images travel as data URLs in the same fields; they are not counted by their characters.
        yield "" if value.startswith("data:") else value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        for each in value:
            yield from _texts(each)
