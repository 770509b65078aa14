"""What is done to the learned state from outside: an operator's word about a target, and another config.

Times are seconds of the driver's clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from failover.core import fate
from failover.core.events import (
    ConfigReloaded,
    TargetDrained,
    TargetForcedOpen,
    TargetReset,
    TargetUndrained,
)
from failover.core.failures import DISPOSITIONS, StayAway
from failover.core.learned import Learned
from failover.core.target_state import TargetState
from failover.core.vocabulary import Route


def drain(learned: Learned, state: TargetState, now: float) -> None:
    """No new attempts at a target; those that run may end."""
    if not state.drained:
        state.drained = True
        learned.recorder.tell(TargetDrained(now, state.target.name))


def undrain(learned: Learned, state: TargetState, now: float) -> None:
    """A drained target may be tried again."""
    if state.drained:
        state.drained = False
        learned.recorder.tell(TargetUndrained(now, state.target.name))


def force_open(learned: Learned, state: TargetState, now: float, for_s: float | None) -> None:
    """Open a target's breaker for `for_s` seconds; None: until `reset`."""
    learned.recorder.now = now
    until_s = None if for_s is None else now + for_s
    learned.recorder.tell(TargetForcedOpen(now, state.target.name, until_s))
    state.breaker.force_open(now, inf if for_s is None else for_s)


def reset(learned: Learned, state: TargetState, now: float) -> None:
    """Forget what speaks against a target; its usual speed is kept, and so is a drain."""
    learned.recorder.now = now
    learned.recorder.tell(TargetReset(now, state.target.name))
    state.breaker.reset(now)
    state.ramp.end()
    state.cooldown_until_s = 0.0
    state.cooldowns = 0
    state.retired_by = None
    state.gone_evidence = 0
    state.refusals.clear()
    state.quota.forget()
    state.history.forget()
    fate.forgive(state.member)


def successor(learned: Learned, routes: Iterable[Route], now: float) -> Learned:
    """What is known when `routes` come into force; `learned` itself serves on the calls under way.

    Both share the state of every target that stays the same, with its breaker policy, and the budget
    and the token mean of every route whose policy stays the same. Retirements until a reload end.
    """
    learned.recorder.now = now
    after = Learned(routes, recorder=learned.recorder, quotas=learned.counting.quotas)
    for name, route in after.routes.items():
        if name in learned.routes and learned.routes[name].policy == route.policy:
            after.budgets[name] = learned.budgets[name]
            after.tokens_out[name] = learned.tokens_out[name]
            if name in learned.hedges:
                after.hedges[name] = learned.hedges[name]
    reloaded = _reloaded(learned, after, now)
    learned.recorder.tell(reloaded)
    for name in reloaded.kept:
        after.states[name] = learned.states[name]
    for name in reloaded.reinstated:
        after.states[name].retired_by = None
    for name in reloaded.renewed:
        if name in learned.states:
            _obey(after.states[name], learned.states[name], now)
    after.bind()
    return after


def _reloaded(before: Learned, after: Learned, now: float) -> ConfigReloaded:
    kept = [name for name in after.states if name in before.states and _same(before, after, name)]
    return ConfigReloaded(
        now,
        kept=tuple(kept),
        renewed=tuple(name for name in after.states if name not in kept),
        dropped=tuple(name for name in before.states if name not in after.states),
        reinstated=tuple(name for name in kept if _is_retired_until_reload(before.states[name])),
    )


def _same(before: Learned, after: Learned, name: str) -> bool:
    old, new = before.states[name], after.states[name]
    return old.target == new.target and old.breaker.policy == new.breaker.policy


def _is_retired_until_reload(state: TargetState) -> bool:
    kind = state.retired_by
    return kind is not None and DISPOSITIONS[kind].stay_away is StayAway.UNTIL_RELOAD


def _obey(state: TargetState, before: TargetState, now: float) -> None:
    """What an operator said of a target by its name holds also after its config was changed."""
    state.drained = before.drained
    if state.limiter is not None:
        state.limiter.take_over(before)
    left_s = before.breaker.forced_until_s - now
    if left_s > 0:
        state.breaker.force_open(now, left_s)
