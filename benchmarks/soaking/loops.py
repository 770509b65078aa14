"""Routers under their loads in one event loop: callers who finish, leave, drop and cancel, and operators."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from benchmarks.soaking.books import Books, Complaints, States, progress
from benchmarks.soaking.faults import FaultyAdapter, functions
from benchmarks.soaking.loads import KEY, LOADS, Load, config, own_strategy
from benchmarks.soaking.remains import Memory
from benchmarks.soaking.wire import FaultyServer
from failover import Router
from failover.adapters.litellm import LitellmAdapter
from failover.errors import CallError

HELLO = [{"role": "user", "content": "hello"}]
CALLERS = 16
ROUNDS = 25
PATIENCE_S = 10.0


class Soaked:
    """One router under its load."""

    def __init__(self, load: Load, seed: int, complaints: Complaints, port: int) -> None:
        self.load = load
        self.draw = Random(f"{load.name} {seed}")  # noqa: S311  a script to be repeated, and no secret
        self.books = Books(load.name, complaints)
        self.called = 0
        self.spent_s = 0.0
        self._port = port
        self._adapter = FaultyAdapter(seed)
        self.router = Router.from_dict(
            self._config(),
            functions(seed) if load.callables else None,
            {"own": own_strategy},
            adapter=LitellmAdapter(environment={KEY: "made-up"}) if load.sockets else self._adapter,
        )
        self.router.subscribe(self.books)
        self.states = States(self.router, self.books)

    async def round(self, calls: int) -> None:
        """So many calls, by callers beside each other; afterwards everything is at rest."""
        began_s = time.perf_counter()
        left = iter(range(calls))
        await asyncio.gather(*(self._caller(left) for _ in range(CALLERS)))
        self.spent_s += time.perf_counter() - began_s

    def require_rest(self) -> None:
        """Between rounds."""
        self.books.require_nothing_open()
        self.states.require_rest()
        if self.books.counts["call_started"] != self.called:
            self.books.complain(f"{self.called} calls were made, {self.books.counts['call_started']} began")
        if self._adapter.running:
            self.books.complain(f"{self._adapter.running} sends are still under way")

    def _config(self) -> dict[str, Any]:
        return config(self.load, self.draw, self._port)

    async def _caller(self, left: Any) -> None:
        for number in left:
            if number % self.load.meddles_every == 0:
                self._meddle()
            await self._call()

    async def _call(self) -> None:
        """One call, left in the middle by one in eight."""
        self.called += 1
        if self.draw.random() < 0.875:
            await self._asked()
            return
        calling = asyncio.ensure_future(self._asked())
        await asyncio.sleep(0.0)  # cancelled before its first step, a coroutine has never begun
        for _ in range(self.draw.randrange(6)):
            await asyncio.sleep(0.0)
        if self.draw.random() < 0.3:
            await asyncio.sleep(self.draw.uniform(0.0, 0.01))
        calling.cancel()
        await asyncio.wait([calling])

    async def _asked(self) -> None:
        try:
            if self.load.callables:
                await self.router.acall("chat", replay_safe=self.draw.random() < 0.9)
            elif self.draw.random() < self.load.streams:
                await self._read()
            else:
                # Few wait for one target alone: whoever waits for its limits does so for long.
                route = "patient" if self.draw.random() < 0.005 else "chat"
                await self.router.acompletion(route, HELLO)
        except CallError:
            pass
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, it is told
            self.books.complain(f"a caller got {error!r}")

    async def _read(self) -> None:
        """A stream that is read to its end, or left in one of many ways."""
        draw = self.draw
        arguments = {"temperature": 1} if draw.random() < 0.05 else {}
        stream: Any = await self.router.acompletion("chat", HELLO, stream=True, **arguments)
        way, most = draw.random(), draw.randrange(5)
        if way < 0.05:
            return
        if way < 0.1:
            stream.itself = stream  # only the garbage collector finds it
            return
        async for _ in stream:
            most -= 1
            if most < 0 and way < 0.4:
                break
        if way < 0.2:
            await stream.aclose()
        elif way < 0.3:
            async with stream:
                await asyncio.sleep(0.0)

    def _meddle(self) -> None:
        """What an operator may do at any time; mostly what brings targets back."""
        router, draw = self.router, self.draw
        if draw.random() < 0.1:
            self.states.note()
            router.reload(self._config())
            return
        name = draw.choice(list(router.snapshot().targets))
        meddling: list[Callable[[], None]] = [
            lambda: router.reset(name),
            lambda: router.reset(name),
            lambda: router.undrain(name),
            lambda: router.drain(name),
            lambda: router.force_open(name, 0.05),
        ]
        draw.choice(meddling)()
        router.undrain(draw.choice(list(router.snapshot().targets)))
        router.decide("chat", HELLO)


async def settled(known: Callable[[], set[asyncio.Task[Any]]]) -> set[asyncio.Task[Any]]:
    """The tasks that are left when dropped streams were collected and everybody had time to end."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        gc.collect()
        for _ in range(10):
            await asyncio.sleep(0.0)
        left = {task for task in asyncio.all_tasks() - known() if not of_litellm(task)}
        if not left or time.monotonic() > until_s:
            return left
        await asyncio.sleep(0.01)


def of_litellm(task: asyncio.Task[Any]) -> bool:
    """litellm keeps one task per event loop, which waits for what is to be logged."""
    return getattr(task.get_coro(), "__qualname__", "").startswith("LoggingWorker.")


async def use_litellm() -> None:
    """A whole reply and a stream, over a socket."""
    server = FaultyServer(seed=1, share=0.0)
    await server.start()
    patient = replace(LOADS[-1], policy={"deadline_s": 30.0})
    adapter = LitellmAdapter(environment={KEY: "made-up"})
    async with Router.from_dict(config(patient, Random(1), server.port), adapter=adapter) as router:  # noqa: S311  no secret
        await router.acompletion("chat", HELLO)
        async for _ in await router.acompletion("chat", HELLO, stream=True):
            pass
    await server.aclose()


async def soak_loops(
    calls: int,
    loads: Sequence[Load],
    seed: int,
    complaints: Complaints,
    memory: Memory,
    rounds: int = ROUNDS,
) -> list[Soaked]:
    """A router for each load, each for so many calls; between the rounds everything has to be at rest."""
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: complaints.add(f"the event loop: {context}")
    )
    server = FaultyServer(seed)
    await server.start()
    soaked = [Soaked(load, seed + number, complaints, server.port) for number, load in enumerate(loads)]
    known, began_s = asyncio.all_tasks(), time.perf_counter()
    for number in range(1, rounds + 1):
        shares = [max(1, round(calls * each.load.share / rounds)) for each in soaked]
        await asyncio.gather(*(each.round(share) for each, share in zip(soaked, shares, strict=True)))
        for task in await settled(lambda: known | server.tasks()):
            complaints.add(f"a task is left: {task}")
        for each in soaked:
            each.require_rest()
        total = sum(each.called for each in soaked)
        memory.sample(total)
        took_s = time.perf_counter() - began_s
        progress(f"round {number:2}/{rounds}: {total:9,} calls in {took_s:6.1f} s")
    for each in soaked:
        await each.router.aclose()
    await server.aclose()
    return soaked
