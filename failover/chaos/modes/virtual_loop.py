"""An event loop on virtual time: it jumps to the next timer, and real coroutines run unmodified."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from heapq import heappush
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")

_ASYNCIO = Path(asyncio.__file__).parent


class DeadlockError(RuntimeError):
    """Nothing is ready and no timer is set: some task waits for ever."""


class _Timer(asyncio.TimerHandle):
    """Timers of the same microsecond ring in the order they were set, as in a simulation.

    asyncio's own order among them is that of a heap, and of the last bit of a sum.
    """

    def __init__(self, when: float, number: int, *arguments: Any) -> None:
        super().__init__(when, *arguments)
        self.rank = round(when, 6), number

    def __lt__(self, other: object) -> bool:
        return self.rank < other.rank if isinstance(other, _Timer) else NotImplemented


class VirtualLoop(asyncio.BaseEventLoop):
    """No selector, no sockets, no threads. `time` starts at zero and jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._timers_set = 0
        # asyncio asks its selector to wait: the loop is its own, so that waiting passes virtual time.
        self._selector = self
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    def call_at(  # type: ignore[override]  # typeshed's variadic generics say no more here
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's, with an order among equal times."""
        self._timers_set += 1
        timer = _Timer(when, self._timers_set, callback, args, self, context)
        heappush(vars(self)["_scheduled"], timer)
        # What asyncio's own call_at notes, so that cancelled timers are cleared.
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001  asyncio's own slot
        return timer

    def select(self, timeout: float | None) -> tuple[()]:
        """asyncio's own hook for waiting: here, time passes."""
        if timeout is None:
            waiting = ", ".join(sorted(_waiting(task) for task in asyncio.all_tasks(self)))
            raise DeadlockError(f"nothing is ready and no timer is set; waiting for ever: {waiting}")
        if timeout > 0:
            timers: list[asyncio.TimerHandle] = vars(self)["_scheduled"]
            # Not now plus timeout: that may miss the timer's time by the last bit.
            self._now_s = max(self._now_s, timers[0].when())
            # Timers fire when due within the clock's resolution; a constant one would vanish in
            # floating point at large times and the loop would spin for ever.
            self._clock_resolution = 2 * math.ulp(self._now_s)
        return ()

    def run_in_executor(  # type: ignore[override]  # typeshed's variadic generics say no more here
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        """Inline: a thread would race virtual time."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except BaseException as error:  # noqa: BLE001  # it belongs to whoever awaits the future
            future.set_exception(error)
        return future

    def _process_events(self, event_list: object) -> None:
        """asyncio's own hook: there are no I/O events here."""

    def _write_to_self(self) -> None:
        """asyncio's own hook: nobody wakes this loop from another thread."""


def _waiting(task: asyncio.Task[Any]) -> str:
    """The task, and the innermost line of its code that is not asyncio's own."""
    where = ""
    coroutine: Any = task.get_coro()
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        if Path(frame.f_code.co_filename).parent != _ASYNCIO:
            where = f" ({frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname})"
        coroutine = coroutine.cr_await
    return f"{task.get_name()}{where}"


def run_virtual(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main` to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


@contextmanager
def threads_inlined() -> Iterator[None]:
    """anyio runs inline, on a virtual loop, what it would run in a thread: litellm's ends of streams, too.

    The loop does the same with asyncio's executors; anyio has threads of its own, which virtual time
    would not wait for.
    """
    import anyio.to_thread

    before = anyio.to_thread.run_sync

    async def run_sync(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if isinstance(asyncio.get_running_loop(), VirtualLoop):
            return function(*arguments)
        return await before(function, *arguments, **options)

    anyio.to_thread.run_sync = run_sync  # type: ignore[assignment]  # its options mean nothing inline
    try:
        yield
    finally:
        anyio.to_thread.run_sync = before
