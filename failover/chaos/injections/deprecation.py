"""A model is withdrawn."""

from __future__ import annotations

from typing import Literal

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import ERROR_AFTER_S
from failover.chaos.world.image import Exchange
from failover.chaos.world.wire_shapes import error_image


class Deprecation(Injection):
    """Shape `hard_error`: the model is not found any more, in the provider's own words."""

    kind: Literal["deprecation"]
    shape: Literal["hard_error"] = "hard_error"

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The provider's own "no such model"."""
        return exchange.replied(error_image(encounter.target.provider, 404), ERROR_AFTER_S)
