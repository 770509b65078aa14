"""The OpenAI SDK's shape over the router's operations: `client.chat.completions.create(model="a route", …)`.

One table says which call of the SDK is which operation, what goes in and what comes out. Two thin classes
stand over it: one awaits, like `AsyncOpenAI`; one does not, like `OpenAI`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from failover.openai_arguments import Options
from failover.openai_replies import EVENT, AsyncChunks, Chunks, RawReply, in_type, transcription


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call of the SDK: the router's operation, and the SDK's types of its reply and of its chunks.

    `extras` says whether litellm sends `extra_headers` and `extra_body` along; elsewhere it drops them.
    `streams` says whether the operation takes `stream=True`, or says itself that it does not.
    """

    operation: str
    reply: str = ""
    chunk: str = ""
    extras: bool = True
    streams: bool = False

    def shaped(self, value: Any, arguments: dict[str, Any]) -> Any:
        """The reply as the SDK returns it."""
        if self.operation == "transcription":
            return transcription(value, arguments)
        return in_type(value, self.reply)


COMPLETION = Endpoint(
    "completion", "openai.types.chat:ChatCompletion", "openai.types.chat:ChatCompletionChunk", streams=True
)
EMBEDDING = Endpoint("embedding", "openai.types:CreateEmbeddingResponse")
RESPONSES = Endpoint("responses", "openai.types.responses:Response", EVENT, streams=True)
IMAGE = Endpoint("image_generation", "openai.types:ImagesResponse")
TRANSCRIPTION = Endpoint("transcription", extras=False)
SPEECH = Endpoint("speech", extras=False)
MODERATION = Endpoint("moderation", "openai.types:ModerationCreateResponse", extras=False)


class _Calls:
    """What the calls of a client have in common: its router, one row of the table, and its options."""

    def __init__(self, router: Any, endpoint: Endpoint, options: Options) -> None:
        self._router = router
        self._endpoint = endpoint
        self._options = options

    def _asked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        asked = self._options.arguments(given, extras=self._endpoint.extras)
        if asked.get("stream") and not self._endpoint.streams:
            raise TypeError("stream: only chat completions and responses are streamed")
        return asked


class AsyncCreate(_Calls):
    """`create`, awaited. `model` is a route's name; the rest is what the SDK's call takes, or litellm's."""

    async def create(self, *, model: str, **arguments: Any) -> Any:
        """The SDK's own reply, or its stream; both with `failover`, the story of the call.

        `timeout` in seconds is the deadline of the whole call, as is `deadline_s`. Raises a `CallError`,
        never an error of the SDK's; `TypeError` for an argument without a meaning here.
        """
        asked = self._asked(arguments)
        value = await getattr(self._router, f"a{self._endpoint.operation}")(model, **asked)
        if asked.get("stream"):
            return AsyncChunks(value, self._endpoint.chunk, usage_wanted=_wants_usage(asked))
        return self._endpoint.shaped(value, asked)

    @property
    def with_raw_response(self) -> AsyncRaw:
        """The same call, whose reply comes by `parse()`."""
        return AsyncRaw(self)


class AsyncResponses(AsyncCreate):
    """`responses.create`, awaited. litellm has a function of the same name: called, it is that one."""

    def __call__(self, route: str, input: Any, **arguments: Any) -> Any:  # noqa: A002  # as litellm names it
        """An answer by OpenAI's Responses API, or its stream, waited for in the thread that calls.

        The same as `Router.respond`, which says more.
        """
        return self._router.respond(route, input, **arguments)


class AsyncRaw:
    """`with_raw_response.create`, awaited."""

    def __init__(self, calls: AsyncCreate) -> None:
        self._calls = calls

    async def create(self, **arguments: Any) -> RawReply:
        """What `create` returns, in a `RawReply`."""
        return RawReply(await self._calls.create(**arguments))


class AsyncGenerate(_Calls):
    """`generate`, awaited: what the SDK calls `create` for pictures."""

    async def generate(self, *, model: str, **arguments: Any) -> Any:
        """As `create`."""
        return await AsyncCreate(self._router, self._endpoint, self._options).create(model=model, **arguments)


class Create(_Calls):
    """`create` of a router that does not await: `completion` where the other has `acompletion`."""

    def create(self, *, model: str, **arguments: Any) -> Any:
        """As `AsyncCreate.create`."""
        asked = self._asked(arguments)
        value = getattr(self._router, self._endpoint.operation)(model, **asked)
        if asked.get("stream"):
            return Chunks(value, self._endpoint.chunk, usage_wanted=_wants_usage(asked))
        return self._endpoint.shaped(value, asked)

    @property
    def with_raw_response(self) -> Raw:
        """The same call, whose reply comes by `parse()`."""
        return Raw(self)


