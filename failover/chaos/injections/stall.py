"""The answer begins, and then falls silent."""

from __future__ import annotations

from math import inf
from typing import Literal

from pydantic import Field

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.world.image import Exchange


class Stall(Injection):
    """After its first token a stream is silent for `pause_s` (left out: for ever), and then goes on.

    A whole answer is that much later.
    """

    kind: Literal["stall"]
    pause_s: float | None = Field(default=None, gt=0.0)

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The same answer, with a silence in it."""
        return exchange.paused(inf if self.pause_s is None else self.pause_s)
