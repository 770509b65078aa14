"""Dated facts that the package carries itself: what changed when, since price lists have no dates, or err.

`dated_prices.csv` has one row for each, weakest first, with who says so. A row without `valid_from` is
what a model cost before the first change that is known.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from failover.core.peaks import WEEKDAYS, WeeklyHours
from failover.core.prices import DatedPrice, KindRates, LengthTier, Origin
from failover.core.rates import usd_to_nusd
from failover.price_map import entry_of
from failover.price_sources.dates import day_s

COLLECTED = "2026-11-20"
"""When the facts were gathered: what happened since, they do not know."""
FILE = "dated_prices.csv"

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fact:
    """A dated price, or from then on the price of `alias_of`; `as_of_s`: when its source saw it."""

    price: DatedPrice
    alias_of: str
    as_of_s: float


def facts_of(model: str) -> tuple[Fact, ...]:
    """What is known of `model` (litellm's name, with or without its provider), weakest first."""
    name = model
    if "/" not in model or not facts().get(model):
        provider = str(entry_of(model).get("litellm_provider", "")).partition("-")[0]
        name = model if facts().get(model) else f"{provider}/{model}"
    return facts().get(name, ())


@cache
def facts() -> Mapping[str, tuple[Fact, ...]]:
    """All of them by litellm's name of the model."""
    text = files(__package__).joinpath(FILE).read_text("utf-8")
    found: dict[str, list[Fact]] = {}
    for row in csv.DictReader(text.splitlines()):
        for prefix in row["prefixes"].split():
            found.setdefault(f"{prefix}/{row['model']}", []).append(_fact(row, prefix))
    return {model: tuple(of_model) for model, of_model in found.items()}


def _fact(row: Row, prefix: str) -> Fact:
    begins_s = _instant(row["valid_from"])
    as_of_s = _instant(row["as_of"]) or begins_s or 0.0
    exact = row["precision"] in ("", "day", "minute", "scheduled")
    words = [row["note"], "" if exact else f"dated {row['precision']}"]
    origin = Origin(
        row["source"],
        day_s(COLLECTED),
        "; ".join(filter(None, words)),
        announced=row["state"] == "announced",
        promotion=row["state"] == "promotion",
        cancelled=row["state"] == "cancelled",
    )
    kinds = KindRates(_usd(row["cached"]), reasoning_nusd_per_mtok=_usd(row["reasoning"]))
    tiers: tuple[LengthTier, ...] = ()
    if row["above_tokens"]:
        rates = usd_to_nusd(row["above_input"]), usd_to_nusd(row["above_output"])
        tiers = (LengthTier(int(row["above_tokens"]), *rates),)
    price = DatedPrice(
        usd_to_nusd(row["input"] or "0"),
        usd_to_nusd(row["output"] or "0"),
        begins_s,
        _instant(row["valid_to"]),
        None if kinds == KindRates() else kinds,
        tiers,
        _hours(row),
        origin=origin,
    )
    return Fact(price, f"{prefix}/{row['alias_of']}" if row["alias_of"] else "", as_of_s)


def _instant(text: str) -> float | None:
    return day_s(text) if text else None


def _usd(text: str) -> int | None:
    return usd_to_nusd(text) if text else None


def _hours(row: Row) -> WeeklyHours | None:
    if not row["hours"]:
        return None
    windows = tuple(_window(window) for window in row["hours"].split())
    return WeeklyHours(windows, frozenset(map(WEEKDAYS.index, row["weekdays"].split() or WEEKDAYS)))


def _window(text: str) -> tuple[int, int]:
    begins, ends = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return begins, ends
