"""The schema of a config file as JSON Schema, for editors. `docs/schemas/` holds the published copy."""

from __future__ import annotations

from typing import Any

from failover.config.price_file import PriceFile
from failover.config.schema import ConfigSection

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a config file.

    It knows keys, kinds and ranges. What only holds between parts, such as a target's name in a chain,
    is checked by loading.
    """
    schema = _tidied(ConfigSection.model_json_schema())
    return {"$schema": _DIALECT, "title": "failover config", **schema}


def price_file_json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a price file."""
    schema = _tidied(PriceFile.model_json_schema())
    return {"$schema": _DIALECT, "title": "failover price file", **schema}


def _tidied(schema: Any) -> Any:
    """Without the titles pydantic makes of names, and closed where names follow a pattern."""
    if isinstance(schema, list):
        return [_tidied(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {
        key: _tidied(part) for key, part in schema.items() if not (key == "title" and isinstance(part, str))
    }
    if "patternProperties" in tidied:
        tidied["additionalProperties"] = False
    return tidied
