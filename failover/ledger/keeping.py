"""A thread that looks after a ledger file: what takes a disk's time is not for who waits for an answer."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Protocol
from weakref import ref

EVERY_S = 1.0
"""How often it looks."""

LOG_BYTES = 4_000_000
"""A write-ahead log that is longer is moved into the file."""

LOG_PAGES_MOST = 20_000
"""Where no thread does that, SQLite itself does, within some call: at 80 MB."""


class Kept(Protocol):
    """A ledger in a file."""

    path: Path

    @property
    def unwritten(self) -> int:
        """How many settlements could not be written so far."""
        ...

    def flush(self) -> bool:
        """Write them; whether none is left."""
        ...


class Keeper:
    """Has a ledger write what it could not, and moves the log of its file, until `stop`.

    It keeps no ledger alive.
    """

    def __init__(self, ledger: Kept) -> None:
        self._stop = Event()
        self._ledger = ref(ledger)
        self._path = ledger.path
        self._thread = Thread(target=self._run, name="failover-ledger", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Not in a child of `os.fork`."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """At once, without waiting for it."""
        self._stop.set()

    def wait_a_while(self) -> None:
        """For a look of its own."""
        self._stop.wait(EVERY_S)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            ledger = self._ledger()
            if ledger is None:
                return
            if ledger.unwritten:
                ledger.flush()
            del ledger
            move_log(self._path)


def move_log(path: Path, least_bytes: int = LOG_BYTES) -> None:
    """Move the log into the file, as far as nobody needs it; what cannot be moved is moved another time."""
    with suppress(OSError, sqlite3.Error):
        if path.with_name(path.name + "-wal").stat().st_size > least_bytes:
            with closing(sqlite3.connect(path, timeout=0.0)) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
