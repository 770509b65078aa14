"""The same text counts more tokens than before: a price rise that no price list shows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from failover.adapters.wire import WireReply
from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.world.image import Exchange
from failover.chaos.world.usage_shapes import with_usage_scaled


class TokenizerChange(Injection):
    """Every count of tokens that the provider bills is multiplied by `factor`."""

    kind: Literal["tokenizer_change"]
    factor: float = Field(gt=0.0)

    @model_validator(mode="after")
    def _cheaper_at_once(self) -> TokenizerChange:
        # Cheaper for ever more attempts, there would be no instant at which the oracle must look.
        if self.factor < 1.0 and self.ramp_s != 0.0:
            raise ValueError("counts fewer tokens from one moment to the next: leave out ramp_s")
        return self

    def turns_s(self, since_s: float, until_s: float) -> tuple[float, ...]:
        """Where it makes answers cheaper, its beginning too."""
        begins = (self.at_s,) if self.factor < 1.0 and since_s < self.at_s < until_s else ()
        return (*begins, *super().turns_s(since_s, until_s))

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The same answer, counted otherwise."""

        def counted(reply: WireReply) -> WireReply:
            return with_usage_scaled(reply, self.factor)

        return encounter.remade(exchange, counted, "counted", self.factor)
