"""A config of one target whose price is asked for."""

from __future__ import annotations

import datetime as dt
from typing import Any

from failover.config import Config, config_from_dict
from failover.core.prices import DatedPrice, PriceBook
from failover.price_sources import price_book


def day_s(text: str) -> float:
    """A date or time, UTC, as epoch seconds."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


def config_of(model: str, **target: Any) -> Config:
    """One target `t` of that model."""
    return config_from_dict(
        {
            "providers": {"p": {}},
            "targets": {"t": {"provider": "p", "model": model, **target}},
            "routes": {"r": {"chain": ["t"]}},
        }
    )


def book_of(model: str, **target: Any) -> PriceBook:
    """Its price book."""
    return price_book(config_of(model, **target))


def usd(price: DatedPrice | None) -> tuple[float, float] | None:
    """In and out, US dollars for a million tokens."""
    return None if price is None else (price.input_nusd_per_mtok / 1e9, price.output_nusd_per_mtok / 1e9)


def costs(model: str, when: str, **target: Any) -> tuple[float, float] | None:
    """What the model costs then."""
    return usd(book_of(model, **target).in_force("t", day_s(when)))
