"""One send as the drivers see it: it runs on an event loop, and says what happens as messages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from failover.adapters.seam import Adapter, Answer, Outbound, Piece, told_by
from failover.adapters.told_usage import grown, usage_told
from failover.core.failures import Failure, FailureKind, Phase
from failover.core.headroom import Headroom
from failover.core.messages import Failed, FirstToken, Message, Send, Succeeded
from failover.core.quick import quick
from failover.core.vocabulary import Operation, Usage
from failover.tokens import written
from failover.watchdog import Watchdog

Clock = Callable[[], float]

STALE = 2
"""A count is of a stream's beginning, as Anthropic's first, where so many times of it came."""


@quick
@dataclass(frozen=True, slots=True)
class Errand:
    """What a call is about, out of the core's sight: the operation and the caller's arguments."""

    operation: str
    payload: Mapping[str, Any]

    def outbound(self, send: Send, prefill: str) -> Outbound:
        """What goes to the adapter."""
        return Outbound(send.target, self.operation, self.payload, send.limits, prefill)


class Running(Protocol):
    """An attempt that was sent. Its coroutines belong to one event loop, and one of them runs at a time."""

    send: Send
    error: BaseException | None
    answer: Answer | None
    text: list[str]

    async def message(self) -> Message:
        """Wait for what the call must be told next."""
        ...

    async def close(self) -> None:
        """Leave nothing open; what the provider says about that no longer matters."""
        ...


class WholeAttempt:
    """A send whose reply comes whole."""

    __slots__ = ("_adapter", "_outbound", "answer", "error", "send", "text")

    def __init__(self, adapter: Adapter, send: Send, outbound: Outbound) -> None:
        self.send = send
        self.error: BaseException | None = None
        self.answer: Answer | None = None
        self.text: list[str] = []
        self._adapter = adapter
        self._outbound = outbound

    async def message(self) -> Message:
        """Its one outcome."""
        send = self.send
        limit = asyncio.timeout(send.limits.total_s)
        try:
            async with limit:
                answer = self.answer = await self._adapter.send(self._outbound)
        except Exception as error:  # noqa: BLE001  # the adapter classifies whatever its client raises
            self.error = error
            if limit.expired():
                # Our own limit is a timeout, whatever the client made of it.
                return Failed(
                    send.attempt, Failure(FailureKind.TIMEOUT, phase=Phase.TOTAL), usage_told(error)
                )
            failure = self._adapter.classify(send.target, error)
            return Failed(send.attempt, failure, usage_told(error), headroom=told_by(error))
        return Succeeded(send.attempt, answer.usage, answer.doubts, answer.headroom)

    async def close(self) -> None:
        """Nothing: who awaits `send` is the only one who holds anything."""


def helped_out(told: Usage | None, came: Usage | None) -> Usage | None:
    """What a stream used that is not complete: what was `told` of it, unless much more `came` since."""
    if told is None or told.estimated or came is None:
        return came if told is None or told.estimated else told
    if came.tokens_out <= told.tokens_out * STALE:
        return told
    return replace(told, tokens_out=came.tokens_out, estimated=True)


class StreamedAttempt:
    """A send whose reply comes in pieces, under its limits.

    `chunks` are the values to hand on, `text` what text is in those so far. A tool call is held until
    it is whole (`holds`), since nobody can act on half of one. `whole`: the caller wants one
    reply, which is assembled at the end.
    """

    def __init__(self, adapter: Adapter, send: Send, outbound: Outbound, *, holds: bool, whole: bool) -> None:
        self.send = send
        self.error: BaseException | None = None
        self.answer: Answer | None = None
        self.chunks: deque[Any] = deque()
        self.text: list[str] = []
        self.usage: Usage | None = None
        self.finish_reason = ""
        self._adapter = adapter
        self._outbound = outbound
        self._pieces = adapter.stream(outbound)
        self._holds = holds
        self._held: list[Any] = []
        self._whole = whole
        self._doubts: tuple[Failure, ...] = ()
        self._headroom: Headroom | None = None
        self._begun = False
        self._said_more_than_text = False
        self._unsaid: list[str] = []
        self._watchdog = Watchdog()

    async def message(self) -> Message:
        """The first token, and then the end."""
        while True:
            message = await self.read()
            if message is not None:
                return message

    async def read(self) -> Message | None:
        """Take in one piece; a message where the call must be told.

        Only waiting for the provider counts against its limits, not the reader's own time.
        """
        watchdog, limits = self._watchdog, self.send.limits
        waited_s = watchdog.waited_s
        own_s = limits.idle_s if self._begun else limits.first_token_s - waited_s
        watchdog.begin(min(own_s, limits.total_s - waited_s))
        try:
            piece = await self._pieces.__anext__()
        except StopAsyncIteration:
            return await self._over()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or not watchdog.is_late(task):
                raise
            return await self._broken(error, self._late(own_s))
        except Exception as error:  # noqa: BLE001  # the adapter classifies whatever its client raises
            late = self._late(own_s) if watchdog.rang else None
            return await self._broken(error, late or self._adapter.classify(self.send.target, error))
        finally:
            watchdog.end()
        self._keep(piece)
        if self._begun or not piece.has_token:
            return None
        self._begun = True
        doubts, self._doubts = self._doubts, ()
        return FirstToken(self.send.attempt, bool(self._held), doubts, self._headroom)

    async def _over(self) -> Message:
        if not self.finish_reason:
            return await self._broken(None, Failure(FailureKind.TRUNCATED_STREAM))
        await self.close()
        return self.ended()

    async def _broken(self, error: BaseException | None, failure: Failure) -> Message:
        self.error = error
        await self.close()
        usage, resumable = self.so_far(usage_told(error)), self.is_resumable()
        return Failed(self.send.attempt, failure, usage, resumable=resumable, headroom=told_by(error))

    def ended(self) -> Message:
        """The answer is complete: what was held goes on."""
        self.chunks.extend(self._held)
        self._held.clear()
        usage = self.spent()
        if self._whole:
            try:
                value = self._adapter.assemble(self._outbound, tuple(self.chunks))
            except Exception as error:  # noqa: BLE001  # its chunks make no reply, whatever it says of that
                self.error = error
                return Failed(self.send.attempt, Failure(FailureKind.MALFORMED_REPLY), usage)
            self.answer = Answer(value, usage)
        return Succeeded(self.send.attempt, usage, self._doubts)

    def spent(self) -> Usage | None:
        """What the answer used, now that it is complete: as its provider says, where it does."""
        told = self.usage
        return told if told is not None and not told.estimated else self.so_far()

    def so_far(self, told: Usage | None = None) -> Usage | None:
        """What it used until now; `told`: what its provider said of that at last.

        A provider that counts only at the end, or has told just its beginning, is helped out with a count
        of what came: of its model's own tokens where those are known.
        """
        return helped_out(grown(self.usage, told), self.came())

    def came(self) -> Usage | None:
        """What its model wrote so far, as we count it; None of nothing."""
        return written(self.send.target.model, (*self.text, *self._unsaid))

    def restart_mark(self) -> Any:
        """The chunk that says: clear what you have."""
        return self._adapter.restart_mark(self._outbound)

    async def close(self) -> None:
        """End the provider's stream; what it says about that no longer matters."""
        self._watchdog.close()
        aclose = getattr(self._pieces, "aclose", None)
        if aclose is not None:
            with suppress(Exception):
                await aclose()

    def is_resumable(self) -> bool:
        """Whether another can go on where this broke: the end of a response holds all of it, not a rest."""
        chat = self._outbound.operation == Operation.COMPLETION
        return chat and bool(self.text) and not self._said_more_than_text

    def _keep(self, piece: Piece) -> None:
        if piece.finish_reason or piece.usage is not None or piece.doubts or piece.headroom is not None:
            self._note(piece)
        text, value = piece.text, piece.value
        if text and not (piece.tool_call or piece.unsaid or self._held) and value is not None:
            # Nearly every piece: the rest costs what looking at it costs.
            self.chunks.append(value)
            self.text.append(text)
        elif value is not None:
            self._take(piece)

    def _note(self, piece: Piece) -> None:
        """What it says beside the answer."""
        if piece.finish_reason:
            self.finish_reason = piece.finish_reason
        if piece.usage is not None:
            self.usage = grown(self.usage, piece.usage)
        if piece.doubts:
            self._doubts += piece.doubts
        if piece.headroom is not None:
            self._headroom = piece.headroom

    def _take(self, piece: Piece) -> None:
        if piece.unsaid:
            self._unsaid.append(piece.unsaid)
        if piece.tool_call or self._held:
            self._said_more_than_text = True
            if self._holds:
                self._held.append(piece.value)
                return
        elif piece.has_token and not piece.text:
            self._said_more_than_text = True
        self.chunks.append(piece.value)
        if piece.text:
            self.text.append(piece.text)

    def _late(self, own_s: float) -> Failure:
        """Which limit ran out: the piece's own, or the attempt's. Called before the wait is over."""
        left_s = self.send.limits.total_s - self._watchdog.waited_s
        phase = Phase.IDLE if self._begun else Phase.FIRST_TOKEN
        return Failure(FailureKind.TIMEOUT, phase=phase if own_s <= left_s else Phase.TOTAL)
