"""The provider is not down and not well: what it answers comes late, and part of it is errors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import ERROR_AFTER_S
from failover.chaos.world.image import Exchange
from failover.chaos.world.wire_shapes import error_image


class Brownout(Injection):
    """Of the attempts that are hit `error_share` fail in the shape `as`; the others take `factor` as long."""

    kind: Literal["brownout"]
    shape: Literal["500", "502", "503", "504", "529"] = Field(default="503", alias="as")
    error_share: float = Field(default=0.3, ge=0.0, le=1.0)
    factor: float = Field(default=3.0, ge=1.0)

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """An error, or the same answer later."""
        if encounter.drawn("brownout") < self.error_share:
            return exchange.replied(error_image(encounter.dialect, int(self.shape)), ERROR_AFTER_S)
        return exchange.slowed(self.factor, 0.0)
