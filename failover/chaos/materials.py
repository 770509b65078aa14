"""What many drills of the same files share: read and found out once, however many drills follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from failover.cassettes.episodes import Episode, load_folder
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.workload import Size
from failover.chaos.world.repertoire import Successes, repertoire
from failover.config import Config, load_config
from failover.core.vocabulary import Target
from failover.known_models import with_model_facts


class Materials:
    """Configs, repertoires and outcomes, remembered by what they were made of.

    Files are read once: a file that changes is not read again. Nothing that a drill learns is kept.
    """

    def __init__(self) -> None:
        self._configs: dict[Path, Config] = {}
        self._episodes: dict[Path, Sequence[Episode]] = {}
        self._answers: dict[object, Mapping[str, Successes]] = {}
        self._outcomes: dict[bool, Outcomes] = {}

    def config(self, file: Path) -> Config:
        """The config in `file`, with what is known of its models; raises `ConfigError`."""
        if file not in self._configs:
            self._configs[file] = with_model_facts(load_config(file))
        return self._configs[file]

    def answers(
        self, targets: tuple[Target, ...], folder: Path, size: Size, *, stream: bool
    ) -> Mapping[str, Successes]:
        """What each of `targets` can answer, of the cassettes in `folder`; raises `CassetteError`."""
        key = targets, folder, size, stream
        if key not in self._answers:
            if folder not in self._episodes:
                self._episodes[folder] = load_folder(folder)
            self._answers[key] = repertoire(targets, self._episodes[folder], size, stream=stream)
        return self._answers[key]

    def outcomes(self, *, stream: bool) -> Outcomes:
        """What litellm makes of images; whoever drills saves it."""
        if stream not in self._outcomes:
            self._outcomes[stream] = Outcomes(stream=stream)
        return self._outcomes[stream]
