"""The thread driver: a thread waits for its call, and a loop of the router's own does the sending.

Threads cannot be stopped, and so no limit could be kept in them: the attempts run on an event loop in
one background thread, where they can. The caller's thread decides, waits, and is free of any loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from failover.adapters.seam import Answer
from failover.attempts import Errand
from failover.core.call import Call, Commands
from failover.core.messages import Commit, Message, Return
from failover.driver import Driver, Run
from failover.errors import CallError

Result = TypeVar("Result")

FUNCTIONS_MOST = 128
"""How many plain functions of sync calls may run at a time: asyncio's own pool has a handful of threads."""


class Sending(Protocol):
    """Where the coroutines of attempts run, while a thread waits for them."""

    def submit(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Start a coroutine."""
        ...

    def wait(self, futures: Iterable[Future[Any]], timeout_s: float | None) -> None:
        """Until one of them is done, at most so long; None: for ever."""
        ...

    def later(self, run: Run) -> None:
        """Let the caller of `run` leave, from whichever thread this is, without waiting."""
        ...


class Background:
    """An event loop in a daemon thread. Started when made; `stop` ends it and waits for its end."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(ThreadPoolExecutor(FUNCTIONS_MOST, "failover-function"))
        self._thread = threading.Thread(target=self._run, name="failover-sending", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it runs; in a child of `os.fork` it does not, since threads stay behind."""
        return self._thread.is_alive()

    def submit(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Start a coroutine, with the caller's context."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def wait(self, futures: Iterable[Future[Any]], timeout_s: float | None) -> None:
        """Until one of them is done, at most so long; None: for ever."""
        awaited = list(futures)
        if awaited:
            concurrent.futures.wait(awaited, timeout_s, concurrent.futures.FIRST_COMPLETED)
        else:
            time.sleep(timeout_s or 0.0)

    def later(self, run: Run) -> None:
        """Let the caller of `run` leave, when the loop is free."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(run.leave)

    def require_elsewhere(self) -> None:
        """Raise `RuntimeError` in the loop's own thread: it would wait for itself."""
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "a sync call was made from the thread that sends the sync calls of this router (from an "
                "async function that serves as a target, say): use the call's `a...` twin there"
            )

    def stop(self) -> None:
        """End what still runs, and the thread."""
        if self.alive:
            self.submit(_end_others()).result()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others)


class ThreadRun(Run):
    """One call, for which a thread waits."""

    def __init__(self, driver: Driver, call: Call, errand: Errand, sending: Sending) -> None:
        super().__init__(driver, call, errand)
        self._sending = sending
        self._futures: dict[int, Future[Message]] = {}

    def whole(self) -> Answer:
        """Drive a call whose reply comes whole; raises the call's `CallError`."""
        settled = self.until_settled(self.driver.begin(self.call))
        return self.answer(settled.attempt)

    def until_settled(self, commands: Commands) -> Commit | Return:
        """Obey until somebody's answer is handed on; raises the call's `CallError` where nobody's is."""
        try:
            settled = self.obey(commands)
            while settled is None:
                settled = self.obey(self._next())
        except CallError:
            raise
        except BaseException:
            self.leave()
            raise
        return settled

    def result(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Wait for something of an attempt's."""
        future = self._sending.submit(coroutine)
        try:
            self._sending.wait([future], None)
        except BaseException:
            future.cancel()
            raise
        return future.result()

    def later(self) -> None:
        """The caller is gone."""
        self._sending.later(self)

    def stop(self, attempt: int) -> None:
        """End one attempt, without waiting for what it does on its way out."""
        running, future = self.attempts.pop(attempt), self._futures.pop(attempt, None)
        if future is not None:
            future.cancel()
        self._sending.submit(running.close())

    def _next(self) -> Commands:
        """Wait for whatever happens next, and tell the call."""
        for number, attempt in self.attempts.items():
            if number not in self._futures:
                self._futures[number] = self._sending.submit(attempt.message())
        while True:
            self._sending.wait(self._futures.values(), self.left_s())
            commands = self.happened(self._futures)
            if commands is not None:
                return commands
