"""Mode `replay`: the shipping router and the real litellm, over a transport that plays the world.

Everything runs on a virtual loop, so an hour of outage takes as long as its computing. Replies come
whole: a streamed workload is for `simulate`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any

import httpx

from failover.adapters.litellm import LitellmAdapter
from failover.adapters.seam import Answer, Outbound, Piece
from failover.chaos.modes.playing import ANY_CREDENTIAL, litellm_quiet, played
from failover.chaos.modes.virtual_loop import run_virtual
from failover.chaos.scenario import Workload
from failover.chaos.workload import arrivals, messages
from failover.chaos.world.chance import Chance, Draws
from failover.chaos.world.world import START_EPOCH_S, World
from failover.config import Config
from failover.core.events import Event
from failover.core.vocabulary import Request, Target
from failover.errors import CallError
from failover.router import Router

Unserved = Callable[[Request, float], None]


class _Sender:
    """Which request a task belongs to, its draws, and how often it asked each target."""

    def __init__(self, request: Request, chance: Chance) -> None:
        self.request = request
        self.draws = Draws(chance, "call", request.id)
        self.asks: dict[str, int] = {}
        self.target: Target | None = None


_sender: ContextVar[_Sender] = ContextVar("_sender")


class _WorldTransport(httpx.AsyncBaseTransport):
    def __init__(self, world: World) -> None:
        self._world = world

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sender = _sender.get()
        target = sender.target
        assert target is not None  # noqa: S101  # the adapter above has just set it
        asked = sender.request
        now = asyncio.get_running_loop().time()
        exchange = self._world.exchange(target, asked.id, sender.asks[target.name], now, stream=asked.stream)
        return await played(exchange.image, request, exchange.total_s)


class _TellingAdapter:
    """The real adapter; it also notes which target the exchange beneath it belongs to."""

    def __init__(self, adapter: LitellmAdapter) -> None:
        self._adapter = adapter
        self.assemble = adapter.assemble
        self.restart_mark = adapter.restart_mark
        self.classify = adapter.classify
        self.aclose = adapter.aclose

    async def send(self, outbound: Outbound) -> Answer:
        self._note(outbound.target)
        return await self._adapter.send(outbound)

    async def stream(self, outbound: Outbound) -> AsyncIterator[Piece]:
        self._note(outbound.target)
        async for piece in self._adapter.stream(outbound):
            yield piece

    def _note(self, target: Target) -> None:
        sender = _sender.get()
        sender.target = target
        sender.asks[target.name] = sender.asks.get(target.name, 0) + 1


class Replay:
    """Runs a workload through the real router; `now` is the virtual clock when it ended."""

    def __init__(self, world: World, config: Config, record: Callable[[Event], None]) -> None:
        self.now = 0.0
        self._world = world
        self._config = config
        self._record = record
        self._arguments: dict[str, Any] = {}

    def run(self, workload: Workload, at: list[tuple[float, Event]], unserved: Unserved) -> None:
        """Run to the end of the last call; arguments as in `Simulation.run`."""
        with litellm_quiet():
            run_virtual(self._run(workload, at, unserved))

    async def _run(self, workload: Workload, at: list[tuple[float, Event]], unserved: Unserved) -> None:
        loop = asyncio.get_running_loop()
        adapter = LitellmAdapter(
            _WorldTransport(self._world), ANY_CREDENTIAL, lambda: START_EPOCH_S + loop.time()
        )
        router = Router(
            self._config,
            adapter=_TellingAdapter(adapter),
            clock=loop.time,
            wall=lambda: START_EPOCH_S + loop.time(),
            rng=lambda: _sender.get().draws(),
            prices=self._world.prices,
        )
        router.subscribe(self._record)
        self._arguments = {} if workload.tokens_out is None else {"max_tokens": workload.tokens_out}
        for at_s, event in at:
            loop.call_at(at_s, self._record, event)
        async with router, asyncio.TaskGroup() as calls:
            for arrived_s, request in arrivals(workload, self._world.chance):
                await asyncio.sleep(arrived_s - loop.time())
                calls.create_task(self._call(router, workload, request, unserved))
        self.now = loop.time()

    async def _call(self, router: Router, workload: Workload, request: Request, unserved: Unserved) -> None:
        _sender.set(_Sender(request, self._world.chance))
        arrived_s = asyncio.get_running_loop().time()
        try:
            await router.acompletion(
                workload.route,
                messages=messages(workload),
                deadline_s=request.deadline_s,
                **self._arguments,
            )
        except CallError:
            unserved(request, arrived_s)
