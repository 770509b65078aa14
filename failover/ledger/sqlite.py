"""A ledger in a file that several processes share, and that a killed one leaves whole.

A reservation looks at every limit and writes itself down in one transaction, so that no two callers are
promised the same money. What cannot be written while the file is locked or the disk is full is kept in
memory, and written as soon as the file answers again.
"""

from __future__ import annotations

import itertools
import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from secrets import token_hex
from threading import RLock

from failover.core.spend import Account, Charge, Hold, Refusal, Reservation, Spender, Totals, refusal_of
from failover.errors import LedgerError
from failover.ledger.keeping import Keeper
from failover.ledger.memory import LATE_S
from failover.ledger.tables import CHARGE, OF_KIND, connect, row_of, words_of

WAIT_S = 0.25
"""How long a call waits for a file that somebody else has locked."""

PAUSE_S, PAUSE_MOST_S = 0.0001, 0.002
"""How often it looks whether the file is free, in that time: less and less often."""

REST_S = 1.0
"""After it did not answer, the file is left alone for so long: callers do not all wait in turn."""

STEP_BACK_S = 3600.0
"""A clock that is behind what the ledger saw by no more than this is held at that: no window opens again."""

_log = logging.getLogger("failover")

_SUM = "SELECT account, spent_nusd FROM sums WHERE kind = ? AND name = ? AND begins_s = ? AND ends_s = ?"
_RESERVED = "SELECT coalesce(sum(nusd), 0) FROM reservations WHERE account = ? AND until_s > ? AND at_s <= ?"
_RESERVE = "INSERT INTO reservations (account, id, nusd, at_s, until_s) VALUES (?, ?, ?, ?, ?)"
_FREE = "DELETE FROM reservations WHERE account = ? AND id = ?"
_LATEST = """
SELECT max(coalesce((SELECT max(started_s) FROM charges), 0.0),
           coalesce((SELECT max(at_s) FROM reservations), 0.0))
"""
_BEGIN = """
INSERT INTO sums (kind, name, begins_s, ends_s, spent_nusd)
VALUES (:kind, :name, :begins_s, :ends_s,
        (SELECT coalesce(sum(cost_nusd), 0) FROM charges
         WHERE started_s >= :begins_s AND started_s < :ends_s """


