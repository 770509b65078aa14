"""Governance: which target may have data of which class, as of when. It fails closed.

All of it is worked out when a config is put into force, so a call only looks up a name and compares a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import inf
from types import MappingProxyType
from typing import Any

from failover.core.terms import ANYBODY, Layers, Requirement, Terms, in_force, objections, stale_from_s
from failover.core.vocabulary import Target

UNLABELLED = ""
"""The class of a request that names none, on a route that names none, where there is no default."""

SYNTHETIC = "synthetic"
"""The class of what the library sends by itself, to keep a target warm: it holds nobody's data. A config may
define it like any other; else only owner limits bind it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """From `since_s` up to `until_s` (epoch seconds) a target may not have some data, and `why`.

    `free_s` is when it may again, as far as the terms are known: `inf` where they never let it.
    """

    since_s: float
    until_s: float
    free_s: float
    why: str


Bars = Mapping[str, tuple[Bar, ...]]
"""By target, in order of time. Who is not named may always have it."""

_PARTY = ("provider", "model", "region", "credential", "cloud", "api_base", "callable")


def _always(why: str) -> Bar:
    return Bar(-inf, inf, inf, why)


_NO_CLASS = _always("no data class of that name is defined")
_GONE = _always("the config now in force has no such target")


@dataclass(frozen=True, slots=True)
class Governance:
    """What a config says: `terms` by target, data `classes` by name, and which class is whose.

    `owner` is what holds of us, whatever the data: see `Requirement`. `routes` tells the class of requests
    that name none, by route, and `default` that of the others. Where there is neither, they may hold
    anything: only who may have data of every class gets them.
    """

    targets: Mapping[str, Target] = field(default_factory=lambda: MappingProxyType({}))
    terms: Mapping[str, Layers] = field(default_factory=lambda: MappingProxyType({}))
    classes: Mapping[str, Requirement] = field(default_factory=lambda: MappingProxyType({}))
    owner: Requirement = ANYBODY
    routes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    default: str = UNLABELLED
    _bars: Mapping[str, Bars] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = (*self.classes, UNLABELLED, SYNTHETIC) if self.is_on else ()
        known: dict[Any, dict[str, tuple[Bar, ...]]] = {}
        bars: dict[str, dict[str, tuple[Bar, ...]]] = {name: {} for name in names}
        for target in self.targets.values() if names else ():
            # Most targets of a provider share its terms.
            layers = self.terms.get(target.name, ())
            found = known.get((target.provider, layers))
            if found is None:
                found = known[target.provider, layers] = self._barred(target.provider, layers, names)
            for name, barred in found.items():
                bars[name][target.name] = barred
        object.__setattr__(self, "_bars", bars)

    @property
    def is_on(self) -> bool:
        """Whether it forbids anything to anybody."""
        return bool(self.classes) or not self.owner.is_empty

    def knows(self, data_class: str) -> bool:
        """Whether requests may name it."""
        return data_class in self.classes

    def class_of(self, asked: str, route: str) -> str:
        """The class of a request on `route` that names `asked`, which may be empty."""
        return asked or self.routes.get(route) or self.default

    def bar(self, target: str, data_class: str, as_of_s: float) -> Bar | None:
        """Why `target` may not have data of that class at `as_of_s`; None: it may."""
        bars = self._bars.get(data_class)
        if bars is None:
            # Where nothing governs, a label that nobody obeys is refused all the same.
            return _NO_CLASS if self.is_on or data_class not in (UNLABELLED, SYNTHETIC) else None
        for bar in bars.get(target, ()):
            if bar.since_s <= as_of_s < bar.until_s:
                return bar
        return None

    def bars(self, target: str, data_class: str) -> tuple[Bar, ...]:
        """Every stretch of time in which `target` may not have data of that class, in order."""
        return self._bars.get(data_class, {}).get(target, ())

    def bar_of(self, target: Target, data_class: str, as_of_s: float) -> Bar | None:
        """The same of a target as another config has it: one that is not the same here may have nothing."""
        known = self.targets.get(target.name)
        if known is None or any(getattr(known, each) != getattr(target, each) for each in _PARTY):
            return _GONE if self.is_on else None
        return self.bar(target.name, data_class, as_of_s)

    def terms_of(self, target: str, as_of_s: float) -> Terms:
        """All that the terms of `target` say at `as_of_s`."""
        return in_force(self.terms.get(target, ()), as_of_s)

    def turns_s(self, target: str) -> tuple[float, ...]:
        """The instants at which the terms of `target`, or what follows from them, change."""
        edges = {
            edge for terms in self.terms.get(target, ()) for edge in (terms.valid_from_s, terms.valid_to_s)
        }
        for bars in self._bars.values():
            edges |= {edge for bar in bars.get(target, ()) for edge in (bar.since_s, bar.until_s)}
        return tuple(sorted(edges - {-inf, inf}))

    def with_terms(self, added: Mapping[str, Layers]) -> Governance:
        """The same with more terms upon those of some targets, by name."""
        terms = {name: (*self.terms.get(name, ()), *added.get(name, ())) for name in self.targets}
        return replace(self, terms=terms)

    def requirements(self, data_class: str) -> Mapping[str, Requirement]:
        """What data of that class require, by the names of the classes it may be of."""
        if data_class in self.classes:
            return {data_class: self.classes[data_class]}
        return {} if data_class == SYNTHETIC else self.classes

    def _barred(self, provider: str, layers: Layers, names: Iterable[str]) -> dict[str, tuple[Bar, ...]]:
        """When one on such terms may not have data, by class; without those that it always may have."""
        found = {name: _joined(self._stretches(provider, layers, name)) for name in names}
        return {name: bars for name, bars in found.items() if bars}

    def _stretches(
        self, provider: str, layers: Layers, data_class: str
    ) -> Iterable[tuple[float, float, str]]:
        edges = {-inf, inf} | {edge for terms in layers for edge in (terms.valid_from_s, terms.valid_to_s)}
        requirements = self.requirements(data_class)
        for since_s in sorted(edges - {inf}):
            terms = in_force(layers, since_s)
            edges |= {stale_from_s(terms, each) for each in requirements.values()}
        for since_s, until_s in pairwise(sorted(edges)):
            terms = in_force(layers, since_s)
            why = list(objections(provider, terms, self.owner, since_s))
            for name, requirement in requirements.items():
                label = "" if name == data_class else f"if it is {name}: "
                why += [label + each for each in objections(provider, terms, requirement, since_s)]
            yield since_s, until_s, "; ".join(dict.fromkeys(why))


