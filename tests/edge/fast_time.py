"""A real event loop whose clock runs fast: real sockets, and the seconds of a test are short ones."""

from __future__ import annotations

import asyncio
import functools
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any

SPEED = 30.0
"""Seconds on the loop's clock for each real one: a provider that is silent for 15 s costs half a second.

Much faster, and what a busy machine takes for an answer would pass for a slow provider.
"""


class _FastSelector(selectors.DefaultSelector):
    """Waits for a real part of the time it is asked to wait."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout if timeout is None else timeout / SPEED)


class FastLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, on a clock that runs fast and can be set forward.

    Every limit scales alike: the provider's, the router's and the HTTP client's.
    """

    def __init__(self) -> None:
        self._skipped_s = 0.0
        self._made_s = time.monotonic()
        super().__init__(_FastSelector())

    def time(self) -> float:
        """Seconds since the loop was made, and those that were skipped."""
        return (time.monotonic() - self._made_s) * SPEED + self._skipped_s

    def skip(self, seconds: float) -> None:
        """So much time passes at once. Timers that are due by then ring now."""
        self._skipped_s += seconds


def skip(seconds: float) -> None:
    """Set the running loop's clock forward."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, FastLoop)
    loop.skip(seconds)


def in_fast_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, run on a loop of its own whose clock runs fast."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=FastLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
