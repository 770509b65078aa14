"""A price changes. No request is touched: an injection, and no fault."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from failover.chaos.injections.base import Injection
from failover.core.prices import DatedPrice


class PriceChange(Injection):
    """Both prices are multiplied by `factor` while it lasts; everybody is billed so, and may know."""

    is_fault: ClassVar[bool] = False

    kind: Literal["price_change"]
    factor: float = Field(ge=0.0)

    def reprice(self, price: DatedPrice) -> DatedPrice:
        """The new price, rounded to whole nano-dollars per million tokens."""
        return replace(
            price,
            input_nusd_per_mtok=round(price.input_nusd_per_mtok * self.factor),
            output_nusd_per_mtok=round(price.output_nusd_per_mtok * self.factor),
        )
