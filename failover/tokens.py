"""How many tokens a text is: by the target's own tokenizer where that is at hand, else by its characters.

The tokenizers of OpenAI's models come with litellm, as files: they are read from there, and nothing is ever
downloaded. Others give no tokenizer away that would count as their bill does. What is counted here is for
quotes, and for answers whose provider told no usage; charges come from the provider's own count.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

from failover.core.vocabulary import Target, Usage

CHARACTERS_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text; other languages and code need more tokens per character."""

_TEXTS = frozenset({"messages", "tools", "input", "instructions", "prompt", "query", "documents"})
_DATA = "data:"

EXACT_CHARACTERS = 16_000
"""So much of a text is counted; the rest of a longer one as many tokens per character."""

MESSAGE_TOKENS, REPLY_TOKENS = 3, 3
"""What OpenAI's chat adds to each message, and once for the answer (from OpenAI's cookbook)."""

_FILES = {
    "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
    "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
}
"""Which of the files that come with litellm holds an encoding: tiktoken names them by their address."""

_O200K = ("gpt-4o", "chatgpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-6", "gpt-oss", "o1", "o3", "o4")
_CL100K = ("gpt-4", "gpt-3.5", "gpt-35", "text-embedding-3", "text-embedding-ada-002")


@dataclass(frozen=True, slots=True)
class Measure:
    """How the tokens of a model are counted: by its `encoding`, or so many characters each.

    `error_share` is how far off a plain English prompt may be. Tools cost more than their text: providers
    add instructions of their own, 60 to 600 tokens in the recordings looked at.
    """

    encoding: str = ""
    characters: float = CHARACTERS_PER_TOKEN
    error_share: float = 0.25

    def __str__(self) -> str:
        how = self.encoding or f"{self.characters:g} characters each"
        return f"{how}, ± {self.error_share:.0%}"


_EXACT_SHARE = 0.05
_BY_CHARACTERS = Measure()
# Anthropic tells 3.5 English characters for a token; since Opus 4.7 the same text is about 30 % more.
_CLAUDE = Measure("", 3.5)
_CLAUDE_NEWER = Measure("", 2.7)
_NEWER_FROM = (4, 7)
_VERSION = re.compile(r"(?<!\d)\d{1,2}(?!\d)")


@cache
def measure_of(model: str) -> Measure:
    """How to count for litellm's `model`; a name that nobody knows goes by its characters."""
    bare = model.rpartition("/")[2]
    if "claude" in bare:
        version = tuple(map(int, _VERSION.findall(bare)[:2]))
        return _CLAUDE_NEWER if version >= _NEWER_FROM else _CLAUDE
    for encoding, names in (("o200k_base", _O200K), ("cl100k_base", _CL100K)):
        if bare.startswith(names):
            return Measure(encoding, error_share=_EXACT_SHARE) if _file(encoding) else _BY_CHARACTERS
    return _BY_CHARACTERS


def count(text: str, measure: Measure) -> int:
    """The tokens of a text."""
    if not text:
        return 0
    if not measure.encoding:
        return ceil(len(text) / measure.characters)
    known = len(tokenizer(measure.encoding).encode_ordinary(text[:EXACT_CHARACTERS]))
    return known if len(text) <= EXACT_CHARACTERS else ceil(known * len(text) / EXACT_CHARACTERS)


def written(model: str, texts: Iterable[str]) -> Usage | None:
    """What an answer of so many texts used, its prompt left out; None of nothing, and of a plain function."""
    said = "".join(texts)
    return Usage(0, count(said, measure_of(model)), estimated=True) if said and model else None


def tokens_in(payload: Mapping[str, Any]) -> int:
    """An estimate of the prompt's tokens, from what is text in the arguments that carry any.

    Quick and the same for every target; never to bill: charges come from the provider's own count. An
    embedding's input may be tokens already: lists of whole numbers.
    """
    characters = tokens = 0
    for name, value in payload.items():
        if name in _TEXTS:
            characters += _characters(value)
            if name == "input":
                tokens = _tokens(value)
    return characters // CHARACTERS_PER_TOKEN + tokens


class Prompt:
    """One prompt, counted when somebody asks, and once for each way of counting."""

    __slots__ = ("_estimate", "_known", "_payload")

    def __init__(self, payload: Mapping[str, Any], estimate: int) -> None:
        self._payload = payload
        self._estimate = estimate
        self._known: dict[Measure, int] = {}

    def __call__(self, target: Target) -> int:
        """Its tokens at `target`."""
        measure = measure_of(target.model)
        found = self._known.get(measure)
        if found is None:
            found = self._known[measure] = self._counted(measure)
        return found

    def _counted(self, measure: Measure) -> int:
        if not measure.encoding:
            return ceil(self._estimate * CHARACTERS_PER_TOKEN / measure.characters)
        texts: list[str] = []
        for name in _TEXTS & self._payload.keys():
            if name != "tools":
                _take_texts(self._payload[name], texts)
        messages = self._payload.get("messages")
        framing = MESSAGE_TOKENS * len(messages) + REPLY_TOKENS if isinstance(messages, list | tuple) else 0
        tools = self._payload.get("tools")
        described = json.dumps(tools, default=str) if tools else ""
        told = _tokens(self._payload.get("input"))
        return count("\n".join(texts), measure) + count(described, measure) + framing + told


class Length:
    """A prompt of which only the length is known, in tokens of four characters."""

    __slots__ = ("_tokens",)

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens

    def __call__(self, target: Target) -> int:
        """Its tokens at `target`."""
        return ceil(self._tokens * CHARACTERS_PER_TOKEN / measure_of(target.model).characters)


def prepare(models: Iterable[str]) -> None:
    """Read the tokenizers of these models now: half a second that no call then waits for."""
    for encoding in sorted({measure_of(model).encoding for model in models} - {""}):
        tokenizer(encoding)


def _take_texts(value: Any, texts: list[str]) -> None:
    if isinstance(value, str):
        if not value.startswith(_DATA):
            texts.append(value)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if name not in ("role", "type"):
                _take_texts(each, texts)
    elif isinstance(value, list | tuple):
        for each in value:
            _take_texts(each, texts)


def _tokens(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_tokens, value))
    return int(isinstance(value, int))


def _characters(value: Any) -> int:
    if isinstance(value, str):
        # Images travel as data URLs in the same fields; they are not counted by their characters.
        return 0 if value.startswith(_DATA) else len(value)
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list | tuple) else 0


@cache
def _file(encoding: str) -> Path | None:
    """The file of an encoding that came with litellm; None without it, or without tiktoken."""
    found = importlib.util.find_spec("litellm"), importlib.util.find_spec("tiktoken")
    for folder in (found[0].submodule_search_locations or ()) if all(found) and found[0] else ():
        file = Path(folder) / "litellm_core_utils" / "tokenizers" / _FILES[encoding]
        if file.is_file():
            return file
    return None


@cache
def tokenizer(name: str) -> Any:
    """tiktoken's encoding of a name, read from its file: it looks there first, and so never on a network."""
    file = _file(name)
    assert file is not None  # noqa: S101  # else no model is measured by it
    before = os.environ.get(_CACHE)
    os.environ[_CACHE] = str(file.parent)
    try:
        return importlib.import_module("tiktoken").get_encoding(name)
    finally:
        if before is None:
            del os.environ[_CACHE]
        else:
            os.environ[_CACHE] = before


_CACHE = "TIKTOKEN_CACHE_DIR"
