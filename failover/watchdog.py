"""A time limit for one wait after another: a stream waits for thousands of pieces, each with its own limit.

`asyncio.timeout` sets and cancels a timer for each. Here one timer stands for all: when it rings too early,
because the wait that set it is long over, it is set anew for the wait of the moment.
"""

from __future__ import annotations

import asyncio


class Watchdog:
    """Watches one task's waits, between `begin` and `end`; belongs to the loop on which it first does.

    Too long a wait is cancelled; `is_late` then tells whether that cancellation was ours. `waited_s` adds
    up all waits. `close` it when nothing is waited for any more: no timer is left behind.
    """

    __slots__ = (
        "_began_s",
        "_cancelled_before",
        "_due_s",
        "_loop",
        "_taken_back",
        "_task",
        "_timer",
        "rang",
        "waited_s",
    )

    def __init__(self) -> None:
        self.waited_s = 0.0
        self.rang = False
        self._taken_back = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._began_s = self._due_s = 0.0
        self._cancelled_before = 0

    def begin(self, limit_s: float) -> None:
        """The running task waits from now on, at most so long."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        self._task = task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101  # a coroutine on a loop runs in a task
        self._began_s = now = loop.time()
        self._due_s = now + limit_s if limit_s > 0.0 else now
        self._cancelled_before = task.cancelling()
        self.rang = self._taken_back = False
        if self._timer is None or self._timer.when() > self._due_s:
            self._set(loop)

    def end(self) -> None:
        """The wait is over, whatever came of it: a cancellation of ours does not outlive it."""
        task, self._task = self._task, None
        if self.rang and task is not None and not self._taken_back:
            task.uncancel()  # what was awaited made something else of it
        if self._loop is not None:
            self.waited_s += self._loop.time() - self._began_s

    def is_late(self, task: asyncio.Task[object]) -> bool:
        """Whether a cancellation that `task` met was ours, and nobody else's: then it is taken back."""
        if not self.rang:
            return False
        self._taken_back = True
        return task.uncancel() <= self._cancelled_before

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
