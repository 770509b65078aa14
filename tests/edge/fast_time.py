"""Real event loops on clocks of a test's own: real sockets, and seconds that are short, or pass when told."""

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


_POLL_S = 0.001


class _Selector(selectors.DefaultSelector):
    """Waits for a real part of the time it is asked to wait."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        return super().select(timeout / self._speed if self._speed else _POLL_S)


class FastLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, on a clock that runs `speed` times as fast and can be set forward.

    Every limit scales alike: the provider's, the router's and the HTTP client's. With the speed 0 time
    stands, and passes only by `skip`.
    """

    def __init__(self, speed: float = SPEED) -> None:
        self._speed = speed
        self._skipped_s = 0.0
        self._made_s = time.monotonic()
        super().__init__(_Selector(speed))

    def time(self) -> float:
        """Seconds since the loop was made, and those that were skipped."""
        return (time.monotonic() - self._made_s) * self._speed + self._skipped_s

    def skip(self, seconds: float) -> None:
        """So much time passes at once. Timers that are due by then ring now."""
        self._skipped_s += seconds


def skip(seconds: float) -> None:
    """Set the running loop's clock forward."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, FastLoop)
    loop.skip(seconds)


def in_fast_time(test: Callable[..., Coroutine[Any, Any, None]], speed: float = SPEED) -> Callable[..., None]:
    """A test that is a coroutine, run on a loop of its own whose clock runs fast."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=lambda: FastLoop(speed)) as runner:
            runner.run(test(*args, **kwargs))

    return run


def in_stepped_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The same on a clock that moves only when the test says so."""
    return in_fast_time(test, 0.0)
