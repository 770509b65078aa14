"""Where jobs run on this machine: in this process, or in others beside it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, Self, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class Here:
    """In this process, one job after the other: for few drills, and for whoever debugs one."""

    lanes = 1
    depth = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to end."""

    def open(self) -> Executor:
        """An executor that has run a job when `submit` returns."""
        return _AtOnce()

    def deaths(self, error: BaseException) -> int:
        """We are still here."""
        return 0

    def check(self) -> None:
        """Nothing can be lost."""


class _AtOnce(Executor):
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        # Ctrl-C passes through, and ends the campaign.
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # it belongs to whoever asks the future
            future.set_exception(error)
        return future


class Processes:
    """`workers` fresh processes, each with one job at a time, so that it is known which job killed one.

    They are spawned, never forked: litellm may have threads here, which no fork survives. Open it as a
    context manager: when it is left, also by Ctrl-C, no process is left. Each hangs by a line to this
    process, and ends the moment the line is cut: at once, in the middle of a job, however we end.
    """

    depth = 1

    def __init__(self, workers: int) -> None:
        self.lanes = workers
        self._context = multiprocessing.get_context("spawn")
        self._executors: list[Executor] = []

    def __enter__(self) -> Self:
        self._far_end, self._line = self._context.Pipe(duplex=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()
        for executor in self._executors:
            executor.shutdown(wait=True, cancel_futures=True)
        self._far_end.close()

    def open(self) -> Executor:
        """A worker of its own, started with its first job."""
        executor = _OneProcess(
            max_workers=1, mp_context=self._context, initializer=_hang_by, initargs=(self._far_end,)
        )
        self._executors.append(executor)
        return executor

    def deaths(self, error: BaseException) -> int:
        """One, where the process is gone."""
        return 1 if isinstance(error, BrokenExecutor) else 0

    def check(self) -> None:
        """A process that dies is noticed by its executor."""


class _OneProcess(ProcessPoolExecutor):
    """Ctrl-C reaches every process of a terminal. It is ours to act upon, so workers never see it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        with _interrupts_held():
            return super().submit(fn, *args, **kwargs)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process that is started in here has SIGINT blocked from its first moment; ours comes afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before: Any = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hang_by(line: Connection) -> None:
    """Run in a new worker: it ends with the line to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()


def _end_with(line: Connection) -> None:
    try:
        line.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
