"""The adapter over litellm: one send per attempt, watched on the wire, no global of litellm touched."""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from failover.adapters.adaptation import adapted
from failover.adapters.classify import classify_exception
from failover.adapters.classify_reply import classify_reply
from failover.adapters.clients import ClientKey, ClientPool, Style
from failover.adapters.continuation import with_prefill
from failover.adapters.loading import load_litellm, load_provider
from failover.adapters.operations import METHODS, UnsupportedOperationError, deaf_to_retries
from failover.adapters.pieces import PieceReader, counted, doubts_of, texts_of
from failover.adapters.quota import headroom_of
from failover.adapters.response_events import EventReader, assembled, restart_event
from failover.adapters.seam import HEADROOM, Answer, Outbound, Piece
from failover.adapters.told_usage import USAGE, usage_in
from failover.adapters.transport import BrokenReplyError, Exchange, watched
from failover.adapters.untold import tell_usage
from failover.adapters.usage import usage_of
from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Operation, Target
from failover.errors import Complaint, ConfigError, FailoverError
from failover.tokens import written

if TYPE_CHECKING:
    import httpx

_EXCHANGE = "failover_exchange"
_AZURE_VERSION = "2024-10-21"
_NO_CREDENTIAL = "none"
# The driver's limits end an attempt; the client's own is a net below them and must not race them.
_SLACK_S = 1.0
# What litellm makes of a 200 that it cannot read.
_UNREADABLE = frozenset(
    {FailureKind.LOCAL, FailureKind.SERVER_ERROR, FailureKind.CONNECTION, FailureKind.BAD_REQUEST}
)

_READERS: Mapping[str, type[PieceReader]] = {
    Operation.COMPLETION: PieceReader,
    Operation.RESPONSES: EventReader,
}


@dataclass(frozen=True, slots=True)
class _Destination:
    """Where litellm sends for a target: its name for the provider, and the base address."""

    provider: str
    api_base: str
    credential: str


