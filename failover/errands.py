"""What each operation sends: litellm's names and arguments, as one payload for every target."""

# ruff: noqa: A002 - the arguments are named as litellm's

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failover.attempts import Errand
from failover.core.policy import Delivery
from failover.core.quick import quick
from failover.core.vocabulary import Operation

Arguments = Mapping[str, Any]


@quick
@dataclass(frozen=True, slots=True)
class CallOptions:
    """What one call may say beside its operation's arguments; left out, the route's policy says it."""

    deadline_s: float | None = None
    stream: bool = False
    delivery: Delivery | None = None
    replay_safe: bool = True


def options(
    deadline_s: float | None = None,
    *,
    stream: bool = False,
    delivery: str | None = None,
    replay_safe: bool = True,
) -> CallOptions:
    """The options as callers write them; raises `ValueError` for a delivery that is none."""
    if delivery is not None and delivery not in set(Delivery):
        known = " or ".join(repr(each.value) for each in Delivery)
        raise ValueError(f"delivery must be {known}, not {delivery!r}")
    return CallOptions(deadline_s, stream, None if delivery is None else Delivery(delivery), replay_safe)


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
