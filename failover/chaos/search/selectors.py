"""What a fault may hit on a route: the fault domains that its targets really share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from failover.core.vocabulary import FaultDomain, Target

Selector = tuple[str, str]
"""A fault domain and a name in it: `("provider", "openai")`."""

EVERYTHING: Selector = (FaultDomain.PROVIDER.value, "*")

ORDER = (
    FaultDomain.TARGET,
    FaultDomain.MODEL,
    FaultDomain.CREDENTIAL,
    FaultDomain.REGION,
    FaultDomain.PROVIDER,
    FaultDomain.EDGE,
    FaultDomain.CLOUD,
)
"""From what fails alone to what takes most with it: the smaller story is the simpler one."""


@dataclass(frozen=True, slots=True)
class Reach:
    """A selector, and the names of the route's targets that it hits."""

    selector: Selector
    hits: frozenset[str]


def reaches_of(targets: Sequence[Target]) -> tuple[Reach, ...]:
    """Every fault domain of `targets`, those with the fewest targets first, then all targets at once."""
    found: dict[Selector, frozenset[str]] = {}
    for domain in ORDER:
        for target in targets:
            name = target.domain(domain)
            # A name with a wildcard in it would hit more than it says.
            if name and not set("*?[") & set(name):
                hits = frozenset(each.name for each in targets if each.domain(domain) == name)
                found.setdefault((domain.value, name), hits)
    found.setdefault(EVERYTHING, frozenset(each.name for each in targets))
    reaches = (Reach(selector, hits) for selector, hits in found.items())
    return tuple(sorted(reaches, key=lambda reach: len(reach.hits)))


def distinct(reaches: Iterable[Reach]) -> tuple[Reach, ...]:
    """Two that hit the same targets tell the same story: of those the first is kept."""
    kept: dict[frozenset[str], Reach] = {}
    for reach in reaches:
        kept.setdefault(reach.hits, reach)
    return tuple(kept.values())
