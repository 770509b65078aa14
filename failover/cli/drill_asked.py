"""What the command line of `failover drill` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from failover.cli.drill_reports import Reports


@dataclass(frozen=True, slots=True)
class Asked:
    """`mode` None: what the scenario names, `simulate` before `replay`; `both`: every one that it names.

    `jobs` None: as many as are worth it. `compare`: the other config; `config` is then the base, and
    None is what each scenario names. `subject`: whom to drill in the router's place, replayed.
    """

    paths: tuple[Path, ...]
    config: Path | None
    cassettes: Path | None
    seed: int
    seeds: int
    mode: str | None
    compare: Path | None
    jobs: int | None
    dask: str | None
    subject: str | None
    reports: Reports
    journal: Path | None
    quiet: bool
