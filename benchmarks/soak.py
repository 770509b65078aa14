"""Ten routers under ten loads, one more over sockets, one under many threads: nothing may be left behind.

Usage: python -m benchmarks.soak [--calls N] [--routers N] [--threads N] [--seed N] [loops|threads]...
Random faults, cancellations, reloads and an operator's meddling. Between rounds every permit must be
settled, every call ended once, every counter zero; in the end no task, thread, socket or file may be
left, and memory may not have grown. Exit code 0: everything holds; 1: something does not, as printed.
A soak on a real clock is not repeated step by step by its seed: it repeats faults, loads and configs.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import logging
import os
import sys
import threading
import time
import warnings
from collections import Counter
from typing import Any

from benchmarks.soaking.books import Complaints, progress
from benchmarks.soaking.crowds import soak_threads
from benchmarks.soaking.loads import LOADS
from benchmarks.soaking.loops import soak_loops, use_litellm
from benchmarks.soaking.remains import BYTES_PER_CALL_MOST, Memory, open_files
from failover.adapters.loading import load_litellm

SHORT_CALLS = 20_000
"""With fewer, what warms up late looks like growth."""

THREADS_CALLS = 4
"""So many times the calls of a router: what warms up late, a tenth of a megabyte, is no growth."""

PARTS = ("loops", "threads")
TOLD = (
    "attempt_started", "permit success", "permit failure", "permit abandoned", "probe", "cause retry",
    "cause fallback", "cause hedge", "cause last_resort", "wait_started", "breaker_changed", "fate_shared",
    "cooldown_started", "target_retired", "config_reloaded", "end served", "end cancelled",
)  # fmt: skip


def print_counts(rows: list[tuple[str, int, float, Counter[str]]]) -> None:
    """What happened, a column per router."""
    print("\n" + " " * 18 + "".join(f"{number:>9}" for number in range(1, len(rows) + 1)))
    print(f"{'calls':18}" + "".join(f"{calls:9}" for _, calls, _, _ in rows))
    for what in TOLD:
        print(f"{what:18}" + "".join(f"{counts[what]:9}" for *_, counts in rows))
    print(f"{'seconds':18}" + "".join(f"{took_s:9.1f}" for _, _, took_s, _ in rows))
    for number, (name, *_) in enumerate(rows, 1):
        print(f"  {number:2} {name}")


def judge_memory(memory: Memory, complaints: Complaints, *, short: bool) -> None:
    """Whether memory is flat; in a short soak it is only told."""
    used, resident = memory.per_call()
    for which, name, slope in ((1, "in use", used), (2, "resident", resident)):
        first, last = memory.mib(which)
        print(
            f"memory {name}: {first:.2f} MiB after the first round, {last:.2f} MiB after the last;", end=" "
        )
        print(f"after the warm-up {slope:+.2f} bytes per call")
    if used > BYTES_PER_CALL_MOST and not short:
        complaints.add(
            f"memory in use grows by {used:.2f} bytes per call, {BYTES_PER_CALL_MOST:g} is the bound"
        )


def listen_for_strays(complaints: Complaints) -> None:
    """What Python would only print: exceptions in finalizers and threads, and what was not closed."""
    warnings.simplefilter("error", ResourceWarning)
    warnings.filterwarnings("error", ".* was never awaited", RuntimeWarning)
    # litellm makes a coroutine in a thread, and forgets it where its caller was cancelled meanwhile.
    warnings.filterwarnings("ignore", "coroutine 'OpenAIChatCompletion", RuntimeWarning)
    sys.unraisablehook = lambda stray: complaints.add(f"unraisable: {stray.exc_value!r} in {stray.object!r}")
    threading.excepthook = lambda stray: complaints.add(f"thread {stray.thread}: {stray.exc_value!r}")


def loops(arguments: argparse.Namespace, complaints: Complaints) -> None:
    """Routers in one event loop."""
    memory = Memory()
    loads = [LOADS[number % len(LOADS)] for number in range(arguments.routers)]
    print(f"{arguments.routers} routers in one event loop, {arguments.calls:,} calls each")
    warm_up()
    before, running = open_files(), set(threading.enumerate())
    soaked = asyncio.run(soak_loops(arguments.calls, loads, arguments.seed, complaints, memory))
    print_counts([(each.load.name, each.called, each.spent_s, each.books.counts) for each in soaked])
    judge_memory(memory, complaints, short=arguments.calls < SHORT_CALLS)
    require_nothing_left(before, running, complaints)


def threads(arguments: argparse.Namespace, complaints: Complaints) -> None:
    """One router under many threads."""
    memory, calls = Memory(), arguments.calls * THREADS_CALLS
    print(f"{arguments.threads} threads, {calls:,} calls together")
    before, running = open_files(), set(threading.enumerate())
    crowd = soak_threads(calls, arguments.threads, arguments.seed, complaints, memory)
    print_counts([("threads", crowd.called, crowd.spent_s, crowd.books.counts)])
    judge_memory(memory, complaints, short=arguments.calls < SHORT_CALLS)
    require_nothing_left(before, running, complaints)


def warm_up() -> None:
    """litellm opens and keeps what it likes when it is first used: that is not ours to judge.

    It makes a million objects, too: the garbage collector is told to leave them alone, or else every look
    at memory would hold up the event loop for half a second, and all timeouts with it.
    """
    litellm = load_litellm()
    litellm.suppress_debug_info = True
    asyncio.run(use_litellm())
    gc.collect()
    gc.freeze()


def require_nothing_left(before: set[str], running: set[Any], complaints: Complaints) -> None:
    """No file, socket or thread more than there was."""
    gc.collect()
    kept = {each.partition(" ")[2] for each in open_files()} - {each.partition(" ")[2] for each in before}
    for each in kept:
        complaints.add(f"open: {each}")
    for thread in set(threading.enumerate()) - running:
        complaints.add(f"a thread is left: {thread}")
    print(f"open files and sockets: {len(before)} before, {len(open_files())} after")


def main() -> int:
    """Run what was asked for; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: both")
    parser.add_argument("--calls", type=int, default=100_000, help="per router; for all threads four times")
    parser.add_argument("--routers", type=int, default=len(LOADS))
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    complaints = Complaints()
    listen_for_strays(complaints)
    began_s = time.perf_counter()
    for part in arguments.parts or PARTS:
        progress()
        {"loops": loops, "threads": threads}[part](arguments, complaints)
        faulthandler.cancel_dump_traceback_later()
    took_s = time.perf_counter() - began_s
    verdict = "everything holds" if not complaints.count else f"{complaints.count} complaints"
    print(f"\nseed {arguments.seed}: {verdict}, in {took_s:.0f} s")
    return 1 if complaints.count else 0


def with_exact_memory() -> None:
    """Begin anew without what glibc keeps per thread for later: it counts as used, and fills for minutes."""
    if "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=0"
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.soak", *sys.argv[1:]])  # noqa: S606  it starts itself


if __name__ == "__main__":
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    with_exact_memory()
    sys.exit(main())
