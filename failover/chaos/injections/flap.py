"""Down and up and down again: a breaker that closes too early pays every time."""

from __future__ import annotations

from math import floor
from typing import Literal

from pydantic import Field

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import Shape, failed
from failover.chaos.world.image import Exchange


class Flap(Injection):
    """For `down_s` every attempt that is hit fails in the shape `as`; then all is well for `up_s`; again."""

    kind: Literal["flap"]
    shape: Shape = Field(default="503", alias="as")
    down_s: float = Field(default=20.0, gt=0.0)
    up_s: float = Field(default=20.0, gt=0.0)

    def share_at(self, at_s: float) -> float:
        """Nothing while it is up."""
        # Rounded as all times are: the last bit must not decide on which side of an edge it is.
        is_down = round((at_s - self.at_s) % (self.down_s + self.up_s), 6) < round(self.down_s, 6)
        return super().share_at(at_s) if is_down else 0.0

    def turns_s(self, since_s: float, until_s: float) -> tuple[float, ...]:
        """Its end, and each time it comes up."""
        period_s = self.down_s + self.up_s
        first = max(0, floor((since_s - self.at_s - self.down_s) / period_s))
        ups_s, number = [], first
        while (up_s := self.at_s + self.down_s + number * period_s) < min(until_s, self.ends_s):
            if up_s > since_s:
                ups_s.append(up_s)
            number += 1
        return (*ups_s, *super().turns_s(since_s, until_s))

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """As in an outage."""
        return failed(self.shape, exchange, encounter)
