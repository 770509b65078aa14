"""What one config brings with it, put into force together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failover.adapters.assigned import AssignedAdapters
from failover.config import Config, config_from_dict, load_config
from failover.core.decide import Facts
from failover.core.learned import Learned
from failover.core.strategies import Strategy
from failover.core.vocabulary import Route
from failover.driver import Driver
from failover.errors import Complaint, ConfigError


@dataclass(frozen=True, slots=True)
class InForce:
    """All that one config brings with it: a call keeps what it began with."""

    config: Config
    routes: Mapping[str, Route]
    adapters: AssignedAdapters
    learned: Learned
    facts: Facts
    driver: Driver

    def route(self, name: str) -> Route:
        """The route of that name; raises `ConfigError`, with those that there are."""
        try:
            return self.routes[name]
        except KeyError:
            known = ", ".join(sorted(self.routes))
            what = f"no route is named so; the config has: {known}"
            raise ConfigError([Complaint(str(self.config.source), 0, f"route {name!r}", what)]) from None


def read_config(
    config: Config | str | Path | Mapping[str, Any],
    callables: Mapping[str, Callable[..., Any]],
    strategies: Mapping[str, Strategy],
) -> Config:
    """A config however it is told: as it is, as a mapping, or by its file. Raises `ConfigError`."""
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return config_from_dict(config, callables=callables, strategies=strategies)
    return load_config(config, callables=callables, strategies=strategies)


def quoted_models(routes: Iterable[Route]) -> Iterator[str]:
    """The models whose prompts are counted before anything is sent to them."""
    for route in routes:
        if route.strategy_name in ("cost", "balanced"):
            yield from (target.model for target in route.targets())
