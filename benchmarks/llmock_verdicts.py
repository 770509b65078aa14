"""Every fault of llmock, put before the router: what the caller got, and llmock's verdict.

Usage: python -m benchmarks.llmock_verdicts [--peer] [--list] [WORD ...]. `--peer` asks a tuned
`litellm.Router` the same in the same run, `--list` names every request that went wrong, and words choose
requests that have one of them in their names. A request is a fault, a provider, a way to ask and whether
tools are offered; its two targets are servers on loopback, the first of which has the fault. A fallback
counts as its own client: `tests/edge/llmock_matrix.py`, which the tests share, tells how.

`FAIL` and `WARN` are llmock's findings, but for harmless ones; `truncated` and `unsound` are answers and
tool calls that were handed on as good. A request that takes 40 s counts as not served.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import time
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from failover.adapters.loading import load_litellm
from tests.edge.llmock_faults import HELLO, MODELS, PATIENCE_S, TARGETS, TOOL, Cell, cells, our_modes
from tests.edge.llmock_matrix import Heard, Pair, hear_ours

WORKERS = 6
PEER_MODES = {"whole": False, "streamed": True}
GIVEN_UP_S = 40.0
COLUMNS = ("requests", "answerable", "served", "FAIL", "WARN", "truncated", "unsound")

Hear = Callable[[Pair, Cell], Awaitable[Heard]]


def peer_router(pair: Pair, cell: Cell) -> Any:
    """`litellm.Router` with what its documentation offers against each of these faults."""
    timeout_s = PATIENCE_S if cell.fault.slow else 20.0
    deployments = [
        {
            "model_name": target,
            "litellm_params": {
                "model": MODELS[cell.provider],
                "api_key": f"made-up-for-{target}",
                "api_base": pair.base(target, cell.provider),
            },
        }
        for target in TARGETS
    ]
    to_the_second = [{"first": ["second"]}]
    by_policy = {"content_policy_fallbacks": to_the_second} if cell.fault.policy else {}
    return load_litellm().Router(
        model_list=deployments,
        fallbacks=to_the_second,
        context_window_fallbacks=to_the_second,
        num_retries=2,
        allowed_fails=1,
        cooldown_time=30,
        timeout=timeout_s,
        stream_timeout=timeout_s,
        **by_policy,
    )


async def hear_peer(pair: Pair, cell: Cell) -> Heard:
    """What the caller of `litellm.Router` gets at the last time of asking, read to its end."""
    router = peer_router(pair, cell)
    heard = Heard()
    options: dict[str, Any] = {"tools": [TOOL]} if cell.tools else {}
    try:
        for _ in range(cell.fault.asks):
            heard = Heard()
            async with asyncio.timeout(GIVEN_UP_S):
                await _hear(router, heard, streamed=cell.asked == "streamed", **options)
    except Exception as error:  # noqa: BLE001  # what it is, is counted
        heard.error = error
    finally:
        router.discard()
    return heard


async def _hear(router: Any, heard: Heard, *, streamed: bool, **options: Any) -> None:
    reply = await router.acompletion(model="first", messages=HELLO, stream=streamed, **options)
    if not streamed:
        heard.take_in(reply.choices[0].message)
        return
    async for chunk in reply:
        heard.take_in_chunk(chunk)


async def ask(queue: list[Cell], hear: Hear, counts: Counter[str], wrong: list[str]) -> None:
    """One worker with servers of its own."""
    with Pair() as pair:
        while queue:
            cell = queue.pop()
            pair.prepare(cell)
            heard = await hear(pair, cell)
            findings = await asyncio.to_thread(pair.findings)
            found = Counter("FAIL" if each.severity == "error" else "WARN" for each in findings)
            outcome = outcome_of(heard, cell)
            counts.update(found)
            counts.update(["requests", outcome, *(["answerable"] * cell.fault.answerable)])
            if found or outcome not in {"served", "refused"}:
                codes = " ".join(each.code for each in findings)
                wrong.append(f"{cell}: {outcome} {type(heard.error).__name__ if heard.error else ''} {codes}")


def outcome_of(heard: Heard, cell: Cell) -> str:
    """What one request came to. `refused`: an error where there is no answer to be had."""
    if heard.error is not None:
        return "failed" if cell.fault.answerable else "refused"
    if not cell.fault.answerable:
        return "answered nevertheless"
    if heard.unsound():
        return "unsound"
    return "served" if heard.whole(cell) else "truncated"


async def measure(hear: Hear, modes: dict[str, bool], words: list[str]) -> tuple[Counter[str], list[str]]:
    """Every request that has one of the words in its name, all of them where there are none."""
    queue = [
        cell for cell in cells(modes, every=True) if not words or any(word in str(cell) for word in words)
    ]
    counts, wrong = Counter[str](), list[str]()
    await asyncio.gather(*(ask(queue, hear, counts, wrong) for _ in range(WORKERS)))
    return counts, sorted(wrong)


def row(name: str, counts: Counter[str], took_s: float) -> str:
    """One line of the table."""
    share = counts["served"] / max(1, counts["answerable"])
    figures = "".join(f"{counts[column]:>12}" for column in COLUMNS)
    return f"{name:16}{figures}{share:>10.1%}{took_s:>8.0f} s"


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="*")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    load_litellm().suppress_debug_info = True
    print(f"{'':16}{''.join(f'{column:>12}' for column in COLUMNS)}{'share':>10}")
    subjects: list[tuple[str, Hear, dict[str, bool]]] = [("failover", hear_ours, our_modes())]
    if options.peer:
        subjects.append(("litellm.Router", hear_peer, PEER_MODES))
    for name, hear, modes in subjects:
        began_s = time.monotonic()
        counts, wrong = await measure(hear, modes, options.words)
        print(row(name, counts, time.monotonic() - began_s), flush=True)
        if options.list:
            print(*(f"  {each}" for each in wrong), sep="\n")


if __name__ == "__main__":
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    asyncio.run(main())
