"""Too many requests, says the provider, whoever caused it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import ERROR_AFTER_S
from failover.chaos.world.image import Exchange
from failover.chaos.world.wire_shapes import error_image


class RateLimit(Injection):
    """A 429 with `retry-after: retry_after_s` (left out: no hint)."""

    kind: Literal["rate_limit"]
    retry_after_s: float | None = Field(default=None, ge=0.0)

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The provider's own 429."""
        image = error_image(encounter.dialect, 429, self.retry_after_s)
        return exchange.replied(image, ERROR_AFTER_S)
