"""The tables of a ledger file, and what is wrong with a file that cannot be used as one.

Charges are only ever added: the file itself refuses to change or delete one. `sums` are kept by a trigger,
so that the charges of any process count, whatever budgets its own config has; a sum that is missing is added
up from the charges.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields
from pathlib import Path
from typing import Any

from failover.core.spend import Charge, Reservation, Spender
from failover.core.vocabulary import Usage
from failover.errors import LedgerError
from failover.ledger.keeping import LOG_PAGES_MOST

OPENING_S = 5.0
"""How long a process that begins waits for a locked file."""

APPLICATION_ID = 0x464F4C47
"""`FOLG`: tells a ledger from any other SQLite file."""

_VERSION_1 = """
CREATE TABLE charges (
    id INTEGER PRIMARY KEY,
    reservation TEXT NOT NULL UNIQUE,
    call TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    route TEXT NOT NULL,
    target TEXT NOT NULL,
    provider TEXT NOT NULL,
    credential TEXT NOT NULL,
    model TEXT NOT NULL,
    tenant TEXT NOT NULL,
    tags TEXT NOT NULL,
    usage TEXT NOT NULL,
    cost_nusd INTEGER NOT NULL,
    is_estimated INTEGER NOT NULL,
    started_s REAL NOT NULL,
    price_as_of_s REAL NOT NULL
);
CREATE INDEX charges_by_time ON charges (started_s);
CREATE INDEX charges_by_tenant ON charges (tenant, started_s) WHERE tenant != '';
CREATE TABLE sums (
    account INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    begins_s REAL NOT NULL,
    ends_s REAL NOT NULL,
    spent_nusd INTEGER NOT NULL,
    UNIQUE (kind, name, begins_s, ends_s)
);
CREATE TABLE reservations (
    account INTEGER NOT NULL,
    id TEXT NOT NULL,
    nusd INTEGER NOT NULL,
    at_s REAL NOT NULL,
    until_s REAL NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE INDEX reservations_by_end ON reservations (until_s);
CREATE TRIGGER charges_add_up AFTER INSERT ON charges WHEN NEW.cost_nusd != 0 BEGIN
    UPDATE sums SET spent_nusd = spent_nusd + NEW.cost_nusd
    WHERE (kind, name) IN (
        VALUES ('all', ''), ('route', NEW.route), ('target', NEW.target), ('provider', NEW.provider),
               ('credential', NEW.credential), ('tenant', NEW.tenant)
        UNION ALL SELECT 'tag', value FROM json_each(NEW.tags)
    ) AND begins_s <= NEW.started_s AND NEW.started_s < ends_s;
END;
CREATE TRIGGER charges_do_not_change BEFORE UPDATE ON charges BEGIN
    SELECT RAISE(ABORT, 'charges are only ever added');
END;
CREATE TRIGGER charges_stay BEFORE DELETE ON charges BEGIN
    SELECT RAISE(ABORT, 'charges are only ever added');
END;
"""

VERSIONS = (_VERSION_1,)
"""What makes each version of the tables of the one before; the file says in `user_version` which it has."""

OF_KIND = {
    Spender.ALL: "",
    Spender.ROUTE: "AND route = :name",
    Spender.TARGET: "AND target = :name",
    Spender.PROVIDER: "AND provider = :name",
    Spender.CREDENTIAL: "AND credential = :name",
    Spender.TENANT: "AND tenant = :name AND tenant != ''",
    Spender.TAG: "AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value = :name)",
}
"""Which charges belong to an account, besides its window."""

CHARGE = """
INSERT INTO charges (reservation, call, attempt, route, target, provider, credential, model, tenant, tags,
                     usage, cost_nusd, is_estimated, started_s, price_as_of_s)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (reservation) DO NOTHING
"""
"""Adds one; a reservation that was settled before adds none."""

_KINDS_OF_USAGE = tuple(each.name for each in fields(Usage))

_CURES = {
    sqlite3.SQLITE_BUSY: "is locked by another process: wait for it, or find who holds it (`fuser` names it)",
    sqlite3.SQLITE_LOCKED: "is locked: wait for whoever holds it",
    sqlite3.SQLITE_FULL: "cannot grow: the disk or its quota is full; free some space",
    sqlite3.SQLITE_READONLY: "cannot be written to: allow this user to write it and its folder",
    sqlite3.SQLITE_PERM: "cannot be opened: allow this user to read and write it",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened or made: its folder must exist, and this user may write there",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error",
    sqlite3.SQLITE_CORRUPT: "is damaged: move it aside, and recover what can be (`sqlite3 FILE .recover`)",
    sqlite3.SQLITE_NOTADB: "is no SQLite database: name another file, or move it aside",
}


def words_of(error: sqlite3.Error, path: Path) -> str:
    """What is wrong with the file, and what to do."""
    code = getattr(error, "sqlite_errorcode", 0)
    cure = _CURES.get(code & 0xFF, "cannot be used")
    return f"the ledger {path} {cure} (SQLite: {error})"


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the ledger at `path`, made or brought to the present version where needed.

    From then on it does not wait for a locked file: who uses it does. Raises `LedgerError`.
    """
    try:
        # Whoever uses it has a lock of his own: several threads share it.
        connection = sqlite3.connect(path, timeout=OPENING_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise LedgerError(words_of(error, path)) from error
    try:
        _prepare(connection, path)
        connection.execute("PRAGMA busy_timeout = 0")
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise LedgerError(words_of(error, path)) from error
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection, path)
    # A reader sees the last commit while somebody writes; a killed process loses no commit.
    if _one(connection, "PRAGMA journal_mode") != "wal":
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES_MOST}")
    if version == len(VERSIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Meanwhile another process may have done it.
        for number in range(_version(connection, path), len(VERSIONS)):
            for statement in _statements(VERSIONS[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def require_ledger(connection: sqlite3.Connection, path: Path) -> None:
    """Raises `LedgerError` where it is none, or one that this version does not know."""
    if not _version(connection, path):
        raise LedgerError(f"{path} is no ledger: it is empty")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Which version of the tables the file has, 0 where it is empty. Raises `LedgerError`."""
    application, version = _one(connection, "PRAGMA application_id"), _one(connection, "PRAGMA user_version")
    if application == 0 and not _one(connection, "SELECT count(*) FROM sqlite_schema"):
        return 0
    if application != APPLICATION_ID:
        raise LedgerError(f"{path} is a database of something else, not a ledger: name another file")
    if version > len(VERSIONS):
        known = len(VERSIONS)
        raise LedgerError(
            f"the ledger {path} was written by a later failover (its tables are version {version}, this one "
            f"knows {known}): upgrade failover, or name another file"
        )
    return int(version)


def _one(connection: sqlite3.Connection, query: str) -> Any:
    return connection.execute(query).fetchone()[0]


def _statements(script: str) -> list[str]:
    """One by one, inside a transaction: `executescript` would commit."""
    found, begun = [], ""
    for line in script.splitlines():
        begun += line + "\n"
        if sqlite3.complete_statement(begun):
            found.append(begun)
            begun = ""
    return found


def row_of(reservation: Reservation, charge: Charge) -> tuple[object, ...]:
    """A charge, as `CHARGE` takes it."""
    target, usage = charge.target, charge.usage
    told = (
        {} if usage is None else {name: count for name in _KINDS_OF_USAGE if (count := getattr(usage, name))}
    )
    return (
        reservation.id,
        charge.call,
        charge.attempt,
        charge.route,
        target.name,
        target.provider,
        target.credential,
        target.model,
        charge.tenant,
        json.dumps(sorted(charge.tags)) if charge.tags else "[]",
        json.dumps(told),
        charge.cost_nusd,
        int(charge.is_estimated),
        charge.started_s,
        charge.price_as_of_s,
    )
