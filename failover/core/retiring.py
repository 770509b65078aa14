"""Whose end is due: their successors take their places, and they are asked when nobody else is left."""

from __future__ import annotations

from collections.abc import Mapping

from failover.core.target_state import TargetState
from failover.core.vocabulary import PassedOver, Reason, Target, Tiers


def succeeded(chain: Tiers, states: Mapping[str, TargetState], now: float) -> Tiers:
    """The chain in which the successor of whoever is going stands right before it.

    A successor is one of the chain, so that the author allowed it there, and whatever keeps a target from
    a request keeps this one too. Who is succeeded stays behind it. A successor that is going as well has
    its own before it, and so on.
    """
    if not any(_hands_on(states[target.name], now) for targets in chain for target in targets):
        return chain
    places = {target.name: tier for tier, targets in enumerate(chain) for target in targets}
    tiers = [list(targets) for targets in chain]
    for targets in chain:
        for target in targets:
            _stand_before(target, tiers, places, states, now)
    return tuple(tuple(targets) for targets in tiers if targets)


def _hands_on(state: TargetState, now: float) -> bool:
    return state.ending is not None and bool(state.ending.successor) and state.is_going(now)


def _stand_before(
    target: Target,
    tiers: list[list[Target]],
    places: dict[str, int],
    states: Mapping[str, TargetState],
    now: float,
) -> None:
    seen = {target.name}
    while (ending := states[target.name].ending) is not None and _hands_on(states[target.name], now):
        name = ending.successor
        if name in seen or name not in places:
            return
        seen.add(name)
        successor = states[name].target
        tier, place = places[target.name], tiers[places[target.name]].index(target)
        before = places[name] < tier or (places[name] == tier and tiers[tier].index(successor) < place)
        if not before:
            tiers[places[name]].remove(successor)
            tiers[tier].insert(place, successor)
            places[name] = tier
        target = successor


def without_due(
    order: list[Target], passed_over: list[PassedOver], states: Mapping[str, TargetState], now: float
) -> list[Target]:
    """The order without those whose date has passed, as long as anybody else is in it."""
    due = [target for target in order if is_due(states[target.name], now)]
    if not due or len(due) == len(order):
        return order
    passed_over += [
        PassedOver(target, Reason.RETIREMENT_DUE, None, states[target.name].successor) for target in due
    ]
    return [target for target in order if target not in due]


def is_due(state: TargetState, now: float) -> bool:
    """Whether the date of its end has passed."""
    return state.ending is not None and now >= state.ending.due_s
