"""What each operation sends: litellm's names and arguments, as one payload for every target."""

# ruff: noqa: A002 - the arguments are named as litellm's

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any

from failover.attempts import Errand
from failover.core.policy import Delivery
from failover.core.prices import usd_to_nusd
from failover.core.quick import quick
from failover.core.vocabulary import Operation

Arguments = Mapping[str, Any]


@quick
@dataclass(frozen=True, slots=True)
class CallOptions:
    """What one call may say beside its operation's arguments; left out, the route's policy says it.

    `deadline_s`: a deadline of its own. `delivery`: `live` or `whole`, of a stream. One that is not
    `replay_safe` is never hedged. `data_class`: which of the config's its data are. `tenant` and `tags`
    say for whom and for what it is. `max_cost_nusd`: what it may cost, all attempts together.
    """

    deadline_s: float | None = None
    stream: bool = False
    delivery: Delivery | None = None
    replay_safe: bool = True
    data_class: str = ""
    tenant: str = ""
    tags: frozenset[str] = frozenset()
    max_cost_nusd: int | None = None


_NAMES = frozenset({"deadline_s", "delivery", "replay_safe", "data_class", "tenant", "tags", "max_cost_usd"})
_NONE, _STREAM = CallOptions(), CallOptions(stream=True)


def options(arguments: dict[str, Any], *, stream: bool = False) -> CallOptions:
    """Take the options of one call out of its arguments, as callers write them.

    Raises `ValueError` for one that has no meaning.
    """
    if _NAMES.isdisjoint(arguments):
        return _STREAM if stream else _NONE
    take = arguments.pop
    return CallOptions(
        take("deadline_s", None),
        stream,
        _delivery(take("delivery", None)),
        take("replay_safe", _NONE.replay_safe),
        _name("data_class", take("data_class", None)),
        _name("tenant", take("tenant", None)),
        _tags(take("tags", None)),
        _cost_nusd(take("max_cost_usd", None)),
    )


def _delivery(told: str | None) -> Delivery | None:
    if told is None:
        return None
    if told not in set(Delivery):
        known = " or ".join(repr(each.value) for each in Delivery)
        raise ValueError(f"delivery must be {known}, not {told!r}")
    return Delivery(told)


def _name(option: str, told: Any) -> str:
    if told is None:
        return ""
    if not isinstance(told, str) or not told:
        raise ValueError(f"{option} must be a name, not {told!r}")
    return told


def _tags(told: Any) -> frozenset[str]:
    if told is None:
        return frozenset()
    if isinstance(told, str) or not all(isinstance(tag, str) and tag for tag in told):
        raise ValueError(f"tags must be a list of names, not {told!r}")
    return frozenset(told)


def _cost_nusd(told: Any) -> int | None:
    if told is None:
        return None
    if isinstance(told, bool) or not isinstance(told, int | float | Decimal) or not 0 <= told < inf:
        raise ValueError(f"max_cost_usd must be a number of dollars from 0 up, not {told!r}")
    return usd_to_nusd(told)


def completion(messages: Sequence[Mapping[str, Any]], arguments: Arguments) -> Errand:
    """A chat completion."""
    return Errand(Operation.COMPLETION, {"messages": messages, **arguments})


def call(arguments: Arguments) -> Errand:
    """A plain function's arguments."""
    return Errand(Operation.CALL, arguments)


def embedding(input: str | Sequence[Any], arguments: Arguments) -> Errand:
    """Embeddings of texts, or of lists of tokens."""
    return Errand(Operation.EMBEDDING, {"input": input, **arguments})


def responses(input: str | Sequence[Any], arguments: Arguments) -> Errand:
    """An answer by OpenAI's Responses API."""
    return Errand(Operation.RESPONSES, {"input": input, **arguments})


def image_generation(prompt: str, arguments: Arguments) -> Errand:
    """Pictures of a description."""
    return Errand(Operation.IMAGE_GENERATION, {"prompt": prompt, **arguments})


def transcription(file: Any, arguments: Arguments) -> Errand:
    """The text of a recording. An open file is read once, before anything is sent."""
    return Errand(Operation.TRANSCRIPTION, {"file": _whole(file), **arguments})


def speech(input: str, voice: Any, arguments: Arguments) -> Errand:
    """A text, spoken."""
    return Errand(Operation.SPEECH, {"input": input, "voice": voice, **arguments})


def rerank(query: str, documents: Sequence[Any], arguments: Arguments) -> Errand:
    """Documents in the order of how well they fit a query."""
    return Errand(Operation.RERANK, {"query": query, "documents": documents, **arguments})


def moderation(input: str | Sequence[Any], arguments: Arguments) -> Errand:
    """What a text or a picture offends against."""
    return Errand(Operation.MODERATION, {"input": input, **arguments})


def tokens_out(errand: Errand) -> int | None:
    """How many tokens the answer may have, as far as the caller says; an embedding has none."""
    if errand.operation == Operation.EMBEDDING:
        return 0
    told = errand.payload.get
    return told("max_completion_tokens") or told("max_tokens") or told("max_output_tokens") or None


def _whole(file: Any) -> Any:
    """What every target can be sent from its beginning: an open file gives its content only once."""
    if isinstance(file, tuple) and len(file) > 1 and hasattr(file[1], "read"):
        return (file[0], file[1].read(), *file[2:])
    if not hasattr(file, "read"):
        return file
    name = getattr(file, "name", None)
    return (Path(name).name if isinstance(name, str) else "audio", file.read())
