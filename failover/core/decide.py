"""Filter and rank: a request becomes a decision, with the reason for everyone passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

from failover.core.capabilities import NOTHING, Needs
from failover.core.governance import Oversight
from failover.core.learned import Learned
from failover.core.lifecycle import NO_CALENDAR, Calendar
from failover.core.prices import PriceBook
from failover.core.retiring import succeeded, without_due
from failover.core.spending import Spending
from failover.core.standing_back import standing_back
from failover.core.strategies import STRATEGIES, Ranking, Rng, Strategy
from failover.core.substitution import misfit
from failover.core.target_state import TargetState
from failover.core.vocabulary import Decision, Operation, PassedOver, Reason, Request, Route, Target


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known from outside: dated prices, who may have whose data, and `epoch_s`.

    The last is the wall time at driver time zero. `calendar`: which targets end when. `spending` None: no
    budget, no alarm and no ledger is configured.
    """

    prices: PriceBook = field(default_factory=PriceBook)
    epoch_s: float = 0.0
    calendar: Calendar = NO_CALENDAR
    oversight: Oversight = field(default_factory=Oversight)
    spending: Spending | None = None


def decide(route: Route, request: Request, learned: Learned, facts: Facts, now: float, rng: Rng) -> Decision:
    """Rank the eligible targets of each tier; tiers keep the author's order. Changes nothing.

    A strategy of the caller's own can lose or invent no target, and where it raises the author's
    order stands: it may be wrong about who is best, and never takes a route down.
    """
    lengths = learned.tokens_out[route.name]
    tokens_out = request.expected_out(lengths.overall.value)
    ranking = Ranking(request, tokens_out, facts.prices, facts.epoch_s + now, rng, now, lengths)
    order: list[Target] = []
    passed_over: list[PassedOver] = []
    shunned: list[PassedOver] = []
    failed = False
    states = learned.states
    counting = learned.counting
    load = counting.load_of(request, lengths.overall.value) if counting.is_on else None
    space = space_of(route.targets()[0]) if request.operation == Operation.EMBEDDING else None
    picky = space is not None or request.needs is not NOTHING
    calendar = facts.calendar
    governed = facts.oversight.newest.is_on or request.data_class
    for tier in succeeded(route.chain, states, now) if calendar.has_successors else route.chain:
        eligible = []
        for target in tier:
            state = states[target.name]
            barred = forbidden(target, request, route, facts, now) if governed else None
            barred = _lack(target, request, space) if picky and barred is None else barred
            if barred is not None:
                passed_over.append(barred)
            elif not state.eligible(now, load):
                passed_over.append(state.passed_over(now, load))
            elif state.refusals and (known := _refusal(state, request.needs, now)) is not None:
                shunned.append(known)
            else:
                eligible.append(state)
        ranked: Sequence[TargetState] | None
        if isinstance(route.strategy, str):
            ranked = STRATEGIES[route.strategy](eligible, ranking)
        else:
            ranked = _ranked_by(route.strategy, eligible, ranking)
            failed = failed or ranked is None
        order.extend(state.target for state in (eligible if ranked is None else ranked))
    if order:
        passed_over.extend(shunned)
    else:
        # What a target refused once it may take in another form: better asked again than nobody.
        order = [each.target for each in shunned]
    order, held_back = _arranged(order, passed_over, learned, calendar, now)
    name = route.strategy_name
    data_class = facts.oversight.own.class_of(request.data_class, route.name) if governed else ""
    return Decision(route.name, name, tuple(order), tuple(passed_over), failed, tuple(held_back), data_class)


def _arranged(
    order: list[Target], passed_over: list[PassedOver], learned: Learned, calendar: Calendar, now: float
) -> tuple[list[Target], list[Target]]:
    """The order without those whose end is due, and at its end those who stand back."""
    if now >= calendar.first_due_s:
        order = without_due(order, passed_over, learned.states, now)
    held_back = standing_back(order, learned, now)
    if held_back:
        names = {target.name for target in held_back}
        order = [target for target in order if target.name not in names] + held_back
    return order, held_back


def forbidden(target: Target, request: Request, route: Route, facts: Facts, now: float) -> PassedOver | None:
    """Why `target` may not have the data of `request` as of now; None: it may."""
    bar = facts.oversight.bar(target, request.data_class, route.name, facts.epoch_s + now)
    if bar is None:
        return None
    until_s = bar.free_s - facts.epoch_s if isfinite(bar.free_s) else None
    return PassedOver(target, Reason.FORBIDDEN_BY_TERMS, until_s, detail=bar.why)


def space_of(target: Target) -> str:
    """The vector space of its embeddings: what its config says, else its model, wherever that is served.

    Vectors of two models mean nothing to each other. A plain function has a space of its own.
    """
    return target.vector_space or target.model.partition("/")[2] or target.model or target.name


def _lack(target: Target, request: Request, space: str | None) -> PassedOver | None:
    if space is not None and space_of(target) != space:
        return PassedOver(target, Reason.OTHER_VECTOR_SPACE)
    lack = misfit(target, request.needs)
    return None if lack is None else PassedOver(target, lack)


def _refusal(state: TargetState, needs: Needs, now: float) -> PassedOver | None:
    until_s = state.refusals.until_s(needs.parameters, now)
    return None if until_s is None else PassedOver(state.target, Reason.PARAMETER_REFUSED, until_s)


def _ranked_by(
    custom: Strategy, eligible: Sequence[TargetState], ranking: Ranking
) -> Sequence[TargetState] | None:
    """Its order, without strangers and repetitions; whom it left out comes last. None: it raised."""
    try:
        ranked = list(custom(tuple(eligible), ranking))
    except Exception:  # noqa: BLE001  # a function of the caller's may raise anything
        return None
    # By identity: what it returned may be of any kind, also one that cannot be compared or hashed.
    left = {id(state): state for state in eligible}
    order = [left.pop(id(each)) for each in ranked if id(each) in left]
    return [*order, *left.values()]
