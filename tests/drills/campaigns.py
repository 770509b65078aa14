"""Jobs that do what a test plants in them, in whichever process, and places to run them.

What a job does stands in its scenario's name: processes elsewhere import this module and nothing of the test.
"""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from failover.chaos.campaign.job import Job, JobResult
from failover.chaos.campaign.pools import Here
from failover.chaos.judging.verdict import Skipped

STORY = """
title: The primary goes dark
config: failover.yaml
cassettes: cassettes
workload: {route: chat, rate_per_s: 2, for_s: 60}
inject:
  - {kind: outage, provider: openai, at_s: 20, for_s: 20}
"""


def job(number: int, name: str = "works", marks: Path | None = None) -> Job:
    """The job with this number; `marks` is a folder where it may leave a mark."""
    return Job(Path(f"{name}.yaml"), name, number, "simulate", journal=marks)


def jobs(*names: str, marks: Path | None = None) -> list[Job]:
    """One job for each name, numbered."""
    return [job(number, name, marks) for number, name in enumerate(names)]


def did(result: JobResult) -> str:
    """What the job said it did, or the word of what became of it."""
    outcome = result.outcome
    return outcome.reason if isinstance(outcome, Skipped) else type(outcome).__name__


def act(this: Job) -> JobResult:
    """Run in a worker: do what the job's name says, and tell it."""
    match this.name:
        case "dies":
            _die()
        case "dies once" if this.journal is not None and not _left_a_mark(this):
            _die()
        case "raises":
            raise ZeroDivisionError(this.name)
        case "leaves":
            raise SystemExit(3)
        case "returns what does not travel":
            return JobResult(this, Skipped(this.name, ""), picture=threading.Lock())
        case "never ends":
            threading.Event().wait()
        case "tells its process":
            return JobResult(this, Skipped(this.name, str(os.getpid())))
    return JobResult(this, Skipped(this.name, f"{this.seed} {this.name}"))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _left_a_mark(this: Job) -> bool:
    """Whether this job has been here before; from now on it has."""
    assert this.journal is not None
    try:
        (this.journal / str(this.seed)).touch(exist_ok=False)
    except FileExistsError:
        return True
    return False


@dataclass
class Threads(Here):
    """Threads of this process: an executor as any other, whose jobs may share the test's objects."""

    depth: int = 2

    def open(self) -> Executor:
        """So many threads as there are jobs at a time."""
        return ThreadPoolExecutor(self.depth)


@dataclass
class Shared(Here):
    """One executor with two processes that share its jobs: nobody knows which of them died of which."""

    depth: int = 4

    def __post_init__(self) -> None:
        self._executors: list[Executor] = []

    def __exit__(self, *_: object) -> None:
        for executor in self._executors:
            executor.shutdown()

    def open(self) -> Executor:
        """A new one, with both processes."""
        self._executors.append(ProcessPoolExecutor(2, mp_context=get_context("spawn")))
        return self._executors[-1]

    def deaths(self, error: BaseException) -> int:
        """One, whatever ended it: nothing here raises."""
        return 1


def in_words(results: Any) -> list[str]:
    """What each job did, in the order told."""
    return [did(result) for result in results]
