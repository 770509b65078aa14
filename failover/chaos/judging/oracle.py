"""The omniscient router: what any router could at best have served in this world.

Since the world is a pure function, every attempt that could have been made can be looked at. A request
is servable when some ask of some target of its route, sent at some time before the deadline, ends in a
success in time. Looking only at the arrival and at the ends of injections is enough: between them the
world stands still for a given ask, and a growing share only takes answers away.
"""

from __future__ import annotations

from math import inf

from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.world.world import World
from failover.core.failures import Failure
from failover.core.substitution import misfit
from failover.core.vocabulary import Request, Route, Target


class Oracle:
    """Counts, among the requests that our router did not serve, those that nobody could have served.

    Whatever our router served could be served, so only the unserved need a look.
    """

    def __init__(self, world: World, outcomes: Outcomes, route: Route) -> None:
        self.unservable = 0
        self._world = world
        self._outcomes = outcomes
        self._route = route
        self._ends_s = sorted({each.ends_s for each in world.injections if each.ends_s < inf})

    def look(self, request: Request, arrived_s: float) -> None:
        """Take in a request that ended without a reply."""
        if not self.servable(request, arrived_s):
            self.unservable += 1

    def servable(self, request: Request, arrived_s: float) -> bool:
        """Whether any target could have answered `request` within its deadline."""
        policy = self._route.policy
        deadline_s = arrived_s + (policy.deadline_s if request.deadline_s is None else request.deadline_s)
        starts_s = [arrived_s, *(end_s for end_s in self._ends_s if arrived_s < end_s < deadline_s)]
        return any(
            self._answers(target, request, ask, start_s, deadline_s)
            for start_s in starts_s
            for target in self._route.targets()
            if misfit(target, request.needs) is None
            for ask in range(1, policy.attempts + 1)
        )

    def _answers(self, target: Target, request: Request, ask: int, start_s: float, deadline_s: float) -> bool:
        exchange = self._world.exchange(target, request.id, ask, start_s, stream=request.stream)
        if start_s + exchange.total_s > deadline_s:
            return False
        return not isinstance(self._outcomes.of(target, exchange.image), Failure)
