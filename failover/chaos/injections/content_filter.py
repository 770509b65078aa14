"""The provider's filter ends an answer, or refuses the prompt."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import ERROR_AFTER_S
from failover.chaos.world.answer_shapes import filtered
from failover.chaos.world.image import Exchange
from failover.chaos.world.refusals import Refused, refusal_image


class ContentFilter(Injection):
    """Shape `answer`: the answer ends with the filter's finish reason; `prompt`: a 400 in its place."""

    kind: Literal["content_filter"]
    shape: Literal["answer", "prompt"] = Field(default="answer", alias="as")

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """A filtered answer at its own pace, or a refusal at the door."""
        if self.shape == "prompt":
            image = refusal_image(encounter.dialect, Refused.FILTERED, stream=encounter.stream)
            return exchange.replied(image, ERROR_AFTER_S)
        return encounter.remade(exchange, filtered, "filtered")
