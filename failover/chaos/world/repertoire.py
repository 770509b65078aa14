"""What each target can answer: its own episodes, else its provider's, else a synthetic one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from failover.adapters.classify_reply import classify_reply
from failover.cassettes.episodes import Episode
from failover.chaos.workload import Shape
from failover.chaos.world.image import Image
from failover.chaos.world.model_shapes import calls_a_tool, in_the_name_of
from failover.chaos.world.successes import Source, Success, Successes
from failover.chaos.world.synthetic import synthetic_success
from failover.core.vocabulary import Operation, Target

ENDPOINTS: Mapping[str, frozenset[str]] = {
    Operation.COMPLETION: frozenset(
        {
            *("chat.completions", "messages", "generateContent", "streamGenerateContent", "ollama.chat"),
            *("chat", "converse", "converse-stream", "invoke", "invoke-stream"),
        }
    ),
    Operation.RESPONSES: frozenset({"responses"}),
    Operation.EMBEDDING: frozenset({"embeddings"}),
    Operation.IMAGE_GENERATION: frozenset({"images.generations"}),
    Operation.TRANSCRIPTION: frozenset({"audio.transcriptions"}),
    Operation.SPEECH: frozenset({"audio.speech"}),
    Operation.RERANK: frozenset({"rerank"}),
    Operation.MODERATION: frozenset({"moderations"}),
}
"""Which recorded exchanges answer which operation."""

CHATS: Mapping[str, frozenset[str]] = {
    "anthropic": frozenset({"messages"}),
    "gemini": frozenset({"generateContent", "streamGenerateContent"}),
    "ollama_chat": frozenset({"ollama.chat"}),
}
"""Where litellm asks these for a chat, by its names of them. Each has an OpenAI-style endpoint beside it."""

WITHOUT_RESPONSES = frozenset({"anthropic", "gemini", "mistral"})
"""Providers, by litellm's name, that have no API of responses: litellm makes them of a chat."""

CASSETTE_PROVIDERS = {
    "gemini": "google-gemini",
    "vertex_ai": "google-vertex",
    "azure": "azure-openai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "ollama_chat": "ollama",
}
"""litellm's name of a provider, where cassettes know it by another."""


class Repertoire:
    """The answers of each target, streamed or whole, with the token counts of what asks.

    Calls of tools are left out: a workload offers none. A recording of a local mock server keeps its
    answers and loses its timing: that is not a provider's.
    """

    def __init__(self, episodes: Sequence[Episode]) -> None:
        self._episodes = episodes
        self._usable: dict[tuple[Operation, bool], list[Episode]] = {}

    def of(self, target: Target, shape: Shape, *, stream: bool) -> Successes:
        """Every answer of `target` to requests of `shape`."""
        prefix, _, bare = target.model.partition("/")
        providers = {prefix, CASSETTE_PROVIDERS.get(prefix, prefix)}
        operation = _on_the_wire(shape.operation, prefix)
        usable = self._answering(operation, stream=stream)
        chats = CHATS.get(prefix, ENDPOINTS[operation]) if operation is Operation.COMPLETION else None
        of_provider = [
            episode
            for episode in usable
            if episode.provider in providers and (chats is None or episode.endpoint in chats)
        ]
        of_model = [episode for episode in of_provider if episode.model in {bare, target.model}]
        if not of_provider:
            made_up = synthetic_success(target.model, operation, stream=stream)
            return Successes(Source.SYNTHETIC, (Success(Image("synthetic", shape.applied(made_up))),))
        source = Source.RECORDED if of_model else Source.BORROWED
        return Successes(
            source, tuple(_success(target, episode, shape) for episode in of_model or of_provider)
        )

    def _answering(self, operation: Operation, *, stream: bool) -> list[Episode]:
        usable = self._usable.get((operation, stream))
        if usable is None:
            usable = self._usable[operation, stream] = [
                episode
                for episode in self._episodes
                if episode.stream is stream
                and not (stream and _is_list(episode))
                and episode.endpoint in ENDPOINTS[operation]
                and classify_reply(episode.provider, episode.reply) is None
                and not calls_a_tool(episode.reply)
            ]
        return usable


def _is_list(episode: Episode) -> bool:
    """Google streams a list of JSON to who does not ask for server-sent events, as litellm does."""
    return episode.reply.body.lstrip().startswith(b"[")


def _on_the_wire(operation: Operation, provider: str) -> Operation:
    bridged = operation is Operation.RESPONSES and provider in WITHOUT_RESPONSES
    return Operation.COMPLETION if bridged else operation


def _success(target: Target, episode: Episode, shape: Shape) -> Success:
    reply = in_the_name_of(target.model, shape.applied(episode.reply))
    image = Image(f"{episode.file}#{episode.n}", reply=reply)
    return Success(image, None if "mock" in episode.recorded_from else episode.timing)
