"""A streamed reply: failover before the commit point, the provider's chunks untouched after it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Self, assert_never

from failover.adapters.seam import Adapter, Outbound, Piece, told_by
from failover.core.call import Call
from failover.core.failures import Failure, FailureKind, Phase
from failover.core.headroom import Headroom
from failover.core.messages import (
    CallerLeft,
    Cancel,
    Command,
    Commit,
    Failed,
    FirstToken,
    Message,
    Raise,
    Return,
    Send,
    Succeeded,
    Wake,
    Woken,
)
from failover.core.records import CallRecord
from failover.core.vocabulary import Usage
from failover.driver import Clock, Driver, Errand
from failover.errors import CallError, StreamInterruptedError


class Stream:
    """An async iterator of chunks. Close it early with `aclose`, or leave an `async with` block.

    `failover` tells the story of the call so far; it is complete once the iteration ends.
    """

    def __init__(self, driver: Driver, call: Call, errand: Errand) -> None:
        self._driver = driver
        self._call = call
        self._errand = errand
        self._running: _Attempt | None = None
        self._held: deque[Any] = deque()
        self._text: list[str] = []
        self._loop = asyncio.get_running_loop()

    @property
    def failover(self) -> CallRecord:
        """Every attempt so far, and who was passed over."""
        return self._call.story(self._driver.now())

    async def open(self) -> Self:
        """Try targets until the first token of one arrives: the commit point."""
        command = self._driver.begin(self._call)
        try:
            while not isinstance(command, Commit | Return):
                command = await self._obey(command)
        except CallError:
            raise
        except BaseException:
            await self.aclose()
            raise
        return self

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while not self._held:
            if self._call.done or self._running is None:
                raise StopAsyncIteration
            try:
                command = await self._read(self._running)
            except BaseException:
                await self.aclose()
                raise
            if command is not None:
                self._finish(command)
        return self._held.popleft()

    async def aclose(self) -> None:
        """Stop early: the provider's connection is closed, and nobody is blamed."""
        if not self._call.done:
            self._driver.step(self._call, self._parting())
        self._held.clear()
        running, self._running = self._running, None
        if running is not None:
            await running.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # Dropped without being read: the permit must not stay open for ever. The garbage collector may
        # come in any thread and in the middle of a decision, so the loop settles it when it is free.
        if not self._call.done and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._driver.step, self._call, self._parting())

    def _parting(self) -> Message:
        """An answer that was read to its end is a success, even if the reader left right after it."""
        running = self._running
        if running is not None and running.finish_reason:
            return Succeeded(running.send.attempt, running.usage)
        return CallerLeft()

    async def _obey(self, command: Command) -> Command:
        match command:
            case Send():
                self._running = _Attempt(self._driver.adapter_of(command.target), command, self._errand)
                return await self._until_token(self._running)
            case Wake(at_s):
                await asyncio.sleep(max(0.0, at_s - self._driver.now()))
                return self._driver.step(self._call, Woken())
            case Raise(error):
                raise error from (self._running.error if self._running else None)
            case Commit() | Return() | Cancel():
                raise AssertionError(f"{command} ends the opening of a stream")
            case _:
                assert_never(command)

    async def _until_token(self, running: _Attempt) -> Command:
        while True:
            command = await self._read(running)
            if command is not None:
                return command

    async def _read(self, running: _Attempt) -> Command | None:
        """One more chunk is held for the caller, or a command says what became of the attempt."""
        piece = await running.next(self._driver.now)
        attempt = running.send.attempt
        if isinstance(piece, Failure):
            await running.close()
            if not running.committed:
                self._held.clear()
                self._text.clear()
            return self._driver.step(
                self._call, Failed(attempt, piece, running.usage, told_by(running.error))
            )
        if piece is None:
            await running.close()
            return self._driver.step(self._call, Succeeded(attempt, running.usage))
        if piece.value is not None:
            self._held.append(piece.value)
            self._text.append(piece.text)
        if piece.has_token and not running.committed:
            running.committed = True
            return self._driver.step(self._call, FirstToken(attempt, running.headroom))
        return None

    def _finish(self, command: Command) -> None:
        running, self._running = self._running, None
        if isinstance(command, Raise):
            error = command.error
            if isinstance(error, StreamInterruptedError):
                error.partial_text = "".join(self._text)
            raise error from (running.error if running else None)


class _Attempt:
    """One streamed send: its pieces under its limits."""

    def __init__(self, adapter: Adapter, send: Send, errand: Errand) -> None:
        self.send = send
        self.committed = False
        self.finish_reason = ""
        self.usage: Usage | None = None
        self.headroom: Headroom | None = None
        self.error: BaseException | None = None
        self._adapter = adapter
        outbound = Outbound(send.target, errand.operation, errand.payload, send.limits)
        self._pieces = adapter.stream(outbound)
        self._waited_s = 0.0

    async def next(self, clock: Clock) -> Piece | Failure | None:
        """The next piece, what broke, or None at the end of a whole answer.

        Only waiting for the provider counts against its limits, not the reader's own time.
        """
        limit_s, phase = self._limit()
        began_s = clock()
        limit = asyncio.timeout(limit_s)
        try:
            async with limit:
                piece = await anext(self._pieces)
        except StopAsyncIteration:
            return None if self.finish_reason else Failure(FailureKind.TRUNCATED_STREAM)
        except Exception as error:  # noqa: BLE001  # the adapter classifies whatever its client raises
            self.error = error
            if limit.expired():
                return Failure(FailureKind.TIMEOUT, phase=phase)
            return self._adapter.classify(self.send.target, error)
        finally:
            self._waited_s += clock() - began_s
        self.finish_reason = piece.finish_reason or self.finish_reason
        self.usage = piece.usage or self.usage
        self.headroom = piece.headroom or self.headroom
        return piece

    def _limit(self) -> tuple[float, Phase]:
        limits = self.send.limits
        left_s = limits.total_s - self._waited_s
        if self.committed:
            own_s, phase = limits.idle_s, Phase.IDLE
        else:
            own_s, phase = limits.first_token_s - self._waited_s, Phase.FIRST_TOKEN
        return (own_s, phase) if own_s <= left_s else (left_s, Phase.TOTAL)

    async def close(self) -> None:
        """End the provider's stream; what it says about that no longer matters."""
        aclose = getattr(self._pieces, "aclose", None)
        if aclose is not None:
            with suppress(Exception):
                await aclose()
