"""What is wrong with what is known of prices: unknown ones, stale sources, and such as contradict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from failover.config import Config
from failover.config.price_file import aliases_of
from failover.core.prices import DatedPrice, PriceBook
from failover.documents import ending
from failover.price_sources import genai_list
from failover.price_sources.book import LISTS
from failover.price_sources.dates import shown_day
from failover.price_sources.litellm_list import surcharge
from failover.price_sources.outlook import DAY_S, Outlook

NUSD = 1e9


@dataclass(frozen=True, slots=True)
class Finding:
    """One of them. `kind`: unknown, contradiction, outdated, stale, billing or unused."""

    kind: str
    target: str
    what: str

    @property
    def deviates(self) -> bool:
        """Whether a bill could be other than expected."""
        return self.kind in ("unknown", "contradiction")

    def __str__(self) -> str:
        return f"{self.kind}: {self.target}: {self.what}" if self.target else f"{self.kind}: {self.what}"


def findings(config: Config, outlooks: Iterable[Outlook], as_of_s: float) -> list[Finding]:
    """All of them, as of `as_of_s` (epoch seconds), target by target."""
    found = []
    for each in outlooks:
        found += [Finding(kind, each.record.target.name, what) for kind, what in _of(each, config, as_of_s)]
    return [*found, *_unused(config)]


def rates(price: DatedPrice) -> str:
    """`$0.20/$1.20`: in and out, for a million tokens."""
    return f"${price.input_nusd_per_mtok / NUSD:.6g}/${price.output_nusd_per_mtok / NUSD:.6g}"


def _of(each: Outlook, config: Config, as_of_s: float) -> Iterator[tuple[str, str]]:
    if each.price is None:
        yield "unknown", f"its price is not known: {each.why_unknown}"
        return
    if not each.record.own:
        yield from _contradictions(each, each.price, as_of_s)
    seen_s = each.price.origin.as_of_s
    if seen_s is not None and as_of_s - seen_s > config.price_terms.stale_days * DAY_S:
        days = int((as_of_s - seen_s) // DAY_S)
        what = f"{each.price.origin.source} is of {shown_day(seen_s)}, {days} days old"
        yield "stale", f"{what}; more than {config.price_terms.stale_days} are reported"
    service, region = each.record.service, each.record.region
    if service and service not in _services(each):
        what = f"no price at the service tier {service} is known"
        yield "billing", f"{what}: {rates(each.price)} is the standard one"
    if region and not each.record.own and surcharge(each.record.target.model, region) == 1:
        yield "billing", f"no surcharge of the region {region} is known: {rates(each.price)} is without one"


def _services(each: Outlook) -> set[str]:
    return {name for entry in each.record.entries for name, _ in entry.services}


def _contradictions(each: Outlook, price: DatedPrice, as_of_s: float) -> Iterator[tuple[str, str]]:
    for name, lister in LISTS.items():
        if name == genai_list.NAME and not genai_list.is_installed():
            continue
        listed = PriceBook({"": lister(each.record.target.model)}).in_force("", as_of_s)
        if listed is None or _agree(listed, price, each):
            continue
        seen_s, since_s = listed.origin.as_of_s, price.valid_from_s
        if seen_s is not None and seen_s > as_of_s:
            continue  # it is of a later day, and says nothing about this one
        old = seen_s is not None and since_s is not None and seen_s < since_s
        says = f"{listed.origin.source}, {_as_of(seen_s)}, says {rates(listed)}"
        rests = f"{rates(price)} is in force by {price.origin.source}"
        if old and since_s is not None:
            yield "outdated", f"{says}; {rests} since {shown_day(since_s)}"
        else:
            yield "contradiction", f"{says}; {rests}; settle it with a price of your own"


def _agree(listed: DatedPrice, price: DatedPrice, each: Outlook) -> bool:
    served = listed.at_service(each.record.service) or listed
    served = served.scaled(surcharge(each.record.target.model, each.record.region))
    ours = served.input_nusd_per_mtok, served.output_nusd_per_mtok
    return ours == (price.input_nusd_per_mtok, price.output_nusd_per_mtok)


def _as_of(seen_s: float | None) -> str:
    return "of a day that is not known" if seen_s is None else f"of {shown_day(seen_s)} or later"


def _unused(config: Config) -> Iterator[Finding]:
    """A misspelled model in a price file would otherwise be silently no price at all."""
    file = config.price_terms.file
    models = {target.model for target in config.targets.values() if target.model}
    if file is None:
        return
    followed = {alias.of for written in file.aliases.values() for alias in aliases_of(written)}
    for model in (*file.prices, *file.aliases):
        if model not in models | followed:
            near = ending(model, models)
            near = near if near.startswith("; did") else ""
            what = f"{config.price_terms.file_name}: no target has the model {model}{near}"
            yield Finding("unused", "", what)
