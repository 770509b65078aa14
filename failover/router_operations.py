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

    Each raises a `CallError`; the provider's own exception is its `__cause__`. `deadline_s` gives one call
    a deadline of its own; one that is not `replay_safe` is never hedged; what else is said goes to
    litellm as it is.
    """

    _clock: Callable[[], float]

    @overload
    async def acompletion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: Literal[True],
        deadline_s: float | None = None,
        delivery: str | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Stream: ...

    @overload
    async def acompletion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool = False,
        deadline_s: float | None = None,
        delivery: str | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Any: ...

    async def acompletion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool = False,
        deadline_s: float | None = None,
        delivery: str | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Any:
        """A chat completion: litellm's arguments, with a route's name in place of a model.

        Returns litellm's reply, untouched, with the story of the call as `reply.failover`; or, with
        `stream=True`, an async iterator of litellm's chunks, once the first token is there.
        `delivery="whole"` holds the chunks back until the answer is complete. Raises a `CallError`; the
        provider's own exception is its `__cause__`.
        """
        errand = errands.completion(messages, arguments)
        options = errands.options(deadline_s, stream=stream, delivery=delivery, replay_safe=replay_safe)
        if stream:
            return await Stream(self._run(route, errand, options)).open()
        return await self._asked(route, errand, options)

    async def acall(
        self, route: str, *, deadline_s: float | None = None, replay_safe: bool = True, **arguments: Any
    ) -> Reply:
        """Any other API: the route's targets are plain callables, called with these arguments.

        Returns what the callable returned as `value`, with the story of the call as `failover`.
        """
        run = self._run(route, errands.call(arguments), CallOptions(deadline_s, replay_safe=replay_safe))
        answer = await run.whole()
        return Reply(answer.value, run.call.story(self._clock()))

    async def aembedding(
        self,
        route: str,
        input: str | Sequence[Any],
        *,
        deadline_s: float | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Any:
        """Embeddings of texts, or of lists of tokens.

        Only targets in the vector space of the route's first target are asked, whatever becomes of them.
        """
        errand = errands.embedding(input, arguments)
        return await self._asked(route, errand, CallOptions(deadline_s, replay_safe=replay_safe))

    @overload
    async def aresponses(
        self,
        route: str,
        input: str | Sequence[Any],
        *,
        stream: Literal[True],
        deadline_s: float | None = None,
        delivery: str | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Stream: ...

    @overload
    async def aresponses(
        self,
        route: str,
        input: str | Sequence[Any],
        *,
        stream: bool = False,
        deadline_s: float | None = None,
        delivery: str | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Any: ...

    async def aresponses(
        self,
        route: str,
        input: str | Sequence[Any],
        *,
        stream: bool = False,
        deadline_s: float | None = None,
        delivery: str | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Any:
        """An answer by OpenAI's Responses API; litellm translates for who has only chat.

        `stream=True` and `delivery` as of `acompletion`: the iterator gives litellm's events.
        """
        errand = errands.responses(input, arguments)
        options = errands.options(deadline_s, stream=stream, delivery=delivery, replay_safe=replay_safe)
        if stream:
            return await Stream(self._run(route, errand, options)).open()
        return await self._asked(route, errand, options)

    async def aimage_generation(
        self,
        route: str,
        prompt: str,
        *,
        deadline_s: float | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Any:
        """Pictures of a description."""
        errand = errands.image_generation(prompt, arguments)
        return await self._asked(route, errand, CallOptions(deadline_s, replay_safe=replay_safe))

    async def atranscription(
        self,
        route: str,
        file: Any,
        *,
        deadline_s: float | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Any:
        """The text of a recording. An open file is read once, before anything is sent."""
        errand = errands.transcription(file, arguments)
        return await self._asked(route, errand, CallOptions(deadline_s, replay_safe=replay_safe))

    async def aspeech(
        self,
        route: str,
        input: str,
        voice: Any,
        *,
        deadline_s: float | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Any:
        """A text, spoken."""
        errand = errands.speech(input, voice, arguments)
        return await self._asked(route, errand, CallOptions(deadline_s, replay_safe=replay_safe))

    async def arerank(
        self,
        route: str,
        query: str,
        documents: Sequence[Any],
        *,
        deadline_s: float | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Any:
        """Documents in the order of how well they fit a query."""
        errand = errands.rerank(query, documents, arguments)
        return await self._asked(route, errand, CallOptions(deadline_s, replay_safe=replay_safe))

    async def amoderation(
        self,
        route: str,
        input: str | Sequence[Any],
        *,
        deadline_s: float | None = None,
        replay_safe: bool = True,
        **arguments: Any,
    ) -> Any:
        """What a text or a picture offends against."""
        errand = errands.moderation(input, arguments)
        return await self._asked(route, errand, CallOptions(deadline_s, replay_safe=replay_safe))

    def _run(self, route: str, errand: Errand, options: CallOptions) -> AsyncRun:
        return AsyncRun(*self._begun(route, errand, options), errand)

    async def _asked(self, route: str, errand: Errand, options: CallOptions) -> Any:
        run = self._run(route, errand, options)
        answer = await run.whole()
        return with_record(answer.value, run.call.story(self._clock()))

    @abstractmethod
    def _begun(self, route: str, errand: Errand, options: CallOptions) -> tuple[Driver, Call]:
        """The machine of one call, and what drives it."""
