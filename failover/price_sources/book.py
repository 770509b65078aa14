"""The prices of a config's targets: every source's word in its order, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from failover.config import Config
from failover.config.price_file import Alias, PriceFile, aliases_of
from failover.config.price_section import listed
from failover.config.prices import Billing, PriceTerms, dated_prices
from failover.core.prices import DatedPrice, Origin, PriceBook, in_book
from failover.core.vocabulary import Target
from failover.errors import Complaint, ConfigError
from failover.price_sources import genai_list, litellm_list
from failover.price_sources.facts import Fact, facts_of
from failover.price_sources.genai_list import genai_prices
from failover.price_sources.layers import clipped, dated
from failover.price_sources.litellm_list import litellm_prices, surcharge

Lister = Callable[[str], tuple[DatedPrice, ...]]

LISTS: Mapping[str, Lister] = MappingProxyType(
    {litellm_list.NAME: litellm_prices, genai_list.NAME: genai_prices}
)
"""Price lists by the name that a config calls them: what each says of a model."""


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """What is known of a target's price: `entries`, weakest first, with cancelled and unknown ones.

    `service`: the service tier that it is billed at, empty for the standard one; `region`: whose surcharge.
    `own`: the config or the price file says something of it.
    """

    target: Target
    entries: tuple[DatedPrice, ...]
    service: str = ""
    region: str = ""
    own: bool = False

    def in_book(self) -> tuple[DatedPrice, ...]:
        """What can be in force, at the service tier that the target is billed at."""
        book = in_book(self.entries)
        if not self.service:
            return book
        return tuple(price.at_service(self.service) or price for price in book)


def price_book(config: Config, *, dated_by_facts: bool = True) -> PriceBook:
    """The prices of every target of `config`; a target that nobody knows a price of has none.

    `dated_by_facts` False is for a drill that begins at no date in particular: what price lists say is taken
    as it stands, and not for what the same cost on the day at which virtual time happens to begin.
    """
    terms = replace(config.price_terms, dated_by_facts=dated_by_facts)
    records = price_records(replace(config, price_terms=terms))
    prices = {record.target.name: record.in_book() for record in records}
    return PriceBook({name: book for name, book in prices.items() if book})


def price_as_of(model: str, terms: PriceTerms, as_of_s: float) -> DatedPrice | None:
    """The price of a model that no target may have yet, None where nobody knows it."""
    prices = in_book(model_prices(model, Billing(), terms))
    return PriceBook({model: prices}).in_force(model, as_of_s)


def price_records(config: Config) -> list[PriceRecord]:
    """What is known of the price of each target, in the config's order.

    Raises `ConfigError` for a price list that is asked for and not installed.
    """
    terms = config.price_terms
    if genai_list.NAME in terms.sources and not genai_list.is_installed():
        what = f"{genai_list.NAME} is not installed: pip install 'failover[prices]'"
        raise ConfigError([Complaint(config.source, 0, "price_book.sources", what)])
    records = []
    for name, target in config.targets.items():
        billing = terms.billing.get(name, Billing())
        if name in config.prices:
            records.append(
                PriceRecord(target, config.prices[name], billing.service, billing.region, own=True)
            )
        else:
            records.append(_record(target, billing, terms))
    return records


def _record(target: Target, billing: Billing, terms: PriceTerms) -> PriceRecord:
    entries = model_prices(target.model, billing, terms) if target.model else ()
    own = terms.file is not None and (target.model in terms.file.prices or target.model in terms.file.aliases)
    return PriceRecord(target, entries, billing.service, billing.region, own=own)


def model_prices(
    model: str, billing: Billing, terms: PriceTerms, seen: frozenset[str] = frozenset()
) -> tuple[DatedPrice, ...]:
    """Every source's word on `model`, weakest first. `seen`: the aliases on the way here."""
    if model in seen:
        return ()
    seen |= {model}
    base = next((found for name in terms.sources if (found := LISTS[name](model))), ())
    known = facts_of(model) if terms.dated_by_facts else ()
    facts = [part for fact in known for part in _resolved(fact, terms, seen)]
    factor = surcharge(model, billing.region)
    entries = [each.scaled(factor) if factor != 1 else each for each in dated(base, facts)]
    file = terms.file
    if file is not None:
        for alias in aliases_of(file.aliases[model]) if model in file.aliases else ():
            entries += _followed(alias, billing, terms, seen)
        entries += _of_file(model, billing, file, terms.file_name)
    return tuple(entries)


def _of_file(model: str, billing: Billing, file: PriceFile, name: str) -> tuple[DatedPrice, ...]:
    source = file.source or name
    return dated_prices(listed(file.prices.get(model)), billing, file, source, file.as_of)


def _resolved(fact: Fact, terms: PriceTerms, seen: frozenset[str]) -> Iterable[Fact]:
    """A fact about another name's price becomes as many as that name has prices in that time."""
    if not fact.alias_of:
        return [fact]
    followed = model_prices(fact.alias_of, Billing(), terms, seen)
    parts = clipped(followed, fact.price.valid_from_s, fact.price.valid_to_s)
    return [
        replace(fact, price=_following(part, fact.price.origin, fact.alias_of), alias_of="") for part in parts
    ]


def _followed(
    alias: Alias, billing: Billing, terms: PriceTerms, seen: frozenset[str]
) -> Iterable[DatedPrice]:
    said = Origin(
        alias.source or terms.file_name,
        None if terms.file is None else terms.file.as_of,
        alias.note or "",
        announced=alias.state == "announced",
        cancelled=alias.state == "cancelled",
    )
    followed = model_prices(alias.of, billing, terms, seen)
    return [_following(part, said, alias.of) for part in clipped(followed, alias.valid_from, alias.valid_to)]


def _following(price: DatedPrice, said: Origin, model: str) -> DatedPrice:
    """The other's price, which is no more certain than that it is followed."""
    note = f"as {model}" + (f": {said.note}" if said.note else "")
    origin = replace(
        price.origin,
        source=f"{said.source} ({price.origin.source})",
        note=note,
        announced=said.announced or price.origin.announced,
        cancelled=said.cancelled or price.origin.cancelled,
    )
    return replace(price, origin=origin)
