"""Which scenarios a command line means."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from failover.chaos.scenario import Scenario, load_scenario
from failover.documents import Complaints, load_document
from failover.errors import Complaint, ConfigError

CONFIG_KEYS = {"providers", "targets", "routes"}


def find_scenarios(paths: Iterable[Path]) -> list[Scenario]:
    """The scenarios in files and folders, sorted; the configs in a folder are left out.

    Raises `ConfigError` with the complaints of all files at once.
    """
    scenarios: list[Scenario] = []
    complaints: list[Complaint] = []
    for path in paths:
        for file in _files(path, complaints):
            try:
                scenarios.append(load_scenario(file))
            except ConfigError as error:
                complaints += error.complaints
    if complaints:
        raise ConfigError(complaints)
    return scenarios


def _files(path: Path, complaints: list[Complaint]) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [file for file in sorted(path.rglob("*.y*ml")) if not _is_config(file)]
    if not found:
        complaints.append(Complaint(str(path), 0, "", "holds no scenario file"))
    return found


def _is_config(file: Path) -> bool:
    document = load_document(file, Complaints())
    return document is not None and bool(CONFIG_KEYS & set(document.names()))
