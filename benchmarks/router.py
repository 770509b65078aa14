"""The router's own cost, side by side with `litellm.Router` and a bare loop, in one run.

Usage: python benchmarks/router.py. Targets are plain functions that return at once, so that only routing
is measured; litellm's share is measured over its own mock reply. Each figure is the least of several
rounds, since a machine's neighbours only ever add.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

from failover import Router, tokens
from failover.adapters.loading import load_litellm
from failover.core.decide import Facts, decide
from failover.core.learned import Learned
from failover.core.vocabulary import Request, Route, Target

ROUNDS, CALLS, MOCKED = 7, 3000, 300
HELLO = [{"role": "user", "content": "hello"}]


async def least_us(call: Callable[[], Awaitable[Any]], calls: int) -> float:
    """Microseconds of one call: the least mean of the rounds."""
    means = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        for _ in range(calls):
            await call()
        means.append((time.perf_counter() - began_s) / calls * 1e6)
    return min(means)


async def answers(**_: Any) -> int:
    """A target that is always well."""
    return 1


async def fails(**_: Any) -> int:
    """A target that is down."""
    raise ConnectionRefusedError


def ignored(_: object) -> None:
    """A listener, so that events are made."""


def router(first: Callable[..., Any]) -> Router:
    """Three targets; breaker, statistics, budget and events on."""
    config = {
        "targets": {"a": {}, "b": {}, "c": {}},
        "routes": {
            "r": {"chain": ["a", "b", "c"], "policy": {"breaker": {"open_s": 3600, "open_max_s": 3600}}}
        },
    }
    made = Router.from_dict(config, callables={"a": first, "b": answers, "c": answers})
    made.subscribe(ignored)
    return made


PRICE = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 10}
BUDGETS = [
    {"scope": "route:r", "usd": 1_000_000, "per": "day"},
    {"scope": "tenant:*", "usd": 1_000_000, "per": "month"},
]


async def budgeted_us(**rest: Any) -> float:
    """One call under two hard budgets."""
    config = {
        "targets": {name: {"prices": PRICE} for name in "abc"},
        "routes": {"r": {"chain": ["a", "b", "c"]}},
        "budgets": BUDGETS,
        **rest,
    }
    made = Router.from_dict(config, callables=dict.fromkeys("abc", answers))
    made.subscribe(ignored)
    async with made:
        for _ in range(20):
            await made.acall("r", tenant="acme")
        return await least_us(lambda: made.acall("r", tenant="acme"), CALLS)


async def bare_loop() -> int:
    """What one would write by hand."""
    for target in (answers, answers, answers):
        try:
            async with asyncio.timeout(30):
                return await target()
        except Exception:  # noqa: BLE001, S112  # a bare loop goes on, whatever it was
            continue
    raise RuntimeError


async def ours_us(first: Callable[..., Any]) -> float:
    """One call through the router."""
    async with router(first) as made:
        for _ in range(20):
            await made.acall("r")
        return await least_us(lambda: made.acall("r"), CALLS)


async def litellm_us() -> tuple[float, float]:
    """`litellm.acompletion` over its mock, and `litellm.Router` over the same."""
    litellm = load_litellm()
    litellm.suppress_debug_info = True
    model = {"model": "openai/gpt-4o", "api_key": "none", "mock_response": "hi"}
    group = [{"model_name": "r", "litellm_params": dict(model)} for _ in range(3)]
    theirs = litellm.Router(model_list=group, num_retries=0)
    plain = await least_us(lambda: litellm.acompletion(messages=HELLO, num_retries=0, **model), MOCKED)
    routed = await least_us(lambda: theirs.acompletion(model="r", messages=HELLO), MOCKED)
    return plain, routed


def decision_us(count: int) -> float:
    """One decision over so many targets."""
    targets = tuple(Target(f"t{number}", f"p{number}", "m") for number in range(count))
    route = Route("r", (targets,))
    learned, facts, request = Learned([route]), Facts(), Request("1")
    times = max(20, 20_000 // count)
    means = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        for _ in range(times):
            decide(route, request, learned, facts, 0.0, lambda: 0.5)
        means.append((time.perf_counter() - began_s) / times * 1e6)
    return min(means)


def counting_us(model: str) -> tuple[float, float]:
    """One count of a prompt in a model's own tokens, and one more for another attempt of the same call."""
    payload, target = (
        {"messages": [{"role": "user", "content": "hello there, " * 308}]},
        Target("t", "p", model),
    )
    tokens.prepare([model])
    once, again = [], []
    for _ in range(200):
        prompt = tokens.Prompt(payload, 1000)
        for figures in (once, again):
            began_s = time.perf_counter()
            prompt(target)
            figures.append((time.perf_counter() - began_s) * 1e6)
    return min(once), min(again)


def import_s(module: str) -> float:
    """Seconds to import a module in a fresh interpreter, that of the interpreter taken off."""

    def run(code: str) -> float:
        began_s = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603  # our own words
        return time.perf_counter() - began_s

    return min(run(f"import {module}") for _ in range(3)) - min(run("pass") for _ in range(3))


async def main() -> None:
    """Print the figures and their ratios to the budgets."""
    logging.disable(logging.CRITICAL)
    healthy, outage, bare = await ours_us(answers), await ours_us(fails), await least_us(bare_loop, CALLS)
    in_memory = await budgeted_us()
    with tempfile.TemporaryDirectory() as folder:
        in_a_file = await budgeted_us(ledger={"sqlite": f"{folder}/spend.db"})
    plain, routed = await litellm_us()
    adds = routed - plain
    print(f"router over a no-op callable {healthy:8.1f} us")
    print(f"  the first breaker open     {outage:8.1f} us")
    print(f"  two budgets, in memory     {in_memory:8.1f} us")
    print(f"  two budgets, in a file     {in_a_file:8.1f} us (nothing is charged: two transactions each)")
    print(f"bare loop with a timeout     {bare:8.1f} us")
    print(f"litellm.acompletion, mocked  {plain:8.1f} us; litellm.Router adds {adds:.1f} us")
    print(f"  of what it adds:           1/{adds / healthy:.0f} (budget: at most 1/20, aim 1/40)")
    print(f"  of the bare loop:          {healthy / bare:.1f} x (budget: at most 10 x, aim 5 x)")
    print(f"  outage against healthy:    {outage / healthy:.2f} x (budget: at most 1.3 x)")
    before = 0.0
    for count in (3, 30, 300, 3000):
        took = decision_us(count)
        more = f", {(took - before) / (count * 0.9):.2f} us for each more" if before else ""
        print(f"decision over {count:4} targets    {took:8.1f} us{more} (budget: at most 1 us)")
        before = took
    for model in ("openai/gpt-4o", "anthropic/claude-sonnet-5"):
        once_us, again_us = counting_us(model)
        print(
            f"a prompt of 4000 characters counted for {model:<26} {once_us:8.1f} us, again {again_us:.2f} us"
        )
    ours_s, theirs_s = import_s("failover"), import_s("litellm")
    ratio = theirs_s / ours_s
    print(f"import failover {ours_s * 1000:.0f} ms, litellm {theirs_s * 1000:.0f} ms: 1/{ratio:.0f} (1/20)")


if __name__ == "__main__":
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    asyncio.run(main())
