"""The account is used up: no waiting of seconds heals it, and other accounts are fine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import ERROR_AFTER_S
from failover.chaos.world.image import Exchange
from failover.chaos.world.refusals import Refused, refusal_image


class QuotaExhausted(Injection):
    """Shape `quota`: balance or quota is used up; `spend_cap`: a 429 without a hint, until the month ends."""

    kind: Literal["quota_exhausted"]
    shape: Literal["quota", "spend_cap"] = Field(default="quota", alias="as")

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The provider's own refusal, which may be a 400, a 402, a 403 or a 429."""
        image = refusal_image(encounter.dialect, Refused(self.shape))
        return exchange.replied(image, ERROR_AFTER_S)
