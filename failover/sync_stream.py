"""A streamed reply for a thread: the same chunks, waited for without an event loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from failover.stream import Chunks
from failover.thread_driver import ThreadRun


class SyncStream(Chunks):
    """An iterator of chunks. Close it early with `close`, or leave a `with` block.

    `failover` tells the story of the call so far; it is complete once the iteration ends.
    """

    _run: ThreadRun

    def open(self) -> Self:
        """Try targets until the answer of one is handed on: the commit point."""
        self._settle(self._run.until_settled(self._run.driver.begin(self._run.call)))
        return self

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        while not self._ready:
            attempt = self._attempt
            if self._run.call.done or attempt is None:
                raise StopIteration
            try:
                message = self._run.result(attempt.read())
                if message is not None and (commands := self._reported(message)):
                    self._attempt = None
                    self._settle(self._run.until_settled(commands))
            except BaseException:
                self.close()
                raise
        return self._ready.popleft()

    def close(self) -> None:
        """Stop early: the provider's connection is closed, and nobody is blamed."""
        attempt, self._attempt = self._attempt, None
        self._ready.clear()
        self._run.driver.reading.discard(self._run)
        if not self._run.call.done:
            self._run.driver.step(self._run.call, self._run.parting())
        if attempt is not None:
            self._run.result(attempt.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # As for `Stream`: not here, where the collector may have come in the middle of a decision.
        self._run.driver.reading.discard(self._run)
        if not self._run.call.done:
            self._run.later()
