"""Mode `replay`: the shipping router and the real litellm, over a transport that plays the world.

Everything runs on a virtual loop, so an hour of outage takes as long as its computing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace

import httpx

from failover.adapters.litellm import LitellmAdapter
from failover.adapters.seam import Answer, Outbound, Piece
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.modes.playing import ANY_CREDENTIAL, litellm_drilled, played, played_streamed
from failover.chaos.modes.virtual_loop import run_virtual
from failover.chaos.modes.warming import Canaries
from failover.chaos.workload import Asked, Requests
from failover.chaos.world.chance import Chance, Draws
from failover.chaos.world.outcome import pace
from failover.chaos.world.world import World
from failover.config import Config
from failover.core.events import Event
from failover.core.lifecycle import Lifecycle
from failover.core.target_state import TargetState
from failover.core.vocabulary import Target
from failover.core.warmth import WarmRules
from failover.errors import CallError
from failover.ledger.opening import ledger_of_a_drill
from failover.router import Router
from failover.router_warmth import Canary, Force

Arrived = Callable[[Asked, float], None]


class _Sender:
    """Which request a task belongs to, its draws, and how often it asked each target."""

    def __init__(self, asked: Asked, chance: Chance) -> None:
        self.asked = asked
        self.draws = Draws(chance, "call", asked.request.id)
        self.asks: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class _Send:
    """One attempt, as the transport beneath it needs to know it."""

    sender: _Sender
    target: Target
    ask: int
    stream: bool


_sender: ContextVar[_Sender] = ContextVar("_sender")
_send: ContextVar[_Send] = ContextVar("_send")


class WorldTransport(httpx.AsyncBaseTransport):
    """Plays the world: every request meets what the attempt in whose context it is made would meet."""

    def __init__(self, world: World, outcomes: Outcomes) -> None:
        self._world = world
        self._outcomes = outcomes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """What the world answers, at the world's pace."""
        send = _send.get()
        target, asked, stream = send.target, send.sender.asked, send.stream
        now = asyncio.get_running_loop().time()
        exchange = self._world.meet(target, asked, send.ask, now, stream=stream)
        image = exchange.image
        if not stream or image.reply is None:
            return await played(image, request, exchange.total_s)
        course = self._outcomes.of(target, asked.shape, image, stream=True).course
        assert course is not None  # noqa: S101  # every streamed reply has one
        return await played_streamed(image, request, pace(exchange, course).at_s)


class _TellingAdapter:
    """The real adapter; it also notes which attempt the exchange beneath it belongs to."""

    def __init__(self, adapter: LitellmAdapter) -> None:
        self._adapter = adapter
        self.assemble = adapter.assemble
        self.restart_mark = adapter.restart_mark
        self.classify = adapter.classify
        self.aclose = adapter.aclose

    async def send(self, outbound: Outbound) -> Answer:
        self._note(outbound.target, stream=False)
        return await self._adapter.send(outbound)

    async def stream(self, outbound: Outbound) -> AsyncIterator[Piece]:
        self._note(outbound.target, stream=True)
        async with aclosing(self._adapter.stream(outbound)) as pieces:
            async for piece in pieces:
                yield piece

    def _note(self, target: Target, *, stream: bool) -> None:
        sender = _sender.get()
        ask = sender.asks[target.name] = sender.asks.get(target.name, 0) + 1
        _send.set(_Send(sender, target, ask, stream))


class _DrilledRouter(Router):
    """The router, whose canaries are told to the transport beneath it."""

    playing: tuple[Canaries | None, Chance]

    async def _canary(self, force: Force, number: str, state: TargetState) -> Canary:
        canaries, chance = self.playing
        assert canaries is not None  # noqa: S101  # else there are no rounds
        _sender.set(_Sender(canaries.asked(number, state.target), chance))
        return await super()._canary(force, number, state)

    def _warm_among(self, rules: WarmRules) -> WarmRules:
        canaries, _ = self.playing
        return rules if canaries is None or canaries.rules is None else canaries.rules


class Replay:
    """Runs a workload through the real router; `now` is the virtual clock when it ended."""

    def __init__(
        self,
        world: World,
        outcomes: Outcomes,
        config: Config,
        record: Callable[[Event], None],
        lifecycles: Mapping[str, Lifecycle] | None = None,
        canaries: Canaries | None = None,
    ) -> None:
        self.now = 0.0
        self._world = world
        self._outcomes = outcomes
        self._config = config
        self._record = record
        self._lifecycles = lifecycles
        self._canaries = canaries

    def run(self, requests: Requests, at: list[tuple[float, Event]], arrived: Arrived) -> None:
        """Run to the end of the last call; arguments as in `Simulation.run`."""
        with litellm_drilled():
            run_virtual(self._run(requests, at, arrived))

    async def _run(self, requests: Requests, at: list[tuple[float, Event]], arrived: Arrived) -> None:
        loop = asyncio.get_running_loop()

        def wall() -> float:
            return self._world.start_epoch_s + loop.time()

        adapter = LitellmAdapter(WorldTransport(self._world, self._outcomes), ANY_CREDENTIAL, wall)
        router = _DrilledRouter(
            replace(self._config, governance=self._world.governance, audit=None),
            adapter=_TellingAdapter(adapter),
            clock=loop.time,
            wall=wall,
            rng=lambda: _sender.get().draws(),
            prices=self._world.prices,
            lifecycles=self._lifecycles,
            ledger=ledger_of_a_drill(self._config),
        )
        router.playing = self._canaries, self._world.chance
        router.subscribe(self._record)
        for at_s, event in at:
            loop.call_at(at_s, self._record, event)
        async with router, asyncio.TaskGroup() as calls:
            calls.create_task(self._keep_warm(router))
            for arrived_s, asked in requests:
                await asyncio.sleep(arrived_s - loop.time())
                arrived(asked, arrived_s)
                calls.create_task(self._call(router, asked))
        self.now = loop.time()
        # What the world does when the last call is over is told as well.
        await asyncio.sleep(max((at_s for at_s, _ in at), default=0.0) - self.now)

    async def _keep_warm(self, router: Router) -> None:
        """The rounds of the drill, in place of the router's own."""
        for at_s in () if self._canaries is None else self._canaries.rounds_s():
            await asyncio.sleep(at_s - asyncio.get_running_loop().time())
            await router.keep_warm()

    async def _call(self, router: Router, asked: Asked) -> None:
        _sender.set(_Sender(asked, self._world.chance))
        with suppress(CallError):
            await _made(router, asked)


async def _made(router: Router, asked: Asked) -> None:
    """Make the request, and read its answer to the end."""
    request = asked.request
    arguments = dict(asked.shape.errand().payload)
    if request.stream:
        arguments["stream"] = True
    if request.tenant:
        arguments["tenant"] = request.tenant
    if request.tags:
        arguments["tags"] = sorted(request.tags)
    operation = getattr(router, f"a{request.operation}")
    if request.data_class:
        arguments["data_class"] = request.data_class
    if request.tags:
        arguments["tags"] = sorted(request.tags)
    answer = await operation(asked.route, deadline_s=request.deadline_s, **arguments)
    if request.stream:
        async for _ in answer:
            pass
