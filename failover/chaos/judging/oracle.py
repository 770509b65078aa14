"""The omniscient router: what any router could at best have done in this world.

Since the world is a pure function, every attempt that could have been made can be looked at. A request
is servable when some ask of some target of its route, sent at some time before the deadline, ends in a
success in time. Looking only at the arrival and at the instants at which attempts may begin to fare better
is enough: between them the world stands still for a given ask, and a growing share only takes answers away.
It knows no budget: what one request may cost depends on all before it, and without that it is a bound still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, inf

from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.routes import Routes
from failover.chaos.workload import Asked
from failover.chaos.world.image import Exchange
from failover.chaos.world.outcome import Outcome, pace
from failover.chaos.world.world import World
from failover.core.decide import space_of
from failover.core.doubts import judged
from failover.core.events import CallEnded
from failover.core.substitution import misfit
from failover.core.vocabulary import Operation, Request, Route, Target, Usage

LOOKED_AT_MAX = 1_000
"""How many served requests are compared with what was possible; of more, every so many-th.

A look takes as long as two simulated requests: with these a drill of any length keeps its speed.
"""

Told = Callable[[float, int | None, float], None]


@dataclass(frozen=True, slots=True)
class Best:
    """The least that a request could have cost and taken. `cost_nusd` None: nobody knows a price."""

    cost_nusd: int | None
    latency_s: float


@dataclass(frozen=True, slots=True)
class Possible:
    """What would have been possible, of the requests that were looked at.

    `unservable` counts, among all requests that our router did not serve, those that nobody could have.
    `looked_at` are served requests, whose latencies are summed up; `priced` those of them of which every
    cost is known, ours and the best.
    """

    unservable: int
    looked_at: int
    priced: int
    cost_nusd: int
    cost_best_nusd: int
    latency_sum_s: float
    latency_best_sum_s: float


class Oracle:
    """Listens to how calls end, and looks at what could have become of them.

    Whatever our router served could be served, so only the unserved are looked at for that. `told` hears
    of each comparison: when the request arrived, and the least it could have cost and taken.
    """

    def __init__(
        self, world: World, outcomes: Outcomes, routes: Routes, requests: float, told: Told | None = None
    ) -> None:
        self._world = world
        self._outcomes = outcomes
        self._routes = {route.name: route for route in routes.called}
        # Every so many-th request, counted from one that the seed draws.
        self._every = max(1, ceil(requests / LOOKED_AT_MAX))
        self._first = int(world.chance.uniform("oracle") * self._every)
        self._told = told
        self._running: dict[str, tuple[Asked, float]] = {}
        self._unservable = self._looked_at = self._priced = self._cost_nusd = self._cost_best_nusd = 0
        self._latency_sum_s = self._latency_best_sum_s = 0.0

    def arrived(self, asked: Asked, at_s: float) -> None:
        """A request arrived: how it ends is told by its event."""
        self._running[asked.request.id] = asked, at_s

    def call_ended(self, event: CallEnded) -> None:
        """Could it have been served at all, or better?"""
        asked, arrived_s = self._running.pop(event.call)
        if event.target is None:
            self._unservable += not self.servable(asked, arrived_s)
        elif int(event.call) % self._every == self._first:
            self._compare(asked, arrived_s, event)

    def possible(self) -> Possible:
        """What was found out so far."""
        return Possible(
            self._unservable,
            self._looked_at,
            self._priced,
            self._cost_nusd,
            self._cost_best_nusd,
            self._latency_sum_s,
            self._latency_best_sum_s,
        )

    def servable(self, asked: Asked, arrived_s: float) -> bool:
        """Whether any target could have answered within the deadline."""
        return any(True for _ in self._successes(asked, arrived_s))

    def best(self, asked: Asked, arrived_s: float) -> Best | None:
        """The cheapest and the fastest answer, which may be two; None: there is none."""
        ended_s, cost_nusd = inf, None
        until_s = self._deadline_s(asked, arrived_s)
        charged: set[tuple[str, int]] = set()
        for target, each_ended_s, outcome in self._successes(asked, arrived_s):
            ended_s = min(ended_s, each_ended_s)
            # Outcomes are shared by all attempts that meet the same image: so is their charge.
            if (target.name, id(outcome)) in charged:
                continue
            charged.add((target.name, id(outcome)))
            usage = _whole_usage(outcome.usage, asked.request, target)
            charge_nusd = self._charge_nusd(target, usage, arrived_s, until_s)
            if charge_nusd is not None:
                cost_nusd = charge_nusd if cost_nusd is None else min(cost_nusd, charge_nusd)
        return None if ended_s == inf else Best(cost_nusd, ended_s - arrived_s)

    def _compare(self, asked: Asked, arrived_s: float, event: CallEnded) -> None:
        best = self.best(asked, arrived_s)
        if best is None:
            return  # the property test looks for this: it would be a router that beats the oracle
        self._looked_at += 1
        self._latency_sum_s += event.at_s - event.started_s
        self._latency_best_sum_s += best.latency_s
        if best.cost_nusd is not None and event.cost_nusd is not None:
            self._priced += 1
            self._cost_nusd += event.cost_nusd
            self._cost_best_nusd += best.cost_nusd
        if self._told is not None:
            self._told(arrived_s, best.cost_nusd, best.latency_s)

    def _successes(self, asked: Asked, arrived_s: float) -> Iterator[tuple[Target, float, Outcome]]:
        """Every way of answering in time: by whom, when it is there, and what it comes to."""
        route, request, exchange_of = self._routes[asked.route], asked.request, self._world.exchange
        deadline_s = self._deadline_s(asked, arrived_s)
        streams = {request.stream, request.stream or route.policy.stream_upstream}
        turns_s = {
            turn_s
            for injection in self._world.injections
            for turn_s in injection.turns_s(arrived_s, deadline_s)
        }
        turns_s |= self._terms_turn_s(route, arrived_s, deadline_s)
        starts_s = (arrived_s, *sorted(turns_s))
        asks = range(1, route.policy.attempts + 1)
        for target, start_s, stream, ask in product(_able(route, request), starts_s, streams, asks):
            if not self._is_allowed(target, asked, start_s):
                continue
            exchange = exchange_of(target, asked, ask, start_s, stream=stream)
            if start_s + exchange.first_token_s > deadline_s:
                continue
            outcome = self._outcomes.of(target, asked.shape, exchange.image, stream=stream)
            ended_s = start_s + _takes_s(exchange, outcome)
            if ended_s <= deadline_s and _is_good(route, outcome):
                yield target, ended_s, outcome

    def _terms_turn_s(self, route: Route, since_s: float, until_s: float) -> set[float]:
        """When, between the two, somebody may be sent what he might not have before."""
        governance, epoch_s = self._world.governance, self._world.start_epoch_s
        if not governance.is_on:
            return set()
        turns_s = (turn_s for target in route.targets() for turn_s in governance.turns_s(target.name))
        return {turn_s - epoch_s for turn_s in turns_s if since_s < turn_s - epoch_s < until_s}

    def _is_allowed(self, target: Target, asked: Asked, at_s: float) -> bool:
        """Under the same governance as ours: what nobody told us does not bind the oracle either."""
        governance = self._world.governance
        data_class = governance.class_of(asked.request.data_class, asked.route)
        return governance.bar(target.name, data_class, self._world.start_epoch_s + at_s) is None

    def _deadline_s(self, asked: Asked, arrived_s: float) -> float:
        asked_s = asked.request.deadline_s
        return arrived_s + (self._routes[asked.route].policy.deadline_s if asked_s is None else asked_s)

    def _charge_nusd(self, target: Target, usage: Usage | None, since_s: float, until_s: float) -> int | None:
        """What it costs at the best price that is in force at any time until the deadline."""
        if usage is None or not (usage.tokens_in or usage.tokens_out):
            return 0
        start_s, prices = self._world.start_epoch_s, self._world.prices
        since_s, until_s = start_s + since_s, start_s + until_s
        instants = (since_s, *prices.turns_s(target.name, since_s, until_s))
        in_force = (prices.in_force(target.name, at_s) for at_s in instants)
        return min((price.charge_nusd(usage) for price in in_force if price is not None), default=None)


def _able(route: Route, request: Request) -> Iterator[Target]:
    """Who can do the job, as far as is known."""
    targets = route.targets()
    space = space_of(targets[0]) if request.operation == Operation.EMBEDDING else None
    for target in targets:
        if (space is None or space_of(target) == space) and misfit(target, request.needs) is None:
            yield target


def _whole_usage(usage: Usage | None, request: Request, target: Target) -> Usage | None:
    """With its prompt, where its provider told nothing: as an attempt is charged."""
    if usage is None or usage.tokens_in or not usage.estimated:
        return usage
    return replace(usage, tokens_in=request.tokens_in_at(target))


def _takes_s(exchange: Exchange, outcome: Outcome) -> float:
    if outcome.course is None:
        return exchange.total_s
    return pace(exchange, outcome.course).at_s(outcome.course.ended)


def _is_good(route: Route, outcome: Outcome) -> bool:
    if outcome.failure is not None:
        return False
    doubts = outcome.doubts if outcome.course is None else (*outcome.course.doubts, *outcome.doubts)
    return not doubts or judged(route.policy, doubts)[0] is None
