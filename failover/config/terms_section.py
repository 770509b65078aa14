"""The schema of what a config says about data: terms, classes, and what we are."""

from __future__ import annotations

from math import inf
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag, WithJsonSchema

from failover.config.values import Flag, Instant, Name, Text
from failover.core.terms import Requirement, Terms
from failover.documents import Section, shown

DAYS_MAX = 36_500


def _days(value: Any) -> float:
    if value == "unlimited":
        return inf
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= DAYS_MAX:
        message = f"must be a whole number of days from 0 to {DAYS_MAX}, or 'unlimited', got {shown(value)}"
        raise ValueError(message)
    return float(value)


def _words(value: Any) -> Any:
    """A word alone is a list of one."""
    return [value] if isinstance(value, str) else value


def _listed(value: Any) -> str:
    return "several" if isinstance(value, (list, tuple)) else "one"


Days = Annotated[
    float,
    PlainValidator(_days),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": DAYS_MAX}, {"const": "unlimited"}]}
    ),
]
_Several = Annotated[list[Name], Field(min_length=1)]
Words = Annotated[Annotated[Name, Tag("one")] | Annotated[_Several, Tag("several")], Discriminator(_listed)]
"""One word, or several."""
WordsOrNone = Annotated[
    Annotated[Name, Tag("one")] | Annotated[list[Name], Tag("several")], Discriminator(_listed)
]
"""The same; an empty list says that there is none."""


class OwnerLimits(Section):
    """Whom a provider does not serve, whatever they pay. An empty list says: nobody is barred so."""

    owned_from: WordsOrNone | None = Field(default=None, description="Whose owners sit there.")
    callers_in: WordsOrNone | None = Field(default=None, description="Who calls from there.")
    sectors: WordsOrNone | None = Field(default=None, description="Who is that: `us_federal`, say.")


class TermsSection(Section):
    """What a provider may do with data. What is left out is not known, and so no requirement is met by it."""

    retention_days: Days | None = Field(
        default=None, description="How long data are kept; `unlimited`: without end."
    )
    trains_on_data: Flag | None = None
    dpa: Flag | None = Field(default=None, description="Whether a data processing agreement is signed.")
    residency: Words | None = Field(default=None, description="Every place that data may lie in.")
    agreements: WordsOrNone | None = Field(default=None, description="Signed ones: `baa`, `zdr`, `scc`.")
    certifications: WordsOrNone | None = Field(default=None, description="Such as `soc2`, `iso27001`.")
    owner_limits: OwnerLimits = OwnerLimits()
    reviewed: Instant | None = Field(default=None, description="The date of the last legal review.")
    source: Text | None = Field(default=None, description="Where it stands: a page, a contract.")
    note: Text | None = None
    valid_from: Instant | None = Field(default=None, description="From then on; left out, since ever.")
    valid_to: Instant | None = Field(default=None, description="Until just before then; left out, for ever.")


def _dated(value: Any) -> str:
    return "dated" if isinstance(value, (list, tuple)) else "one"


TermsOrDated = Annotated[
    Annotated[TermsSection, Tag("one")]
    | Annotated[Annotated[list[TermsSection], Field(min_length=1)], Tag("dated")],
    Discriminator(_dated),
]
"""One mapping, or several with dates: key by key, the last one in force wins."""


class Require(Section):
    """What must hold of the terms of a target that is sent such data."""

    hints: ClassVar[MappingProxyType[str, str]] = MappingProxyType(
        {"retention_days_max": "'retention_days' means at most so many"}
    )

    retention_days: Days | None = Field(default=None, description="Kept for at most so many.")
    trains_on_data: Literal[False] | None = Field(default=None, description="`false`: not trained on.")
    dpa: Literal[True] | None = Field(default=None, description="`true`: an agreement is signed.")
    residency: Words | None = Field(default=None, description="All data stay within these places.")
    agreements: Words | None = Field(default=None, description="All of these are signed.")
    certifications: Words | None = Field(default=None, description="All of these are held.")
    providers_allowed: Words | None = Field(default=None, description="Only these.")
    providers_barred: Words | None = Field(default=None, description="None of these.")
    reviewed_within_days: Annotated[int, Field(strict=True, ge=1, le=DAYS_MAX)] | None = Field(
        default=None, description="The last legal review is no older."
    )


class DataClass(Section):
    """A label of requests, and what it requires; `{}` requires nothing."""

    require: Require = Require()


class Organisation(Section):
    """What you are, for providers that do not serve everybody: see `owner_limits`."""

    owned_from: Words | None = Field(default=None, description="Where your owners sit.")
    callers_in: Words | None = Field(default=None, description="Where you call from.")
    sectors: Words | None = Field(default=None, description="What you are: `us_federal`, say.")


def layers(section: TermsSection | list[TermsSection] | None) -> tuple[Terms, ...]:
    """The terms as the core knows them, in the order they are listed."""
    listed = section if isinstance(section, list) else [] if section is None else [section]
    return tuple(_terms(each) for each in listed)


def _terms(section: TermsSection) -> Terms:
    limits = section.owner_limits
    return Terms(
        retention_days=section.retention_days,
        trains_on_data=section.trains_on_data,
        dpa=section.dpa,
        residency=_set(section.residency),
        agreements=_set(section.agreements),
        certifications=_set(section.certifications),
        owned_from=_set(limits.owned_from),
        callers_in=_set(limits.callers_in),
        sectors=_set(limits.sectors),
        reviewed_s=section.reviewed,
        source=section.source,
        valid_from_s=-inf if section.valid_from is None else section.valid_from,
        valid_to_s=inf if section.valid_to is None else section.valid_to,
    )


def requirement(section: Require) -> Requirement:
    """A requirement as the core knows it."""
    return Requirement(
        retention_days=section.retention_days,
        trains_on_data=section.trains_on_data,
        dpa=section.dpa,
        residency=_set(section.residency),
        agreements=_set(section.agreements),
        certifications=_set(section.certifications),
        providers_allowed=_set(section.providers_allowed),
        providers_barred=_set(section.providers_barred),
        reviewed_within_days=section.reviewed_within_days,
    )


def owner(section: Organisation) -> Requirement:
    """What we are, as a requirement: that nobody bars it."""
    return Requirement(
        owned_from=_set(section.owned_from),
        callers_in=_set(section.callers_in),
        sectors=_set(section.sectors),
    )


def _set(words: str | list[str] | None) -> frozenset[str] | None:
    return None if words is None else frozenset(_words(words))
