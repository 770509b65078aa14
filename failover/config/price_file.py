"""A price file: dated prices and aliases by model, for all configs that name it under `price_book`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from failover.config.price_checks import check_entries, check_period
from failover.config.price_section import Currency, Factor, Prices, listed
from failover.config.values import Folder, Instant, Text, Whole
from failover.documents import Complaints, Document, Place, Section, load_document, shown, validate

STALE_DAYS = 90
PriceList = Literal["litellm", "genai-prices"]


class Exchange(Section):
    """What a unit of a currency is worth, and when."""

    usd_per_unit: Factor
    valid_from: Instant | None = None
    valid_to: Instant | None = None


class Alias(Section):
    """A name that stands for another model, and when."""

    of: Text = Field(description="The model it stands for, as litellm names it.")
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    state: Literal["announced", "cancelled"] | None = None
    source: Text | None = None
    note: Text | None = None


def _rate_kind(value: Any) -> str:
    return "dated" if isinstance(value, (list, tuple)) else "one"


def _alias_kind(value: Any) -> str:
    return "dated" if isinstance(value, (list, tuple)) else "one"


Rates = Annotated[
    Annotated[Factor, Tag("one")] | Annotated[list[Exchange], Field(min_length=1), Tag("dated")],
    Discriminator(_rate_kind),
]
Aliases = Annotated[
    Annotated[Alias, Tag("one")] | Annotated[list[Alias], Field(min_length=1), Tag("dated")],
    Discriminator(_alias_kind),
]


class PriceFile(Section):
    """Dated prices and aliases by model."""

    as_of: Instant | None = Field(default=None, description="When what it says was last checked.")
    source: Text | None = Field(default=None, description="Who says so; left out, the file's name.")
    currencies: dict[Currency, Rates] = Field(
        default_factory=dict, description="What one unit of each is worth in US dollars, also dated."
    )
    prices: dict[Text, Prices] = Field(default_factory=dict, description="By model, as litellm names it.")
    aliases: dict[Text, Aliases] = Field(
        default_factory=dict, description="Names that stand for another model, whose price they follow."
    )


class PriceBookSection(Section):
    """Where prices come from that no target tells."""

    file: Folder | None = Field(default=None, description="A price file, from the config's own folder.")
    stale_days: Whole = Field(default=STALE_DAYS, description="A source that is older is reported.")
    sources: Annotated[list[PriceList], Field(min_length=1)] = Field(
        default=["litellm"], description="Price lists, the first that knows a model wins."
    )


def _book_kind(value: Any) -> str:
    return "file" if isinstance(value, str) else "keys"


PriceBookKey = Annotated[
    Annotated[Folder, Tag("file")] | Annotated[PriceBookSection, Tag("keys")], Discriminator(_book_kind)
]
"""A price file alone, or with what else there is to say."""


def book_section(written: str | PriceBookSection | None) -> PriceBookSection:
    """The same always as a section."""
    if isinstance(written, PriceBookSection):
        return written
    return PriceBookSection(file=written)


def load_price_file(path: Path, complaints: Complaints) -> PriceFile | None:
    """The price file at `path`, None where it cannot be read; what is wrong goes to `complaints`."""
    document = load_document(path, complaints)
    section = validate(document, PriceFile, complaints) if document else None
    if document and section:
        _check(section, document, complaints)
    return section


def exchanges(rates: object) -> list[Exchange]:
    """The rates of one currency as dated ones."""
    return rates if isinstance(rates, list) else [Exchange.model_construct(usd_per_unit=rates)]


def aliases_of(written: Alias | list[Alias]) -> list[Alias]:
    """The same always as a list."""
    return written if isinstance(written, list) else [written]


def _check(section: PriceFile, document: Document, complaints: Complaints) -> None:
    for model, prices in section.prices.items():
        check_entries(prices, ("prices", model), document, complaints)
    for currency, rates in section.currencies.items():
        for position, each in enumerate(exchanges(rates)):
            check_period(each, ("currencies", currency, position), document, complaints)
    for model, written in section.aliases.items():
        for position, alias in enumerate(aliases_of(written)):
            place: Place = ("aliases", model, position) if isinstance(written, list) else ("aliases", model)
            check_period(alias, place, document, complaints)
        chain = _cycle(model, section)
        if chain:
            what = f"stands for itself in the end: {' -> '.join(map(shown, chain))}"
            complaints.add(document, ("aliases", model), what)


def _cycle(model: str, section: PriceFile) -> list[str]:
    """The way from `model` back to itself, empty when there is none."""
    ways = [[model]]
    seen = set()
    while ways:
        way = ways.pop()
        for alias in aliases_of(section.aliases[way[-1]]) if way[-1] in section.aliases else ():
            if alias.of == model:
                return [*way, model]
            if alias.of not in seen and alias.state != "cancelled":
                seen.add(alias.of)
                ways.append([*way, alias.of])
    return []


__all__ = ["STALE_DAYS", "PriceBookSection", "PriceFile", "book_section", "listed", "load_price_file"]
