"""What the drivers have in common: they obey the commands of a call, and tell it what happened.

`AsyncRun` waits on the event loop of its caller; `thread_driver.ThreadRun` makes a thread wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import RLock
from typing import Any, assert_never

from failover.adapters.seam import Adapter, Answer
from failover.attempts import Clock, Errand, Running, StreamedAttempt, WholeAttempt
from failover.core.call import Call, Commands
from failover.core.messages import (
    CallerLeft,
    Cancel,
    Commit,
    Failed,
    Message,
    Raise,
    Return,
    Send,
    Succeeded,
    Wake,
    Woken,
)
from failover.core.policy import OnDoubt
from failover.core.vocabulary import Target
from failover.errors import CallError, StreamInterruptedError


class Driver:
    """What the calls of one config share.

    `lock` is held while a call decides, since threads may share what was learned; `told` is called after
    each step, outside of the lock. `reading` holds the streams that are handed on, for all configs of a
    router: else the garbage collector, finding a dropped one in a cycle, would close its provider's
    end at the same time as we do. `gate` is passed by every attempt before it is sent, and may raise.
    """

    def __init__(
        self,
        adapter_of: Callable[[Target], Adapter],
        clock: Clock,
        told: Callable[[], None],
        lock: RLock | None = None,
        reading: set[Run] | None = None,
        gate: Callable[[Call, Send], None] | None = None,
    ) -> None:
        self.adapter_of = adapter_of
        self.now = clock
        self.reading: set[Run] = set() if reading is None else reading
        self.gate = gate
        self._told = told
        self._lock = RLock() if lock is None else lock

    def begin(self, call: Call) -> Commands:
        """Start the call."""
        with self._lock:
            commands = call.start(self.now())
        self._told()
        return commands

    def step(self, call: Call, message: Message) -> Commands:
        """Tell the call what happened; returns what to do next, nothing when it is over."""
        with self._lock:
            commands = call.handle(message, self.now())
        self._told()
        return commands


class Run:
    """One call and its attempts, whoever waits for them.

    `partial` is the text that the caller has of streams that broke.
    """

    def __init__(self, driver: Driver, call: Call, errand: Errand) -> None:
        self.driver = driver
        self.call = call
        self.attempts: dict[int, Running] = {}
        self.partial = ""
        self._errand = errand
        self._committed: int | None = None
        self._wake_at_s: float | None = None
        self._cause: BaseException | None = None

    def obey(self, commands: Commands) -> Commit | Return | None:
        """Do what can be done without waiting.

        Returns what settles whose answer the caller gets; None while nothing does. Raises the call's
        `CallError`.
        """
        settled: Commit | Return | None = None
        for command in commands:
            match command:
                case Send():
                    if self.driver.gate is not None:
                        self.driver.gate(self.call, command)
                    self.attempts[command.attempt] = self._attempt(command)
                case Wake(at_s):
                    self._wake_at_s = at_s
                case Cancel(attempt):
                    self.stop(attempt)
                case Commit() | Return():
                    settled = command
                    self._committed = command.attempt
                    if command.restart:
                        self.partial = ""
                case Raise(error):
                    if isinstance(error, StreamInterruptedError):
                        error.partial_text = self.partial
                    raise error from self._cause
                case _:
                    assert_never(command)
        return settled

    def take_in(self, message: Message) -> Commands:
        """Tell the call what an attempt reported."""
        commands = self.driver.step(self.call, message)
        served = bool(commands) and isinstance(commands[-1], Return)
        # Who succeeded and did not end the call was doubted: its answer is not used either.
        if isinstance(message, Failed | Succeeded) and not served:
            attempt = self.attempts.pop(message.attempt)
            self._cause = attempt.error
            if message.attempt == self._committed:
                self.partial += "".join(attempt.text)
        return commands

    def left_s(self) -> float | None:
        """How long to wait for the time of the last `Wake`; None where there is none."""
        return None if self._wake_at_s is None else max(0.0, self._wake_at_s - self.driver.now())

    def happened(self, pending: dict[int, Any]) -> Commands | None:
        """What the call wants after the first thing that happened; None where nothing did.

        `pending` are the attempts' next messages, as futures of any kind, by number.
        """
        done = [number for number, future in pending.items() if future.done()]
        if done:
            return self.take_in(pending.pop(min(done)).result())
        if self._wake_at_s is None or self.driver.now() < self._wake_at_s:
            return None
        self._wake_at_s = None
        return self.driver.step(self.call, Woken())

    def leave(self) -> None:
        """The caller goes: nothing runs on."""
        self.driver.step(self.call, self.parting())
        # Also one that was read to its end, and so succeeded: its connection is open until it is closed.
        for attempt in tuple(self.attempts):
            self.stop(attempt)

    def answer(self, number: int) -> Answer:
        """The whole reply of an attempt that succeeded."""
        answer = self.attempts[number].answer
        assert answer is not None  # noqa: S101  # it succeeded, and nobody wanted it in chunks
        return answer

    def stop(self, attempt: int) -> None:
        """End one attempt, without waiting for what it does on its way out."""
        raise NotImplementedError

    def _attempt(self, send: Send) -> Running:
        adapter = self.driver.adapter_of(send.target)
        outbound = self._errand.outbound(send, self.partial if send.resume else "")
        if not send.stream:
            return WholeAttempt(adapter, send, outbound)
        holds = self.call.route.policy.on_unsound_tool_call is OnDoubt.FAIL
        whole = not self.call.request.stream
        return StreamedAttempt(adapter, send, outbound, holds=holds, whole=whole)

    def parting(self) -> Message:
        """An answer that was read to its end is a success, even if the reader left right after it."""
        for attempt in self.attempts.values():
            if isinstance(attempt, StreamedAttempt) and attempt.finish_reason:
                return Succeeded(attempt.send.attempt, attempt.spent())
        begun = (each for each in self.attempts.values() if isinstance(each, StreamedAttempt))
        return CallerLeft(next((usage for each in begun if (usage := each.so_far()) is not None), None))


class AsyncRun(Run):
    """On the event loop: one attempt is awaited in place, several of them as tasks."""

    def __init__(self, driver: Driver, call: Call, errand: Errand) -> None:
        super().__init__(driver, call, errand)
        self._tasks: dict[int, asyncio.Task[Message]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def whole(self) -> Answer:
        """Drive a call whose reply comes whole; raises the call's `CallError`."""
        settled = await self.until_settled(self.driver.begin(self.call))
        return self.answer(settled.attempt)

    async def until_settled(self, commands: Commands) -> Commit | Return:
        """Obey until somebody's answer is handed on; raises the call's `CallError` where nobody's is."""
        try:
            settled = self.obey(commands)
            while settled is None:
                settled = self.obey(await self._next())
        except CallError:
            raise
        except BaseException:
            self.leave()
            raise
        return settled

    def stop(self, attempt: int) -> None:
        """End one attempt, without waiting for what it does on its way out."""
        running, task = self.attempts.pop(attempt), self._tasks.pop(attempt, None)
        if task is not None:
            task.cancel()
        leaving = asyncio.get_running_loop().create_task(running.close())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _next(self) -> Commands:
        """Wait for whatever happens next, and tell the call."""
        if self._wake_at_s is None and len(self.attempts) == 1 and not self._tasks:
            (attempt,) = self.attempts.values()
            return self.take_in(await attempt.message())
        for number, attempt in self.attempts.items():
            if number not in self._tasks:
                self._tasks[number] = asyncio.get_running_loop().create_task(attempt.message())
        while True:
            left_s = self.left_s()
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(left_s or 0.0)
            commands = self.happened(self._tasks)
            if commands is not None:
                return commands
