"""An answer that continues a text: what the target is sent, and what of its answer is new.

A target that takes a prefill is sent the text as the beginning of its own answer. Some then say it again
(Mistral's answers include the prefix), most do not. None takes one that ends in white space.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BY_PREFIX = frozenset({"mistral", "codestral", "deepseek"})
"""Who wants to be told that the last message is a prefix. Others continue it unasked, or as litellm asks."""


def with_prefill(payload: Mapping[str, Any], prefill: str, provider: str) -> Mapping[str, Any]:
    """The caller's arguments, with `prefill` as the beginning of the answer.

    `provider` is litellm's name for the target's. What the caller had begun himself stays its beginning.
    """
    messages = list(payload["messages"])
    if _begun(payload):
        messages.pop()
    said = beginning(payload, prefill).rstrip()
    last: dict[str, Any] = {"role": "assistant", "content": said}
    if provider in _BY_PREFIX:
        last["prefix"] = True
    return {**payload, "messages": [*messages, last]}


def beginning(payload: Mapping[str, Any], prefill: str) -> str:
    """All of the answer that there is: what the caller had begun himself, and `prefill`."""
    return _begun(payload) + prefill


def _begun(payload: Mapping[str, Any]) -> str:
    messages = payload["messages"]
    last = messages[-1] if messages else None
    if not isinstance(last, Mapping) or last.get("role") != "assistant" or last.get("tool_calls"):
        return ""
    content = last.get("content")
    return content if isinstance(content, str) else ""


class Continuation:
    """Tells, piece by piece, which text of an answer the caller does not have yet."""

    def __init__(self, prefill: str) -> None:
        self._said = prefill.rstrip()
        self._space = prefill[len(self._said) :]
        self._echo = ""

    def new(self, text: str) -> str:
        """What is new in the next piece of text; nothing while it may be the prefill, said again."""
        if self._said:
            self._echo += text
            if len(self._echo) < len(self._said) and self._said.startswith(self._echo):
                return ""
            text = self._echo.removeprefix(self._said)
            self._said = ""
        return self._after_space(text) if self._space else text

    def rest(self) -> str:
        """The answer is over: what looked like the prefill and was not all of it is new after all."""
        rest = "" if not self._said else self._echo
        self._said = ""
        return self._after_space(rest)

    def _after_space(self, text: str) -> str:
        # The white space that the prefill had to leave out is said again by whoever continues.
        while self._space and text.startswith(self._space[0]):
            text, self._space = text[1:], self._space[1:]
        if text:
            self._space = ""
        return text
