"""The answers that a target can give, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from failover.cassettes.timing import Timing
from failover.chaos.world.image import Image


class Source(StrEnum):
    """Where a target's successes come from."""

    RECORDED = "recorded"
    BORROWED = "borrowed"
    SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class Success:
    """One answer a target can give: its image, and its timing where the recording's own counts."""

    image: Image
    timing: Timing | None = None


@dataclass(frozen=True, slots=True)
class Successes:
    """Every answer of one target, and where they come from."""

    source: Source
    answers: tuple[Success, ...]

    @property
    def timed(self) -> bool:
        """Whether every answer has a timing of its own, so that no latency is ever drawn."""
        return all(each.timing is not None and each.timing.total_s is not None for each in self.answers)
