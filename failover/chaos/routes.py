"""The routes that a drill calls, among all those of its config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from failover.core.policy import Policy
from failover.core.spend import Budget
from failover.core.vocabulary import Route, Target


@dataclass(frozen=True, slots=True)
class Routes:
    """`called` are those that the workload asks for; `config` are all, by name, in the author's order.

    What is learned of a target is learned by all routes together, under the policy of the first. `budgets`
    hold for all of them.
    """

    called: tuple[Route, ...]
    config: Mapping[str, Route]
    budgets: tuple[Budget, ...] = ()

    @classmethod
    def only(cls, route: Route) -> Routes:
        """A config of one route, which is called."""
        return cls((route,), {route.name: route})

    def targets(self) -> tuple[Target, ...]:
        """Every target that may be asked, once, in the author's order."""
        return tuple({target.name: target for target in _targets(self.called)}.values())

    def learning_policy(self, target: str) -> Policy:
        """The policy that a target's breaker follows."""
        holders = (route for route in self.config.values() if any(target == t.name for t in route.targets()))
        return next(holders).policy

    def deadline_max_s(self) -> float:
        """The longest deadline that a policy gives."""
        return max(route.policy.deadline_s for route in self.called)


def _targets(routes: Iterable[Route]) -> Iterable[Target]:
    for route in routes:
        yield from route.targets()
