"""How long answers take where no recording tells: a first token, late now and then, and then a pace."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, log, sqrt

from failover.chaos.world.chance import Chance

TAIL_SHARE = 0.1
"""The slowest tenth of all first tokens is the tail."""
TAIL_BEGINS = 1.2815515655446004
"""The standard normal quantile at 1 - `TAIL_SHARE`."""
TAIL_LENGTH = 0.4734317537802679
"""How far beyond its beginning a standard normal tail reaches on average."""
LONGEST_S = 600.0
"""No first token comes later: the time after which the providers' own clients give up by default."""


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """First token after a log-normal time with a Pareto tail, then tokens at a log-normal pace.

    `first_token_s` and `token_s` are medians, in seconds and seconds per token; `spread` and
    `token_spread` are the standard deviations of their logarithms. The slowest tenth of the first
    tokens is spread out `tail_factor` times as far as the log-normal's own, on a logarithmic scale: a
    Pareto tail of index `1 / (spread * 0.473 * tail_factor)`. 0 cuts the tail off.
    """

    first_token_s: float
    spread: float
    token_s: float
    token_spread: float = 0.0
    tail_factor: float = 1.0

    def draw(self, chance: Chance, tokens_out: int, *key: str | int) -> tuple[float, float]:
        """Seconds to the first token and to the last, in whole microseconds.

        Rounded, so that the last bit of a platform's `exp` cannot change a drill's digest.
        """
        early, pace = chance.normals("first_token", *key)
        if early > TAIL_BEGINS:
            # 1 in `rarity` of the tail comes this late or later.
            rarity = TAIL_SHARE / (0.5 * erfc(early / sqrt(2.0)))
            early = TAIL_BEGINS + TAIL_LENGTH * self.tail_factor * log(rarity)
        first_token_s = min(LONGEST_S, self.first_token_s * exp(self.spread * early))
        token_s = self.token_s * exp(self.token_spread * pace)
        return round(first_token_s, 6), round(first_token_s + tokens_out * token_s, 6)
