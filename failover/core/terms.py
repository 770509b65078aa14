"""Terms: what a provider may do with data, dated; what a data class requires; and where the two disagree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import inf
from typing import Any

DAY_S = 86_400.0

Words = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds from `valid_from_s` up to `valid_to_s` (epoch seconds); None: nothing is said of it.

    `retention_days` is `inf` where data are kept without end. `residency` names every place that data may
    lie in. `owned_from`, `callers_in` and `sectors` name whom the provider does not serve: by where their
    owners sit, by where they call from, by what they are. `reviewed_s` is when somebody last read all this.
    """

    retention_days: float | None = None
    trains_on_data: bool | None = None
    dpa: bool | None = None
    residency: Words | None = None
    agreements: Words | None = None
    certifications: Words | None = None
    owned_from: Words | None = None
    callers_in: Words | None = None
    sectors: Words | None = None
    reviewed_s: float | None = None
    source: str | None = None
    valid_from_s: float = -inf
    valid_to_s: float = inf

    def covers(self, as_of_s: float) -> bool:
        """Whether they are in force at `as_of_s`."""
        return self.valid_from_s <= as_of_s < self.valid_to_s


SAID = tuple(field.name for field in fields(Terms) if not field.name.startswith("valid_"))
"""What terms can say."""

Layers = tuple[Terms, ...]
"""Terms one upon the other: a provider's, in the order they are listed, and then its target's own."""


def in_force(layers: Layers, as_of_s: float) -> Terms:
    """All that is said at `as_of_s`. Key by key, the last of those in force that says something wins."""
    said: dict[str, Any] = {}
    for terms in layers:
        if terms.covers(as_of_s):
            said |= {name: value for name in SAID if (value := getattr(terms, name)) is not None}
    return Terms(**said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What must hold of a target's terms; None: it does not matter.

    Of the same names as in `Terms`: at most so many `retention_days`, data within `residency`, all of the
    `agreements` and `certifications`. `owned_from`, `callers_in` and `sectors` are what we are: nobody may
    bar that.
    """

    retention_days: float | None = None
    trains_on_data: bool | None = None
    dpa: bool | None = None
    residency: Words | None = None
    agreements: Words | None = None
    certifications: Words | None = None
    owned_from: Words | None = None
    callers_in: Words | None = None
    sectors: Words | None = None
    providers_allowed: Words | None = None
    providers_barred: Words | None = None
    reviewed_within_days: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether anybody meets it."""
        return self == ANYBODY


ANYBODY = Requirement()
"""Asks nothing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that terms say and a requirement asks: of both, `broken` makes what is wrong, if anything."""

    key: str
    about: str
    broken: Callable[[Any, Any], str | None]


def _days(number: float) -> str:
    return "without end" if number == inf else "1 day" if number == 1 else f"{number:g} days"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def _retained(said: float, asked: float) -> str | None:
    return f"retention {_days(said)}, at most {_days(asked)} allowed" if said > asked else None


def _trained(said: bool, asked: bool) -> str | None:  # noqa: FBT001  two answers to one question
    return "it trains on data" if said and not asked else None


def _unsigned(said: bool, asked: bool) -> str | None:  # noqa: FBT001  two answers to one question
    return "there is no data processing agreement" if asked and not said else None


def _strayed(said: Words, asked: Words) -> str | None:
    where = f"data may lie in {_listed(said)}, only {_listed(asked)} is allowed"
    return where if not said <= asked else None


def _lacking(what: str) -> Callable[[Words, Words], str | None]:
    return lambda said, asked: f"without {what} {_listed(asked - said)}" if asked - said else None


def _barring(who: str) -> Callable[[Words, Words], str | None]:
    return lambda said, asked: f"it bars {who} {_listed(said & asked)}" if said & asked else None


RULES: tuple[Rule, ...] = (
    Rule("retention_days", "how long data are kept", _retained),
    Rule("trains_on_data", "training on data", _trained),
    Rule("dpa", "a data processing agreement", _unsigned),
    Rule("residency", "where data lie", _strayed),
    Rule("agreements", "agreements", _lacking("the agreement")),
    Rule("certifications", "certifications", _lacking("the certification")),
    Rule("owned_from", "whom it bars by owner", _barring("those owned from")),
    Rule("callers_in", "whom it bars by place", _barring("callers in")),
    Rule("sectors", "whom it bars by sector", _barring("the sector")),
)
"""Whatever is asked and not said is not met: governance fails closed."""


def objections(provider: str, terms: Terms, requirement: Requirement, as_of_s: float) -> tuple[str, ...]:
    """Why a target of `provider` on these terms may not have such data at `as_of_s`; empty: it may."""
    found = [*_of_provider(provider, requirement)]
    for rule in RULES:
        asked, said = getattr(requirement, rule.key), getattr(terms, rule.key)
        if asked is None:
            continue
        what = f"its terms say nothing of {rule.about}" if said is None else rule.broken(said, asked)
        if what is not None:
            found.append(what)
    stale_s = stale_from_s(terms, requirement)
    if as_of_s >= stale_s:
        days = requirement.reviewed_within_days
        found.append(
            "its terms were never reviewed"
            if terms.reviewed_s is None
            else f"its terms were reviewed on {_date(terms.reviewed_s)}, more than {_days(days or 0)} ago"
        )
    return tuple(found)


def stale_from_s(terms: Terms, requirement: Requirement) -> float:
    """From when on the last review of these terms is too old for the requirement (epoch seconds)."""
    if requirement.reviewed_within_days is None:
        return inf
    return -inf if terms.reviewed_s is None else terms.reviewed_s + requirement.reviewed_within_days * DAY_S


def _of_provider(provider: str, requirement: Requirement) -> Iterable[str]:
    allowed = requirement.providers_allowed
    if allowed is not None and provider not in allowed:
        yield f"the provider {provider} is not one of {_listed(allowed)}"
    if provider in (requirement.providers_barred or ()):
        yield f"the provider {provider} is barred"


def _date(epoch_s: float) -> str:
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%d}"