class LitellmAdapter:
    """Sends through litellm's async functions, as `operations.METHODS` has them.

    `transport` stands in for the network beneath every client (a cassette player, the chaos harness).
    `environment` holds the credentials that targets name, `wall` is Unix time in seconds, for hints
    such as `Retry-After` dates. litellm is imported by the first send.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        environment: Mapping[str, str] = os.environ,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._pool = ClientPool(transport)
        self._environment = environment
        self._wall = wall
        self._litellm: Any = None
        self._destinations: dict[Target, _Destination] = {}

    async def send(self, outbound: Outbound) -> Answer:
        """The complete reply: litellm's own object, untouched.

        Raises whatever litellm raises; `ConfigError` where the target's credential is not set;
        `UnsupportedOperationError` where litellm cannot do this; `BrokenReplyError` where a 200 holds
        no answer.
        """
        arguments = self._arguments(outbound)
        method = METHODS[outbound.operation]
        exchange = Exchange(connect_s=outbound.limits.connect_s)
        try:
            with watched(exchange):
                value = await getattr(self._litellm, method.function)(**arguments)
            self._require_answer(outbound.target, exchange)
            if missing := method.lacks(value):
                raise BrokenReplyError(f"the reply holds no {missing}", _malformed(exchange))
        except BaseException as error:
            await exchange.aclose()
            self._tell(error, exchange)
            raise
        usage = counted(usage_of(getattr(value, "usage", None)), exchange)
        if usage is None and outbound.operation == Operation.COMPLETION:
            usage = written(outbound.target.model, texts_of(value))
        headroom = headroom_of(exchange.headers, self._wall())
        return Answer(value, usage, doubts_of(outbound, exchange, value), headroom)

    async def stream(self, outbound: Outbound) -> AsyncGenerator[Piece, None]:
        """The reply in pieces, each with litellm's chunk or event untouched.

        A chat's usage is asked for unless the caller's `stream_options` say otherwise. A stream that stops
        without its provider's end marker raises `BrokenReplyError`, whatever litellm makes of it.
        """
        arguments = self._arguments(outbound)
        arguments["stream"] = True
        if outbound.operation == Operation.COMPLETION:
            arguments.setdefault("stream_options", {"include_usage": True})
        begin = getattr(self._litellm, METHODS[outbound.operation].function)
        exchange = Exchange(connect_s=outbound.limits.connect_s)
        try:
            with watched(exchange):
                chunks = aiter(await begin(**arguments))
                # For some providers (Gemini) litellm sends no sooner than it is asked for a chunk.
                chunk = await anext(chunks, None)
            headroom = headroom_of(exchange.headers, self._wall())
            reader = _READERS[outbound.operation](outbound, exchange, headroom)
            watch = exchange.watch
            while chunk is not None:
                piece = reader.piece(chunk)
                # litellm may skip a chunk that does not parse: what comes after it has a hole before it. What
                # comes when the wire is silent, and says nothing, may be an end of litellm's making.
                torn = watch is not None and watch.broken
                if piece.finish_reason or torn or (exchange.over and not piece.has_token):
                    self._require_answer(outbound.target, exchange)
                yield piece
                if piece.finish_reason:
                    tell_usage(chunks, outbound, exchange)
                try:
                    chunk = await chunks.__anext__()  # half of what `anext` with a default costs
                except StopAsyncIteration:
                    break
            self._require_answer(outbound.target, exchange)
        except BaseException as error:
            self._tell(error, exchange)
            raise
        finally:
            await exchange.aclose()

    def assemble(self, outbound: Outbound, chunks: Sequence[Any]) -> Any:
        """litellm's reply, built of its own chunks. Raises what litellm raises."""
        if outbound.operation == Operation.RESPONSES:
            return assembled(chunks)
        value = load_litellm().stream_chunk_builder(list(chunks), messages=outbound.payload.get("messages"))
        if not getattr(value, "choices", None):
            raise ValueError("the chunks make no reply")
        return value

    def restart_mark(self, outbound: Outbound) -> Any:
        """One of litellm's chunks, with an empty delta; of a response, one of its events."""
        if outbound.operation == Operation.RESPONSES:
            return restart_event()
        types: Any = importlib.import_module("litellm.types.utils")
        empty = types.StreamingChoices(index=0, delta=types.Delta(content=None))
        return types.ModelResponseStream(model=outbound.target.model, choices=[empty])

    def classify(self, target: Target, error: BaseException) -> Failure:
        """What `error` says about the attempt: the wire where it was seen, else litellm's word."""
        if isinstance(error, BrokenReplyError | UnsupportedOperationError):
            return error.failure
        if isinstance(error, FailoverError):
            return Failure(FailureKind.LOCAL)
        exchange = getattr(error, _EXCHANGE, None)
        if not isinstance(exchange, Exchange) or isinstance(error, asyncio.CancelledError):
            return classify_exception(target, error, self._wall())
        seen = self._seen(target, exchange)
        if seen is not None:
            return seen
        failure = classify_exception(target, error, self._wall())
        answered = exchange.status is not None and exchange.status < HTTPStatus.BAD_REQUEST
        return _malformed(exchange) if answered and failure.kind in _UNREADABLE else failure

    def _require_answer(self, target: Target, exchange: Exchange) -> None:
        """Raise `BrokenReplyError` where what came over the wire is not an answer.

        A stream is judged by its whole body only where the watch has doubts: parsing every chunk twice
        would cost as much as routing it.
        """
        watch = exchange.watch
        if watch is not None and watch.ended and not watch.doubtful:
            return
        failure = self._judged(target, exchange)
        if failure is None and watch is not None and (watch.broken or not watch.ended):
            failure = Failure(FailureKind.TRUNCATED_STREAM, status=exchange.status)
        if failure is not None:
            raise BrokenReplyError("the reply is no complete answer", failure)

    def _judged(self, target: Target, exchange: Exchange) -> Failure | None:
        reply = exchange.reply()
        return None if reply is None else classify_reply(_provider_of(target), reply, self._wall())

    def _seen(self, target: Target, exchange: Exchange) -> Failure | None:
        """What the wire says of a failed attempt, None where it says nothing."""
        streamed = exchange.watch is not None
        cut = Failure(FailureKind.TRUNCATED_STREAM, status=exchange.status)
        if exchange.error is not None:
            failure = classify_exception(target, exchange.error, self._wall())
            return cut if streamed and failure.kind is not FailureKind.TIMEOUT else failure
        return self._judged(target, exchange) or (cut if streamed else None)

    def _tell(self, error: BaseException, exchange: Exchange) -> None:
        """Attach to `error` what was seen; an error of ours from beneath comes up as it is."""
        if isinstance(exchange.error, FailoverError) and error is not exchange.error:
            raise exchange.error from error
        setattr(error, _EXCHANGE, exchange)
        if exchange.status == HTTPStatus.OK:
            setattr(error, USAGE, usage_in(exchange.seen()))
        if exchange.status is not None and exchange.status >= HTTPStatus.BAD_REQUEST:
            setattr(error, HEADROOM, headroom_of(exchange.headers, self._wall()))

    async def aclose(self) -> None:
        """Close the clients and their connections."""
        await self._pool.aclose()

    def _arguments(self, outbound: Outbound) -> dict[str, Any]:
        method = METHODS.get(outbound.operation)
        if method is None:
            raise _complaint(outbound.target, f"litellm cannot be asked for {outbound.operation!r} here")
        if self._litellm is None:
            self._litellm = load_litellm()
        target = outbound.target
        credential = self._credential(target)
        destination = self._destinations.get(target)
        if destination is None:
            destination = self._destinations[target] = self._destination(target)
        payload = adapted(outbound, destination.provider)
        if outbound.prefill:
            payload = with_prefill(payload, outbound.prefill, destination.provider)
        arguments = {name: value for name, value in payload.items() if name != "stream"}
        arguments.setdefault("timeout", outbound.limits.total_s + _SLACK_S)
        arguments.update(
            model=target.model,
            client=self._client(
                destination, method.style(target, outbound.operation, destination.provider), credential
            ),
            num_retries=0,
            max_retries=0,
        )
        if credential:
            arguments["api_key"] = credential
        if target.api_base:
            arguments["api_base"] = target.api_base
        return arguments

    def _credential(self, target: Target) -> str:
        if not target.credential:
            return ""
        value = self._environment.get(target.credential, "")
        if not value:
            raise _complaint(target, f"environment variable {target.credential} is not set")
        return value

    def _destination(self, target: Target) -> _Destination:
        try:
            _, provider, credential, base = self._litellm.get_llm_provider(
                model=target.model, api_base=target.api_base or None
            )
        except Exception:  # noqa: BLE001 - litellm raises what it likes, and says it again when it sends
            provider, credential, base = _provider_of(target), "", ""
        load_provider(self._litellm, provider)
        credential = credential or self._environment.get(f"{provider.upper()}_API_KEY", "")
        return _Destination(provider, target.api_base or base or "", credential)

    def _client(self, destination: _Destination, style: Style, credential: str) -> Any:
        if style is Style.HANDLER:
            return self._pool.client(ClientKey(style))
        secret = credential or destination.credential or _NO_CREDENTIAL
        if style is Style.OPENAI:
            return deaf_to_retries(self._pool.client(ClientKey(style, destination.api_base, secret)))
        base = destination.api_base or self._environment.get("AZURE_API_BASE", "")
        version = self._environment.get("AZURE_API_VERSION", "") or _AZURE_VERSION
        return deaf_to_retries(self._pool.client(ClientKey(style, base, secret, version)))


def _malformed(exchange: Exchange) -> Failure:
    return Failure(FailureKind.MALFORMED_REPLY, status=exchange.status)


def _provider_of(target: Target) -> str:
    prefix, slash, _ = target.model.partition("/")
    return prefix if slash else target.provider


def _complaint(target: Target, what: str) -> ConfigError:
    return ConfigError([Complaint("environment", 0, f"target {target.name}", what)])
