"""Runs jobs over any standard executor: results in the order of the jobs, and none lost with a worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Protocol

from failover.chaos.campaign.job import Job, JobResult, crashed, run_job
from failover.chaos.judging.verdict import Refused
from failover.errors import FailoverError

DEATHS = 3
"""How many workers one job may cost before it is given up."""

HOPELESS = 10
"""So many jobs given up before any other had a result: it is not the jobs, workers do not live here."""

AHEAD = 64
"""How many jobs, for each that can run at a time, may be finished before the next one in order is."""

TICK_S = 1.0
"""How often a pool is asked whether it is still there, in real seconds."""

Work = Callable[[Job], JobResult]


class CampaignError(FailoverError):
    """Jobs cannot be run where they were to run: what is wrong there, and what to do."""


class Pool(Protocol):
    """Where jobs run: `lanes` executors, each handed up to `depth` jobs at a time.

    A lane with one worker and one job knows which job killed its worker. One that shares its workers
    among several jobs does not, so after a death each of these runs again with nobody beside it.
    """

    lanes: int
    depth: int

    def open(self) -> Executor:
        """An executor for one lane, also in the place of one whose worker died."""
        ...

    def deaths(self, error: BaseException) -> int:
        """How many workers the job of a future with this `error` has cost; 0: none."""
        ...

    def check(self) -> None:
        """Raise `CampaignError` when no result can come any more."""
        ...


@dataclass(slots=True)
class _Flight:
    """A job on its way. One that may have killed a worker flies alone."""

    index: int
    job: Job
    deaths: int = 0


@dataclass(slots=True)
class _Lane:
    executor: Executor | None = None
    flying: dict[Future[JobResult], _Flight] = field(default_factory=dict)

    def close(self) -> None:
        if self.executor is not None:
            self.executor.shutdown(wait=True)
            self.executor = None


def run_jobs(jobs: Iterable[Job], pool: Pool, work: Work = run_job) -> Iterator[JobResult]:
    """The results of `jobs`, in their order. `jobs` is read as far as needed.

    `work` and what it is handed must be picklable where `pool` runs elsewhere. A job whose worker dies
    runs again, alone; at the third death its result is `Refused`, and says so. Raises `CampaignError`.
    """
    return _Campaign(jobs, pool, work).results()


class _Campaign:
    def __init__(self, jobs: Iterable[Job], pool: Pool, work: Work) -> None:
        self._source = iter(jobs)
        self._pool = pool
        self._work = work
        self._lanes = [_Lane() for _ in range(pool.lanes)]
        self._ahead = AHEAD * pool.lanes * pool.depth
        self._again: deque[_Flight] = deque()
        self._ready: dict[int, JobResult] = {}
        self._taken = self._next = 0
        self._seen_alive = False
        self._given_up = 0

    def results(self) -> Iterator[JobResult]:
        while True:
            for lane in self._lanes:
                self._fill(lane)
            flying = [future for lane in self._lanes for future in lane.flying]
            if not flying:
                break
            landed = wait(flying, timeout=TICK_S, return_when=FIRST_COMPLETED).done
            if not landed:
                self._pool.check()
            for lane in self._lanes:
                for future in landed & lane.flying.keys():
                    self._land(lane, future)
            while self._next in self._ready:
                self._next += 1
                yield self._ready.pop(self._next - 1)
        for lane in self._lanes:
            lane.close()

    def _fill(self, lane: _Lane) -> None:
        while (flight := self._due(lane)) is not None:
            future = self._submitted(lane, flight)
            lane.flying[future] = flight

    def _due(self, lane: _Lane) -> _Flight | None:
        """The job that may join those in `lane`; whoever may have killed a worker joins nobody."""
        if any(flight.deaths for flight in lane.flying.values()) or len(lane.flying) >= self._pool.depth:
            return None
        if self._again:
            return None if lane.flying else self._again.popleft()
        job = next(self._source, None) if self._taken < self._next + self._ahead else None
        if job is None:
            return None
        self._taken += 1
        return _Flight(self._taken - 1, job)

    def _submitted(self, lane: _Lane, flight: _Flight) -> Future[JobResult]:
        for _ in range(DEATHS):
            if lane.executor is None:
                lane.executor = self._pool.open()
            try:
                return lane.executor.submit(self._work, flight.job)
            except BrokenExecutor:
                # Its worker died with nothing to do.
                lane.close()
        raise CampaignError("the processes that were to run the drills die as soon as they are started")

    def _land(self, lane: _Lane, future: Future[JobResult]) -> None:
        flight = lane.flying.pop(future)
        error = _error_of(future)
        deaths = 0 if error is None else self._pool.deaths(error)
        if isinstance(error, CancelledError):
            self._pool.check()
            raise CampaignError(f"{flight.job} was taken back: whatever runs the drills is being stopped")
        if error is None:
            self._seen_alive = True
            self._ready[flight.index] = future.result()
        elif not deaths:
            self._ready[flight.index] = JobResult(flight.job, crashed(flight.job, error))
        else:
            self._died(flight, deaths)
        if isinstance(error, BrokenExecutor):
            lane.close()

    def _died(self, flight: _Flight, deaths: int) -> None:
        flight.deaths += deaths
        if flight.deaths < DEATHS:
            self._again.append(flight)
            return
        self._given_up += 1
        if self._given_up >= HOPELESS and not self._seen_alive:
            raise CampaignError(
                f"no process lives long enough to finish a drill: the first {HOPELESS} each lost {DEATHS};"
                " look for a limit on memory, and run one with --jobs 1 to see it end"
            )
        what = f"{flight.job}: its process died each time it ran, {DEATHS} times; out of memory, or killed?"
        self._ready[flight.index] = JobResult(flight.job, Refused(flight.job.name, (what,)))


def _error_of(future: Future[JobResult]) -> BaseException | None:
    try:
        return future.exception()
    except CancelledError as error:
        return error
