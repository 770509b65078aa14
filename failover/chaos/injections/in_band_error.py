"""An error that comes under a 200, when the answer has begun or in its place."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from failover.adapters.wire import WireReply
from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.world.answer_shapes import broken_off
from failover.chaos.world.image import Exchange
from failover.chaos.world.wire_shapes import in_band_error, in_band_image


class InBandError(Injection):
    """After `after_share` of its events a stream says what went wrong; a whole answer is that error."""

    kind: Literal["in_band_error"]
    shape: Literal["429", "500", "503", "529"] = Field(default="529", alias="as")
    after_share: float = Field(default=0.5, ge=0.0, lt=1.0)

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The error in the provider's own shape, at the pace of the answer."""
        provider, status = encounter.dialect, int(self.shape)
        if exchange.image.reply is None:
            return exchange
        if not encounter.stream:
            return exchange.showing(in_band_image(provider, status))

        def broken(reply: WireReply) -> WireReply:
            return broken_off(reply, self.after_share, in_band_error(provider, status))

        return encounter.remade(exchange, broken, "broken off", provider, status, self.after_share)
