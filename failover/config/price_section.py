"""The schema of a price: in a target's `prices`, and in a price file."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import ConfigDict, Discriminator, Field, PlainValidator, Tag, WithJsonSchema

from failover.config.values import Flag, Instant, Text, UsdPerMtok, Whole
from failover.documents import Section, ending, shown

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)")
_FACTOR_MOST = 1000
_CURRENCY = re.compile(r"[A-Z]{3}")

FOREIGN = ConfigDict(alias_generator=lambda name: name.replace("_usd_per_mtok", "_per_mtok"))
"""In another currency the keys do not name dollars."""


def _window(value: object) -> tuple[int, int]:
    match = _WINDOW.fullmatch(value) if isinstance(value, str) else None
    hour, minute, end_hour, end_minute = map(int, match.groups()) if match else (0, 0, 24, 1)
    ends = end_hour * 60 + end_minute
    begins = hour * 60 + minute
    if ends > 24 * 60:
        message = f"must be hours such as '22:30-06:00' (to just before the second), got {shown(value)}"
        raise ValueError(message)
    if begins == ends:
        message = f"is empty: {shown(value)} ends when it begins; the whole day is '00:00-24:00'"
        raise ValueError(message)
    return begins, ends


def _zone(value: object) -> dt.tzinfo | None:
    if value in ("UTC", "Etc/UTC"):
        return None
    if not isinstance(value, str) or value not in available_timezones():
        near = ending(value, sorted(available_timezones()))
        near = near if near.startswith("; did") else "; say one such as 'Asia/Shanghai'"
        message = f"unknown time zone {_shown_zone(value)}{near}"
        raise ValueError(message)
    return ZoneInfo(value)


def _shown_zone(value: object) -> str:
    # Names of zones begin like keys do ('Asia'); one that is spelled like a zone is none.
    spelled = isinstance(value, str) and re.fullmatch(r"[A-Za-z_+/-]{1,40}", value)
    return repr(value) if spelled else shown(value)


def _factor(value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        message = f"must be a number, got {shown(value)}"
        raise ValueError(message)  # noqa: TRY004  pydantic reports only ValueError
    number = (
        Decimal(str(value)) if not isinstance(value, int) or abs(value) <= _FACTOR_MOST else Decimal("inf")
    )
    if not number.is_finite() or not 0 < number <= _FACTOR_MOST:
        message = f"must be greater than 0 and at most {_FACTOR_MOST}, got {shown(value)}"
        raise ValueError(message)
    return Fraction(number)


def _currency(value: object) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        message = f"must be the three capitals of a currency such as EUR, got {shown(value)}"
        raise ValueError(message)
    return value


Window = Annotated[
    tuple[int, int],
    PlainValidator(_window),
    WithJsonSchema({"type": "string", "pattern": r"^\d{2}:\d{2}-\d{2}:\d{2}$"}),
]
Zone = Annotated[dt.tzinfo | None, PlainValidator(_zone), WithJsonSchema({"type": "string", "minLength": 1})]
"""UTC becomes None."""
Factor = Annotated[
    Fraction,
    PlainValidator(_factor),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _FACTOR_MOST}),
]
Currency = Annotated[
    str, PlainValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Rate = Annotated[UsdPerMtok | None, Field(description="Left out: as a plain token of its side.")]


class RateKeys(Section):
    """Rates in US dollars per million tokens."""

    input_usd_per_mtok: UsdPerMtok
    output_usd_per_mtok: UsdPerMtok
    cached_input_usd_per_mtok: Rate = None
    cache_write_usd_per_mtok: Rate = None
    cache_write_1h_usd_per_mtok: Rate = None
    audio_input_usd_per_mtok: Rate = None
    audio_output_usd_per_mtok: Rate = None
    reasoning_usd_per_mtok: Rate = None


class Tier(RateKeys):
    """What all tokens of a request cost whose prompt is longer."""

    above_tokens: Whole = Field(description="Prompts of more tokens than this.")


class Service(RateKeys):
    """What the same costs at another service tier: batch, flex or priority."""

    tiers: list[Tier] = Field(default_factory=list)


class Peak(RateKeys):
    """Other rates at some hours of the week."""

    hours: Annotated[list[Window], Field(min_length=1)] = Field(description="`HH:MM-HH:MM`, several.")
    weekdays: Annotated[list[Weekday], Field(min_length=1)] = Field(
        default_factory=lambda: list(get_args(Weekday)),
        description="On which those hours begin; left out: every day.",
    )
    zone: Zone = Field(default=None, description="Of hours and weekdays; left out: UTC.")
    tiers: list[Tier] = Field(default_factory=list)


class Price(RateKeys):
    """What a target costs, and when."""

    tiers: list[Tier] = Field(default_factory=list, description="Rates of longer prompts, shortest first.")
    batch: Service | None = None
    flex: Service | None = None
    priority: Service | None = None
    peak: list[Peak] = Field(default_factory=list, description="Other rates at some hours of the week.")
    region_multipliers: dict[Text, Factor] = Field(
        default_factory=dict, description="All rates times this, where it is served from that region."
    )
    valid_from: Instant | None = Field(default=None, description="From then on; left out, since ever.")
    valid_to: Instant | None = Field(default=None, description="Until just before then; left out, for ever.")
    state: Literal["announced", "cancelled"] | None = Field(
        default=None,
        description="Announced: not certain yet. Cancelled: kept for the record, never in force.",
    )
    promotion: Flag = Field(default=False, description="A reduction that ends with `valid_to`.")
    source: Text | None = Field(default=None, description="Who says so.")
    note: Text | None = None
    currency: Currency | None = Field(
        default=None, description="Then all rates are in it, and their keys say `_per_mtok`, without `usd`."
    )
    usd_per_unit: Factor | None = Field(default=None, description="What one unit of `currency` is worth.")


class ForeignTier(Tier):
    """The same in another currency."""

    model_config = FOREIGN


class ForeignService(Service):
    """The same in another currency."""

    model_config = FOREIGN

    tiers: list[ForeignTier] = Field(default_factory=list)  # type: ignore[assignment]  # only ever read


class ForeignPeak(Peak):
    """The same in another currency."""

    model_config = FOREIGN

    tiers: list[ForeignTier] = Field(default_factory=list)  # type: ignore[assignment]  # only ever read


class ForeignPrice(Price):
    """A price in another currency: its keys say `_per_mtok`, without `usd`."""

    model_config = FOREIGN

    currency: Currency
    tiers: list[ForeignTier] = Field(default_factory=list)  # type: ignore[assignment]  # only ever read
    batch: ForeignService | None = None
    flex: ForeignService | None = None
    priority: ForeignService | None = None
    peak: list[ForeignPeak] = Field(default_factory=list)  # type: ignore[assignment]  # only ever read


def _price_kind(value: Any) -> str:
    if isinstance(value, ForeignPrice):
        return "foreign"
    return "foreign" if isinstance(value, dict) and "currency" in value else "usd"


OnePrice = Annotated[
    Annotated[Price, Tag("usd")] | Annotated[ForeignPrice, Tag("foreign")], Discriminator(_price_kind)
]


def _branch(value: Any) -> str:
    return "dated" if isinstance(value, (list, tuple)) else _price_kind(value)


Prices = Annotated[
    Annotated[Price, Tag("usd")]
    | Annotated[ForeignPrice, Tag("foreign")]
    | Annotated[list[OnePrice], Field(min_length=1), Tag("dated")],
    Discriminator(_branch),
]
"""One price, or several dated ones."""


def listed(prices: Price | list[Price] | None) -> list[Price]:
    """The same always as a list."""
    return [] if prices is None else [prices] if isinstance(prices, Price) else prices
