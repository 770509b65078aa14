"""Simulated time against a bare heap of callbacks that plays the same day, in one run.

Usage: python benchmarks/simulate.py [HOURS]. A drill of an outage of the primary at 10 requests per second,
journal and judge on, beside a hand-written model of it: a heap, random latencies, a breaker of ten lines
and a fallback, with no journal, no classification, no prices and nobody to check anything.
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from heapq import heappop, heappush
from pathlib import Path
from random import Random

from failover.chaos.drill import run_drill
from failover.chaos.scenario import load_scenario
from failover.shipped import shipped_folder

SCENARIO = """
title: Benchmark
config: {config}
workload: {{route: chat, rate_per_s: 10, for_s: {seconds}, tokens_in: 800, tokens_out: 200}}
inject:
  - {{kind: outage, provider: openai, at_s: 300, for_s: 600, as: "503"}}
"""


def drill(seconds: float) -> tuple[int, float, int]:
    """Events, wall seconds and requests of one drill."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "benchmark.yaml"
        config = shipped_folder("scenarios") / "failover.yaml"
        file.write_text(SCENARIO.format(config=config, seconds=seconds))
        scenario = load_scenario(file)
        began_s = time.perf_counter()
        verdict = run_drill(scenario, seed=1, mode="simulate")
        return verdict.events, time.perf_counter() - began_s, verdict.requests


FAILURES, OPEN_S, OUTAGE_S = 5, 10.0, (300.0, 900.0)


class Breaker:
    """Opens after five failures in a row, for ten seconds."""

    def __init__(self) -> None:
        self.failures, self.open_until_s = 0, 0.0

    def settle(self, now: float, *, well: bool) -> None:
        """Count an outcome."""
        self.failures = 0 if well else self.failures + 1
        if self.failures >= FAILURES:
            self.open_until_s = now + OPEN_S


def bare_heap(seconds: float) -> tuple[int, float]:
    """Requests and wall seconds of the hand-written model."""
    draw = Random(1)  # noqa: S311  # a simulation, and no secret
    heap: list[tuple[float, int, int, int]] = []
    breakers = (Breaker(), Breaker(), Breaker())
    medians_s = (2.7, 4.1, 3.0)
    served = number = 0

    def send(now: float, request: int, first: int) -> None:
        nonlocal number
        for target in range(first, 3):
            if breakers[target].open_until_s <= now:
                number += 1
                down = target == 0 and OUTAGE_S[0] <= now < OUTAGE_S[1]
                takes_s = 0.08 if down else medians_s[target] * draw.lognormvariate(0.0, 0.6)
                heappush(heap, (now + takes_s, number, request, -target - 1 if down else target))
                return

    began_s = time.perf_counter()
    arrives_s, request = draw.expovariate(10.0), 0
    while arrives_s < seconds or heap:
        if arrives_s < seconds and (not heap or arrives_s <= heap[0][0]):
            request += 1
            send(arrives_s, request, 0)
            arrives_s += draw.expovariate(10.0)
            continue
        now, _, who, outcome = heappop(heap)
        target = outcome if outcome >= 0 else -outcome - 1
        breakers[target].settle(now, well=outcome >= 0)
        if outcome >= 0:
            served += 1
        else:
            send(now, who, target + 1)
    return request, time.perf_counter() - began_s


def peak_mib(seconds: float) -> float:
    """The peak of Python's own memory during a drill, beyond what was there before it."""
    tracemalloc.start()
    drill(seconds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main() -> None:
    """Print the figures."""
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 24.0
    drill(400.0)  # what is known of the images is read from disk from now on
    events, wall_s, requests = drill(hours * 3600)
    modelled, heap_s = bare_heap(hours * 3600)
    ours, theirs = requests / wall_s, modelled / heap_s
    print(
        f"drill of {hours:g} h: {requests} requests, {events} events in {wall_s:.1f} s: {ours:,.0f} a second"
    )
    print(f"bare heap, hand-written: {modelled} requests in {heap_s:.1f} s: {theirs:,.0f} a second")
    print(f"ratio {ours / theirs:.3f} (budget: at least 0.1); a day at 10 per second: {864_000 / ours:.0f} s")
    print(f"memory peak: {peak_mib(600):.1f} MiB for 10 minutes, {peak_mib(3600):.1f} MiB for an hour")


if __name__ == "__main__":
    main()
