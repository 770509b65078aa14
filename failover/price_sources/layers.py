"""A price list, and dated facts over it: when each of them holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf

from failover.core.prices import DatedPrice, Origin, PriceBook
from failover.price_sources.dates import day_s
from failover.price_sources.facts import COLLECTED, Fact

HALF_HOUR_S, WEEK_S = 1800, 7 * 86_400


def dated(listed: Sequence[DatedPrice], facts: Sequence[Fact]) -> tuple[DatedPrice, ...]:
    """What the price list says, dated by the facts; weakest first.

    In each stretch between two known changes the list holds where it says the same (it also knows cached
    tokens and longer prompts), or where it is newer than the last fact; else the facts hold.
    """
    told = [fact for fact in facts if not fact.price.origin.cancelled]
    cancelled = tuple(fact.price for fact in facts if fact.price.origin.cancelled)
    if not told:
        return (*listed, *cancelled)
    found: list[DatedPrice] = []
    for origin, begins_s, ends_s in _stretches(listed, told):
        if origin is None:
            found += clipped((fact.price for fact in told), begins_s, ends_s)
        else:
            found += clipped((replace(each, origin=origin) for each in listed), begins_s, ends_s)
    return (*found, *cancelled)


Stretch = tuple[Origin | None, float | None, float | None]
"""In which time the list holds, by what origin; None: the facts do."""


def _stretches(listed: Sequence[DatedPrice], told: Sequence[Fact]) -> list[Stretch]:
    as_of_s = _as_of_s(listed)
    marks = {at_s for fact in told for at_s in (fact.price.valid_from_s, fact.price.valid_to_s)}
    cuts = sorted(at_s for at_s in marks | {as_of_s} if at_s is not None and at_s != -inf)
    edges: list[float | None] = [None, *cuts, None]
    held: list[Stretch] = []
    for begins_s, ends_s in pairwise(edges):
        fact = _last(told, begins_s)
        origin = None
        if listed and _list_holds(listed, told, fact, (begins_s, ends_s), as_of_s):
            origin = _dated_origin(listed, fact)
        if held and held[-1][0] == origin:
            held[-1] = (origin, held[-1][1], ends_s)
        else:
            held.append((origin, begins_s, ends_s))
    return held


def clipped(prices: Iterable[DatedPrice], begins_s: float | None, ends_s: float | None) -> list[DatedPrice]:
    """What of them lies in that time, in their order."""
    return [part for part in (each.clipped(begins_s, ends_s) for each in prices) if part is not None]


def _as_of_s(listed: Sequence[DatedPrice]) -> float:
    """When the list was made. One that is newer than all this package knows is newer than its facts."""
    if not listed:
        return -inf
    as_of_s = listed[0].origin.as_of_s
    return day_s(COLLECTED) if as_of_s is None else as_of_s


def _list_holds(
    listed: Sequence[DatedPrice],
    told: Sequence[Fact],
    fact: Fact | None,
    stretch: tuple[float | None, float | None],
    as_of_s: float,
) -> bool:
    if fact is None:
        return True
    known_s = max(fact.as_of_s, _number(fact.price.valid_from_s))
    return _number(stretch[0]) >= as_of_s >= known_s or _agree(
        [each.price for each in told], listed, *stretch
    )


def _agree(
    facts: Sequence[DatedPrice], listed: Sequence[DatedPrice], begins_s: float | None, ends_s: float | None
) -> bool:
    """Whether both say the same rates of plain tokens, at every hour of a week where it depends on that."""
    book = PriceBook({"facts": tuple(facts), "listed": tuple(listed)})
    if begins_s is None:
        begins_s = 0.0 if ends_s is None else ends_s - WEEK_S
    steps = 1
    if any(each.hours for each in (*facts, *listed)):
        lasts_s = WEEK_S if ends_s is None else min(WEEK_S, ends_s - begins_s)
        steps = max(1, int(lasts_s // HALF_HOUR_S))
    instants = [begins_s + step * HALF_HOUR_S for step in range(steps)]
    return all(_plain(book, "facts", each) == _plain(book, "listed", each) for each in instants)


def _plain(book: PriceBook, name: str, at_s: float) -> tuple[object, ...] | None:
    price = book.in_force(name, at_s)
    if price is None:
        return None
    # A fact without tiers says nothing of them; one that has some knows a surcharge that was.
    tiers = price.tiers if name == "facts" else ()
    return price.input_nusd_per_mtok, price.output_nusd_per_mtok, tiers


def _last(told: Sequence[Fact], begins_s: float | None) -> Fact | None:
    """The fact that holds at `begins_s`, whatever the hour; None where none does."""
    holding = [each for each in told if each.price.lies_in(_number(begins_s))]
    return holding[-1] if holding else None


def _dated_origin(listed: Sequence[DatedPrice], fact: Fact | None) -> Origin:
    """The list's, with what the fact adds: when it came into force, and whether it is a promotion."""
    origin = listed[0].origin
    if fact is None:
        return origin
    says = fact.price.origin
    return replace(
        origin,
        source=f"{origin.source}, dated by {says.source}",
        note=says.note,
        undated=False,
        promotion=says.promotion,
        announced=says.announced,
    )


def _number(at_s: float | None) -> float:
    return -inf if at_s is None else at_s
