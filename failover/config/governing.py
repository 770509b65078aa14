"""A config's governance and its audit trail, put together of its sections, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from failover.config.audit_section import AuditSection, Durability, OnAuditFailure
from failover.config.schema import ConfigSection, Provider, TargetSection
from failover.config.terms_section import Organisation, TermsSection, layers, owner, requirement
from failover.core.governance import SYNTHETIC, UNLABELLED, Governance
from failover.core.vocabulary import Target
from failover.documents import Complaints, Document, Place, ending, shown

LOCAL = "local"
"""The provider of a callable that names none."""


@dataclass(frozen=True, slots=True)
class Audit:
    """Where it is written which target saw which data, and how."""

    file: Path
    on_failure: OnAuditFailure = OnAuditFailure.SERVE
    durability: Durability = Durability.SYSTEM


def governance_of(section: ConfigSection, targets: Mapping[str, Target]) -> Governance:
    """Who may have which data, by the terms that the config tells."""
    terms = {}
    for name, target in section.targets.items():
        provider = section.providers.get(target.provider or LOCAL)
        terms[name] = (*layers(None if provider is None else provider.terms), *layers(target.terms))
    return Governance(
        targets=dict(targets),
        terms=terms,
        classes={name: requirement(each.require) for name, each in section.data_classes.items()},
        owner=owner(section.organisation or Organisation()),
        routes={name: route.data_class for name, route in section.routes.items() if route.data_class},
        default=section.default_data_class or UNLABELLED,
    )


def audit_of(section: AuditSection | None, folder: Path | None) -> Audit | None:
    """The audit trail that the config asks for."""
    if section is None:
        return None
    return Audit((folder or Path()) / section.file, section.on_failure, section.durability)


def check_governance(section: ConfigSection, document: Document, complaints: Complaints) -> None:
    """Add a complaint for every class and provider that is not there, and for terms that never hold."""
    classes = document.names("data_classes")
    for place, name in _classes_named(section):
        if name not in classes:
            what = f"unknown data class {shown(name)}{ending(name, classes)}"
            what += "" if classes else "; define it under 'data_classes'"
            complaints.add(document, place, what)
    known = (*document.names("providers"), LOCAL)
    for place, name in _providers_named(section):
        if name not in known:
            complaints.add(document, place, f"unknown provider {shown(name)}{ending(name, known)}")
    for place, terms in _terms_told(section):
        begins_s, ends_s = terms.valid_from, terms.valid_to
        if begins_s is not None and ends_s is not None and begins_s >= ends_s:
            complaints.add(document, (*place, "valid_to"), "must be later than valid_from")


def _classes_named(section: ConfigSection) -> Iterator[tuple[Place, str]]:
    if section.default_data_class is not None:
        yield ("default_data_class",), section.default_data_class
    for name, route in section.routes.items():
        if route.data_class is not None:
            yield ("routes", name, "data_class"), route.data_class


def _providers_named(section: ConfigSection) -> Iterator[tuple[Place, str]]:
    for name, each in section.data_classes.items():
        for key in ("providers_allowed", "providers_barred"):
            told = getattr(each.require, key)
            place: Place = ("data_classes", name, "require", key)
            if isinstance(told, str):
                yield place, told
            else:
                yield from (((*place, position), word) for position, word in enumerate(told or ()))


def _terms_told(section: ConfigSection) -> Iterator[tuple[Place, TermsSection]]:
    for where in ("providers", "targets"):
        holders: Mapping[str, Provider | TargetSection] = getattr(section, where)
        for name, holder in holders.items():
            told = holder.terms
            place: Place = (where, name, "terms")
            if isinstance(told, list):
                yield from (((*place, position), terms) for position, terms in enumerate(told))
            elif told is not None:
                yield place, told


def is_label(governance: Governance, data_class: str) -> bool:
    """Whether a request may be of that class; one that names none may be of none."""
    return data_class in (UNLABELLED, SYNTHETIC) or governance.knows(data_class)


def unknown_class(governance: Governance, data_class: str) -> str:
    """What to say of a class that nobody defined."""
    if not governance.classes:
        return f"unknown data class {shown(data_class)}: the config has none; define it under 'data_classes'"
    return f"unknown data class {shown(data_class)}; the config has: {', '.join(sorted(governance.classes))}"
