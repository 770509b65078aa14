"""Dated prices: what a target costs, as of when. Integer nano-dollars inside, so sums are exact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from math import inf
from types import MappingProxyType

from failover.core.peaks import WeeklyHours
from failover.core.rates import (
    NUSD_PER_USD,
    TOKENS_PER_MTOK,
    KindRates,
    LengthTier,
    as_factor,
    scaled_nusd,
    scaled_tier,
    usd_to_nusd,
)
from failover.core.vocabulary import Usage

__all__ = [
    "NUSD_PER_USD",
    "TOKENS_PER_MTOK",
    "DatedPrice",
    "KindRates",
    "LengthTier",
    "Origin",
    "PriceBook",
    "WeeklyHours",
    "in_book",
    "usd_to_nusd",
]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who says so: `source` by name, what it was `as_of` (epoch seconds), and a note of its author's.

    `undated`: the source is a snapshot, which says nothing about the time before it was made.
    `announced`: known and not yet certain. `promotion`: a reduction that ends. `cancelled`: kept for the
    record, and never in a book. `unknown`: why the rates are not known; they are none then.
    """

    source: str = ""
    as_of_s: float | None = None
    note: str = ""
    undated: bool = False
    announced: bool = False
    promotion: bool = False
    cancelled: bool = False
    unknown: str = ""


NOBODY = Origin()