def _joined(stretches: Iterable[tuple[float, float, str]]) -> tuple[Bar, ...]:
    """One bar for each reason in a row; `free_s` is the end of the row of reasons."""
    bars: list[Bar] = []
    free_s = inf
    for since_s, until_s, why in reversed(list(stretches)):
        if not why:
            free_s = since_s
        elif bars and bars[-1].why == why and bars[-1].since_s == until_s:
            bars[-1] = replace(bars[-1], since_s=since_s)
        else:
            bars.append(Bar(since_s, until_s, free_s, why))
    return tuple(reversed(bars))


class Newest:
    """The governance of the config that is in force now: one for a router, whatever its config becomes.

    `is_on` stays on: a call may be older than the config that no longer governs.
    """

    __slots__ = ("governance", "is_on")

    def __init__(self, governance: Governance) -> None:
        self.governance = governance
        self.is_on = governance.is_on

    def put(self, governance: Governance) -> None:
        """Another one is in force from now on, for calls under way too."""
        self.governance = governance
        self.is_on = self.is_on or governance.is_on


class Oversight:
    """Who judges the sends of the calls of one config: its own governance, and the newest of its router.

    Calls end under the config they began with; but what a later one forbids is forbidden to them too.
    """

    __slots__ = ("newest", "own")

    def __init__(self, own: Governance | None = None, newest: Newest | None = None) -> None:
        self.own = Governance() if own is None else own
        self.newest = Newest(self.own) if newest is None else newest

    def bar(self, target: Target, asked: str, route: str, as_of_s: float) -> Bar | None:
        """Why `target` may not have the data of a request that names the class `asked`; None: it may."""
        own, newest = self.own, self.newest.governance
        bar = own.bar(target.name, own.class_of(asked, route), as_of_s)
        if bar is None and newest is not own:
            bar = newest.bar_of(target, newest.class_of(asked, route), as_of_s)
        return bar
