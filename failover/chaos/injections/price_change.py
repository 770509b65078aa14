"""A price changes. No request is touched: an injection, and no fault."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from failover.chaos.injections.base import Injection
from failover.core.prices import DatedPrice


class PriceChange(Injection):
    """Every rate is multiplied by `factor` while it lasts; everybody is billed so, and may know."""

    is_fault: ClassVar[bool] = False
    changes_prices: ClassVar[bool] = True

    kind: Literal["price_change"]
    factor: float = Field(ge=0.0)

    @model_validator(mode="after")
    def _for_everybody_at_once(self) -> PriceChange:
        if self.share != 1.0 or self.ramp_s != 0.0 or self.sticky != "attempt":
            message = "changes the price for everybody at once: leave out share, ramp_s and sticky"
            raise ValueError(message)
        return self

    def reprice(self, price: DatedPrice) -> DatedPrice:
        """The new price, rounded to whole nano-dollars per million tokens."""
        return price.scaled(self.factor)
