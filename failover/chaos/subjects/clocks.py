"""Virtual time for code that reads clocks of its own: cooldowns and caches of other clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import time_machine

from failover.chaos.modes.virtual_loop import VirtualLoop

Result = TypeVar("Result")

PASSING = ("monotonic", "perf_counter")
"""What time-machine leaves alone. Who imported the function itself still reads the machine's clock."""


class _DatedLoop(VirtualLoop):
    """A virtual loop whose time is also that of the wall."""

    def __init__(self, moved: Callable[[float], None]) -> None:
        super().__init__()
        self._moved = moved

    def select(self, timeout: float | None) -> tuple[()]:
        """Time passes, and the wall's with it."""
        found = super().select(timeout)
        self._moved(self.time())
        return found


def run_dated(main: Callable[[], Coroutine[Any, Any, Result]], start_epoch_s: float) -> Result:
    """Run `main` in virtual time that begins at `start_epoch_s`, on every clock of this process."""
    with time_machine.travel(start_epoch_s, tick=False) as traveller, _passing() as passed:

        def moved(now_s: float) -> None:
            traveller.move_to(start_epoch_s + now_s)
            passed[0] = now_s

        with asyncio.Runner(loop_factory=lambda: _DatedLoop(moved)) as runner:
            return runner.run(main())


@contextmanager
def _passing() -> Iterator[list[float]]:
    """`time.monotonic` and `time.perf_counter` as virtual seconds, from where they stand."""
    passed = [0.0]
    before = {name: getattr(time, name) for name in PASSING}
    started = {name: read() for name, read in before.items()}
    for name in PASSING:
        setattr(time, name, lambda name=name: started[name] + passed[0])
    try:
        yield passed
    finally:
        for name, read in before.items():
            setattr(time, name, read)
