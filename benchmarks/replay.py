"""Replay beside bare litellm over the same player, in one run: what the router and the judge cost a drill.

Usage: python benchmarks/replay.py [REQUESTS]. The same world answers the same requests on the same virtual
loop. Once the shipping router sends them, and everything is journalled and judged, the oracle included; once
`litellm.acompletion` sends them, one task each, with the client that the adapter would hand it, and nobody
looks. They take turns; the median of the rounds counts.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from failover.adapters.loading import load_litellm
from failover.chaos.drill import run_drill
from failover.chaos.materials import Materials
from failover.chaos.meeting import cassettes_of, latencies_of, meeting
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.modes.playing import litellm_drilled, played, played_streamed
from failover.chaos.modes.virtual_loop import run_virtual
from failover.chaos.scenario import Scenario, load_scenario
from failover.chaos.workload import Asked, arrivals
from failover.chaos.world.chance import Chance
from failover.chaos.world.outcome import pace
from failover.chaos.world.world import World
from failover.core.vocabulary import Target
from failover.price_sources import price_book
from failover.shipped import shipped_folder

RATE_PER_S, ROUNDS, BUDGET_SHARE = 10, 3, 0.8
SCENARIO = """
title: Benchmark
config: {config}
workload: {{route: chat, rate_per_s: {rate}, for_s: {seconds}, stream: {stream}}}
inject:
  - {{kind: price_change, target: gpt, at_s: 10, factor: 2}}
expect: {{success_ratio_min: 1}}
"""


class Player(httpx.AsyncBaseTransport):
    """The player of a replay: what `target` answers to the request of the task that sends it."""

    def __init__(self, world: World, outcomes: Outcomes, target: Target) -> None:
        self._world, self._outcomes, self._target = world, outcomes, target
        self.asked: ContextVar[Asked] = ContextVar("asked")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange, at the world's pace."""
        asked, stream = self.asked.get(), self.asked.get().request.stream
        now = asyncio.get_running_loop().time()
        exchange = self._world.meet(self._target, asked, 1, now, stream=stream)
        if not stream:
            return await played(exchange.image, request, exchange.total_s)
        course = self._outcomes.of(self._target, asked.shape, exchange.image, stream=True).course
        if course is None:
            raise RuntimeError("a streamed answer without a course")
        return await played_streamed(exchange.image, request, pace(exchange, course).at_s)


async def ask(litellm: Any, player: Player, client: Any, asked: Asked) -> None:
    """One call, read to its end."""
    player.asked.set(asked)
    arguments = dict(asked.shape.errand().payload)
    if asked.request.stream:
        arguments |= {"stream": True, "stream_options": {"include_usage": True}}
    model = "openai/gpt-5.6-luna"
    answer = await litellm.acompletion(model, client=client, api_key="none", max_retries=0, **arguments)
    if asked.request.stream:
        async for _ in answer:
            pass


def bare(scenario: Scenario, materials: Materials) -> float:
    """Wall seconds of the workload through litellm alone."""
    loaded = materials.config(scenario.config_path)
    routes, workload = meeting(scenario, loaded, "replay")
    repertoire = materials.repertoire(cassettes_of(scenario, loaded, None))
    latencies = latencies_of(scenario, routes, workload, repertoire)
    world = World(Chance(1), routes.targets(), repertoire, (), price_book(loaded), latencies=latencies)
    player = Player(world, materials.outcomes, loaded.targets["gpt"])
    litellm = load_litellm()
    openai = __import__("openai")

    async def run() -> None:
        loop = asyncio.get_running_loop()
        http = httpx.AsyncClient(transport=player)
        client = openai.AsyncOpenAI(api_key="none", http_client=http, max_retries=0)
        async with asyncio.TaskGroup() as calls:
            for arrived_s, asked in arrivals(workload, world.chance, None):
                await asyncio.sleep(arrived_s - loop.time())
                calls.create_task(ask(litellm, player, client, asked))

    began_s = time.perf_counter()
    with litellm_drilled():
        run_virtual(run())
    return time.perf_counter() - began_s


def drilled(scenario: Scenario, materials: Materials) -> float:
    """Wall seconds of the same workload in a drill."""
    began_s = time.perf_counter()
    verdict = run_drill(scenario, seed=1, mode="replay", materials=materials)
    if verdict.success_ratio < 1.0:
        raise RuntimeError(f"not everybody was served: {verdict.errors}")
    return time.perf_counter() - began_s


def measured(requests: int, *, stream: bool) -> tuple[Sequence[float], Sequence[float]]:
    """Wall seconds of each round, of litellm alone and of the drill."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "benchmark.yaml"
        config = shipped_folder("scenarios") / "failover.yaml"
        told = {"config": config, "rate": RATE_PER_S, "seconds": requests / RATE_PER_S}
        file.write_text(SCENARIO.format(**told, stream=str(stream).lower()))
        scenario, materials = load_scenario(file), Materials()
        drilled(scenario, materials)
        bare(scenario, materials)
        rounds = [(bare(scenario, materials), drilled(scenario, materials)) for _ in range(ROUNDS)]
    alone_s, drilled_s = zip(*rounds, strict=True)
    return alone_s, drilled_s


def main() -> None:
    """Print both, and how they compare."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for stream in (False, True):
        alone_s, drilled_s = measured(requests, stream=stream)
        what = "streamed" if stream else "whole"
        print(f"{requests} answers, {what}")
        print(f"  litellm alone    {requests / median(alone_s):7.0f} a second")
        print(f"  a drill's replay {requests / median(drilled_s):7.0f} a second")
        share = median(alone / drill for alone, drill in zip(alone_s, drilled_s, strict=True))
        print(f"  of litellm's:    {share:7.0%} (budget: at least {BUDGET_SHARE:.0%})")


if __name__ == "__main__":
    main()
