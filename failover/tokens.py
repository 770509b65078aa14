"""How long a prompt probably is, without a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHARACTERS_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text; other languages and code need more tokens per character."""


def tokens_in(payload: Mapping[str, Any]) -> int:
    """An estimate of the prompt's tokens, from the text in messages, tools and input alone.

    Used to compare quotes, never to bill: charges come from the provider's own count.
    """
    parts = (payload.get("messages"), payload.get("tools"), payload.get("input"))
    return _characters(parts) // CHARACTERS_PER_TOKEN


def _characters(value: Any) -> int:
    if isinstance(value, str):
        # Images travel as data URLs in the same fields; they are not counted by their characters.
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list | tuple) else 0
