"""What targets cost in a simulated world: dated prices with the price changes woven in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf

from failover.chaos.injections import Injection
from failover.core.prices import DatedPrice, PriceBook
from failover.core.vocabulary import Target
from failover.core.world_events import PriceInForce


def woven(
    target: Target, injections: Sequence[Injection], prices: PriceBook, start_epoch_s: float
) -> tuple[DatedPrice, ...]:
    """The target's prices with the price changes woven in: for each stretch of time, those of its hours."""
    changes = [
        (start_epoch_s + injection.at_s, start_epoch_s + injection.ends_s, injection)
        for injection in injections
        if injection.changes_prices and injection.hits(target)
    ]
    # Compared as wall time throughout: a drill's time is finer, and would not come back the same.
    marks = {at_s for begins_s, ends_s, _ in changes for at_s in (begins_s, ends_s)}
    dated = prices.prices.get(target.name, ())
    for each in dated:
        marks |= {at_s for at_s in (each.valid_from_s, each.valid_to_s) if at_s is not None}
    edges = sorted(marks - {inf})
    found = []
    for since_s, until_s in pairwise([None, *edges, None]):
        as_of_s = start_epoch_s if not edges else edges[0] - 1.0 if since_s is None else since_s
        for price in _in_force(dated, as_of_s):
            changed = price
            for begins_s, ends_s, change in changes:
                if begins_s <= as_of_s < ends_s:
                    changed = change.reprice(changed)
            found.append(replace(changed, valid_from_s=since_s, valid_to_s=until_s))
    return tuple(found)


def price_events(
    target: str, prices: PriceBook, start_epoch_s: float, until_s: float
) -> Iterator[PriceInForce]:
    """What `target` costs when a drill begins, and each other price until `until_s`, in the drill's time."""
    price = prices.in_force(target, start_epoch_s)
    if price is not None:
        yield _told(0.0, target, price)
    for turn_s in prices.turns_s(target, start_epoch_s, start_epoch_s + until_s):
        yield _told(turn_s - start_epoch_s, target, prices.in_force(target, turn_s))


def _in_force(dated: Sequence[DatedPrice], as_of_s: float) -> list[DatedPrice]:
    """The price that holds then, and those of certain hours that lie over it."""
    found: list[DatedPrice] = []
    for price in reversed(dated):
        if price.lies_in(as_of_s):
            found.insert(0, price)
            if price.hours is None:
                break
    return found


def _told(at_s: float, target: str, price: DatedPrice | None) -> PriceInForce:
    if price is None:
        return PriceInForce(at_s, target, None, None)
    rates = price.input_nusd_per_mtok, price.output_nusd_per_mtok
    return PriceInForce(at_s, target, *rates, price.kinds, price.tiers)