class Raw:
    """`with_raw_response.create`."""

    def __init__(self, calls: Create) -> None:
        self._calls = calls

    def create(self, **arguments: Any) -> RawReply:
        """What `create` returns, in a `RawReply`."""
        return RawReply(self._calls.create(**arguments))


class Generate(_Calls):
    """`generate`: what the SDK calls `create` for pictures."""

    def generate(self, *, model: str, **arguments: Any) -> Any:
        """As `create`."""
        return Create(self._router, self._endpoint, self._options).create(model=model, **arguments)


_C = TypeVar("_C", bound=_Calls)


@dataclass(frozen=True, slots=True)
class Chat(Generic[_C]):
    """`chat.completions`."""

    completions: _C


@dataclass(frozen=True, slots=True)
class Audio(Generic[_C]):
    """`audio.transcriptions` and `audio.speech`."""

    transcriptions: _C
    speech: _C


class AsyncShape:
    """The attributes of `AsyncOpenAI`, over `acompletion` and its siblings; `Router` inherits them."""

    base_url = "failover://router"
    """No place, since a route has several: for code that logs where its client sends."""

    _options = Options()

    @cached_property
    def chat(self) -> Chat[AsyncCreate]:
        """`chat.completions.create` asks what `acompletion` asks."""
        return Chat(AsyncCreate(*self._bound(COMPLETION)))

    @cached_property
    def embeddings(self) -> AsyncCreate:
        """`embeddings.create` asks what `aembedding` asks."""
        return AsyncCreate(*self._bound(EMBEDDING))

    @cached_property
    def responses(self) -> AsyncResponses:
        """`responses.create` asks what `aresponses` asks; called itself, it is the sync operation."""
        return AsyncResponses(*self._bound(RESPONSES))

    @cached_property
    def images(self) -> AsyncGenerate:
        """`images.generate` asks what `aimage_generation` asks."""
        return AsyncGenerate(*self._bound(IMAGE))

    @cached_property
    def audio(self) -> Audio[AsyncCreate]:
        """`audio.transcriptions.create` and `audio.speech.create`: `atranscription` and `aspeech`."""
        return Audio(AsyncCreate(*self._bound(TRANSCRIPTION)), AsyncCreate(*self._bound(SPEECH)))

    @cached_property
    def moderations(self) -> AsyncCreate:
        """`moderations.create` asks what `amoderation` asks."""
        return AsyncCreate(*self._bound(MODERATION))

    def with_options(self, **options: Any) -> AsyncClient:
        """The same router with a `timeout` or `deadline_s`, in seconds, for every call made through it.

        Raises `TypeError` for other options of the SDK's, with what to say instead.
        """
        return AsyncClient(self._router(), self._options.replaced(options))

    def _bound(self, endpoint: Endpoint) -> tuple[Any, Endpoint, Options]:
        return self._router(), endpoint, self._options

    def _router(self) -> Any:
        return self


class AsyncClient(AsyncShape):
    """The shape beside a router, not on it: what `with_options` gives."""

    def __init__(self, router: Any, options: Options) -> None:
        self._wrapped = router
        self._options = options

    async def close(self) -> None:
        """What the SDK calls `aclose`. It closes the router."""
        await self._wrapped.aclose()

    def _router(self) -> Any:
        return self._wrapped


class Client:
    """The attributes of `OpenAI`, over an object with `completion`, `embedding` and their siblings."""

    base_url = AsyncShape.base_url

    def __init__(self, router: Any, options: Options | None = None) -> None:
        self._router = router
        self._options = options = options or Options()
        self.chat = Chat(Create(router, COMPLETION, options))
        self.embeddings = Create(router, EMBEDDING, options)
        self.responses = Create(router, RESPONSES, options)
        self.images = Generate(router, IMAGE, options)
        self.audio = Audio(Create(router, TRANSCRIPTION, options), Create(router, SPEECH, options))
        self.moderations = Create(router, MODERATION, options)

    def with_options(self, **options: Any) -> Client:
        """As `AsyncShape.with_options`."""
        return Client(self._router, self._options.replaced(options))


def _wants_usage(asked: dict[str, Any]) -> bool:
    return bool((asked.get("stream_options") or {}).get("include_usage"))
