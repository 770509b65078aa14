"""What an answer used, in the words of every provider and of litellm: one reading of them all.

`tokens_in` is always all of the prompt. OpenAI's `prompt_tokens` and `input_tokens` are that already, as are
litellm's; Anthropic's `input_tokens` and Amazon's `inputTokens` leave out what was read from a cache or
written to one, Gemini's `candidatesTokenCount` what was thought, xAI's `completion_tokens` likewise.
Seen in recordings of 24 providers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from failover.core.vocabulary import Usage

_Get = Callable[[str], Any]

_IN = ("prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens", "prompt_eval_count")
_OUT = ("completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens", "eval_count")
_DETAILS_IN = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_DETAILS_OUT = ("completion_tokens_details", "output_tokens_details", "output_token_details")
_CACHED = (
    *("cache_read_input_tokens", "cacheReadInputTokens", "cachedContentTokenCount"),
    "prompt_cache_hit_tokens",
)
_WRITTEN = ("cache_creation_input_tokens", "cacheWriteInputTokens")
_TOTAL = ("total_tokens", "totalTokenCount", "totalTokens")
_HOUR = "ephemeral_1h_input_tokens"


def usage_of(counts: Any) -> Usage | None:
    """The tokens in an object or mapping of counts; None where it counts none.

    litellm makes up a usage of zeros for pictures that are billed by the piece. Kinds that would be more
    than the whole are cut to it: a provider's slip must not make a price negative.
    """
    if counts is None:
        return None
    get = _getter(counts)
    tokens_in, tokens_out = _first(get, _IN), _first(get, _OUT)
    details_in, details_out = _getter(_any(get, _DETAILS_IN)), _getter(_any(get, _DETAILS_OUT))
    cached = max(_first(get, _CACHED), _count(details_in("cached_tokens")))
    written = max(_first(get, _WRITTEN), _count(details_in("cache_creation_tokens")))
    hour = min(written, _hour(get, details_in))
    if _leaves_out_the_cache(get):
        tokens_in += cached + written
    tokens_in += _count(get("toolUsePromptTokenCount"))
    thought = _count(details_out("reasoning_tokens"))
    gemini_thought = _count(get("thoughtsTokenCount"))
    total = _first(get, _TOTAL)
    if gemini_thought or (thought and tokens_in + tokens_out + thought == total):
        thought = thought or gemini_thought
        tokens_out += thought
    if not (tokens_in or tokens_out):
        tokens_in = total  # of embeddings, where the prompt is all there is
    if not (tokens_in or tokens_out):
        return None
    cached = min(cached, tokens_in)
    written = min(written, tokens_in - cached)
    hour = min(hour, written)
    return Usage(
        tokens_in,
        tokens_out,
        cached,
        written - hour,
        hour,
        min(tokens_in, _heard(get("promptTokensDetails"), details_in)),
        min(tokens_out, _heard(get("candidatesTokensDetails"), details_out)),
        min(tokens_out, thought),
    )


def _getter(counts: Any) -> _Get:
    if isinstance(counts, Mapping):
        return counts.get
    return lambda name: getattr(counts, name, None)


def _any(get: _Get, names: tuple[str, ...]) -> Any:
    return next((found for name in names if (found := get(name)) is not None), None)


def _first(get: _Get, names: tuple[str, ...]) -> int:
    return next((count for name in names if (count := _count(get(name)))), 0)


def _count(told: Any) -> int:
    if isinstance(told, float) and told.is_integer():
        told = int(told)  # Cohere counts in fractions
    return max(0, told) if isinstance(told, int) else 0


def _leaves_out_the_cache(get: _Get) -> bool:
    """Anthropic's own words, or Amazon's; litellm says Anthropic's beside OpenAI's, which has all in it."""
    if get("inputTokens") is not None:
        return True
    return get("prompt_tokens") is None and any(
        get(name) is not None for name in ("cache_read_input_tokens", "cache_creation_input_tokens")
    )


def _hour(get: _Get, details_in: _Get) -> int:
    """Tokens written to a cache for an hour rather than for minutes."""
    for holder in (get("cache_creation"), details_in("cache_creation_token_details")):
        if count := _count(_getter(holder)(_HOUR)):
            return count
    told = get("cacheDetails")
    parts = [_getter(part) for part in told] if isinstance(told, list) else []
    return sum(_count(part("inputTokens")) for part in parts if part("ttl") == "1h")


def _heard(by_modality: Any, details: _Get) -> int:
    """Tokens of sound: a list of Gemini's with a count for each modality, or a count among the details."""
    if isinstance(by_modality, list):
        parts = [_getter(part) for part in by_modality]
        return sum(_count(part("tokenCount")) for part in parts if part("modality") == "AUDIO")
    return _count(details("audio_tokens"))
