"""Prices as they are written become dated prices of the core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from failover.config.price_file import STALE_DAYS, PriceFile, exchanges
from failover.config.price_section import ForeignPrice, Peak, Price, RateKeys, Service, Tier
from failover.core.peaks import WEEKDAYS
from failover.core.prices import DatedPrice, KindRates, LengthTier, Origin, WeeklyHours

SERVICES = ("batch", "flex", "priority")
USD = "USD"


@dataclass(frozen=True, slots=True)
class Billing:
    """How a target's calls are billed: at which service tier, and with which region's surcharge.

    `region` is what it is billed for, `lies_in` the region that the target says it is in: only a price of
    your own is multiplied for the latter, since its name may mean something else to a price list.
    """

    service: str = ""
    region: str = ""
    lies_in: str = ""


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """What a config says of prices beside those of its targets.

    `file_name` is that of the price file, to show; `billing` by target's name. `dated_by_facts`: whether the
    facts that the package carries count, which is no key of a file.
    """

    file: PriceFile | None = None
    file_name: str = ""
    dated_by_facts: bool = True
    sources: tuple[str, ...] = ("litellm",)
    stale_days: int = STALE_DAYS
    billing: Mapping[str, Billing] = field(default_factory=dict)


def dated_prices(
    prices: Iterable[Price],
    billing: Billing,
    file: PriceFile | None,
    source: str,
    as_of_s: float | None = None,
) -> tuple[DatedPrice, ...]:
    """What `prices` say, weakest first; cancelled and unknown ones are among them, and marked as such.

    `source` is who says so, where a price does not name somebody; `file` knows what currencies are worth.
    """
    return tuple(
        entry for price in prices for entry in _entries(price, billing, file, Origin(source, as_of_s))
    )


def _entries(price: Price, billing: Billing, file: PriceFile | None, origin: Origin) -> Iterator[DatedPrice]:
    origin = replace(
        origin,
        source=price.source or origin.source,
        note=price.note or "",
        announced=price.state == "announced",
        cancelled=price.state == "cancelled",
        promotion=price.promotion,
    )
    multiplier = price.region_multipliers.get(billing.region or billing.lies_in, Fraction(1))
    plain = replace(_plain(price, origin), valid_from_s=price.valid_from, valid_to_s=price.valid_to)
    for usd_per_unit, begins_s, ends_s in _worth(price, file):
        for each in (plain, *(_peak(peak, plain) for peak in price.peak)):
            clipped = each.clipped(begins_s, ends_s)
            if clipped is None:
                continue
            if usd_per_unit is None:
                currency = getattr(price, "currency", USD)
                why = f"it is told in {currency}, and what that is worth is not"
                yield replace(clipped, hours=None, origin=replace(origin, unknown=why))
            else:
                factor = usd_per_unit * multiplier
                yield clipped if factor == 1 else clipped.scaled(factor)


def _worth(
    price: Price, file: PriceFile | None
) -> Iterator[tuple[Fraction | None, float | None, float | None]]:
    """What a unit is worth, from when until when; None where nobody says. The later lie over the earlier."""
    if not isinstance(price, ForeignPrice) or price.currency == USD:
        yield Fraction(1), None, None
        return
    if price.usd_per_unit is not None:
        yield price.usd_per_unit, None, None
        return
    yield None, None, None
    told = {} if file is None else file.currencies
    for each in exchanges(told[price.currency]) if price.currency in told else ():
        yield each.usd_per_unit, each.valid_from, each.valid_to


def _plain(price: Price, origin: Origin) -> DatedPrice:
    services = {name: getattr(price, name) for name in SERVICES}
    told = tuple((name, _rated(service)) for name, service in services.items() if service is not None)
    return replace(_rated(price), services=told, origin=origin)


def _peak(peak: Peak, plain: DatedPrice) -> DatedPrice:
    weekdays = frozenset(WEEKDAYS.index(day) for day in peak.weekdays)
    hours = WeeklyHours(tuple(peak.hours), weekdays, peak.zone)
    rated = _rated(peak)
    return replace(
        rated, valid_from_s=plain.valid_from_s, valid_to_s=plain.valid_to_s, hours=hours, origin=plain.origin
    )


def _rated(section: Price | Peak | Service) -> DatedPrice:
    tiers = tuple(_tier(tier) for tier in section.tiers)
    return DatedPrice(
        section.input_usd_per_mtok, section.output_usd_per_mtok, kinds=_kinds(section), tiers=tiers
    )


def _tier(tier: Tier) -> LengthTier:
    return LengthTier(tier.above_tokens, tier.input_usd_per_mtok, tier.output_usd_per_mtok, _kinds(tier))


def _kinds(section: RateKeys) -> KindRates | None:
    kinds = KindRates(
        section.cached_input_usd_per_mtok,
        section.cache_write_usd_per_mtok,
        section.cache_write_1h_usd_per_mtok,
        section.audio_input_usd_per_mtok,
        section.audio_output_usd_per_mtok,
        section.reasoning_usd_per_mtok,
    )
    return None if kinds == KindRates() else kinds
