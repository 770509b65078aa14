"""A streamed reply: failover before the commit point, the provider's chunks untouched after it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Self

from failover.attempts import StreamedAttempt
from failover.core.call import Commands
from failover.core.messages import Commit, Message, Return
from failover.core.records import CallRecord
from failover.driver import AsyncRun, Run
from failover.reply import with_record


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """What a marker chunk says: `restart`, clear what you have, `target` begins anew."""

    event: str
    target: str


class Chunks:
    """What a stream has for its reader, whoever waits for it: the same for both kinds of iterator."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._attempt: StreamedAttempt | None = None
        self._ready: deque[Any] = deque()

    @property
    def failover(self) -> CallRecord:
        """Every attempt so far, and who was passed over; complete once the iteration ends."""
        return self._run.call.story(self._run.driver.now())

    def _settle(self, settled: Commit | Return) -> None:
        """From now on the chunks of this attempt are handed on."""
        attempt = self._run.attempts[settled.attempt]
        assert isinstance(attempt, StreamedAttempt)  # noqa: S101  # a caller who wants chunks gets a stream
        self._attempt, self._ready = attempt, attempt.chunks
        if settled.restart:
            event = StreamEvent("restart", attempt.send.target.name)
            self._ready.appendleft(with_record(attempt.restart_mark(), event))
        if not self._run.call.done:
            self._run.driver.reading.add(self._run)

    def _reported(self, message: Message) -> Commands:
        """What the call wants after a message of the attempt that is read; nothing when it goes on."""
        commands = self._run.take_in(message)
        if self._run.call.done:
            self._run.driver.reading.discard(self._run)
            self._attempt = None
            self._run.obey(commands)
            return ()
        return commands


class Stream(Chunks):
    """An async iterator of chunks. Close it early with `aclose`, or leave an `async with` block.

    `failover` tells the story of the call so far; it is complete once the iteration ends.
    """

    _run: AsyncRun

    def __init__(self, run: AsyncRun) -> None:
        super().__init__(run)
        self._loop = asyncio.get_running_loop()

    async def open(self) -> Self:
        """Try targets until the answer of one is handed on: the commit point."""
        self._settle(await self._run.until_settled(self._run.driver.begin(self._run.call)))
        return self

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while not self._ready:
            attempt = self._attempt
            if self._run.call.done or attempt is None:
                raise StopAsyncIteration
            try:
                message = await attempt.read()
                if message is not None and (commands := self._reported(message)):
                    self._attempt = None
                    self._settle(await self._run.until_settled(commands))
            except BaseException:
                await self.aclose()
                raise
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Stop early: the provider's connection is closed, and nobody is blamed."""
        attempt, self._attempt = self._attempt, None
        self._ready.clear()
        self._run.driver.reading.discard(self._run)
        if not self._run.call.done:
            self._run.driver.step(self._run.call, self._run.parting())
        if attempt is not None:
            await attempt.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # Dropped without being read: the permit must not stay open for ever. The garbage collector may
        # come in any thread and in the middle of a decision, so the loop settles it when it is free.
        self._run.driver.reading.discard(self._run)
        if not self._run.call.done and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._run.leave)
