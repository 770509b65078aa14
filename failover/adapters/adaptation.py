"""A request in the form that a target takes: the same request, said in another way.

What only one provider understands of a conversation that another one began:

- `max_tokens` and `max_completion_tokens` say the same; a target may refuse either name.
- Ids of tool calls: Mistral takes nine letters and digits and refuses OpenAI's and Anthropic's ids (its error
  3280, "must be a-z, A-Z, 0-9, with a length of 9"). The same id always becomes the same, so a call and its
  result still belong together.
- Thoughts: litellm hands them out as `reasoning_content` and `thinking_blocks`, signed by who thought them,
  and sends them back to OpenAI, Azure and Groq too (measured with litellm 1.106.2), whose APIs have no such
  fields; Groq refuses them. There they are left out; an OpenAI-compatible server at an address of its own
  gets them.
- A text to be continued is the assistant's last message. `prefix` marks it for those that ask for the mark
  (Mistral, DeepSeek); litellm keeps it from Anthropic and Gemini.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from failover.adapters.seam import Outbound
from failover.core.capabilities import equivalent

_THOUGHTS = ("reasoning_content", "thinking_blocks")
_TAKES_NO_THOUGHTS = frozenset({"openai", "azure", "groq"})
_MISTRAL_ID = re.compile(r"[A-Za-z0-9]{9}")
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 9


def adapted(outbound: Outbound, provider: str) -> Mapping[str, Any]:
    """The caller's arguments as the target takes them; the caller's own objects are left as they are.

    `provider` is litellm's name for the target's.
    """
    target, payload = outbound.target, outbound.payload
    if target.capabilities.unsupported_parameters:
        payload = _renamed(payload, target.capabilities.unsupported_parameters)
    messages = payload.get("messages")
    if not isinstance(messages, list | tuple):
        return payload
    fresh: Any = _continued(messages, outbound.prefill) if outbound.prefill else messages
    if provider == "mistral":
        fresh = [_with_short_ids(message) for message in fresh]
    elif provider in _TAKES_NO_THOUGHTS and not (provider == "openai" and target.api_base):
        fresh = [_without_thoughts(message) for message in fresh]
    return payload if fresh == messages else {**payload, "messages": fresh}


def _continued(messages: Sequence[Any], text: str) -> list[Any]:
    last: Any = messages[-1] if messages else None
    begun = last.get("content") if isinstance(last, dict) and last.get("role") == "assistant" else None
    if isinstance(begun, str):  # the caller's own beginning, which `text` went on with
        return [*messages[:-1], {**last, "content": begun + text, "prefix": True}]
    return [*messages, {"role": "assistant", "content": text, "prefix": True}]


def _renamed(payload: Mapping[str, Any], unsupported: frozenset[str]) -> Mapping[str, Any]:
    # One that is None is not set, and must not take the place of one that is.
    given = {name: value for name, value in payload.items() if value is not None}
    names = {name: equivalent(name, frozenset(given), unsupported) for name in given.keys() & unsupported}
    return {names.get(name) or name: value for name, value in given.items()}


def _without_thoughts(message: Any) -> Any:
    plain = _plain(message)
    if plain.keys().isdisjoint(_THOUGHTS):
        return message
    return {name: value for name, value in plain.items() if name not in _THOUGHTS}


def _with_short_ids(message: Any) -> Any:
    plain = _plain(message)
    calls, answers_to = plain.get("tool_calls"), plain.get("tool_call_id")
    if not calls and not answers_to:
        return message
    fresh = dict(plain)
    if calls:
        fresh["tool_calls"] = [{**call, "id": _short(call.get("id"))} for call in map(_plain, calls)]
    if answers_to:
        fresh["tool_call_id"] = _short(answers_to)
    return fresh if fresh != message else message


def _plain(value: Any) -> Mapping[str, Any]:
    """The message of an earlier reply, as litellm hands it out, becomes a mapping."""
    if isinstance(value, dict):
        return value
    dump = getattr(value, "model_dump", None)
    return dict(dump(exclude_none=True)) if dump is not None else {}


def _short(identity: Any) -> Any:
    if not isinstance(identity, str) or not identity or _MISTRAL_ID.fullmatch(identity):
        return identity
    number = int.from_bytes(hashlib.sha256(identity.encode()).digest())
    return "".join(_LETTERS[number // len(_LETTERS) ** place % len(_LETTERS)] for place in range(_ID_LENGTH))
