"""What is asked: which requests of which config, from when on, for how long, and what may go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from failover.chaos.arrivals import Trace
from failover.chaos.scenario import Scenario, load_scenario
from failover.chaos.traces import RecordedTrace, load_trace
from failover.chaos.workload_section import FOR_MAX_S, Workload
from failover.documents import Complaints, Section, load_document, read_document

DAY_S = 86_400.0


class _LastingWorkload(Workload):
    """The rate of a workload says how many requests a month has; how long it lasts matters to no one."""

    for_s: Annotated[float, Field(gt=0.0, le=FOR_MAX_S)] = DAY_S


class WorkloadSection(Section):
    """A file with a workload and nothing else."""

    workload: _LastingWorkload


@dataclass(frozen=True, slots=True)
class Question:
    """`requests` of the workload are simulated for each row of the answer, in `BATCHES` parts.

    `begins_s` is Unix time. `under` are stories that happen `times` in that time each, drawn with so many
    `seeds`.
    """

    config: Path
    workload: Workload
    begins_s: float
    days: float = 30.0
    trace: RecordedTrace | None = None
    under: tuple[Scenario, ...] = ()
    times: int = 1
    seeds: int = 20
    seed: int = 0
    requests: int = 4000
    cassettes: Path | None = None

    @property
    def lasts_s(self) -> float:
        """How long it is asked for."""
        return self.days * DAY_S

    @property
    def requests_per_day(self) -> float:
        """How many requests the workload has in a day, on average."""
        if self.trace is None:
            return (self.workload.rate_per_s or 0.0) * DAY_S
        speed = self.workload.arrivals.speed if isinstance(self.workload.arrivals, Trace) else 1.0
        rows = sum(1 for _ in self.trace.rows(self.workload.for_s, speed))
        return rows / self.workload.for_s * DAY_S


def load_workload(path: Path) -> tuple[Workload, RecordedTrace | None]:
    """The workload of a scenario file, or of a file that holds nothing else; raises `ConfigError`."""
    complaints = Complaints()
    document = load_document(path, complaints)
    complaints.raise_if_any()
    if document is not None and "title" in document.names():
        scenario = load_scenario(path)
        return scenario.workload, scenario.trace
    workload = read_document(path, WorkloadSection).workload
    process = workload.arrivals
    return workload, load_trace(path.parent / process.file) if isinstance(process, Trace) else None
