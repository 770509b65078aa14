"""What every mapping of a file's schema has in common."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping with known keys: any other is refused.

    `later` holds keys that are designed and not built: they are refused as such, since one that
    promises safety must never be accepted and ignored. `hints` answers keys that people try.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=False)

    later: ClassVar[frozenset[str]] = frozenset()
    hints: ClassVar[Mapping[str, str]] = MappingProxyType({})


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a mapping as a file spells them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())
