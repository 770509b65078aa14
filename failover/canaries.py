"""Which of a config's targets can be kept warm, and what a canary asks."""

from __future__ import annotations

from collections.abc import Collection

from failover.config import Config
from failover.core.vocabulary import Operation, Target
from failover.core.warmth import WarmRules
from failover.price_map import entry_of

_MODES = {
    "chat": Operation.COMPLETION,
    "completion": Operation.COMPLETION,
    "responses": Operation.COMPLETION,
    "embedding": Operation.EMBEDDING,
}


def operation_of(target: Target) -> Operation | None:
    """What a canary asks of a target; None: nothing that costs as little as a token."""
    if not target.model or target.callable:
        return None
    return _MODES.get(str(entry_of(target.model).get("mode", "chat")))


def warm_rules(config: Config, among: Collection[str] | None = None) -> WarmRules | None:
    """What the config says of keeping warm, for targets of its routes (`among` these); None: nothing."""
    rules = config.lifecycle.keep_warm
    if rules is None:
        return None
    routed = {target.name for route in config.routes.values() for target in route.targets()}
    named = rules.targets or tuple(config.targets)
    targets = tuple(
        name
        for name in named
        if name in routed
        and (among is None or name in among)
        and operation_of(config.targets[name]) is not None
    )
    return WarmRules(rules.every_s, rules.max_nusd_per_month, targets)
