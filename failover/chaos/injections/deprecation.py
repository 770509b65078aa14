"""A model is withdrawn, in one of the six shapes that retirement takes."""

from __future__ import annotations

from typing import Literal, assert_never

from pydantic import Field, model_validator

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import ERROR_AFTER_S
from failover.chaos.injections.wrong_model import served_by
from failover.chaos.world.image import Exchange
from failover.chaos.world.refusals import Refused, refusal_image
from failover.chaos.world.wire_shapes import parameter_image
from failover.core.prices import DatedPrice

Shape = Literal[
    "hard_error", "redirect", "access_narrowed", "alias_moved", "parameter_removed", "silent_downgrade"
]
NEVER = "never"
NEEDS_SUCCESSOR = {"redirect", "alias_moved", "silent_downgrade"}


class Deprecation(Injection):
    """`hard_error`: the model is not found any more, in the provider's own words.

    `redirect` and `alias_moved`: the model `successor` answers, at `price_factor` times the price; for
    `silent_downgrade` at the same price. `access_narrowed`: it is there, and not for this account.
    `parameter_removed`: requests that carry `parameter` are refused.

    `announced_s`: when the router hears that it will end at `at_s`, in seconds of the drill, negative for
    before it; `never`: nobody tells, and no list does. Left out, it knows what its config and the lists say.
    """

    kind: Literal["deprecation"]
    shape: Shape = "hard_error"
    successor: str | None = Field(default=None, min_length=1, max_length=200)
    price_factor: float = Field(default=1.0, ge=0.0)
    parameter: str = Field(default="max_tokens", min_length=1)
    announced_s: float | Literal["never"] | None = None

    @model_validator(mode="after")
    def _successor_where_one_answers(self) -> Deprecation:
        if (self.shape in NEEDS_SUCCESSOR) != (self.successor is not None):
            if self.successor is None:
                raise ValueError(f"of shape {self.shape} names the model that answers: successor")
            raise ValueError(f"of shape {self.shape} has no successor that answers: leave it out")
        if self.price_factor != 1.0 and not self.changes_prices:
            raise ValueError(f"of shape {self.shape} changes no price: leave out price_factor")
        if self.changes_prices and (self.share != 1.0 or self.ramp_s != 0.0) and self.price_factor != 1.0:
            raise ValueError("changes the price for everybody at once: leave out share and ramp_s")
        if isinstance(self.announced_s, float) and self.announced_s > self.at_s:
            raise ValueError("is announced before it happens: announced_s is later than at_s")
        return self

    @property
    def changes_prices(self) -> bool:  # type: ignore[override]  # of this kind it depends on the shape
        """Whether whoever answers bills otherwise."""
        return self.shape in {"redirect", "alias_moved"}

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """A refusal, or the successor's answer."""
        provider = encounter.dialect
        match self.shape:
            case "hard_error":
                return exchange.replied(refusal_image(provider, Refused.RETIRED), ERROR_AFTER_S)
            case "access_narrowed":
                return exchange.replied(refusal_image(provider, Refused.ACCESS_NARROWED), ERROR_AFTER_S)
            case "parameter_removed":
                if self.parameter not in encounter.asked.shape.errand().payload:
                    return exchange
                return exchange.replied(parameter_image(provider, self.parameter), ERROR_AFTER_S)
            case "redirect" | "alias_moved" | "silent_downgrade":
                return served_by(self.successor or "", exchange, encounter)
            case _:
                assert_never(self.shape)

    def reprice(self, price: DatedPrice) -> DatedPrice:
        """The successor's price, rounded to whole nano-dollars per million tokens."""
        return price.scaled(self.price_factor)
