"""From the sections on the end of models to frozen rules; and what is wrong with them, taken together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from failover.config.lifecycle_section import NEVER, CatalogueSection, Dates
from failover.config.schema import ConfigSection
from failover.core.lifecycle import WARN_DAYS
from failover.core.prices import usd_to_nusd
from failover.core.vocabulary import ByDate, RetirementShape
from failover.documents import Complaints, Document, Place, ending, load_document, shown, validate


@dataclass(frozen=True, slots=True)
class Word:
    """What one source says of an end; times are epoch seconds. `is_never`: that there is none."""

    announced_s: float | None = None
    deprecated_s: float | None = None
    retired_s: float | None = None
    is_never: bool = False
    shape: RetirementShape | None = None
    by_date: ByDate = ByDate.BAR
    source: str = ""
    replacement: str = ""

    @property
    def settles(self) -> bool:
        """Whether it says when, or that it does not end."""
        return self.is_never or self.retired_s is not None


@dataclass(frozen=True, slots=True)
class KeepWarm:
    """Canaries: to which targets (None: all that can be asked), how often, and for how much in 30 days."""

    every_s: float
    max_nusd_per_month: int
    targets: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class LifecycleRules:
    """All of it, frozen. `told` and `successors` are by target, `listed` by model and region."""

    told: Mapping[str, Word] = field(default_factory=lambda: MappingProxyType({}))
    successors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    listed: Mapping[tuple[str, str], Word] = field(default_factory=lambda: MappingProxyType({}))
    warn_days: tuple[int, ...] = WARN_DAYS
    sources: tuple[str, ...] = ("catalogue", "litellm")
    by_date: ByDate = ByDate.PASS_OVER
    keep_warm: KeepWarm | None = None


def lifecycle_rules(section: ConfigSection, document: Document, complaints: Complaints) -> LifecycleRules:
    """What the config says, with its catalogue read."""
    rules, keep_warm = section.lifecycle, section.keep_warm
    warm = None
    if keep_warm is not None:
        targets = None if keep_warm.targets is None else tuple(keep_warm.targets)
        warm = KeepWarm(keep_warm.every_s, usd_to_nusd(keep_warm.max_usd_per_month), targets)
    return LifecycleRules(
        told={
            name: _word(target.lifecycle, target.lifecycle.source or "your config")
            for name, target in section.targets.items()
            if target.lifecycle is not None
        },
        successors={name: each.successor for name, each in section.targets.items() if each.successor},
        listed=_listed(section.catalogue, document, complaints),
        warn_days=tuple(rules.warn_days),
        sources=tuple(rules.sources),
        by_date=rules.by_date,
        keep_warm=warm,
    )


def _word(dates: Dates, source: str, replacement: str = "") -> Word:
    is_never = dates.retired == NEVER
    return Word(
        dates.announced,
        dates.deprecated,
        dates.retired if isinstance(dates.retired, float) else None,
        is_never,
        dates.shape,
        dates.by_date,
        source,
        replacement,
    )


def _listed(file: str | None, document: Document, complaints: Complaints) -> Mapping[tuple[str, str], Word]:
    if file is None:
        return {}
    path = (document.folder or Path()) / file
    read = load_document(path, complaints)
    section = validate(read, CatalogueSection, complaints) if read else None
    listed: dict[tuple[str, str], Word] = {}
    for position, entry in enumerate(section.models if section else ()):
        assert read is not None  # noqa: S101  # there is a section of it
        place: Place = ("models", position)
        _check_dates(entry, place, read, complaints)
        key = entry.model, entry.region or ""
        if key in listed:
            complaints.add(read, (*place, "model"), f"{shown(entry.model)} stands twice for this region")
        listed[key] = _word(entry, entry.source or str(path), entry.replacement or "")
    return listed


def check_lifecycles(section: ConfigSection, document: Document, complaints: Complaints) -> None:
    """Add every complaint about dates in the wrong order, and about successors that could not serve."""
    for name, target in section.targets.items():
        if target.lifecycle is not None:
            _check_dates(target.lifecycle, ("targets", name, "lifecycle"), document, complaints)
        for what in _wrong_with(name, target.successor, section, document):
            complaints.add(document, ("targets", name, "successor"), what)
    known = document.names("targets")
    warm = section.keep_warm
    routed = {
        one
        for route in section.routes.values()
        for item in route.chain
        for one in ([item] if isinstance(item, str) else item)
    }
    for position, name in enumerate((warm and warm.targets) or ()):
        place: Place = ("keep_warm", "targets", position)
        if name not in known:
            complaints.add(document, place, f"unknown target {shown(name)}{ending(name, known)}")
        elif name not in routed or section.targets[name].callable is not None:
            what = "is on no route" if name not in routed else "is a plain function, whose price nobody knows"
            complaints.add(document, place, f"{shown(name)} {what}")


def _check_dates(dates: Dates, place: Place, document: Document, complaints: Complaints) -> None:
    if complaints.blames(document, place):
        return
    ends_s = dates.retired if isinstance(dates.retired, float) else None
    for key, at_s in (("announced", dates.announced), ("deprecated", dates.deprecated)):
        if ends_s is not None and at_s is not None and at_s > ends_s:
            complaints.add(document, (*place, key), "must not be later than retired")
    if dates.announced is dates.deprecated is dates.retired is None:
        complaints.add(document, place, "says nothing: give one of announced, deprecated and retired")


def _wrong_with(
    name: str, successor: str | None, section: ConfigSection, document: Document
) -> Iterator[str]:
    known = document.names("targets")
    if successor is None:
        return
    if successor not in known:
        yield f"unknown target {shown(successor)}{ending(successor, known)}"
        return
    line = [name]
    while successor is not None and successor not in line:
        line.append(successor)
        target = section.targets.get(successor)
        successor = None if target is None else target.successor
    if successor is not None:
        yield f"comes back to where it began: {' -> '.join([*line, successor])}"
        return
    for route, each in section.routes.items():
        chained = [one for item in each.chain for one in ([item] if isinstance(item, str) else item)]
        if name in chained and line[1] not in chained:
            yield (
                f"{shown(line[1])} is not in the chain of route {shown(route)}, where {shown(name)} is: add "
                "it there, last if need be, since nobody is asked whom the chain does not name"
            )
