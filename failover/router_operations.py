"""The operations, for who has an event loop: litellm's names and arguments, a route's name for a model.

All of them share one loop: one deadline, breakers, fallbacks, one request per attempt.
"""

# ruff: noqa: A002 - the arguments are named as litellm's

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, overload

from failover import errands
from failover.attempts import Errand
from failover.core.call import Call
from failover.driver import AsyncRun, Driver
from failover.errands import CallOptions
from failover.reply import Reply, with_record
from failover.stream import Stream


class RouterOperations(ABC):
    """Each returns litellm's reply, untouched, with the story of the call as `reply.failover`.

    Each raises a `CallError`; the provider's own exception is its `__cause__`. Among the
    arguments of each may stand the options of one call (`errands.CallOptions`): `deadline_s`, `delivery`,
    `replay_safe`, `data_class`, `tenant`, `tags`, `max_cost_usd`. What else is said goes to litellm as it is.
    """

    _clock: Callable[[], float]

    @overload
    async def acompletion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: Literal[True],
        **arguments: Any,
    ) -> Stream: ...

    @overload
    async def acompletion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool = False,
        **arguments: Any,
    ) -> Any: ...

    async def acompletion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool = False,
        **arguments: Any,
    ) -> Any:
        """A chat completion: litellm's arguments, with a route's name in place of a model.

        Returns litellm's reply, untouched, with the story of the call as `reply.failover`; or, with
        `stream=True`, an async iterator of litellm's chunks, once the first token is there.
        `delivery="whole"` holds the chunks back until the answer is complete. Raises a `CallError`; the
        provider's own exception is its `__cause__`.
        """
        options = errands.options(arguments, stream=stream)
        errand = errands.completion(messages, arguments)
        if stream:
            return await Stream(self._run(route, errand, options)).open()
        return await self._asked(route, errand, options)

    async def acall(self, route: str, **arguments: Any) -> Reply:
        """Any other API: the route's targets are plain callables, called with these arguments.

        Returns what the callable returned as `value`, with the story of the call as `failover`.
        """
        options = errands.options(arguments)
        run = self._run(route, errands.call(arguments), options)
        answer = await run.whole()
        return Reply(answer.value, run.call.story(self._clock()))

    async def aembedding(
        self,
        route: str,
        input: str | Sequence[Any],
        **arguments: Any,
    ) -> Any:
        """Embeddings of texts, or of lists of tokens.

        Only targets in the vector space of the route's first target are asked, whatever becomes of them.
        """
        options = errands.options(arguments)
        return await self._asked(route, errands.embedding(input, arguments), options)

    @overload
    async def aresponses(
        self,
        route: str,
        input: str | Sequence[Any],
        *,
        stream: Literal[True],
        **arguments: Any,
    ) -> Stream: ...

    @overload
    async def aresponses(
        self,
        route: str,
        input: str | Sequence[Any],
        *,
        stream: bool = False,
        **arguments: Any,
    ) -> Any: ...

    async def aresponses(
        self,
        route: str,
        input: str | Sequence[Any],
        *,
        stream: bool = False,
        **arguments: Any,
    ) -> Any:
        """An answer by OpenAI's Responses API; litellm translates for who has only chat.

        `stream=True` and `delivery` as of `acompletion`: the iterator gives litellm's events.
        """
        options = errands.options(arguments, stream=stream)
        errand = errands.responses(input, arguments)
        if stream:
            return await Stream(self._run(route, errand, options)).open()
        return await self._asked(route, errand, options)

    async def aimage_generation(
        self,
        route: str,
        prompt: str,
        **arguments: Any,
    ) -> Any:
        """Pictures of a description."""
        options = errands.options(arguments)
        return await self._asked(route, errands.image_generation(prompt, arguments), options)

    async def atranscription(
        self,
        route: str,
        file: Any,
        **arguments: Any,
    ) -> Any:
        """The text of a recording. An open file is read once, before anything is sent."""
        options = errands.options(arguments)
        return await self._asked(route, errands.transcription(file, arguments), options)

    async def aspeech(
        self,
        route: str,
        input: str,
        voice: Any,
        **arguments: Any,
    ) -> Any:
        """A text, spoken."""
        options = errands.options(arguments)
        return await self._asked(route, errands.speech(input, voice, arguments), options)

    async def arerank(
        self,
        route: str,
        query: str,
        documents: Sequence[Any],
        **arguments: Any,
    ) -> Any:
        """Documents in the order of how well they fit a query."""
        options = errands.options(arguments)
        return await self._asked(route, errands.rerank(query, documents, arguments), options)

    async def amoderation(
        self,
        route: str,
        input: str | Sequence[Any],
        **arguments: Any,
    ) -> Any:
        """What a text or a picture offends against."""
        options = errands.options(arguments)
        return await self._asked(route, errands.moderation(input, arguments), options)

    def _run(self, route: str, errand: Errand, options: CallOptions) -> AsyncRun:
        return AsyncRun(*self._begun(route, errand, options), errand)

    async def _asked(self, route: str, errand: Errand, options: CallOptions) -> Any:
        run = self._run(route, errand, options)
        answer = await run.whole()
        return with_record(answer.value, run.call.story(self._clock()))

    @abstractmethod
    def _begun(self, route: str, errand: Errand, options: CallOptions) -> tuple[Driver, Call]:
        """The machine of one call, and what drives it."""
