"""Many writers on one ledger file, whose processes are killed all the time: nothing may be lost or overshot.

Usage: python -m benchmarks.ledger [--writers N] [--processes N] [--requests N] [--kill-every-s S] [--seed N]
Each request is reserved under several budgets, some of which run out; then it fails and is released, or is
settled. Processes are killed (SIGKILL) at random and started again. In the end: every charge that was settled
is in the file, once, and no other; the sum is that of usage times price; no budget was overshot at any
look; and nothing stays reserved for longer than its time-out. Exit code 0: all that holds; 1: it does not.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from statistics import quantiles

from benchmarks.ledgers.market import PRICES, limits
from benchmarks.ledgers.writer import LASTS_S
from failover.core.spend import Account
from failover.core.vocabulary import Usage
from failover.errors import LedgerError
from failover.ledger.sqlite import SqliteLedger
from failover.ledger.summary import summarize

LOOK_EVERY_S = 0.05
PATIENCE_S = 600.0


@dataclass
class Notes:
    """What the writers say."""

    counts: Counter[str] = field(default_factory=Counter)
    begun: dict[str, int] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    reserve_us: list[int] = field(default_factory=list)
    settle_us: list[int] = field(default_factory=list)

    def read(self, folder: Path) -> None:
        """All of their files. The last line of a killed writer may be cut."""
        for file in folder.glob("*.txt"):
            for line in file.read_text("utf-8").splitlines():
                self._take(line.split())

    def _take(self, words: list[str]) -> None:
        self.counts[words[0]] += 1
        if words[0] == "b":
            self.begun[words[2]] = int(words[3])
        elif words[0] in "dk":
            if words[0] == "d":
                self.settled[words[2]] = int(words[3])
            self.reserve_us.append(int(words[4]))
            self.settle_us.append(int(words[5]))


class Run:
    """The processes, and what a look at the ledger finds while they run."""

    def __init__(self, folder: Path, asked: argparse.Namespace) -> None:
        self.folder = folder
        self.path = folder / "spend.db"
        self.kills = 0
        self.looks = 0
        self.complaints: list[str] = []
        self.limited = limits(asked.requests)
        self._asked = asked
        self._ledger = SqliteLedger(self.path)
        self._draws = random.Random(asked.seed)  # noqa: S311  # whom to kill is no secret

    def to_the_end(self) -> None:
        """Start them, kill some, start those again, and wait for all of them."""
        threads = self._asked.writers // self._asked.processes
        firsts = range(0, self._asked.writers, threads)
        running = {first: self._start(first, threads) for first in firsts}
        began_s = killed_s = time.monotonic()
        while running:
            if time.monotonic() - began_s > PATIENCE_S:
                raise TimeoutError("the writers did not come to an end")
            time.sleep(LOOK_EVERY_S)
            self._look()
            for first, process in list(running.items()):
                if process.poll() is not None:
                    del running[first]
                    if not self._is_done(first, threads):
                        running[first] = self._start(first, threads)
            if running and time.monotonic() - killed_s >= self._asked.kill_every_s:
                killed_s = time.monotonic()
                self._kill(self._draws.choice(list(running.values())))

    def _start(self, first: int, threads: int) -> subprocess.Popen[bytes]:
        each, asked = ceil(self._asked.requests / self._asked.writers), self._asked
        words = [self.path, self.folder, first, threads, each, asked.requests, asked.seed]
        command = [sys.executable, "-m", "benchmarks.ledgers.writer", *map(str, words)]
        return subprocess.Popen(command)  # noqa: S603  # our own words

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.kill()
            process.wait()
            self.kills += 1

    def _is_done(self, first: int, threads: int) -> bool:
        return all((self.folder / f"{number}.end").exists() for number in range(first, first + threads))

    def _look(self) -> None:
        for account, limit in self.limited.items():
            try:
                self._judge(account, limit)
            except LedgerError:
                continue  # it is busy: the next look is soon
            self.looks += 1

    def _judge(self, account: Account, limit: int | None) -> None:
        totals = self._ledger.totals(account, time.time())
        if limit is not None and totals.spent_nusd + totals.reserved_nusd > limit:
            self.complaints.append(f"{account} is overshot: {totals} of {limit}")

    def judge(self, notes: Notes) -> None:
        """What the file holds against what the writers say."""
        with closing(sqlite3.connect(self.path)) as connection:
            query = "SELECT reservation, target, usage, cost_nusd FROM charges"
            rows = {name: (target, usage, cost) for name, target, usage, cost in connection.execute(query)}
        for name, cost in notes.settled.items():
            if name not in rows or rows[name][2] != cost:
                self.complaints.append(f"{name} was settled for {cost}, the ledger has {rows.get(name)}")
        for name, (target, usage, cost) in rows.items():
            owed = PRICES[target].charge_nusd(Usage(**json.loads(usage)))
            if not cost == owed == notes.begun.get(name):
                self.complaints.append(f"{name} is charged {cost}, usage x price is {owed}")
        summary = summarize(self.path, time.time())
        self.complaints += summary.complaints
        time.sleep(LASTS_S)
        for account, limit in self.limited.items():
            totals = self._ledger.totals(account, time.time())
            if totals.reserved_nusd:
                self.complaints.append(f"{account} has {totals.reserved_nusd} reserved, and nobody runs")
            if limit is not None and totals.spent_nusd > limit:
                self.complaints.append(f"{account} spent {totals.spent_nusd} of {limit}")
        self._ledger.close()


def tell(run: Run, notes: Notes, took_s: float) -> None:
    """The figures."""
    total = summarize(run.path, time.time()).total
    counts = notes.counts
    settled = counts["d"] + counts["k"]
    print(f"requests {settled + counts['r'] + counts['f'] + counts['t']}, in {took_s:.1f} s")
    print(f"  settled {settled}, of these kept in memory for a while {counts['k']}")
    print(f"  refused by a budget {counts['r']}, failed and released {counts['f']}")
    print(f"  refused since the ledger did not answer in time {counts['t']}")
    print(f"processes killed and started again: {run.kills}")
    print(f"charges in the ledger {total.charges}, sum {total.cost_nusd} nano-dollars")
    print(f"looks at an account while they ran: {run.looks}")
    for name, times in (("reserve", notes.reserve_us), ("settle", notes.settle_us)):
        cuts = quantiles(times, n=100)
        print(f"{name}: p50 {cuts[49]:.0f} us, p99 {cuts[98]:.0f} us, longest {max(times) / 1000:.0f} ms")


def main(words: list[str] | None = None) -> int:
    """Run it, and say what holds."""
    parser = argparse.ArgumentParser(description="Many writers on one ledger, killed all the time.")
    parser.add_argument("--writers", type=int, default=64)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--kill-every-s", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.monotonic()
        run, notes = Run(Path(folder), asked), Notes()
        run.to_the_end()
        took_s = time.monotonic() - began_s
        notes.read(run.folder)
        run.judge(notes)
        tell(run, notes, took_s)
    for complaint in run.complaints[:20]:
        print(f"DOES NOT HOLD: {complaint}")
    if not run.complaints:
        print("holds: ledger = sum of usage x price, nothing settled is lost, no overshoot, no leak")
    return 1 if run.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
