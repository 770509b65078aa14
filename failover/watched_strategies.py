"""Strategies of the caller's own, watched: one that raises is logged the first time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from failover.core.strategies import Ranking, Strategy
from failover.core.target_state import TargetState
from failover.core.vocabulary import Route

_log = logging.getLogger("failover")


def with_watch(routes: Mapping[str, Route]) -> dict[str, Route]:
    """The same routes, whose strategies of the caller's own are logged the first time that they raise."""
    watched: dict[int, Strategy] = {}
    found = {}
    for name, route in routes.items():
        found[name] = route
        if not isinstance(route.strategy, str):
            one = watched.setdefault(id(route.strategy), _Watched(route.strategy, route.strategy_name))
            found[name] = replace(route, strategy=one)
    return found


class _Watched:
    """A strategy of the caller's own. It raises on: the core keeps the author's order."""

    def __init__(self, strategy: Strategy, name: str) -> None:
        self._strategy = strategy
        self._told = False
        self.__name__ = name

    def __call__(self, states: Sequence[TargetState], ranking: Ranking) -> Sequence[TargetState]:
        try:
            # What is no sequence, or raises only when it is read, is found out here.
            return list(self._strategy(states, ranking))
        except Exception:
            if not self._told:
                self._told = True
                _log.exception("the strategy %r raised, the author's order stands; told once", self.__name__)
            raise