@dataclass(frozen=True, slots=True)
class DatedPrice:
    """Nano-dollars per million tokens, from `valid_from_s` up to `valid_to_s` (epoch seconds).

    `kinds`: rates of tokens that are not plain; None: all are. `tiers`: rates of longer prompts, the shortest
    first. `hours`: in force only then; None: always. `services`: the same price at a service tier, by its
    name. `origin` is no part of what is compared.
    """

    input_nusd_per_mtok: int
    output_nusd_per_mtok: int
    valid_from_s: float | None = None
    valid_to_s: float | None = None
    kinds: KindRates | None = None
    tiers: tuple[LengthTier, ...] = ()
    hours: WeeklyHours | None = None
    services: tuple[tuple[str, DatedPrice], ...] = ()
    origin: Origin = field(default=NOBODY, compare=False)

    def covers(self, as_of_s: float) -> bool:
        """Whether this price is in force at `as_of_s`."""
        return (
            (self.valid_from_s is None or self.valid_from_s <= as_of_s)
            and (self.valid_to_s is None or as_of_s < self.valid_to_s)
            and (self.hours is None or self.hours.cover(as_of_s))
        )

    def lies_in(self, as_of_s: float) -> bool:
        """Whether `as_of_s` lies in its time, whatever the hour."""
        return (self.valid_from_s is None or self.valid_from_s <= as_of_s) and (
            self.valid_to_s is None or as_of_s < self.valid_to_s
        )

    def charge_nusd(self, usage: Usage) -> int:
        """What so many tokens cost, in whole nano-dollars, rounded half up, once."""
        rates: DatedPrice | LengthTier = self
        if self.tiers:
            for tier in self.tiers:
                if usage.tokens_in > tier.above_tokens:
                    rates = tier
        if rates.kinds is None:
            product = (
                usage.tokens_in * rates.input_nusd_per_mtok + usage.tokens_out * rates.output_nusd_per_mtok
            )
        else:
            product = rates.kinds.product(usage, rates.input_nusd_per_mtok, rates.output_nusd_per_mtok)
        return (product + TOKENS_PER_MTOK // 2) // TOKENS_PER_MTOK

    def scaled(self, factor: Fraction | Decimal | str | float) -> DatedPrice:
        """The same price with every rate times `factor`, each rounded half up to whole nano-dollars."""
        exact = as_factor(factor)
        return replace(
            self,
            input_nusd_per_mtok=scaled_nusd(self.input_nusd_per_mtok, exact),
            output_nusd_per_mtok=scaled_nusd(self.output_nusd_per_mtok, exact),
            kinds=None if self.kinds is None else self.kinds.scaled(exact),
            tiers=tuple(scaled_tier(tier, exact) for tier in self.tiers),
            services=tuple((name, price.scaled(exact)) for name, price in self.services),
        )

    def at_service(self, name: str) -> DatedPrice | None:
        """This price at the service tier `name`, None where it has none of its own."""
        rates = dict(self.services).get(name)
        if rates is None:
            return None
        return replace(self, **{each: getattr(rates, each) for each in _RATES})

    def clipped(self, since_s: float | None, until_s: float | None) -> DatedPrice | None:
        """The same price in no more than that time, None where nothing of it is left."""
        begins_s = max(_or(self.valid_from_s, -inf), _or(since_s, -inf))
        ends_s = min(_or(self.valid_to_s, inf), _or(until_s, inf))
        if begins_s >= ends_s:
            return None
        return replace(
            self,
            valid_from_s=None if begins_s == -inf else begins_s,
            valid_to_s=None if ends_s == inf else ends_s,
        )

    def turns_s(self, since_s: float, until_s: float) -> list[float]:
        """The instants after `since_s` and up to `until_s` at which it comes into force or ceases to be."""
        dates = {at_s for at_s in (self.valid_from_s, self.valid_to_s) if at_s is not None}
        marks = {at_s for at_s in dates if since_s < at_s <= until_s}
        if self.hours is not None:
            begins_s = max(since_s, _or(self.valid_from_s, -inf))
            ends_s = min(until_s, _or(self.valid_to_s, inf))
            marks.update(self.hours.turns_s(begins_s, ends_s) if begins_s < ends_s else ())
        return sorted(marks)


def in_book(entries: Iterable[DatedPrice]) -> tuple[DatedPrice, ...]:
    """What of these, weakest first, can be in force: none cancelled, and nothing where rates are unknown.

    A price that is told and cannot be reckoned (in a currency without a rate, say) hides those below it:
    the target's price is unknown in that time, and not what it was before.
    """
    book: list[DatedPrice] = []
    for entry in entries:
        if entry.origin.cancelled:
            continue
        if entry.origin.unknown:
            before = (
                each.clipped(None, entry.valid_from_s) if entry.valid_from_s is not None else None
                for each in book
            )
            after = (
                each.clipped(entry.valid_to_s, None) if entry.valid_to_s is not None else None
                for each in book
            )
            book = [each for pair in zip(before, after, strict=True) for each in pair if each is not None]
        else:
            book.append(entry)
    return tuple(book)


_RATES = ("input_nusd_per_mtok", "output_nusd_per_mtok", "kinds", "tiers")


def _charged(price: DatedPrice | None) -> tuple[object, ...] | None:
    """What of a price is charged, whenever that is."""
    return None if price is None else tuple(getattr(price, each) for each in _RATES)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


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

    def turns_s(self, target: str, since_s: float, until_s: float) -> list[float]:
        """The instants after `since_s` and up to `until_s` at which something else is charged."""
        prices = self.prices.get(target, ())
        marks = sorted({at_s for price in prices for at_s in price.turns_s(since_s, until_s)})
        before, turns = self.in_force(target, since_s), []
        for at_s in marks:
            now = self.in_force(target, at_s)
            if _charged(now) != _charged(before):
                turns.append(at_s)
                before = now
        return turns

    def quote_nusd(self, target: str, expected: Usage, as_of_s: float) -> int | None:
        """The expected cost of one attempt: the very function that bills it."""
        price = self.in_force(target, as_of_s)
        return None if price is None else price.charge_nusd(expected)

    def charge_nusd(self, target: str, usage: Usage | None, as_of_s: float) -> int | None:
        """The actual cost of an attempt: nothing without usage, None where the price is unknown.

        `as_of_s` is when it ended: what a provider counts, it counts when it is done.
        """
        if usage is None or not (usage.tokens_in or usage.tokens_out):
            return 0
        price = self.in_force(target, as_of_s)
        return None if price is None else price.charge_nusd(usage)
