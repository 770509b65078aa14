"""Dated prices: what a target costs, as of when. Integer nano-dollars inside, so sums are exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import floor
from types import MappingProxyType

from failover.core.vocabulary import Usage

NUSD_PER_USD = 1_000_000_000
TOKENS_PER_MTOK = 1_000_000


def usd_to_nusd(usd: Decimal | str | float) -> int:
    """Dollars as nano-dollars, exactly as written (`0.15` is 150 000 000), rounded half up."""
    # Not with Decimal: its products are rounded to the precision of whoever embeds us.
    return floor(Fraction(str(usd)) * NUSD_PER_USD + Fraction(1, 2))


@dataclass(frozen=True, slots=True)
class DatedPrice:
    """Nano-dollars per million tokens, from `valid_from_s` up to `valid_to_s` (epoch seconds)."""

    input_nusd_per_mtok: int
    output_nusd_per_mtok: int
    valid_from_s: float | None = None
    valid_to_s: float | None = None

    def covers(self, as_of_s: float) -> bool:
        """Whether this price is in force at `as_of_s`."""
        return (self.valid_from_s is None or self.valid_from_s <= as_of_s) and (
            self.valid_to_s is None or as_of_s < self.valid_to_s
        )

    def charge_nusd(self, usage: Usage) -> int:
        """What so many tokens cost, in whole nano-dollars, rounded half up."""
        product = usage.tokens_in * self.input_nusd_per_mtok + usage.tokens_out * self.output_nusd_per_mtok
        return (product + TOKENS_PER_MTOK // 2) // TOKENS_PER_MTOK


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Dated prices per target name. Of several in force, the one listed last wins.

    A target without a price in force is unknown, never free: its quote is None.
    """

    prices: Mapping[str, tuple[DatedPrice, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def in_force(self, target: str, as_of_s: float) -> DatedPrice | None:
        """The price of `target` at `as_of_s` (epoch seconds), or None when nobody told it."""
        for price in reversed(self.prices.get(target, ())):
            if price.covers(as_of_s):
                return price
        return None

    def quote_nusd(self, target: str, expected: Usage, as_of_s: float) -> int | None:
        """The expected cost of one attempt: the very function that bills it."""
        price = self.in_force(target, as_of_s)
        return None if price is None else price.charge_nusd(expected)

    def charge_nusd(self, target: str, usage: Usage | None, as_of_s: float) -> int | None:
        """The actual cost of an attempt: nothing without usage, None where the price is unknown."""
        if usage is None or not (usage.tokens_in or usage.tokens_out):
            return 0
        price = self.in_force(target, as_of_s)
        return None if price is None else price.charge_nusd(usage)
