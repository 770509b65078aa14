"""What litellm can be asked for: by which function, through which client, and what counts as an answer.

Measured with litellm 1.106.2, provider by provider: does it send through the client that it is handed,
once, and leave its own globals alone? A provider that is not listed for an operation is not asked: litellm
would send by a client of its own, past the watch, or make an empty answer without asking anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from failover.adapters.clients import Style, style_of
from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Operation, Target
from failover.errors import FailoverError


class UnsupportedOperationError(FailoverError):
    """litellm cannot do this for the target's provider; nothing was sent, and others may be asked."""

    def __init__(self, target: Target, operation: str, provider: str, able: Mapping[str, Style]) -> None:
        kind = FailureKind.UNSUPPORTED_PARAMETER
        self.failure = Failure(kind, code=operation, parameter="operation")
        providers = ", ".join(sorted(able))
        super().__init__(
            f"target {target.name}: {operation} is not sent to {provider!r}; it is to {providers}. "
            "For another API, make the target a plain callable"
        )


@dataclass(frozen=True, slots=True)
class Method:
    """How litellm does one operation.

    `styles` holds the client that its code takes, by litellm's name of the provider; empty: as for chat.
    `lacks` says what is missing from an answer, "" for a good one.
    """

    function: str
    lacks: Callable[[Any], str]
    styles: Mapping[str, Style]

    def style(self, target: Target, operation: str, provider: str) -> Style:
        """The kind of client to hand over; raises `UnsupportedOperationError`."""
        if not self.styles:
            return style_of(provider)
        style = self.styles.get(provider)
        if style is None:
            raise UnsupportedOperationError(target, operation, provider, self.styles)
        return style


def _has(name: str, what: str) -> Callable[[Any], str]:
    return lambda value: "" if getattr(value, name, None) else what


def _response(value: Any) -> str:
    # One that runs in the background has no output yet, and says so.
    over = getattr(value, "status", None) in (None, "completed")
    return "output" if over and not getattr(value, "output", None) else ""


def _transcript(value: Any) -> str:
    # Silence has an empty transcript; some formats come as plain text.
    return "" if isinstance(getattr(value, "text", value), str) else "text"


def _by(**providers: str) -> dict[str, Style]:
    return {name: Style(style) for style, names in providers.items() for name in names.split()}


METHODS: Mapping[str, Method] = {
    Operation.COMPLETION: Method("acompletion", _has("choices", "choice"), {}),
    Operation.EMBEDDING: Method(
        "aembedding",
        _has("data", "embedding"),
        _by(
            openai="openai mistral together_ai fireworks_ai nebius",
            azure="azure",
            handler="cohere jina_ai voyage",
        ),
    ),
    Operation.RESPONSES: Method(
        "aresponses", _response, _by(handler="openai azure xai anthropic gemini mistral")
    ),
    Operation.IMAGE_GENERATION: Method(
        "aimage_generation", _has("data", "picture"), _by(openai="openai xai")
    ),
    Operation.TRANSCRIPTION: Method(
        "atranscription", _transcript, _by(openai="openai groq", azure="azure", handler="mistral")
    ),
    Operation.SPEECH: Method("aspeech", _has("content", "sound"), _by(openai="openai", azure="azure")),
    Operation.RERANK: Method("arerank", _has("results", "result"), _by(handler="cohere jina_ai voyage")),
    Operation.MODERATION: Method("amoderation", _has("results", "result"), _by(openai="openai mistral")),
}


def deaf_to_retries(client: Any) -> Any:
    """The same client of OpenAI's SDK, which never sends again by itself.

    litellm sets `client.max_retries = 2` for embeddings and pictures, whatever it was told, on a client
    that every operation shares.
    """
    kind = type(client)
    if not isinstance(vars(kind).get("max_retries"), property):
        client.__class__ = type(kind.__name__, (kind,), {"max_retries": property(_never, _ignored)})
    return client


def _never(_client: Any) -> int:
    return 0


def _ignored(_client: Any, _value: int) -> None:
    """Whoever sets it is not heard."""
