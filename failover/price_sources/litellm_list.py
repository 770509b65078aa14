"""litellm's bundled map as a price list: one snapshot without dates, with every rate by the token.

Keys are read as litellm's own cost calculation reads them (`litellm_core_utils/llm_cost_calc/utils.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any

from failover.core.prices import DatedPrice, KindRates, LengthTier, Origin
from failover.core.rates import usd_to_nusd
from failover.price_map import entry_of
from failover.price_sources.dates import day_s
from failover.price_sources.litellm_hours import hours_of

NAME = "litellm"
RELEASED: Mapping[str, str] = MappingProxyType(
    {
        "1.98.0": "2026-08-23",
        "1.101.0": "2026-09-15",
        "1.103.1": "2026-09-30",
        "1.106.6": "2026-11-01",
        "1.109.1": "2026-11-13",
    }
)
"""When a release was out at the latest, from the windows in which its prices were first seen changed."""

SERVICES: Mapping[str, str] = MappingProxyType(
    {"batch": "_batches", "flex": "_flex", "priority": "_priority"}
)
_THRESHOLD = re.compile(
    r"(?:input_cost_per_token|output_cost_per_token|cache_(?:read|creation)_input_token_cost)_above_"
    r"(\d+)(k?)_tokens(_batches|_flex|_priority)?"
)
_INPUT, _OUTPUT = "input_cost_per_token", "output_cost_per_token"
_READ, _WRITE = "cache_read_input_token_cost", "cache_creation_input_token_cost"
_WRITE_1H = "cache_creation_input_token_cost_above_1hr"
_AUDIO_IN, _AUDIO_OUT = "input_cost_per_audio_token", "output_cost_per_audio_token"
_REASONING = "output_cost_per_reasoning_token"
_FROM_THE_MARK_ON = "xai"
"""Bills a tier from its threshold on; the others above it."""
_CACHE_SHARE_OF_INPUT: Mapping[str, float] = MappingProxyType({"fireworks_ai": 0.5})

Entry = Mapping[str, Any]


@cache
def installed() -> str:
    """The version of litellm, empty where it is not installed."""
    try:
        return version("litellm")
    except PackageNotFoundError:
        return ""


def as_of_s(release: str) -> float | None:
    """What the map of `release` is at least as new as; None: older, or newer, than all that are known."""
    known = sorted((_numbers(each), date) for each, date in RELEASED.items())
    if not release or _numbers(release) > known[-1][0]:
        return None
    dates = [date for number, date in known if number <= _numbers(release)]
    return day_s(dates[-1]) if dates else None


def litellm_prices(model: str) -> tuple[DatedPrice, ...]:
    """What the map says of `model`; empty where it has no rate by the token."""
    entry = entry_of(model)
    origin = Origin(f"litellm {installed()}'s map", as_of_s(installed()), undated=True)
    price = _priced(entry, "")
    if price is None:
        return ()
    services = ((name, _priced(entry, suffix)) for name, suffix in SERVICES.items() if _has(entry, suffix))
    told = tuple((name, service) for name, service in services if service is not None)
    plain = replace(price, services=told, origin=origin)
    return (plain, *_off_peak(entry, plain))


def surcharge(model: str, region: str) -> float:
    """What every rate is multiplied by for that region: 1 where the map names no surcharge."""
    if not region:
        return 1.0
    entry = entry_of(model)
    by_place = entry.get("provider_specific_entry")
    candidates = (
        by_place.get(region) if isinstance(by_place, Mapping) else None,
        entry.get(f"regional_processing_uplift_multiplier_{region}"),
        entry.get("regional_endpoint_uplift_multiplier") if region != "global" else None,
    )
    return next((float(each) for each in candidates if isinstance(each, int | float)), 1.0)


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", release)[:3])


def _has(entry: Entry, suffix: str) -> bool:
    return any(_rate(entry, key + suffix) is not None for key in (_INPUT, _OUTPUT))


def _rate(entry: Entry, key: str) -> int | None:
    """A rate by the token in nano-dollars per million; None where it is not told."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return usd_to_nusd(f"{value!r}e6" if "e" not in repr(value) else _times_million(repr(value)))


def _times_million(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent) + 6}"


def _priced(entry: Entry, suffix: str) -> DatedPrice | None:
    """The rates at one service tier; what has none there costs as at the standard one."""
    tiered = entry.get("tiered_pricing")
    if isinstance(tiered, list) and tiered:
        return _ranged(tiered)
    base = {key: _at(entry, key, suffix) for key in (_INPUT, _OUTPUT, _READ, _WRITE)}
    plain_in, plain_out = base[_INPUT], base[_OUTPUT]
    if plain_in is None or plain_out is None or not (plain_in or plain_out or _is_free(entry)):
        return None
    base[_WRITE_1H] = _rate(entry, _WRITE_1H)
    if base[_READ] is None and entry.get("litellm_provider") in _CACHE_SHARE_OF_INPUT:
        base[_READ] = round(plain_in * _CACHE_SHARE_OF_INPUT[str(entry["litellm_provider"])])
    base[_AUDIO_IN], base[_AUDIO_OUT] = _at(entry, _AUDIO_IN, suffix), _rate(entry, _AUDIO_OUT)
    base[_REASONING] = _reasoning(entry, suffix)
    tiers = tuple(_tiers(entry, suffix, base))
    return DatedPrice(plain_in, plain_out, kinds=_kinds(base), tiers=tiers)


