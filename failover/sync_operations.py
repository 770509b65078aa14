"""The same operations for threads: with or without an event loop around them, from many at once."""

# ruff: noqa: A002 - the arguments are named as litellm's

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, overload

from failover import errands
from failover.attempts import Errand
from failover.core.call import Call
from failover.driver import Driver
from failover.errands import CallOptions
from failover.reply import Reply, with_record
from failover.sync_stream import SyncStream
from failover.thread_driver import Sending, ThreadRun


class SyncOperations(ABC):
    """Each is the twin of the async one, and waits in the thread that calls it.

    Each raises `RuntimeError` in the thread that does the sending, where it would wait for itself.
    """

    _clock: Callable[[], float]

    @overload
    def completion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: Literal[True],
        **arguments: Any,
    ) -> SyncStream: ...

    @overload
    def completion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool = False,
        **arguments: Any,
    ) -> Any: ...

    def completion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool = False,
        **arguments: Any,
    ) -> Any:
        """A chat completion: litellm's arguments, with a route's name in place of a model.

        Returns litellm's reply, untouched, with the story of the call as `reply.failover`; or, with
        `stream=True`, an iterator of litellm's chunks, once the first token is there. `delivery="whole"`
        holds the chunks back until the answer is complete. Raises a `CallError`; the provider's own
        exception is its `__cause__`.
        """
        options = errands.options(arguments, stream=stream)
        errand = errands.completion(messages, arguments)
        if stream:
            return SyncStream(self._thread_run(route, errand, options)).open()
        return self._ask(route, errand, options)

    def call(self, route: str, **arguments: Any) -> Reply:
        """Any other API: the route's targets are plain callables, called with these arguments.

        Returns what the callable returned as `value`, with the story of the call as `failover`.
        """
        options = errands.options(arguments)
        run = self._thread_run(route, errands.call(arguments), options)
        answer = run.whole()
        return Reply(answer.value, run.call.story(self._clock()))

    def embedding(
        self,
        route: str,
        input: str | Sequence[Any],
        **arguments: Any,
    ) -> Any:
        """Embeddings of texts, or of lists of tokens.

        Only targets in the vector space of the route's first target are asked, whatever becomes of them.
        """
        options = errands.options(arguments)
        return self._ask(route, errands.embedding(input, arguments), options)

    @overload
    def respond(
        self,
        route: str,
        input: str | Sequence[Any],
        *,
        stream: Literal[True],
        **arguments: Any,
    ) -> SyncStream: ...

    @overload
    def respond(
        self,
        route: str,
        input: str | Sequence[Any],
        *,
        stream: bool = False,
        **arguments: Any,
    ) -> Any: ...

    def respond(
        self,
        route: str,
        input: str | Sequence[Any],
        *,
        stream: bool = False,
        **arguments: Any,
    ) -> Any:
        """An answer by OpenAI's Responses API; litellm translates for who has only chat.

        litellm's name for it, `router.responses(…)`, does the same. `stream=True` and `delivery` as of
        `completion`: the iterator gives litellm's events.
        """
        options = errands.options(arguments, stream=stream)
        errand = errands.responses(input, arguments)
        if stream:
            return SyncStream(self._thread_run(route, errand, options)).open()
        return self._ask(route, errand, options)

    def image_generation(
        self,
        route: str,
        prompt: str,
        **arguments: Any,
    ) -> Any:
        """Pictures of a description."""
        options = errands.options(arguments)
        return self._ask(route, errands.image_generation(prompt, arguments), options)

    def transcription(
        self,
        route: str,
        file: Any,
        **arguments: Any,
    ) -> Any:
        """The text of a recording. An open file is read once, before anything is sent."""
        options = errands.options(arguments)
        return self._ask(route, errands.transcription(file, arguments), options)

    def speech(
        self,
        route: str,
        input: str,
        voice: Any,
        **arguments: Any,
    ) -> Any:
        """A text, spoken."""
        options = errands.options(arguments)
        return self._ask(route, errands.speech(input, voice, arguments), options)

    def rerank(
        self,
        route: str,
        query: str,
        documents: Sequence[Any],
        **arguments: Any,
    ) -> Any:
        """Documents in the order of how well they fit a query."""
        options = errands.options(arguments)
        return self._ask(route, errands.rerank(query, documents, arguments), options)

    def moderation(
        self,
        route: str,
        input: str | Sequence[Any],
        **arguments: Any,
    ) -> Any:
        """What a text or a picture offends against."""
        options = errands.options(arguments)
        return self._ask(route, errands.moderation(input, arguments), options)

    def _thread_run(self, route: str, errand: Errand, options: CallOptions) -> ThreadRun:
        return ThreadRun(*self._begun(route, errand, options), errand, self._sending())

    def _ask(self, route: str, errand: Errand, options: CallOptions) -> Any:
        run = self._thread_run(route, errand, options)
        answer = run.whole()
        return with_record(answer.value, run.call.story(self._clock()))

    @abstractmethod
    def _begun(self, route: str, errand: Errand, options: CallOptions) -> tuple[Driver, Call]:
        """The machine of one call, and what drives it."""

    @abstractmethod
    def _sending(self) -> Sending:
        """Where attempts run."""
