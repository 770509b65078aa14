"""The shipping router, observed: what reached each target, and every event."""

from __future__ import annotations

import asyncio
import random
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any, Self

from failover.attempts import Errand
from failover.audit.gate import NoGates
from failover.config import Config
from failover.core.events import Event
from failover.core.prices import PriceBook
from failover.core.strategies import Strategy
from failover.core.vocabulary import Request
from failover.errands import CallOptions
from failover.router import Router
from failover.testing.staging import Play, SentRequest, StagedAdapter
from failover.testing.virtual import on_virtual_time, running_virtual_loop

START_EPOCH_S = 1_767_225_600.0
"""On virtual time it is 2026-01-01, 00:00 UTC, when a router is made."""

request_of: ContextVar[Request] = ContextVar("failover_testing_request")
"""The request that a send belongs to."""


class ObservedRouter(Router):
    """The router that ships, over a stage; made by `scripted_router` and `drilled_router`.

    `requests` is everything that reached a target, in order; `events` is everything the router told.
    """

    _auditing = NoGates

    def __init__(
        self,
        config: Config,
        play: Play,
        requests: list[SentRequest],
        *,
        callables: Mapping[str, Callable[..., Any]],
        strategies: Mapping[str, Strategy],
        seed: int,
        prices: PriceBook | None = None,
    ) -> None:
        clock, wall = _clocks()
        self.requests = requests
        self.events: list[Event] = []
        self._now = clock
        self._open = ExitStack()
        super().__init__(
            config,
            callables=callables,
            strategies=strategies,
            adapter=StagedAdapter(play, requests, clock, wall),
            clock=clock,
            wall=wall,
            rng=random.Random(seed).random,  # noqa: S311  # chance in tests is a function of the seed
            prices=prices,
        )
        self.subscribe(self.events.append)

    @property
    def now_s(self) -> float:
        """Seconds since the router was made, on its clock: virtual, where the loop is."""
        return self._now()

    async def until(self, at_s: float) -> None:
        """Let everything happen that happens before `at_s`. Raises `RuntimeError` where time is real."""
        running_virtual_loop("until")
        await asyncio.sleep(max(0.0, at_s - self.now_s))

    def requests_to(self, target: str) -> list[SentRequest]:
        """The requests that reached `target`, in order. Raises `KeyError` where no target is named so."""
        if target not in self.config.targets:
            raise KeyError(f"no target is named {target!r}; the config has: {', '.join(self.config.targets)}")
        return [request for request in self.requests if request.target == target]

    def told(self, name: str) -> list[Any]:
        """The events of one name, such as `breaker_opened`, in order."""
        return [event for event in self.events if event.event == name]

    def _request(self, errand: Errand, options: CallOptions) -> Request:
        request = super()._request(errand, options)
        request_of.set(request)
        return request

    def _quieten(self) -> None:
        """litellm loads now, if it is needed, with its own types' warnings; its hints are kept quiet."""
        if any(target.model for target in self.config.targets.values()):
            from failover.chaos.modes.playing import litellm_drilled

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._open.enter_context(litellm_drilled())

    async def __aenter__(self) -> Self:
        self._quieten()
        return await super().__aenter__()

    async def __aexit__(self, *raised: object) -> None:
        with self._open:
            await super().__aexit__(*raised)

    def __enter__(self) -> Self:
        self._quieten()
        return super().__enter__()

    def __exit__(self, *raised: object) -> None:
        with self._open:
            super().__exit__(*raised)


def _clocks() -> tuple[Callable[[], float], Callable[[], float]]:
    """Monotonic seconds since now, and Unix time."""
    if not on_virtual_time():
        began_s = time.monotonic()
        return (lambda: time.monotonic() - began_s), time.time
    loop = running_virtual_loop("the router")
    zero_s = loop.time()
    return (lambda: loop.time() - zero_s), (lambda: START_EPOCH_S + loop.time() - zero_s)
