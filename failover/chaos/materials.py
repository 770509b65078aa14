"""What many drills of the same files share: read and found out once, however many drills follow."""

from __future__ import annotations

from pathlib import Path

from failover.cassettes.episodes import load_folder
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.world.repertoire import Repertoire
from failover.config import Config, load_config
from failover.known_models import with_model_facts


class Materials:
    """Configs, repertoires and outcomes, remembered by what they were made of.

    Files are read once: a file that changes is not read again. Nothing that a drill learns is kept.
    """

    def __init__(self) -> None:
        self.outcomes = Outcomes()
        self._configs: dict[Path, Config] = {}
        self._repertoires: dict[Path, Repertoire] = {}

    def config(self, file: Path) -> Config:
        """The config in `file`, with what is known of its models; raises `ConfigError`."""
        if file not in self._configs:
            self._configs[file] = with_model_facts(load_config(file))
        return self._configs[file]

    def repertoire(self, folder: Path) -> Repertoire:
        """What targets can answer by the cassettes in `folder`; raises `CassetteError`."""
        if folder not in self._repertoires:
            self._repertoires[folder] = Repertoire(load_folder(folder))
        return self._repertoires[folder]
