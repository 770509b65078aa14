"""Simulated time against a bare heap of callbacks with the same number of events, in one run.

Usage: python benchmarks/simulate.py [HOURS]. A drill of the shipped scenario "the primary goes dark" at
10 requests per second, journal and judge on, beside a heap that only calls an empty function.
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from heapq import heappop, heappush
from pathlib import Path

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
IN_FLIGHT = 40


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


def bare_heap(events: int) -> float:
    """Wall seconds of so many pushes, pops and calls of an empty function."""
    heap: list[tuple[float, int, Callable[[], None]]] = []

    def nothing() -> None:
        return None

    began_s = time.perf_counter()
    for number in range(IN_FLIGHT):
        heappush(heap, (number * 0.1, number, nothing))
    for number in range(IN_FLIGHT, events):
        at_s, _, callback = heappop(heap)
        callback()
        heappush(heap, (at_s + 4.0, number, nothing))
    return time.perf_counter() - began_s


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
    heap_s = bare_heap(events)
    print(f"simulated {hours:g} h: {requests} requests, {events} events in {wall_s:.1f} s on one core")
    print(f"  {requests / wall_s:,.0f} requests per second, {events / wall_s:,.0f} events per second")
    print(f"bare heap, the same number of events: {heap_s:.2f} s, {events / heap_s:,.0f} events per second")
    print(f"ratio: {heap_s / wall_s:.3f} of the bare heap's speed (budget: at least 0.1)")
    print(f"memory peak: {peak_mib(600):.1f} MiB for 10 minutes, {peak_mib(3600):.1f} MiB for an hour")


if __name__ == "__main__":
    main()
