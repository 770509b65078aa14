"""Who would be asked, and stands at the end of the order instead: never out of it.

What speaks against these targets may be wrong, or over sooner than thought, so it never costs a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from failover.core.breaker import CLOSED
from failover.core.learned import Learned
from failover.core.target_state import TargetState
from failover.core.vocabulary import Target


def standing_back(order: Sequence[Target], learned: Learned, now: float) -> list[Target]:
    """Whose quota is spent as their providers say, then who would be first and is still on its ramp.

    Nobody stands back unless somebody else of the order is known to work.
    """
    states = learned.states
    spent: list[Target] = []
    if learned.counting.quotas.spent_until_s > now:
        spent = [target for target in order if states[target.name].quota.spent_until_s > now]
        if spent:
            names = {target.name for target in spent}
            order = [target for target in order if target.name not in names]
            if not _somebody_works(order, states):
                return []
    if not order or states[order[0].name].ramp.admits(now):
        return spent
    held = list(takewhile(lambda target: not states[target.name].ramp.admits(now), order))
    # Behind everybody whose ramp holds them back stand those of whom the provider said that they cannot.
    return held + spent if _somebody_works(order[len(held) :], states) else spent


def _somebody_works(others: Sequence[Target], states: Mapping[str, TargetState]) -> bool:
    return any(states[each.name].breaker.state == CLOSED for each in others)
