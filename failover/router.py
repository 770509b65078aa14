"""The facade: one object instead of a provider's SDK."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar, Self

from failover import errands, tokens
from failover.adapters.assigned import AssignedAdapters
from failover.adapters.seam import Adapter
from failover.attempts import Errand
from failover.audit.gate import Gates
from failover.config import Config, config_from_dict, load_config, with_strategies
from failover.config.governing import is_label, unknown_class
from failover.core import controls
from failover.core.call import Call
from failover.core.decide import Facts, decide
from failover.core.governance import Newest, Oversight
from failover.core.learned import Learned
from failover.core.lifecycle import NO_CALENDAR, Calendar, Lifecycle
from failover.core.prices import PriceBook
from failover.core.purse import affordable
from failover.core.spend import Ledger
from failover.core.spending import Spending
from failover.core.strategies import Strategy
from failover.core.vocabulary import Decision, Operation, Request, Route
from failover.core.warmth import Warmth
from failover.driver import Driver, Run
from failover.errands import CallOptions
from failover.in_force import InForce, quoted_models, read_config
from failover.known_models import with_model_facts
from failover.ledger.opening import Ledgers
from failover.lifecycles import calendar_of, put_into_force
from failover.needs import request_of
from failover.openai_shape import AsyncShape
from failover.outbox import Listener, Outbox
from failover.price_sources import price_book
from failover.router_controls import RouterControls
from failover.router_operations import RouterOperations
from failover.router_warmth import RouterWarmth
from failover.snapshot import Snapshot, snapshot
from failover.sync_operations import SyncOperations
from failover.thread_driver import Background
from failover.watched_strategies import with_watch


class Router(RouterControls, RouterWarmth, RouterOperations, SyncOperations, AsyncShape):
    """Decides which target serves each request, and keeps serving when targets break.

    Build it with `from_file` or `from_dict`; use it from event loops and from threads, all at once; close
    it with `aclose` or an `async with` block, without a loop with `close` or a `with` block.

    `adapter` replaces litellm, `clock`, `wall` and `rng` replace time and chance, `prices` replaces the
    price book, `lifecycles` what is known of the end of models, `ledger` the one that the config names: that
    is how drills run this very object in virtual time. `strategies` are strategies of your own by name, for
    routes that name them; one that raises is logged the first time, and the author's order stands in its
    place.
    """

    _auditing: ClassVar[type[Gates]] = Gates

    def __init__(  # noqa: PLR0913  # by keyword; most of them only for drills and tests
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
        lifecycles: Mapping[str, Lifecycle] | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._callables = callables or {}
        self._strategies = strategies or {}
        self._prices = prices
        self._lifecycles = lifecycles
        self._ledgers = Ledgers(ledger)
        self._clock = clock
        self._epoch_s = wall() - clock()
        self._rng = rng
        self._outbox = Outbox()
        self._deliver = self._outbox.deliver
        self._lock = RLock()
        self._reading: set[Run] = set()
        self._ids = itertools.count(1)
        self._background: Background | None = None
        self._warmth = Warmth()
        self._newest = Newest(config.governance)
        self._gates = self._auditing(self._newest, self._epoch_s, clock)
        config = with_strategies(config, self._strategies)
        routes = with_watch(with_model_facts(config).routes)
        adapters = AssignedAdapters(config.targets.values(), self._callables, adapter)
        spending = self._ledgers.spending(config)
        learned = Learned(routes.values())
        self._in_force = self._put(config, routes, learned, adapters, NO_CALENDAR, spending)

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

    def decide(
        self,
        route: str,
        messages: Sequence[Mapping[str, Any]] = (),
        *,
        operation: str = Operation.COMPLETION,
        **arguments: Any,
    ) -> Decision:
        """The decision for such a request now, explained; nothing is sent and nothing is learned."""
        options = errands.options(arguments)
        errand = Errand(Operation(operation), {"messages": messages, **arguments})
        request, force = self._request(errand, options), self._in_force
        with self._lock:
            found = force.route(route)
            now = self._clock()
            decision = decide(found, request, force.learned, force.facts, now, self._rng)
            return affordable(decision, found, request, force.learned, force.facts, now)

    def snapshot(self) -> Snapshot:
        """Breakers, cooldowns, latencies, in-flight counts and prices in force, as of now."""
        with self._lock:
            now, facts = self._clock(), self._in_force.facts
            facts.calendar.announce(now, self._learned.recorder.tell)
            taken = snapshot(self._learned, facts, now)
        self._deliver()
        return taken

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event of calls that begin from now on; returns a function that ends it.

        Events are delivered in their order after each step of a call, outside of any decision, in the
        thread of some call. A listener that raises is logged and harms nobody.
        """
        seat = self._outbox.add(listener)
        self._learned.record = self._outbox.put

        def unsubscribe() -> None:
            self._outbox.remove(seat)
            if not self._outbox.heard:
                self._learned.record = None

        return unsubscribe

    def reload(
        self,
        config: Config | str | Path | Mapping[str, Any],
        callables: Mapping[str, Callable[..., Any]] | None = None,
        strategies: Mapping[str, Strategy] | None = None,
    ) -> None:
        """Put another config into force for the calls that begin from now on; those under way keep theirs.

        One thing binds them too: they send nothing more to whom the new config forbids their data.

        What was learned stands for every target that stays the same. Functions handed over stay, unless
        others are handed over in their place: all `callables`, or all `strategies`, as to a new router.
        Raises `ConfigError`, or `LedgerError` for a file that cannot be used, and changes nothing then.
        """
        callables = self._callables if callables is None else callables
        strategies = self._strategies if strategies is None else strategies
        fresh = with_strategies(read_config(config, callables, strategies), strategies)
        routes = with_watch(with_model_facts(fresh).routes)
        with self._lock:
            # First: they may yet complain, of a function that is not where the config says, or of a file.
            self._gates.of(fresh.audit)
            adapters = AssignedAdapters(fresh.targets.values(), callables, self._in_force.adapters.models)
            spending = self._ledgers.spending(fresh, self._in_force.facts.spending)
            learned = controls.successor(self._learned, routes.values(), self._clock())
            before = self._in_force.facts.calendar
            self._in_force = self._put(fresh, routes, learned, adapters, before, spending)
            self._callables, self._strategies = callables, strategies
        self._deliver()

    async def aclose(self) -> None:
        """End the watch over a file, and close every connection of this router."""
        await self._unwatch()
        self._cool()
        await self._in_force.adapters.aclose()
        self._gates.close()
        await self._ledgers.aclose()
        if self._background is not None:
            await asyncio.to_thread(self._background.stop)

    def close(self) -> None:
        """The same for who has no event loop; raises `RuntimeError` on one, where `aclose` is the way."""
        if asyncio._get_running_loop() is not None:  # noqa: SLF001  the public one raises where there is none
            raise RuntimeError("close() would block this event loop: use `await router.aclose()`")
        background = self._sending()
        background.submit(self._unwatch()).result()
        self._cool()
        background.submit(self._in_force.adapters.aclose()).result()
        self._gates.close()
        background.stop()
        self._ledgers.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def config(self) -> Config:
        """The config in force."""
        return self._in_force.config

    @property
    def _force(self) -> InForce:
        return self._in_force

    @property
    def _learned(self) -> Learned:
        return self._in_force.learned

    def _put(
        self,
        config: Config,
        routes: Mapping[str, Route],
        learned: Learned,
        adapters: AssignedAdapters,
        before: Calendar,
        spending: Spending | None,
    ) -> InForce:
        tokens.prepare(quoted_models(routes.values()))
        prices = price_book(config) if self._prices is None else self._prices
        gate = self._gates.of(config.audit)
        driver = Driver(adapters.of, self._clock, self._deliver, self._lock, self._reading, gate)
        self._newest.put(config.governance)
        calendar = calendar_of(config, self._epoch_s, self._lifecycles, before.told)
        oversight = Oversight(config.governance, self._newest)
        facts = Facts(prices, self._epoch_s, put_into_force(calendar, learned), oversight, spending)
        return InForce(config, routes, adapters, learned, facts, driver)

    def _read(self, config: Config | str | Path | Mapping[str, Any]) -> Config:
        return read_config(config, self._callables, self._strategies)

    def _begun(self, route: str, errand: Errand, options: CallOptions) -> tuple[Driver, Call]:
        force = self._in_force
        request, learned = self._request(errand, options), force.learned
        call = Call(request, force.route(route), learned, force.facts, self._rng, learned.record)
        return force.driver, call

    def _request(self, errand: Errand, options: CallOptions) -> Request:
        governance = self._in_force.config.governance
        if options.data_class and not is_label(governance, options.data_class):
            raise ValueError(unknown_class(governance, options.data_class))
        return request_of(next(self._ids), errand, options)

    def _sending(self) -> Background:
        """Started by the first sync call; anew in a child of `os.fork`."""
        background = self._background
        if background is None or not background.alive:
            with self._lock:
                if self._background is None or not self._background.alive:
                    self._background = Background()
                background = self._background
        background.require_elsewhere()
        return background
