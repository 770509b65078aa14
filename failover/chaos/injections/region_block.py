"""The provider serves this place no longer: by law, by order, or by its own choice."""

from __future__ import annotations

from typing import Literal

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import ERROR_AFTER_S
from failover.chaos.world.image import Exchange
from failover.chaos.world.refusals import Refused, refusal_image


class RegionBlock(Injection):
    """Whoever is hit is told that country or region are not supported."""

    kind: Literal["region_block"]

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The provider's own refusal."""
        return exchange.replied(refusal_image(encounter.dialect, Refused.REGION), ERROR_AFTER_S)
