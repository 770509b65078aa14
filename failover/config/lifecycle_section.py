"""What a config says of the end of models: dates of a target, a catalogue of many, and what follows."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from failover.config.values import Instant, Name, Text, instant_s
from failover.core.lifecycle import DAY_S, WARN_DAYS
from failover.core.vocabulary import ByDate, RetirementShape
from failover.documents import Section

NEVER = "never"
_MONTH_DAYS = 31


def _end(value: object) -> float | str:
    return NEVER if value == NEVER else instant_s(value)


End = Annotated[
    float | str,
    PlainValidator(_end),
    WithJsonSchema({"type": "string", "pattern": r"^(never|\d{4}-\d{2}-\d{2}([Tt ].+)?)$"}),
]
"""A date or a time as epoch seconds, or the word that there is none."""


class Dates(Section):
    """When a model ends, and how."""

    announced: Instant | None = Field(default=None, description="Since when its end is known.")
    deprecated: Instant | None = Field(default=None, description="Since when it is advised against.")
    retired: End | None = Field(default=None, description="When it ends; 'never' where a list is wrong.")
    shape: RetirementShape | None = Field(default=None, description="What becomes of requests afterwards.")
    by_date: ByDate = Field(default=ByDate.BAR, description="What the date alone does.")
    source: Text | None = Field(default=None, description="Who says so.")


class LifecycleSection(Dates):
    """The end of one target's model, in your words: they go before any list's."""

    hints: ClassVar[MappingProxyType[str, str]] = MappingProxyType(
        {"successor": "stands beside 'lifecycle', as a key of the target"}
    )


class CatalogueEntry(Dates):
    """The end of one model, for every target that has it."""

    model: Text = Field(description="As the targets name it.")
    region: Text | None = Field(default=None, description="Only for targets of this region.")
    replacement: Text | None = Field(default=None, description="The model that its provider recommends.")


class CatalogueSection(Section):
    """A catalogue of your own."""

    models: Annotated[list[CatalogueEntry], Field(min_length=1)]


class KeepWarmSection(Section):
    """Canaries to standbys that nobody asked for a while."""

    every_s: Annotated[float, Field(strict=True, ge=60, le=_MONTH_DAYS * DAY_S)] = Field(
        default=DAY_S, description="After so long without an answer a target is asked."
    )
    max_usd_per_month: Annotated[float, Field(strict=True, ge=0)] = Field(
        default=1.0, description="What all canaries of 30 days may cost, by quote."
    )
    targets: Annotated[list[Name], Field(min_length=1)] | None = Field(
        default=None,
        description="Which; left out, every target of a route that chats.",
    )


class LifecycleRulesSection(Section):
    """Which lists are believed, what a list's date does, and when to warn."""

    warn_days: list[Annotated[int, Field(strict=True, ge=1, le=3650)]] = Field(
        default=list(WARN_DAYS), description="So many days ahead."
    )
    sources: list[Literal["catalogue", "litellm"]] = Field(
        default=["catalogue", "litellm"], description="Lists that are believed beside your own words."
    )
    by_date: ByDate = Field(default=ByDate.PASS_OVER, description="What a date of these lists does.")
