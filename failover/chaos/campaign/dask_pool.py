"""Jobs on a Dask cluster, as an executor. Needs the extra `dask`, which is imported here only."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, ParamSpec, Self, TypeVar

from distributed import Client
from distributed.comm.addressing import parse_address, parse_host_port
from distributed.comm.registry import get_backend
from distributed.scheduler import KilledWorker

from failover.chaos.campaign.job import Job, JobResult, run_job
from failover.chaos.campaign.runner import DEATHS, CampaignError
from failover.chaos.campaign.software import Software, software
from failover.chaos.judging.verdict import Refused

T = TypeVar("T")
P = ParamSpec("P")

CONNECT_S = 5.0
"""How long an address has to answer, in real seconds."""

WORKERLESS_S = 60.0
"""How long a cluster may be without workers: others may be starting."""

ABSENT = "absent"
Contents = Mapping[str, str]
"""Absolute paths, each with the digest of the file, or of all YAML in the folder, or `absent`."""

_ONE_AT_A_TIME = Lock()
"""A replay quietens litellm for its process, and a worker may have several threads."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a worker has."""

    software: Software
    contents: Contents


def look(paths: Iterable[str]) -> Seen:
    """Run on a worker: what it runs, and what it sees at `paths`."""
    return Seen(software(), {path: _content(Path(path)) for path in paths})


def run_elsewhere(asked: Software, job: Job) -> JobResult:
    """Run on a worker: `job`, where the software is the `asked` one; a worker may have joined late."""
    if unlike := asked.unlike(software()):
        return JobResult(job, Refused(job.name, (f"a worker of the cluster runs another {unlike}",)))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with _ONE_AT_A_TIME:
        if job.journal is not None:
            job.at(job.journal).parent.mkdir(parents=True, exist_ok=True)
        return run_job(job)


class DaskCluster:
    """The workers of the scheduler at `address`, for jobs that read `paths`. Open it as a context manager.

    Nothing but paths and seeds travels: every worker must see the same files at the same places, and
    run the same software, else `CampaignError` says which does not. Dask itself runs a job again whose
    worker died, so a job that Dask gives up has killed several; it gets one more run, alone.
    """

    lanes = 1

    def __init__(self, address: str, paths: Iterable[Path]) -> None:
        self._address = address
        self._paths = tuple(sorted({str(path.absolute()) for path in paths}))
        self._workerless_since_s: float | None = None
        self.depth = 1

    def __enter__(self) -> Self:
        _check(self._address)
        self._client: Any = _connected(self._address)
        try:
            self._inspect()
        except BaseException:
            self._client.close(timeout=1)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.take_back()
        self._client.close(timeout=1)

    @property
    def work(self) -> Callable[[Job], JobResult]:
        """What to run for each job on these workers."""
        return partial(run_elsewhere, software())

    def open(self) -> Executor:
        """The whole cluster."""
        return self._executor

    def deaths(self, error: BaseException) -> int:
        """Enough for one more run where Dask gave up, so many workers died under it; not for two."""
        return DEATHS - 1 if isinstance(error, KilledWorker) else 0

    def check(self) -> None:
        """Without a scheduler, or for long without workers, no result can come any more."""
        if self._client.status != "running":
            raise CampaignError(f"the Dask scheduler at {self._address} is gone")
        if self._client.scheduler_info(n_workers=-1)["workers"]:
            self._workerless_since_s = None
            return
        now_s = monotonic()
        since_s = self._workerless_since_s = self._workerless_since_s or now_s
        if now_s - since_s > WORKERLESS_S:
            raise CampaignError(
                f"the Dask scheduler at {self._address} has had no worker for {WORKERLESS_S:g} s"
            )

    def _inspect(self) -> None:
        seen = self._client.run(look, self._paths, on_error="return")
        if not seen:
            raise CampaignError(f"the Dask scheduler at {self._address} has no worker: start some")
        mine = look(self._paths)
        complaints = [
            f"worker {worker} {what}"
            for worker, theirs in sorted(seen.items())
            if (what := wrong_with(theirs, mine))
        ]
        if complaints:
            raise CampaignError("\n".join(complaints))
        threads = self._client.nthreads()
        self.depth = 2 * sum(threads.values())
        self._executor = _Submitted(self._client)


class _Submitted(Executor):
    """Tasks of a Dask client as the futures of the standard library.

    Dask's own `ClientExecutor` (2026.8) leaves a future pending for ever when the worker that holds its
    result dies before it was fetched, and the task is then given up: the error ends its coroutine.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._running: set[Any] = set()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        told: Future[T] = Future()
        # A job may have another result tomorrow: files change, so none is pure.
        task = self._client.submit(fn, *args, pure=False, **kwargs)
        # Dask forgets a task that nobody holds.
        self._running.add(task)
        self._client.loop.add_callback(self._tell, task, told)
        return told

    def take_back(self) -> None:
        """What has not begun will not; what runs is forgotten."""
        self._client.cancel(list(self._running))

    async def _tell(self, task: Any, told: Future[Any]) -> None:
        try:
            result = await self._client.gather(task, asynchronous=True)
        except (CancelledError, asyncio.CancelledError):
            told.cancel()
            told.set_running_or_notify_cancel()
        except Exception as error:  # noqa: BLE001  # it belongs to whoever asks the future
            told.set_exception(error)
        else:
            told.set_result(result)
        finally:
            self._running.discard(task)


def _check(address: str) -> None:
    """Refuse what is no address before a client is made of it, which would take long to go away again."""
    try:
        scheme, location = parse_address(address)
        get_backend(scheme)
        parse_host_port(location)
    except ValueError as error:
        raise CampaignError(f"{address!r} is no address of a Dask scheduler: {error}") from error


def _connected(address: str) -> Any:
    # It would log every attempt to connect, with tracebacks; what matters is raised as well.
    for name in ("distributed", "distributed.client", "distributed.comm"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]  # not typed
    except (OSError, TimeoutError) as error:
        raise CampaignError(f"no Dask scheduler answers at {address} within {CONNECT_S:g} s") from error


def _content(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        for file in sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]:
            digest.update(file.relative_to(path).as_posix().encode() + b"\n")
            digest.update(file.read_bytes())
    except OSError:
        return ABSENT
    return digest.hexdigest()


def wrong_with(theirs: object, mine: Seen) -> str:
    """What keeps a worker that answered `theirs` from drilling, in words; empty: nothing does."""
    if isinstance(theirs, ModuleNotFoundError):
        return f"lacks {theirs.name}: install the same failover[drill] there as here"
    if not isinstance(theirs, Seen):
        return f"cannot be asked what it runs: {theirs!r}"
    if unlike := mine.software.unlike(theirs.software):
        return f"runs another {unlike}: install the same there as here"
    for path, content in mine.contents.items():
        if content == ABSENT:
            continue
        if theirs.contents[path] == ABSENT:
            return (
                f"does not see {path}: files travel by path; share the folder, or copy it to the same place"
            )
        if theirs.contents[path] != content:
            return f"sees another content at {path}: bring it up to date"
    return ""
