"""genai-prices as a price list: dated, with times of day; of an extra, and never from the network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from failover.core.peaks import WeeklyHours
from failover.core.prices import DatedPrice, KindRates, LengthTier, Origin
from failover.core.rates import usd_to_nusd
from failover.price_sources.dates import day_s
from failover.price_sources.facts import COLLECTED

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot

NAME = "genai-prices"
PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "gemini": "google",
        "vertex_ai": "google",
        "xai": "x-ai",
        "bedrock": "aws",
        "together_ai": "together",
        "moonshot": "moonshotai",
        "fireworks_ai": "fireworks",
        "voyage": "voyageai",
    }
)
"""litellm's prefix as genai-prices calls the provider, where it calls it otherwise."""
SERVICES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("processing", "batch"): "batch",
        ("service_tier", "flex"): "flex",
        ("service_tier", "priority"): "priority",
    }
)
_KINDS = (
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "input_audio_mtok",
    "output_audio_mtok",
    "output_reasoning_mtok",
)
_DATE = re.compile(r"20\d\d-[01]\d-[0-3]\d")


def is_installed() -> bool:
    """Whether the extra `prices` is there."""
    try:
        import genai_prices  # noqa: F401  # only whether it can be had
    except ModuleNotFoundError:
        return False
    return True


def genai_prices(model: str) -> tuple[DatedPrice, ...]:
    """What it says of `model` (litellm's name), weakest first; empty where it says nothing by the token.

    Raises `ModuleNotFoundError` without the extra.
    """
    prefix, _, bare = model.partition("/") if "/" in model else ("", "", model)
    provider = PROVIDERS.get(prefix, prefix) or None
    try:
        _, found = _list().find_provider_model(bare, None, provider, None)
    except LookupError:
        return ()
    priced = found.prices if isinstance(found.prices, list) else [found]
    return tuple(_entries(priced, found.price_variants or ()))


@cache
def _list() -> DataSnapshot:
    from genai_prices.data import providers
    from genai_prices.data_snapshot import DataSnapshot

    # Not the one that the embedding program may keep up to date: the same config, the same prices.
    return DataSnapshot(providers=providers, from_auto_update=False)


@cache
def as_of_s() -> float | None:
    """The last day that it says it was checked on, as far as its comments tell."""
    from genai_prices.data import providers

    comments = (model.price_comments or "" for provider in providers for model in provider.models)
    dates = {date for comment in comments for date in _DATE.findall(comment) if date <= COLLECTED}
    return day_s(max(dates)) if dates else None


def _entries(priced: Iterable[Any], variants: Iterable[Any]) -> Iterator[DatedPrice]:
    from genai_prices import __version__

    origin = Origin(f"genai-prices {__version__}", as_of_s())
    for each in priced:
        price = _priced(each.prices.__dict__)
        if price is None:
            continue
        begins_s, hours = _when(getattr(each, "constraint", None))
        services = []
        for variant in variants:
            service = SERVICES.get(next(iter(variant.when.items())))
            rates = _priced({**each.prices.__dict__, **variant.prices.__dict__})
            if service is not None and rates is not None:
                services.append((service, rates))
        yield replace(price, valid_from_s=begins_s, hours=hours, services=tuple(services), origin=origin)


def _when(constraint: Any) -> tuple[float | None, WeeklyHours | None]:
    if constraint is None:
        return None, None
    if hasattr(constraint, "start_date"):
        return day_s(constraint.start_date.isoformat()), None
    begins, ends = (_utc_minute(each) for each in (constraint.start_time, constraint.end_time))
    return None, WeeklyHours(((begins, ends),))


def _utc_minute(moment: Any) -> int:
    offset = moment.utcoffset()
    minutes = moment.hour * 60 + moment.minute - (0 if offset is None else int(offset.total_seconds() // 60))
    return int(minutes % 1440)


def _priced(told: Mapping[str, Any]) -> DatedPrice | None:
    """Rates with their tiers, which are told for each kind of token apart."""
    rates = {key: told.get(key) for key in ("input_mtok", "output_mtok", *_KINDS)}
    if rates["input_mtok"] is None or rates["output_mtok"] is None:
        return None
    marks = {tier.start for rate in rates.values() for tier in getattr(rate, "tiers", ())}
    plain_in, plain_out, kinds = _rates_above(rates, None)
    tiers = tuple(LengthTier(mark, *_rates_above(rates, mark)) for mark in sorted(marks))
    return DatedPrice(plain_in, plain_out, kinds=kinds, tiers=tiers)


def _rates_above(rates: Mapping[str, Any], mark: int | None) -> tuple[int, int, KindRates | None]:
    found = {key: _nusd(rate, mark) for key, rate in rates.items()}
    kinds = KindRates(*(found[key] for key in _KINDS))
    return found["input_mtok"] or 0, found["output_mtok"] or 0, None if kinds == KindRates() else kinds


def _nusd(rate: Any, mark: int | None) -> int | None:
    if rate is None or isinstance(rate, Decimal):
        return None if rate is None else usd_to_nusd(rate)
    found = rate.base
    for tier in rate.tiers:
        if mark is not None and tier.start <= mark:
            found = tier.price
    return usd_to_nusd(found)
