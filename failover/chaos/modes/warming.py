"""Canaries in a drill: the same rounds at the same instants in both modes."""

from __future__ import annotations

from collections.abc import Iterator

from failover.canaries import operation_of, warm_rules
from failover.chaos.routes import Routes
from failover.chaos.workload import Asked, Shape
from failover.config import Config
from failover.core.vocabulary import Operation, Target
from failover.core.warmth import CANARY_ROUTE, CANARY_USAGE, WarmRules
from failover.router_warmth import canary_request

ROUND_S = 60.0
"""As often as a router looks, unless told otherwise."""


class Canaries:
    """Who is kept warm in a drill of `routes`, and what its canaries look like to the world."""

    def __init__(self, config: Config, routes: Routes, until_s: float) -> None:
        self.rules: WarmRules | None = warm_rules(config, {target.name for target in routes.targets()})
        self._until_s = until_s
        self._shapes = {
            operation: Shape(operation, CANARY_USAGE.tokens_in, CANARY_USAGE.tokens_out)
            for operation in (Operation.COMPLETION, Operation.EMBEDDING)
        }

    def rounds_s(self) -> Iterator[float]:
        """When it is looked who is cold."""
        at_s = 0.0
        while self.rules is not None and at_s < self._until_s:
            yield at_s
            at_s += ROUND_S

    def asked(self, number: str, target: Target) -> Asked:
        """One canary."""
        operation = operation_of(target) or Operation.COMPLETION
        request, _ = canary_request(number, operation)
        return Asked(request, CANARY_ROUTE, self._shapes[operation])
