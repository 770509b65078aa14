"""The facade: one object instead of a provider's SDK."""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self, overload

from failover.adapters.assigned import AssignedAdapters
from failover.adapters.seam import Adapter
from failover.config import Config, config_from_dict, load_config, with_strategies
from failover.core import controls
from failover.core.call import Call
from failover.core.decide import Facts, decide
from failover.core.events import Event
from failover.core.learned import Learned, TargetState
from failover.core.prices import PriceBook
from failover.core.strategies import Ranking, Strategy
from failover.core.vocabulary import Decision, Operation, Request, Route
from failover.driver import Driver, Errand
from failover.errors import Complaint, ConfigError
from failover.openai_shape import AsyncShape
from failover.price_map import price_book
from failover.reply import Reply, with_record
from failover.router_controls import RouterControls
from failover.router_operations import RouterOperations, tokens_out
from failover.snapshot import Snapshot, snapshot
from failover.stream import Stream
from failover.tokens import tokens_in

Listener = Callable[[Event], None]
_log = logging.getLogger("failover")


class Router(RouterControls, RouterOperations, AsyncShape):
    """Decides which target serves each request, and keeps serving when targets break.

    Build it with `from_file` or `from_dict`; use it from one event loop; close it with `aclose` or
    an `async with` block. `adapter` replaces litellm, `clock`, `wall` and `rng` replace time and
    chance, `prices` replaces the price book: that is how drills run this very object in virtual time.
    `strategies` are strategies of your own by name, for routes that name them; one that raises is
    logged the first time, and the author's order stands in its place.
    """

    def __init__(
        self,
        config: Config,
        *,
        callables: Mapping[str, Callable[..., Any]] | None = None,
        strategies: Mapping[str, Strategy] | None = None,
        adapter: Adapter | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        rng: Callable[[], float] = random.random,
        prices: PriceBook | None = None,
    ) -> None:
        self.config = config = with_strategies(config, strategies or {})
        self._routes = _watched(config.routes)
        self._callables = callables or {}
        self._strategies = strategies or {}
        self._prices = prices
        self._clock = clock
        self._rng = rng
        self._listeners: dict[object, Listener] = {}
        self._outbox: deque[Event] = deque()
        self._ids = itertools.count(1)
        self._adapters = AssignedAdapters(config.targets.values(), self._callables, adapter)
        self._learned = Learned(config.routes.values())
        self._facts = Facts(price_book(config) if prices is None else prices, wall() - clock())
        self._driver = Driver(self._adapters.of, clock, self._deliver)

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        callables: Mapping[str, Callable[..., Any]] | None = None,
        strategies: Mapping[str, Strategy] | None = None,
        **options: Any,
    ) -> Self:
        """Read a config file. Raises `ConfigError` with every complaint at once.

        `callables` are the plain functions of targets by name, `strategies` the functions of
        strategies; the options are those of the class.
        """
        callables = callables or {}
        config = load_config(path, callables=callables, strategies=strategies)
        return cls(config, callables=callables, strategies=strategies, **options)

    @classmethod
    def from_dict(
        cls,
        mapping: Mapping[str, Any],
        callables: Mapping[str, Callable[..., Any]] | None = None,
        strategies: Mapping[str, Strategy] | None = None,
        **options: Any,
    ) -> Self:
        """The same from a mapping of the same shape."""
        callables = callables or {}
        config = config_from_dict(mapping, callables=callables, strategies=strategies)
        return cls(config, callables=callables, strategies=strategies, **options)

    @overload
    async def acompletion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: Literal[True],
        deadline_s: float | None = None,
        **arguments: Any,
    ) -> Stream: ...

    @overload
    async def acompletion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool = False,
        deadline_s: float | None = None,
        **arguments: Any,
    ) -> Any: ...

    async def acompletion(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        stream: bool = False,
        deadline_s: float | None = None,
        **arguments: Any,
    ) -> Any:
        """A chat completion: litellm's arguments, with a route's name in place of a model.

        Returns litellm's reply, untouched, with the story of the call as `reply.failover`; or, with
        `stream=True`, once the first token is there, an async iterator of litellm's chunks. Raises a
        `CallError`; the provider's own exception is its `__cause__`.
        """
        payload = {"messages": messages, **arguments}
        call = self._call(route, payload, stream=stream, deadline_s=deadline_s)
        errand = Errand("completion", payload)
        if stream:
            return await Stream(self._driver, call, errand).open()
        answer = await self._driver.run(call, errand)
        return with_record(answer.value, call.story(self._clock()))

    async def acall(self, route: str, *, deadline_s: float | None = None, **arguments: Any) -> Reply:
        """Any other API: the route's targets are plain callables, called with these arguments.

        Returns what the callable returned as `value`, with the story of the call as `failover`.
        """
        call = self._call(route, arguments, Operation.CALL, deadline_s=deadline_s)
        answer = await self._driver.run(call, Errand("call", arguments))
        return Reply(answer.value, call.story(self._clock()))

    def decide(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]] = (),
        *,
        operation: str = Operation.COMPLETION,
        **arguments: Any,
    ) -> Decision:
        """The decision for such a request now, explained; nothing is sent and nothing is learned."""
        payload = {"messages": messages, **arguments}
        request = self._request(payload, Operation(operation), stream=False, deadline_s=None)
        return decide(self._route(route), request, self._learned, self._facts, self._clock(), self._rng)

    def snapshot(self) -> Snapshot:
        """Breakers, cooldowns, latencies, in-flight counts and prices in force, as of now."""
        return snapshot(self._learned, self._facts, self._clock())

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event of calls that begin from now on; returns a function that ends it.

        Events are delivered after each step of a call, outside of any decision. A listener that
        raises is logged and harms nobody.
        """
        seat = object()
        self._listeners[seat] = listener
        self._learned.record = self._outbox.append

        def unsubscribe() -> None:
            self._listeners.pop(seat, None)
            if not self._listeners:
                self._learned.record = None

        return unsubscribe

    def reload(self, config: Config | str | Path | Mapping[str, Any]) -> None:
        """Put another config into force for the calls that begin from now on; those under way keep theirs.

        What was learned stands for every target that stays the same; functions handed over stay. Raises
        `ConfigError`, and changes nothing then.
        """
        fresh = with_strategies(self._read(config), self._strategies)
        adapters = AssignedAdapters(fresh.targets.values(), self._callables, self._adapters.models)
        prices = price_book(fresh) if self._prices is None else self._prices
        self._learned = controls.successor(self._learned, fresh.routes.values(), self._clock())
        self.config, self._routes, self._adapters = fresh, _watched(fresh.routes), adapters
        self._facts = Facts(prices, self._facts.epoch_s)
        # Calls under way keep the driver they began with, and so the functions of their targets.
        self._driver = Driver(adapters.of, self._clock, self._deliver)
        self._deliver()

    async def aclose(self) -> None:
        """End the watch over a file, and close every connection of this router."""
        await self._unwatch()
        await self._adapters.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _read(self, config: Config | str | Path | Mapping[str, Any]) -> Config:
        if isinstance(config, Config):
            return config
        if isinstance(config, Mapping):
            return config_from_dict(config, callables=self._callables, strategies=self._strategies)
        return load_config(config, callables=self._callables, strategies=self._strategies)

    def _call(
        self,
        route: str,
        payload: Mapping[str, Any],
        operation: Operation = Operation.COMPLETION,
        *,
        stream: bool = False,
        deadline_s: float | None,
    ) -> Call:
        request = self._request(payload, operation, stream=stream, deadline_s=deadline_s)
        return Call(request, self._route(route), self._learned, self._facts, self._rng, self._learned.record)

    def _request(
        self, payload: Mapping[str, Any], operation: Operation, *, stream: bool, deadline_s: float | None
    ) -> Request:
        return Request(
            id=str(next(self._ids)),
            tokens_in=tokens_in(payload),
            tokens_out=tokens_out(operation, payload),
            stream=stream,
            deadline_s=deadline_s,
            operation=operation,
        )

    def _route(self, name: str) -> Route:
        try:
            return self._routes[name]
        except KeyError:
            known = ", ".join(sorted(self.config.routes))
            what = f"no route is named so; the config has: {known}"
            raise ConfigError([Complaint(str(self.config.source), 0, f"route {name!r}", what)]) from None

    def _deliver(self) -> None:
        while self._outbox:
            event = self._outbox.popleft()
            for listener in tuple(self._listeners.values()):
                try:
                    listener(event)
                except Exception:  # noqa: BLE001  # a listener may raise anything, and harms nobody
                    _log.exception("a listener raised on %s; it harms nobody", event.event)


def _watched(routes: Mapping[str, Route]) -> dict[str, Route]:
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
