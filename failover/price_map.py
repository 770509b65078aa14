"""litellm's bundled price map, read as data: no import of litellm, no network."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from failover.config import Config
from failover.core.prices import NUSD_PER_USD, TOKENS_PER_MTOK, DatedPrice, PriceBook

BUNDLED_FILE = "model_prices_and_context_window_backup.json"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the map says of one model; None where it says nothing."""

    price: DatedPrice | None = None
    context_window_tokens: int | None = None


def model_facts(model: str) -> ModelFacts:
    """The facts of `model` (litellm's name, such as `anthropic/claude-sonnet-5`)."""
    entry = entry_of(model)
    return ModelFacts(_price(entry), _window(entry))


def entry_of(model: str) -> Mapping[str, Any]:
    """The map's entry of `model`, empty where it has none.

    An entry under the whole name wins over one under the name without its provider prefix, and the
    latter counts only where it belongs to that provider: the same model costs differently elsewhere.
    """
    entries = bundled_map()
    entry = entries.get(model)
    if entry is None:
        prefix, _, bare = model.partition("/")
        candidate = entries.get(bare, {})
        entry = candidate if str(candidate.get("litellm_provider", "")).startswith(prefix) else {}
    return entry


def price_book(config: Config) -> PriceBook:
    """The config's own prices; where it says nothing of a model, the bundled map's."""
    prices = dict(config.prices)
    for name, target in config.targets.items():
        if name not in prices and target.model:
            price = model_facts(target.model).price
            if price is not None:
                prices[name] = (price,)
    return PriceBook(prices)


@cache
def bundled_map() -> Mapping[str, Mapping[str, Any]]:
    """The whole map by model name; empty when litellm is not installed."""
    spec = importlib.util.find_spec("litellm")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / BUNDLED_FILE
        if file.is_file():
            entries: dict[str, Mapping[str, Any]] = json.loads(file.read_bytes())
            entries.pop("sample_spec", None)
            return entries
    return {}


def _price(entry: Mapping[str, Any]) -> DatedPrice | None:
    rates = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not all(isinstance(rate, int | float) for rate in rates):
        return None
    return DatedPrice(*(int(Decimal(str(rate)) * NUSD_PER_USD * TOKENS_PER_MTOK) for rate in rates))


def _window(entry: Mapping[str, Any]) -> int | None:
    window = entry.get("max_input_tokens")
    return window if isinstance(window, int) else None
