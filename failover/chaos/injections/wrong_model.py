"""Another model answers than was asked for, and its name says so."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.world.image import Exchange
from failover.chaos.world.model_shapes import naming_itself


class WrongModel(Injection):
    """The answer is in the name of the model `served`."""

    kind: Literal["wrong_model"]
    served: str = Field(default="another-model", min_length=1, max_length=200)

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The same answer in another's name."""
        return served_by(self.served, exchange, encounter)


def served_by(model: str, exchange: Exchange, encounter: Encounter) -> Exchange:
    """The same exchange, answered in the name of `model`."""
    return encounter.remade(exchange, lambda reply: naming_itself(model, reply), "served", model)
