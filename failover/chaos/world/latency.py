"""How long answers take where no recording tells: log-normal to the first token, then token by token."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from failover.chaos.world.chance import Chance


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """Median seconds to the first token, the spread of its logarithm, and seconds per token."""

    first_token_s: float
    spread: float
    token_s: float

    def draw(self, chance: Chance, tokens_out: int, *key: str | int) -> tuple[float, float]:
        """Seconds to the first token and to the last, in whole microseconds.

        Rounded, so that the last bit of a platform's `exp` cannot change a drill's digest.
        """
        first_token_s = self.first_token_s * exp(self.spread * chance.normal("first_token", *key))
        return round(first_token_s, 6), round(first_token_s + tokens_out * self.token_s, 6)


# Printed by `python benchmarks/fit_latency.py FOLDER` over recorded exchanges of real providers.
MODELS = {
    "anthropic": LatencyModel(1.110, 0.94, 0.0197),  # 44 exchanges
    "bedrock": LatencyModel(1.103, 0.34, 0.0049),  # 65 exchanges
    "cohere": LatencyModel(0.289, 0.23, 0.0097),  # 35 exchanges
    "gemini": LatencyModel(1.359, 0.72, 0.0184),  # 378 exchanges
    "openai": LatencyModel(0.391, 0.82, 0.0136),  # 1316 exchanges
    "openrouter": LatencyModel(1.269, 0.19, 0.0000),  # 37 exchanges
}
EVERYBODY = LatencyModel(0.610, 0.74, 0.0137)  # 1997 exchanges


def latency_model(model: str) -> LatencyModel:
    """The model for a target's litellm name: its provider's, or that of all providers together."""
    return MODELS.get(model.partition("/")[0], EVERYBODY)
