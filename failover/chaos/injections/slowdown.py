"""Answers stay right and come late."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.world.image import Exchange


class Slowdown(Injection):
    """Every duration is multiplied by `factor`; `first_token_extra_s` is added before the first token."""

    kind: Literal["slowdown"]
    factor: float = Field(default=1.0, ge=1.0)
    first_token_extra_s: float = Field(default=0.0, ge=0.0)

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The same answer, later."""
        return exchange.slowed(self.factor, self.first_token_extra_s)
