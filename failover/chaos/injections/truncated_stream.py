"""The stream stops in the middle of the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field

from failover.adapters.wire import ConnectionFault, WireReply
from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import FAULTS
from failover.chaos.world.answer_shapes import cut
from failover.chaos.world.image import Exchange, Image


class TruncatedStream(Injection):
    """After `after_share` of its events the stream ends: `closed` as if it were whole, or `reset`.

    A whole answer never arrives: its connection is reset when it was due.
    """

    kind: Literal["truncated_stream"]
    shape: Literal["closed", "reset"] = Field(default="closed", alias="as")
    after_share: float = Field(default=0.5, ge=0.0, lt=1.0)

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """Half an answer, at the pace of the whole one."""
        if exchange.image.reply is None:
            return exchange
        if not encounter.stream:
            return exchange.replied(FAULTS[ConnectionFault.RESET], exchange.total_s)
        key = "truncated", self.shape, self.after_share
        return exchange.showing(encounter.images.made(exchange.image, key, self._cut))

    def _cut(self, image: Image) -> Image:
        reply: WireReply | None = image.reply and cut(image.reply, self.after_share)
        fault = ConnectionFault.RESET if self.shape == "reset" else None
        return replace(image, origin=f"{image.origin}, truncated", reply=reply, fault=fault)
