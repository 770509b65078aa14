"""litellm's bundled price map, read as data: no import of litellm, no network."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

BUNDLED_FILE = "model_prices_and_context_window_backup.json"


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
