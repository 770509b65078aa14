"""A well-formed success without a word in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.world.answer_shapes import emptied, without_choices
from failover.chaos.world.image import Exchange


class EmptyReply(Injection):
    """Shape `choices`: a 200 with no answer among its choices; `text`: one answer, finished, without a word.

    The first is malformed. The second is what a model may say; it is served.
    """

    kind: Literal["empty_reply"]
    shape: Literal["choices", "text"] = Field(default="choices", alias="as")

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The emptied answer, at the pace of the good one."""
        make = without_choices if self.shape == "choices" else emptied
        return encounter.remade(exchange, make, "emptied", self.shape)
