"""Threads in virtual time: a call that blocks a thread, while a loop whose time jumps does the sending.

At any moment either the loop runs or one of the threads: who waits hands over, so that the same script is
played the same way each time.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from failover.driver import Run
from failover.thread_driver import Sending

Waiting = tuple[list[Any], float | None]


class Lockstep:
    """In place of the thread that sends: the loop of the test, which stands still while a thread runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self.go_on: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.ends: list[asyncio.Task[Any]] = []

    def submit(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        # Not from its own thread, but the loop stands still.
        task = asyncio.Task(coroutine, loop=self._loop)
        self.ends.append(task)
        return task

    def wait(self, futures: Iterable[Any], timeout_s: float | None) -> None:
        self.waiting.put((list(futures), timeout_s))
        self.go_on.get()

    def later(self, run: Run) -> None:
        self._loop.call_soon(run.leave)


async def in_lockstep(call: Callable[[Sending], None]) -> None:
    """Run a function that blocks in a thread of its own; what it waits for happens on this loop."""
    sending = Lockstep()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call(sending)  # type: ignore[arg-type]  # its futures are tasks, which can do the same here
        except BaseException as error:  # noqa: BLE001  # told to the test
            raised.append(error)
        finally:
            sending.waiting.put(None)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    thread.start()
    while (waiting := sending.waiting.get(timeout=60)) is not None:
        futures, timeout_s = waiting
        if futures:
            await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(timeout_s or 0.0)
        sending.go_on.put(None)
    thread.join()
    for error in raised:
        raise error
