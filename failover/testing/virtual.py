"""Virtual time for tests: an hour of sleeping takes no time, and waiting for ever is told."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from failover.chaos.modes import virtual_loop

Result = TypeVar("Result")

NEEDED = (
    "needs virtual time: in a pytest test take the fixture `virtual_time`, elsewhere run the coroutine with "
    "failover.testing.run_virtual"
)


class VirtualTime:
    """Virtual time as a test sees it, counted from `began_s` of its loop."""

    def __init__(self, began_s: float = 0.0) -> None:
        self._began_s = began_s

    @property
    def now_s(self) -> float:
        """Virtual seconds since the beginning. Raises `RuntimeError` where time is real."""
        return running_virtual_loop("VirtualTime").time() - self._began_s

    async def until(self, at_s: float) -> None:
        """Let everything happen that happens before `at_s`; returns at once where that has passed."""
        await asyncio.sleep(max(0.0, at_s - self.now_s))


def running_virtual_loop(what: str) -> virtual_loop.VirtualLoop:
    """The loop that runs here; raises `RuntimeError`, naming `what` needs it, unless its time is virtual."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    if not isinstance(loop, virtual_loop.VirtualLoop):
        raise RuntimeError(f"{what} {NEEDED}")  # noqa: TRY004  it is called at the wrong place, not with a wrong type
    return loop


def on_virtual_time() -> bool:
    """Whether the running loop, if there is one, is virtual."""
    running = asyncio._get_running_loop()  # noqa: SLF001  the public one raises where there is none
    return isinstance(running, virtual_loop.VirtualLoop)


def run_virtual(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end in virtual time, which begins at 0 and jumps to the next timer.

    There are no sockets and no threads: what would run in a thread runs at once, in its place. Raises
    what `main` raises; `DeadlockError` where every task waits for something that cannot come.
    """
    with virtual_loop.threads_inlined():
        return virtual_loop.run_virtual(main)
