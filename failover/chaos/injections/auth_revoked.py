"""The key is not accepted any more, or so it says: some outages are false 401s."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import ERROR_AFTER_S
from failover.chaos.world.image import Exchange
from failover.chaos.world.refusals import Refused, refusal_image


class AuthRevoked(Injection):
    """Shape `key`: the credential is refused; `permission`: it may not do this any more."""

    kind: Literal["auth_revoked"]
    shape: Literal["key", "permission"] = Field(default="key", alias="as")

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The provider's own refusal: a 401 or 403, and a 400 at some."""
        image = refusal_image(encounter.dialect, Refused(self.shape))
        return exchange.replied(image, ERROR_AFTER_S)
