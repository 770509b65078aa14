"""Nothing but errors: the provider answers with one, refuses, resets, or falls silent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from failover.adapters.wire import ConnectionFault
from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.world.image import Exchange, Image
from failover.chaos.world.wire_shapes import error_image

ERROR_AFTER_S = 0.08
"""An error answered at the door takes about a round trip."""

Shape = Literal["400", "500", "502", "503", "504", "529", "530", "refused", "reset", "hang"]


class Outage(Injection):
    """Every attempt that is hit fails in the shape `as`."""

    kind: Literal["outage"]
    shape: Shape = Field(default="503", alias="as")

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """An error page in the provider's own shape, or no answer at all."""
        return failed(self.shape, exchange, encounter)


def failed(shape: Shape, exchange: Exchange, encounter: Encounter) -> Exchange:
    """What an attempt meets that fails in this shape."""
    if shape.isdigit():
        return exchange.replied(error_image(encounter.dialect, int(shape)), ERROR_AFTER_S)
    return exchange.replied(FAULTS[ConnectionFault(shape)], ERROR_AFTER_S)


FAULTS = {fault: Image(f"injected {fault}", fault=fault) for fault in ConnectionFault}
