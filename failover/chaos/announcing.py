"""What the router of a drill knows of ends: from its config, from the lists, and from the scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from failover.chaos.injections.deprecation import NEVER, Deprecation
from failover.chaos.scenario import Scenario
from failover.config import Config
from failover.core.lifecycle import Lifecycle
from failover.core.vocabulary import ByDate, RetirementShape, Target
from failover.lifecycles import known_lifecycles

SOURCE = "announced in this scenario"


def lifecycles_in(scenario: Scenario, config: Config) -> Mapping[str, Lifecycle]:
    """By target. A scenario that says when an end is announced, or that nobody tells, replaces the lists."""
    known = dict(known_lifecycles(config).lifecycles)
    for injection in scenario.injections:
        if isinstance(injection, Deprecation) and injection.announced_s is not None:
            for name, target in config.targets.items():
                if injection.hits(target):
                    known[name] = _told(injection, target, known.get(name, Lifecycle()), scenario, config)
    return known


def _told(
    injection: Deprecation, target: Target, known: Lifecycle, scenario: Scenario, config: Config
) -> Lifecycle:
    if injection.announced_s == NEVER:
        return Lifecycle(successor=known.successor, by_date=ByDate.IGNORE)
    told = config.lifecycle.told.get(target.name)
    return replace(
        known,
        announced_s=scenario.start_epoch_s + float(injection.announced_s or 0.0),
        deprecated_s=None,
        retired_s=scenario.start_epoch_s + injection.at_s,
        replacement=injection.successor or known.replacement,
        shape=RetirementShape(injection.shape),
        source=SOURCE,
        by_date=config.lifecycle.by_date if told is None else told.by_date,
    )
