"""The operations beside chat: litellm's names and arguments, with a route's name in place of a model.

All of them share the loop of `acompletion`: one deadline, breakers, fallbacks, one request per attempt.
"""

# ruff: noqa: A002 - the arguments are named as litellm's

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from failover.core.call import Call
from failover.core.vocabulary import Operation
from failover.driver import Driver, Errand
from failover.reply import with_record


class RouterOperations(ABC):
    """Each returns litellm's reply, untouched, with the story of the call as `reply.failover`.

    Each raises a `CallError`; the provider's own exception is its `__cause__`. `deadline_s` gives one call
    a deadline of its own; what else is said goes to litellm as it is.
    """

    _driver: Driver
    _clock: Callable[[], float]

    async def aembedding(
        self, route: str, input: str | Sequence[Any], *, deadline_s: float | None = None, **arguments: Any
    ) -> Any:
        """Embeddings of texts, or of lists of tokens.

        Only targets in the vector space of the route's first target are asked, whatever becomes of them.
        """
        payload = {"input": input, **arguments}
        return await self._asked(route, Operation.EMBEDDING, payload, deadline_s)

    async def aresponses(
        self, route: str, input: str | Sequence[Any], *, deadline_s: float | None = None, **arguments: Any
    ) -> Any:
        """An answer by OpenAI's Responses API; litellm translates for who has only chat.

        Not streamed yet: raises `ValueError` for `stream=True`.
        """
        if arguments.get("stream"):
            raise ValueError("aresponses does not stream yet: leave `stream` out, or use acompletion")
        payload = {"input": input, **arguments}
        return await self._asked(route, Operation.RESPONSES, payload, deadline_s)

    async def aimage_generation(
        self, route: str, prompt: str, *, deadline_s: float | None = None, **arguments: Any
    ) -> Any:
        """Pictures of a description."""
        payload = {"prompt": prompt, **arguments}
        return await self._asked(route, Operation.IMAGE_GENERATION, payload, deadline_s)

    async def atranscription(
        self, route: str, file: Any, *, deadline_s: float | None = None, **arguments: Any
    ) -> Any:
        """The text of a recording. An open file is read once, before anything is sent."""
        payload = {"file": _whole(file), **arguments}
        return await self._asked(route, Operation.TRANSCRIPTION, payload, deadline_s)

    async def aspeech(
        self, route: str, input: str, voice: Any, *, deadline_s: float | None = None, **arguments: Any
    ) -> Any:
        """A text, spoken."""
        payload = {"input": input, "voice": voice, **arguments}
        return await self._asked(route, Operation.SPEECH, payload, deadline_s)

    async def arerank(
        self,
        route: str,
        query: str,
        documents: Sequence[Any],
        *,
        deadline_s: float | None = None,
        **arguments: Any,
    ) -> Any:
        """Documents in the order of how well they fit a query."""
        payload = {"query": query, "documents": documents, **arguments}
        return await self._asked(route, Operation.RERANK, payload, deadline_s)

    async def amoderation(
        self, route: str, input: str | Sequence[Any], *, deadline_s: float | None = None, **arguments: Any
    ) -> Any:
        """What a text or a picture offends against."""
        payload = {"input": input, **arguments}
        return await self._asked(route, Operation.MODERATION, payload, deadline_s)

    async def _asked(
        self, route: str, operation: Operation, payload: Mapping[str, Any], deadline_s: float | None
    ) -> Any:
        call = self._call(route, payload, operation, deadline_s=deadline_s)
        answer = await self._driver.run(call, Errand(operation, payload))
        return with_record(answer.value, call.story(self._clock()))

    @abstractmethod
    def _call(
        self,
        route: str,
        payload: Mapping[str, Any],
        operation: Operation = Operation.COMPLETION,
        *,
        stream: bool = False,
        deadline_s: float | None,
    ) -> Call:
        """The machine of one call."""


def tokens_out(operation: Operation, payload: Mapping[str, Any]) -> int | None:
    """How many tokens the answer may have, as far as the caller says; an embedding has none."""
    if operation is Operation.EMBEDDING:
        return 0
    told = (payload.get(name) for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"))
    return next((limit for limit in told if limit), None)


def _whole(file: Any) -> Any:
    """What every target can be sent from its beginning: an open file gives its content only once."""
    if isinstance(file, tuple) and len(file) > 1 and hasattr(file[1], "read"):
        return (file[0], file[1].read(), *file[2:])
    if not hasattr(file, "read"):
        return file
    name = getattr(file, "name", None)
    return (Path(name).name if isinstance(name, str) else "audio", file.read())
