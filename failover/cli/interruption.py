"""Ctrl-C stops the work, and not the report on what was reached."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class Interruption:
    """While it is entered, Ctrl-C raises `KeyboardInterrupt`, and sets `struck`.

    `struck` stays true even where an import turned the exception into another one or swallowed it.
    With `closing` set, Ctrl-C is only noted: what was reached is being written.
    """

    def __init__(self) -> None:
        self.struck = False
        self.closing = False
        self._before: Any = None

    def __enter__(self) -> Self:
        # A shell that runs us in the background has SIGINT ignored on purpose.
        listens = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
        if listens and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._strike)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _strike(self, _number: int, _frame: FrameType | None) -> None:
        self.struck = True
        if not self.closing:
            raise KeyboardInterrupt
