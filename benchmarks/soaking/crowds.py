"""One router under many threads: whole calls, streams read or left, plain functions, and operators."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from random import Random
from typing import Any

from benchmarks.soaking.books import Books, Complaints, States, progress
from benchmarks.soaking.faults import FaultyAdapter, functions
from benchmarks.soaking.loads import FUNCTIONS, HEDGE, Load, config, own_strategy
from benchmarks.soaking.remains import Memory
from failover import Router
from failover.errors import CallError

HELLO = [{"role": "user", "content": "hello"}]
ROUNDS = 20
OPERATORS = 2
PATIENCE_S = 10.0
LOAD = Load(
    "threads",
    targets=5,
    strategy="latency",
    policy={"hedge": HEDGE, "stream_recovery": "restart"},
    limits=True,
)


class Crowd:
    """One router, for whose calls threads wait."""

    def __init__(self, threads: int, seed: int, complaints: Complaints) -> None:
        self.books = Books("threads", complaints)
        self.called = 0
        self.spent_s = 0.0
        self._count = threads
        self._threads = ThreadPoolExecutor(threads + OPERATORS, "crowd")
        self._seed = seed
        self._adapter = FaultyAdapter(seed)
        self._meddling = threading.Event()
        self._states_lock = threading.Lock()
        self.router = Router.from_dict(
            self._config(Random(seed)),  # noqa: S311  a script to be repeated, and no secret
            functions(seed),
            {"own": own_strategy},
            adapter=self._adapter,
        )
        self.router.subscribe(self.books)
        self.states = States(self.router, self.books)

    def round(self, calls: int) -> None:
        """So many calls, by all threads together; afterwards everything is at rest."""
        began_s = time.perf_counter()
        left = iter(range(calls))
        taking = threading.Lock()
        self._meddling.set()
        callers = [
            self._threads.submit(self._caller, left, taking, self.called + number)
            for number in range(self._count)
        ]
        operators = [self._threads.submit(self._operator, self.called + each) for each in range(OPERATORS)]
        wait(callers)
        self._meddling.clear()
        for each in [*callers, *operators]:
            each.result()
        self.called += calls
        self.spent_s += time.perf_counter() - began_s

    def close(self) -> None:
        """Everybody goes home."""
        self._threads.shutdown()
        self.router.close()

    def require_rest(self) -> None:
        """Between rounds; streams that were dropped are settled by the thread that sends."""
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s and not self._rests():
            gc.collect()
            time.sleep(0.01)
        self.books.require_nothing_open()
        self.states.require_rest()
        if self.books.counts["call_started"] != self.called:
            self.books.complain(f"{self.called} calls were made, {self.books.counts['call_started']} began")
        if self._adapter.running:
            self.books.complain(f"{self._adapter.running} sends are still under way")

    def _rests(self) -> bool:
        ended = self.books.counts["call_started"] == self.books.counts["call_ended"]
        return ended and not self._adapter.running

    def _config(self, draw: Random) -> dict[str, Any]:
        made = config(LOAD, draw)
        made["targets"] |= {name: {"callable": name} for name in FUNCTIONS}
        breaker = made["routes"]["chat"]["policy"]
        made["routes"]["functions"] = {"chain": list(FUNCTIONS), "policy": breaker}
        return made

    def _caller(self, left: Any, taking: threading.Lock, seed: int) -> None:
        draw = Random(f"{self._seed} {seed}")  # noqa: S311  as above
        while True:
            with taking:
                if next(left, None) is None:
                    return
            try:
                self._call(draw)
            except CallError:
                continue
            except Exception as error:  # noqa: BLE001  whatever it is, it is told
                self.books.complain(f"a caller got {error!r}")

    def _call(self, draw: Random) -> None:
        kind = draw.random()
        if kind < 0.3:
            self.router.call("functions", replay_safe=draw.random() < 0.9)
        elif kind < 0.6:
            self.router.completion("patient" if draw.random() < 0.005 else "chat", HELLO)
        else:
            self._read(draw)

    def _read(self, draw: Random) -> None:
        stream: Any = self.router.completion("chat", HELLO, stream=True)
        way, most = draw.random(), draw.randrange(5)
        if way < 0.05:
            return
        if way < 0.1:
            stream.itself = stream  # only the garbage collector finds it, in whichever thread it comes
            return
        for _ in stream:
            most -= 1
            if most < 0 and way < 0.4:
                break
        if way < 0.2:
            stream.close()
        elif way < 0.3:
            with stream:
                pass

    def _operator(self, seed: int) -> None:
        draw = Random(f"operator {self._seed} {seed}")  # noqa: S311  as above
        while self._meddling.is_set():
            with self._states_lock:
                self._meddle(draw)
            time.sleep(draw.uniform(0.0, 0.02))

    def _meddle(self, draw: Random) -> None:
        if draw.random() < 0.05:
            self.states.note()
            self.router.reload(self._config(draw))
            return
        names = list(self.router.snapshot().targets)
        name = draw.choice(names)
        for each in names:
            self.router.undrain(each)
        if draw.random() < 0.5:
            self.router.reset(name)
        elif draw.random() < 0.5:
            self.router.drain(name)
        else:
            self.router.force_open(name, 0.05)
        # A second listener comes and goes, and raises: that harms nobody.
        unsubscribe = self.router.subscribe(_grumble)
        self.router.decide("chat", HELLO)
        unsubscribe()


def _grumble(event: Any) -> None:
    raise ValueError(event.event)


def soak_threads(
    calls: int, threads: int, seed: int, complaints: Complaints, memory: Memory, rounds: int = ROUNDS
) -> Crowd:
    """So many calls by so many threads; in rounds, between which everything has to be at rest."""
    crowd = Crowd(threads, seed, complaints)
    began_s = time.perf_counter()
    for number in range(1, rounds + 1):
        crowd.round(max(1, calls // rounds))
        crowd.require_rest()
        memory.sample(crowd.called)
        took_s = time.perf_counter() - began_s
        progress(f"round {number:2}/{rounds}: {crowd.called:9,} calls in {took_s:6.1f} s")
    crowd.close()
    return crowd
