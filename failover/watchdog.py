"""A time limit for one wait after another: a stream waits for thousands of pieces, each with its own limit.

`asyncio.timeout` sets and cancels a timer for each. Here one timer stands for all: when it rings too early,
because the wait that set it is long over, it is set anew for the wait of the moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")


class Watchdog:
    """Belongs to the loop on which it first waits. `close` it when nothing is waited for any more.

    `rang`: the last wait was too long, whatever came of it.
    """

    __slots__ = ("_due_s", "_task", "_timer", "rang")

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._due_s = 0.0
        self.rang = False

    async def wait(self, awaited: Awaitable[Result], limit_s: float) -> Result:
        """What is awaited, or `TimeoutError` after `limit_s`. A cancellation from outside stays one."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine on a loop runs in a task
        self._due_s = loop.time() + max(0.0, limit_s)
        self.rang = False
        self._task = task
        if self._timer is None or self._timer.when() > self._due_s:
            self._set(loop)
        cancelled_before = task.cancelling()
        try:
            return await awaited
        except asyncio.CancelledError as error:
            if self.rang and task.uncancel() <= cancelled_before:
                raise TimeoutError from error
            raise
        finally:
            self._task = None

    def close(self) -> None:
        """No timer is left behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        self.close()
        self._timer = loop.call_at(self._due_s, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._task is None:
            return  # nobody waits: the next wait sets it
        if loop.time() < self._due_s:
            self._set(loop)
            return
        self.rang = True
        self._task.cancel()
