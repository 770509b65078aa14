"""One drill as a job: what is to be run, in whichever process, and what came of it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from failover.chaos import drill, pictured
from failover.chaos.judging.verdict import Refused, Skipped, Verdict
from failover.chaos.meeting import SkippedDrill
from failover.chaos.pictured import Pictured
from failover.chaos.scenario import Scenario, load_scenario
from failover.chaos.subjects.named import named_subject
from failover.errors import CassetteError, ConfigError


@dataclass(frozen=True, slots=True)
class Job:
    """One scenario, seed, mode and config. Small, and travels to any process.

    Paths are as the user gave them. `folder` is what they are relative to, where the process that
    runs the job may stand in another folder; None: it stands where the user does. `configured`: which
    of the two configs of a comparison this is, in words; empty where nothing is compared. `pictured`:
    gather what reports draw, too. `subject`: whom to drill in the router's place, by name.
    """

    path: Path
    name: str
    seed: int
    mode: str
    config: Path | None = None
    cassettes: Path | None = None
    journal: Path | None = None
    folder: Path | None = None
    configured: str = ""
    pictured: bool = False
    subject: str = ""

    def __str__(self) -> str:
        words = [f"{self.mode}, seed {self.seed}", *([self.configured] if self.configured else [])]
        return f"{self.name} ({', '.join(words)})"

    def at(self, path: Path) -> Path:
        """`path` as the process that runs the job reaches it."""
        return path if self.folder is None else self.folder / path


@dataclass(frozen=True, slots=True)
class Crashed:
    """A job that ended in a bug of ours: `error` in a line, `trace` as Python tells it.

    `missing` is the module that is not installed, where that is the cause.
    """

    name: str
    error: str
    trace: str
    missing: str = ""


Outcome = Verdict | Skipped | Refused | Crashed


@dataclass(frozen=True, slots=True)
class JobResult:
    """What came of a job. `picture` holds its verdict, the same object, and what a report draws beside it."""

    job: Job
    outcome: Outcome
    picture: Pictured | None = None


def run_job(job: Job, scenario: Scenario | None = None) -> JobResult:
    """Run `job` here, and never raise: what goes wrong with one job must not cost another its result.

    `scenario` is that of the job, where it has been read already.
    """
    try:
        return _drilled(job, scenario or load_scenario(job.at(job.path)))
    except SkippedDrill as skip:
        return JobResult(job, Skipped(job.name, str(skip)))
    except ConfigError as error:
        return JobResult(job, Refused(job.name, tuple(map(str, error.complaints))))
    except (CassetteError, OSError) as error:
        return JobResult(job, Refused(job.name, (str(error),)))
    except Exception as error:  # noqa: BLE001  # a bug in one drill is told with its name, the others go on
        return JobResult(job, crashed(job, error))


def crashed(job: Job, error: BaseException) -> Crashed:
    """`error`, which ended `job`, as facts that travel."""
    missing = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
    told = "".join(traceback.format_exception(error))
    return Crashed(job.name, "".join(traceback.format_exception_only(error)).strip(), told, missing)


def _drilled(job: Job, scenario: Scenario) -> JobResult:
    if job.mode not in scenario.modes:
        raise SkippedDrill(f"asked to {job.mode}, and it is only for: {', '.join(scenario.modes)}")
    how: dict[str, Any] = {"seed": job.seed, "mode": job.mode}
    for name in ("config", "cassettes", "journal"):
        path = getattr(job, name)
        how[name] = None if path is None else job.at(path)
    if job.subject:
        how["subject"] = named_subject(job.subject)
    if not job.pictured:
        return JobResult(job, _as_asked(job, drill.run_drill(scenario, **how)))
    picture = pictured.pictured_drill(scenario, **how)
    verdict = _as_asked(job, picture.verdict)
    return JobResult(job, verdict, replace(picture, verdict=verdict))


def _as_asked(job: Job, verdict: Verdict) -> Verdict:
    """The command in it is for whoever asked, not for the machine that ran the drill."""
    if job.folder is None:
        return verdict
    command = drill.command_line(job.path, job.seed, job.mode, job.config, job.cassettes, job.subject)
    return replace(verdict, reproduce=command)