def _at(entry: Entry, key: str, suffix: str) -> int | None:
    rate = _rate(entry, key + suffix)
    return _rate(entry, key) if rate is None else rate


def _is_free(entry: Entry) -> bool:
    """Zero by the token is free only where nothing else is charged: pictures, seconds or queries, say."""
    return not any(
        "cost_per" in key and isinstance(value, int | float) and value for key, value in entry.items()
    )


def _reasoning(entry: Entry, suffix: str) -> int | None:
    own = _rate(entry, _REASONING + suffix)
    if own is not None:
        return own
    if suffix and _rate(entry, _OUTPUT + suffix) is not None:
        return None
    return _rate(entry, _REASONING)


def _kinds(rates: Mapping[str, int | None]) -> KindRates | None:
    kinds = KindRates(
        rates.get(_READ),
        rates.get(_WRITE),
        # For an hour it costs what it costs for minutes, unless it is told.
        rates.get(_WRITE) if rates.get(_WRITE_1H) is None else rates.get(_WRITE_1H),
        rates.get(_AUDIO_IN),
        rates.get(_AUDIO_OUT),
        rates.get(_REASONING),
    )
    return None if kinds == KindRates() else kinds


def _tiers(entry: Entry, suffix: str, base: Mapping[str, int | None]) -> Iterator[LengthTier]:
    """By length of the prompt. A rate that a tier does not tell is that of the tier before."""
    rates = dict(base)
    for tokens, words in sorted(_thresholds(entry, suffix)):
        for key in (_INPUT, _OUTPUT, _READ, _WRITE, _WRITE_1H):
            told = _above(entry, key, words, suffix)
            rates[key] = rates[key] if told is None else told
        plain_in, plain_out = rates[_INPUT], rates[_OUTPUT]
        if plain_in is not None and plain_out is not None:
            above = tokens - 1 if entry.get("litellm_provider") == _FROM_THE_MARK_ON else tokens
            yield LengthTier(above, plain_in, plain_out, _kinds(rates))


def _above(entry: Entry, key: str, words: str, suffix: str) -> int | None:
    own = _rate(entry, f"{key}_above_{words}_tokens{suffix}")
    # A batch costs what a batch costs, however long, where no tier of its own is told.
    return _rate(entry, f"{key}_above_{words}_tokens") if own is None and suffix != "_batches" else own


def _thresholds(entry: Entry, suffix: str) -> set[tuple[int, str]]:
    found = (_THRESHOLD.fullmatch(key) for key in entry)
    own = {suffix} if suffix == "_batches" else {"", suffix}
    return {
        (int(match[1]) * (1000 if match[2] else 1), match[1] + match[2])
        for match in found
        if match and (match[3] or "") in own
    }


def _ranged(ranges: list[Entry]) -> DatedPrice | None:
    """A table of ranges of the prompt's length, as Alibaba's: above the last one it goes on."""
    tiers = []
    for each in sorted(ranges, key=lambda each: each["range"][0]):
        rates = {key: _rate(each, key) for key in (_READ, _WRITE, _WRITE_1H, _REASONING)}
        plain_in, plain_out = _rate(each, _INPUT), _rate(each, _OUTPUT)
        if plain_in is None or plain_out is None:
            return None
        tiers.append(LengthTier(int(each["range"][0]), plain_in, plain_out, _kinds(rates)))
    first = tiers[0]
    return DatedPrice(
        first.input_nusd_per_mtok, first.output_nusd_per_mtok, kinds=first.kinds, tiers=tuple(tiers[1:])
    )


def _off_peak(entry: Entry, plain: DatedPrice) -> Iterator[DatedPrice]:
    """Rates at other hours replace the plain ones, at any length."""
    told = entry.get("off_peak_pricing")
    if not isinstance(told, Mapping):
        return
    kinds = plain.kinds or KindRates()
    read, write = _rate(told, _READ), _rate(told, _WRITE)
    kinds = replace(
        kinds,
        cached_input_nusd_per_mtok=kinds.cached_input_nusd_per_mtok if read is None else read,
        cache_write_nusd_per_mtok=kinds.cache_write_nusd_per_mtok if write is None else write,
    )
    told_in, told_out = _rate(told, _INPUT), _rate(told, _OUTPUT)
    rates = DatedPrice(
        plain.input_nusd_per_mtok if told_in is None else told_in,
        plain.output_nusd_per_mtok if told_out is None else told_out,
        kinds=None if kinds == KindRates() else kinds,
        origin=plain.origin,
    )
    for hours in hours_of(told):
        yield replace(rates, hours=hours)
