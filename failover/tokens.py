"""How long a prompt probably is, without a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHARACTERS_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text; other languages and code need more tokens per character."""

_TEXTS = frozenset({"messages", "tools", "input", "instructions", "prompt", "query", "documents"})


def tokens_in(payload: Mapping[str, Any]) -> int:
    """An estimate of the prompt's tokens, from what is text in the arguments that carry any.

    Used to compare quotes, never to bill: charges come from the provider's own count. An embedding's
    input may be tokens already: lists of whole numbers.
    """
    characters = tokens = 0
    for name, value in payload.items():
        if name in _TEXTS:
            characters += _characters(value)
            if name == "input":
                tokens = _tokens(value)
    return characters // CHARACTERS_PER_TOKEN + tokens


def _tokens(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_tokens, value))
    return int(isinstance(value, int))


def _characters(value: Any) -> int:
    if isinstance(value, str):
        # Images travel as data URLs in the same fields; they are not counted by their characters.
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list | tuple) else 0
