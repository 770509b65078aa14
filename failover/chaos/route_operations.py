"""What a route is for, where a story calls every route of a config alike and says no operation."""

from __future__ import annotations

from collections.abc import Mapping

from failover.core.vocabulary import Operation, Route
from failover.price_map import entry_of

OPERATIONS: Mapping[str, Operation] = {
    "embedding": Operation.EMBEDDING,
    "image_generation": Operation.IMAGE_GENERATION,
    "audio_transcription": Operation.TRANSCRIPTION,
    "audio_speech": Operation.SPEECH,
    "rerank": Operation.RERANK,
    "moderation": Operation.MODERATION,
}
"""By the mode that litellm's bundled map names of a model; every other is asked for completions."""


def operation_of(route: Route) -> Operation:
    """The operation that the first target of `route` is for; a completion where the map does not know."""
    first = next(iter(route.targets()))
    return OPERATIONS.get(str(entry_of(first.model).get("mode")), Operation.COMPLETION)