class SqliteLedger:
    """The ledger in the file at `path`; raises `LedgerError` where it cannot be used.

    Threads and processes may share it. `wait_s`: the longest that one call waits for a locked file.
    `clock` tells how long the file rests, and starts no transaction.
    """

    def __init__(
        self, path: str | Path, wait_s: float = WAIT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = Path(path)
        self.trouble = ""
        self._wait_s = wait_s
        self._clock = clock
        self._lock = RLock()
        self._unwritten: deque[tuple[Reservation, Charge | None]] = deque()
        self._rests_until_s = 0.0
        self._latest_s = 0.0
        self._keeper: Keeper | None = None
        self._is_closed = False
        self._open()

    def now_s(self, as_of_s: float) -> float:
        """`as_of_s`, or the latest time that the ledger saw where the clock is a little behind that."""
        behind_s = self._latest_s - as_of_s
        if behind_s <= 0.0:
            return as_of_s
        if behind_s > STEP_BACK_S:
            told = "the clock is %.0f s behind the latest charge in %s: either was wrong; the clock counts"
            _log.warning(told, behind_s, self.path)
            self._latest_s = as_of_s
        return self._latest_s

    def reserve(
        self, holds: tuple[Hold, ...], nusd: int, at_s: float, until_s: float
    ) -> Reservation | Refusal:
        """As the port says: one transaction, however many accounts."""
        name = f"{self._token}-{next(self._ids)}"
        if not holds:
            return Reservation(name, nusd, (), at_s, until_s)
        with self._lock, self._transaction() as connection:
            accounts, spent = [], []
            for hold in holds:
                account, totals = self._totals(connection, hold.account, at_s)
                limit_nusd = hold.limit_nusd
                if limit_nusd is not None and totals.spent_nusd + totals.reserved_nusd + nusd > limit_nusd:
                    return refusal_of(hold, limit_nusd, totals, nusd)
                accounts.append(account)
                spent.append(totals.spent_nusd)
            connection.executemany(_RESERVE, [(account, name, nusd, at_s, until_s) for account in accounts])
        return Reservation(name, nusd, holds, at_s, until_s, tuple(spent))

    def settle(self, reservation: Reservation, charge: Charge) -> None:
        """As the port says: when it returns, the charge is in the file, or kept until it is."""
        self._write(reservation, charge)

    def release(self, reservation: Reservation) -> None:
        """As the port says."""
        if reservation.holds:
            self._write(reservation, None)

    def totals(self, account: Account, at_s: float) -> Totals:
        """As the port says."""
        with self._lock, self._transaction() as connection:
            return self._totals(connection, account, at_s)[1]

    def names(self, kind: Spender, begins_s: float, ends_s: float) -> Sequence[str]:
        """As the port says."""
        query = "SELECT name FROM sums WHERE kind = ? AND begins_s = ? AND ends_s = ?"
        with self._lock, self._transaction() as connection:
            return [name for (name,) in connection.execute(query, (kind.value, begins_s, ends_s))]

    @property
    def unwritten(self) -> int:
        """How many settlements are kept in memory for now."""
        return len(self._unwritten)

    def flush(self) -> bool:
        """Write down what is kept; whether nothing is left."""
        with self._lock:
            try:
                with self._transaction():
                    pass  # beginning one writes first what is kept
            except LedgerError:
                pass
            return not self._unwritten

    def close(self) -> None:
        """As the port says. What cannot be written even now is lost, and logged with its sum."""
        with self._lock:
            if self._is_closed:
                return
            self._rests_until_s = 0.0
            if self._unwritten and not self.flush():
                lost = [charge.cost_nusd for _, charge in self._unwritten if charge is not None]
                told = f"{len(lost)} charges of {sum(lost)} nano-dollars"
                _log.error("%s; %s could not be written, and are lost", self.trouble, told)
            self._is_closed = True
            if self._keeper is not None:
                self._keeper.stop()
            self._connection.close()

    def _open(self) -> None:
        self._connection = connect(self.path)
        self._pid = os.getpid()
        self._token = token_hex(8)
        self._ids = itertools.count(1)
        self._windows: dict[Account, int] = {}
        try:
            self._latest_s = self._connection.execute(_LATEST).fetchone()[0]
        except sqlite3.Error as error:
            self._connection.close()
            raise LedgerError(words_of(error, self.path)) from error

    def _totals(self, connection: sqlite3.Connection, account: Account, at_s: float) -> tuple[int, Totals]:
        key = (account.kind.value, account.name, account.begins_s, account.ends_s)
        row = connection.execute(_SUM, key).fetchone()
        if row is None:
            self._begin_window(connection, account, at_s)
            row = connection.execute(_SUM, key).fetchone()
        number, spent_nusd = row
        (reserved_nusd,) = connection.execute(_RESERVED, (number, at_s, at_s + STEP_BACK_S)).fetchone()
        return number, Totals(spent_nusd, reserved_nusd)

    def _begin_window(self, connection: sqlite3.Connection, account: Account, at_s: float) -> None:
        """Add up what was charged in it so far, and forget windows that ended, and reservations that did."""
        if isfinite(account.ends_s):
            connection.execute("DELETE FROM sums WHERE ends_s + ? <= ?", (LATE_S, at_s))
        connection.execute("DELETE FROM reservations WHERE until_s + ? <= ?", (LATE_S, at_s))
        window = {"begins_s": account.begins_s, "ends_s": account.ends_s}
        whose = {"kind": account.kind.value, "name": account.name}
        connection.execute(_BEGIN + OF_KIND[account.kind] + "))", {**window, **whose})

    def _write(self, reservation: Reservation, charge: Charge | None) -> None:
        with self._lock:
            try:
                with self._transaction() as connection:
                    self._settle(connection, reservation, charge)
            except LedgerError:
                self._unwritten.append((reservation, charge))
            if self._keeper is None or not self._keeper.is_alive:
                self._keeper = Keeper(self)

    def _settle(
        self, connection: sqlite3.Connection, reservation: Reservation, charge: Charge | None
    ) -> None:
        if charge is not None:
            connection.execute(CHARGE, row_of(reservation, charge))
        for hold in reservation.holds:
            account = hold.account
            key = (account.kind.value, account.name, account.begins_s, account.ends_s)
            row = connection.execute(_SUM, key).fetchone()
            if row is not None:
                connection.execute(_FREE, (row[0], reservation.id))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """What is kept is written first. Raises `LedgerError`, and changes nothing then."""
        if self._is_closed:
            raise LedgerError(f"the ledger {self.path} is closed")
        if os.getpid() != self._pid:
            self._after_fork()
        if self.trouble and self._clock() < self._rests_until_s:
            raise LedgerError(self.trouble)
        connection, kept = self._connection, len(self._unwritten)
        try:
            self._begin(connection)
            for reservation, charge in self._unwritten:
                self._settle(connection, reservation, charge)
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            self._fail(words_of(error, self.path))
            raise LedgerError(self.trouble) from error
        except BaseException:
            self._roll_back()
            raise
        for _ in range(kept):
            self._unwritten.popleft()
        if self.trouble:
            _log.warning("the ledger %s answers again; %d settlements were written late", self.path, kept)
            self.trouble = ""

    def _begin(self, connection: sqlite3.Connection) -> None:
        """SQLite's own waiting sleeps up to 100 ms, and is unfair: who waited long is not sooner served."""
        until_s, pause_s = time.monotonic() + self._wait_s, PAUSE_S
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until_s:
                    raise
            else:
                return
            time.sleep(pause_s)
            pause_s = min(PAUSE_MOST_S, 2 * pause_s)

    def _roll_back(self) -> None:
        # Some errors have ended the transaction already.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _fail(self, trouble: str) -> None:
        self._rests_until_s = self._clock() + REST_S
        if not self.trouble:
            _log.error("%s; until it answers, charges are kept in memory", trouble)
        self.trouble = trouble

    def _after_fork(self) -> None:
        """A connection does not outlive a fork. What is kept is the parent's to write."""
        self._unwritten.clear()
        self.trouble = ""
        self._open()
