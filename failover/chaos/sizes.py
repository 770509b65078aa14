"""How long prompts and replies are: one number for all, or a distribution of at most sixteen.

A success is billed by the token counts in its body, which the real litellm reads there, and it is found
out once per body what litellm makes of it. A size of its own for each request would make every body
new; so a distribution is cut into at most `SIZES_MAX` sizes, known beforehand (`support`), and each
request draws one of them (`draw`). Who plays them makes a body per size when it is first drawn, and
shares it from then on: with both prompt and reply drawn that is at most 256 bodies of one answer,
each made once. A log-normal's sizes are the means of its sixteen equally likely parts, so that tokens, and
costs with them, are right on average; what is lost are the extremes within the first and the last
sixteenth.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property
from itertools import accumulate, pairwise
from math import exp
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator

from failover.chaos.world.chance import Chance
from failover.documents import Section, shown

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

SIZES_MAX = 16
TOKENS_MAX = 10_000_000
_NORMAL = NormalDist()

Count = Annotated[int, Field(ge=0, le=TOKENS_MAX)]
Weight = Annotated[float, Field(gt=0.0, le=1e9)]


class Tokens(Section):
    """A number of tokens: `{median, spread}`, log-normal; `{values, weights}`, these; `{min, max}`, evenly.

    Exactly one of the three. `spread` is the standard deviation of the logarithm; left out, `weights`
    are equal.
    """

    median: float | None = Field(default=None, gt=0.0, le=TOKENS_MAX)
    spread: float | None = Field(default=None, ge=0.0, le=3.0)
    values: tuple[Count, ...] | None = Field(default=None, min_length=1, max_length=SIZES_MAX)
    weights: tuple[Weight, ...] | None = Field(default=None, min_length=1, max_length=SIZES_MAX)
    min: Count | None = None
    max: Count | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> Tokens:
        shapes = {
            ("median", "spread"): (self.median, self.spread),
            ("min", "max"): (self.min, self.max),
        }
        told = [names for names, values in shapes.items() if any(value is not None for value in values)]
        told += [("values", "weights")] if self.values is not None or self.weights is not None else []
        if len(told) != 1:
            message = "is a number, or exactly one of {median, spread}, {values, weights} and {min, max}"
            raise ValueError(message)
        for name in told[0]:
            if getattr(self, name) is None and name != "weights":
                raise ValueError(f"the key '{name}' is missing beside the other")
        self._fitting()
        return self

    def _fitting(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min, {self.min}, must not be above max, {self.max}")
        if self.weights is not None and len(self.weights) != len(self.values or ()):
            raise ValueError(f"has {len(self.values or ())} values and {len(self.weights)} weights")

    def support(self) -> tuple[int, ...]:
        """Every size that is ever drawn, in order, at most `SIZES_MAX`."""
        return tuple(sorted(set(self._sizes)))

    def draw(self, chance: Chance, *key: str | int) -> int:
        """One of the support."""
        if len(self._sizes) == 1:
            return self._sizes[0]
        place = bisect_right(self._edges, chance.uniform("tokens", *key))
        return self._sizes[min(place, len(self._sizes) - 1)]

    @property
    def mean(self) -> float:
        """Tokens drawn on average."""
        shares = [edge - before for before, edge in pairwise((0.0, *self._edges))]
        return sum(size * share for size, share in zip(self._sizes, shares, strict=True))

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        if self.values is not None:
            return self.values
        if self.median is not None and self.spread is not None:
            return tuple(_log_normal_means(self.median, self.spread))
        least, most = self.min or 0, self.max or 0
        if most - least < SIZES_MAX:
            return tuple(range(least, most + 1))
        parts = (least - 0.5 + (most - least + 1) * (part + 0.5) / SIZES_MAX for part in range(SIZES_MAX))
        return tuple(round(middle) for middle in parts)

    @cached_property
    def _edges(self) -> tuple[float, ...]:
        weights = self.weights or (1.0,) * len(self._sizes)
        total = sum(weights)
        return tuple(reached / total for reached in accumulate(weights))


def _log_normal_means(median: float, spread: float) -> list[int]:
    """The mean of each of sixteen equally likely parts."""
    if spread == 0.0:
        return [round(median)]
    inner = [_NORMAL.inv_cdf(part / SIZES_MAX) - spread for part in range(1, SIZES_MAX)]
    reached = [0.0, *map(_NORMAL.cdf, inner), 1.0]
    mean = median * exp(spread * spread / 2.0)
    return [min(TOKENS_MAX, round(mean * SIZES_MAX * (above - below))) for below, above in pairwise(reached)]


def _as_table(value: Any) -> Any:
    if isinstance(value, Section | Mapping):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= TOKENS_MAX:
        raise ValueError(f"must be a whole number from 0 to {TOKENS_MAX}, or a mapping, got {shown(value)}")
    return {"values": [value]}


class _NumberOrTable:
    """Lets the JSON Schema say that a number will do."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "integer", "minimum": 0, "maximum": TOKENS_MAX}, handler(core)]}


AnyTokens = Annotated[Tokens, BeforeValidator(_as_table), _NumberOrTable()]
"""`tokens_out: 200`, or `tokens_out: {median: 180, spread: 0.9}`."""
