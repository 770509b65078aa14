"""What each target can answer: its own episodes, else its provider's, else a synthetic one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from failover.adapters.classify_reply import classify_reply
from failover.cassettes.episodes import Episode
from failover.cassettes.timing import Timing
from failover.chaos.workload import Size
from failover.chaos.world.image import Image
from failover.chaos.world.model_shapes import calls_a_tool, in_the_name_of
from failover.chaos.world.synthetic import synthetic_success
from failover.core.vocabulary import Target

COMPLETION_ENDPOINTS = {
    "chat.completions",
    "messages",
    "generateContent",
    "streamGenerateContent",
    "ollama.chat",
}
CASSETTE_PROVIDERS = {
    "gemini": "google-gemini",
    "azure": "azure-openai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "ollama_chat": "ollama",
}
"""litellm's name of a provider, where cassettes know it by another."""


class Source(StrEnum):
    """Where a target's successes come from."""

    RECORDED = "recorded"
    BORROWED = "borrowed"
    SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class Success:
    """One answer a target can give: its image, and its timing where the recording's own counts."""

    image: Image
    timing: Timing | None = None


@dataclass(frozen=True, slots=True)
class Successes:
    """Every answer of one target, and where they come from."""

    source: Source
    answers: tuple[Success, ...]

    @property
    def timed(self) -> bool:
        """Whether every answer has a timing of its own, so that no latency is ever drawn."""
        return all(each.timing is not None and each.timing.total_s is not None for each in self.answers)


def repertoire(
    targets: Iterable[Target], episodes: Sequence[Episode], size: Size, *, stream: bool
) -> dict[str, Successes]:
    """The answers of each target by name, streamed or whole, with the workload's token counts.

    Calls of tools are left out: a workload offers none.

    A recording of a local mock server keeps its answers and loses its timing: that is not a
    provider's.
    """
    usable = [
        episode
        for episode in episodes
        if episode.stream is stream
        and episode.endpoint in COMPLETION_ENDPOINTS
        and classify_reply(episode.provider, episode.reply) is None
        and not calls_a_tool(episode.reply)
    ]
    return {target.name: _successes(target, usable, size, stream=stream) for target in targets}


def _successes(target: Target, episodes: list[Episode], size: Size, *, stream: bool) -> Successes:
    prefix, _, bare = target.model.partition("/")
    providers = {prefix, CASSETTE_PROVIDERS.get(prefix, prefix)}
    of_provider = [episode for episode in episodes if episode.provider in providers]
    of_model = [episode for episode in of_provider if episode.model in {bare, target.model}]
    if not of_provider:
        image = Image("synthetic", reply=size.applied(synthetic_success(target.model, stream=stream)))
        return Successes(Source.SYNTHETIC, (Success(image),))
    source = Source.RECORDED if of_model else Source.BORROWED
    return Successes(source, tuple(_success(target, episode, size) for episode in of_model or of_provider))


def _success(target: Target, episode: Episode, size: Size) -> Success:
    reply = in_the_name_of(target.model, size.applied(episode.reply))
    image = Image(f"{episode.file}#{episode.n}", reply=reply)
    return Success(image, None if "mock" in episode.recorded_from else episode.timing)
