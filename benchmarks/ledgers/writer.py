"""A process of writers, each a thread that reserves and settles until it has done its part, or is killed.

Usage: python -m benchmarks.ledgers.writer LEDGER NOTES FIRST THREADS EACH REQUESTS SEED
Each writer keeps notes, a line at a time, straight to its file: `b` is about to settle, `d` has settled, `r`
was refused, `f` failed and was released, `t` could not reach the ledger; the number of the request, and for
`b` and `d` the reservation and its charge. So whoever kills it knows what must be in the ledger.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from benchmarks.ledgers.market import Asked, asked, holds, limits
from failover.core.spend import Account, Refusal
from failover.errors import LedgerError
from failover.ledger.sqlite import SqliteLedger

LASTS_S = 5.0
"""How long a reservation lasts that nobody settles."""


class Writer:
    """One of them; goes on where the one before it was killed."""

    def __init__(self, ledger: SqliteLedger, notes: Path, number: int) -> None:
        self._ledger = ledger
        self._number = number
        lines = notes.read_text("utf-8").splitlines() if notes.exists() else []
        done = [int(line.split()[1]) for line in lines if line[0] in "drft"]
        self._next = max(done, default=-1) + 1
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._waits_us: list[str] = []

    def run(self, each: int, limited: dict[Account, int | None], seed: int) -> None:
        """All that is left of its part."""
        for number in range(self._next, each):
            self._ask(asked(seed, self._number, number), limited)

    def _ask(self, one: Asked, limited: dict[Account, int | None]) -> None:
        now_s, began = time.time(), time.perf_counter_ns()
        try:
            found = self._ledger.reserve(holds(one, limited), one.most_nusd, now_s, now_s + LASTS_S)
        except LedgerError:
            self._note(f"t {one.number}")
            return
        reserved = time.perf_counter_ns()
        if isinstance(found, Refusal):
            self._note(f"r {one.number} {(reserved - began) // 1000}")
            return
        time.sleep(one.takes_s)
        if one.fails:
            self._ledger.release(found)
            self._note(f"f {one.number}")
        else:
            self._note(f"b {one.number} {found.id} {one.cost_nusd}")
            before = time.perf_counter_ns()
            self._ledger.settle(found, one.charge(found))
            took = f"{(reserved - began) // 1000} {(time.perf_counter_ns() - before) // 1000}"
            # While it is kept in memory, it is settled for this process alone.
            letter = "k" if self._ledger.unwritten else "d"
            self._note(f"{letter} {one.number} {found.id} {one.cost_nusd} {took}")

    def _note(self, line: str) -> None:
        os.write(self._notes, f"{line}\n".encode())


def main() -> None:
    """As the arguments say."""
    path, notes, first, threads, each, requests, seed = sys.argv[1:]
    ledger, limited = SqliteLedger(path), limits(int(requests))
    numbers = range(int(first), int(first) + int(threads))
    writers = [Writer(ledger, Path(notes) / f"{number}.txt", number) for number in numbers]
    running = [
        threading.Thread(target=writer.run, args=(int(each), limited, int(seed))) for writer in writers
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    while not ledger.flush():
        time.sleep(0.2)
    ledger.close()
    for number in numbers:
        (Path(notes) / f"{number}.end").touch()


if __name__ == "__main__":
    main()
