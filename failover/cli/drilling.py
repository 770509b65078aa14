"""Turns what is asked into jobs, and runs them where they are to run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Protocol

from failover.chaos import finding
from failover.chaos.campaign.job import Job, JobResult, run_job
from failover.chaos.campaign.pools import Here, Processes
from failover.chaos.campaign.runner import CampaignError, Pool, Work, run_jobs
from failover.chaos.scenario import Scenario
from failover.chaos.subjects.named import named_subject
from failover.chaos.workload import expected
from failover.cli.drill_asked import Asked
from failover.cli.drill_reached import Reached
from failover.cli.drill_telling import Progress, Teller
from failover.cli.interruption import Interruption
from failover.cli.outlets import console_on, human_stream
from failover.errors import ConfigError

REQUESTS_PER_S = {"simulate": 15_000.0, "replay": 300.0}
"""How many requests a process drills in a real second, roughly."""

SETUP_S = 0.05
"""What reading the files of a drill takes, roughly."""

WORTH_PROCESSES_S = 5.0
"""From how much work on others are started: each takes half a second to load."""


class _Place(Pool, AbstractContextManager["Pool"], Protocol):
    pass


def drill_all(asked: Asked, reached: Reached, interruption: Interruption) -> None:
    """Run everything that is asked for. Raises `KeyboardInterrupt`; `reached` holds what came before."""
    # Where a reply tells no usage litellm counts tokens, and would look for tokenizers on the network.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        if asked.subject is not None:
            named_subject(asked.subject)
        scenarios = finding.find_scenarios(asked.paths)
    except ConfigError as error:
        reached.complain([str(complaint) for complaint in error.complaints])
        return
    if not scenarios:
        reached.complain([f"no scenario in {', '.join(map(str, asked.paths))}"])
        return
    journals = asked.reports.journals(asked.journal)
    if journals is not None:
        journals.mkdir(parents=True, exist_ok=True)
    try:
        _run(list(jobs_of(asked, scenarios)), scenarios, asked, reached, interruption)
    except CampaignError as error:
        reached.complain([str(error)])


def _run(
    jobs: Sequence[Job],
    scenarios: Sequence[Scenario],
    asked: Asked,
    reached: Reached,
    interruption: Interruption,
) -> None:
    console = console_on(human_stream(*asked.reports.machine))
    teller = Teller(asked, console)
    pool, work = _place(jobs, scenarios, asked)
    try:
        with Progress(console, len(jobs), quiet=asked.quiet) as progress, pool:
            names = iter([job.name for job in jobs])
            reached.running = next(names)
            progress.awaits(reached.running)
            for result in run_jobs(jobs, pool, work):
                if interruption.struck:
                    raise KeyboardInterrupt
                reached.take(result)
                reached.running = next(names, "")
                progress.advance(result)
                progress.awaits(reached.running)
                teller.tell(result)
    finally:
        interruption.closing = interruption.struck
        teller.flush()


def jobs_of(asked: Asked, scenarios: Sequence[Scenario]) -> Iterator[Job]:
    """Every scenario, mode, seed and config, in this order of nesting."""
    named: Counter[str] = Counter()
    folder = Path.cwd() if asked.dask is not None else None
    for scenario in scenarios:
        named[scenario.name] += 1
        for mode in _modes(asked, scenario):
            for seed in range(asked.seed, asked.seed + asked.seeds):
                for configured, config in _configs(asked):
                    yield Job(
                        path=scenario.path,
                        name=scenario.name,
                        seed=seed,
                        mode=mode,
                        config=config,
                        cassettes=asked.cassettes,
                        journal=_journal(asked, scenario.name, mode, seed, configured, named[scenario.name]),
                        folder=folder,
                        configured=configured,
                        subject=asked.subject or "",
                        pictured=asked.reports.pictured and asked.compare is None,
                    )


def _modes(asked: Asked, scenario: Scenario) -> list[str]:
    known: list[str] = [mode for mode in ("simulate", "replay") if mode in scenario.modes]
    if asked.subject is not None:
        return ["replay"]
    match asked.mode:
        case None:
            return known[:1]
        case "both":
            return known
        case one:
            return [one]


def _configs(asked: Asked) -> list[tuple[str, Path | None]]:
    if asked.compare is None:
        return [("", asked.config)]
    return [("base", asked.config), ("other", asked.compare)]


def _journal(asked: Asked, name: str, mode: str, seed: int, configured: str, number: int) -> Path | None:
    """A file of its own for each drill, also where two folders hold scenarios of one name."""
    folder = asked.reports.journals(asked.journal)
    if folder is None:
        return None
    words = [name, mode, f"seed-{seed}", configured, str(number) if number > 1 else "", "jsonl"]
    return folder / ".".join(word for word in words if word)


def _place(jobs: Sequence[Job], scenarios: Sequence[Scenario], asked: Asked) -> tuple[_Place, Work]:
    if asked.dask is not None:
        from failover.chaos.campaign.dask_pool import DaskCluster

        cluster = DaskCluster(asked.dask, _files(asked, scenarios))
        return cluster, cluster.work
    workers = min(len(jobs), asked.jobs or _workers_worth_it(jobs, scenarios))
    if workers > 1:
        return Processes(workers), run_job
    return Here(), partial(_run_here, {scenario.path: scenario for scenario in scenarios})


def _run_here(scenarios: dict[Path, Scenario], job: Job) -> JobResult:
    return run_job(job, scenarios[job.path])


def _workers_worth_it(jobs: Sequence[Job], scenarios: Sequence[Scenario]) -> int:
    requests = {each.path: expected(each.workload, each.trace) for each in scenarios}
    work_s = sum(SETUP_S + requests[job.path] / REQUESTS_PER_S[job.mode] for job in jobs)
    if work_s < WORTH_PROCESSES_S:
        return 1
    # Where it is known, what we may use and not what there is.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _files(asked: Asked, scenarios: Sequence[Scenario]) -> Iterator[Path]:
    """Everything that a worker elsewhere must see."""
    for scenario in scenarios:
        yield scenario.path
        yield from (asked.config or scenario.config_path,)
        if scenario.trace is not None:
            yield scenario.trace.path
        if asked.cassettes is None and scenario.cassettes_path is not None:
            yield scenario.cassettes_path
    yield from (each for each in (asked.compare, asked.cassettes) if each is not None)
