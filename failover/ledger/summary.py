"""What a ledger file holds: sums by whatever was asked, and whether it adds up."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from failover.core.spend import Spender
from failover.core.vocabulary import Usage
from failover.errors import LedgerError
from failover.ledger.tables import OF_KIND, require_ledger, words_of

GROUPS = {
    "route": "route",
    "target": "target",
    "provider": "provider",
    "credential": "credential",
    "tenant": "tenant",
    "tag": "tags.value",
    "day": "strftime('%Y-%m-%d', started_s, 'unixepoch')",
}
"""What charges are summed up by. One with two tags counts for both, and days are those of UTC."""

COMPLAINTS_TOLD = 20

ChargeOf = Callable[[str, Usage, float], int | None]
"""What so much usage of a target costs at the price in force then, in nano-dollars; None: unknown."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Some charges together; `estimated_nusd` is the part of them that nobody told."""

    charges: int = 0
    cost_nusd: int = 0
    estimated_nusd: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """All charges of a period, and their sums by group and name.

    `reserved_nusd` is what is kept free now. `complaints` say what does not add up: the first of them.
    """

    total: Sum
    groups: Mapping[str, Mapping[str, Sum]]
    first_s: float | None
    last_s: float | None
    reserved_nusd: int
    checked: int
    complaints: tuple[str, ...]


def summarize(
    path: Path,
    now_s: float,
    since_s: float = 0.0,
    until_s: float = 1e12,
    charge_of: ChargeOf | None = None,
) -> Summary:
    """Read the ledger at `path`, and change nothing; `charge_of` checks each charge anew.

    Raises `LedgerError`.
    """
    if not path.is_file():
        raise LedgerError(f"there is no ledger {path}")
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5.0)
        ) as connection:
            require_ledger(connection, path)
            # One reader's view: whoever writes meanwhile is not seen.
            connection.execute("BEGIN")
            return _read(connection, now_s, (since_s, until_s), charge_of)
    except sqlite3.Error as error:
        raise LedgerError(words_of(error, path)) from error


def _read(
    connection: sqlite3.Connection, now_s: float, period: tuple[float, float], charge_of: ChargeOf | None
) -> Summary:
    judged = [] if charge_of is None else list(_wrong_charges(connection, period, charge_of))
    complaints = [*_damage(connection), *_wrong_sums(connection), *filter(None, judged)]
    first_s, last_s, *total = connection.execute(
        f"SELECT min(started_s), max(started_s), {_SUM} FROM charges {_PERIOD}",  # noqa: S608  # our own words
        period,
    ).fetchone()
    (reserved_nusd,) = connection.execute(_RESERVED, (now_s,)).fetchone()
    more = len(complaints) - COMPLAINTS_TOLD
    told = [*complaints[:COMPLAINTS_TOLD], *([f"and {more} more"] if more > 0 else [])]
    groups = {name: _group(connection, what, period) for name, what in GROUPS.items()}
    return Summary(Sum(*total), groups, first_s, last_s, reserved_nusd, len(judged), tuple(told))


_SUM = "count(*), coalesce(sum(cost_nusd), 0), coalesce(sum(cost_nusd * is_estimated), 0)"
_PERIOD = "WHERE started_s >= ? AND started_s < ?"
_RESERVED = """
SELECT coalesce(sum(nusd), 0)
FROM (SELECT max(nusd) AS nusd FROM reservations WHERE until_s > ? GROUP BY id)
"""
_OWED = """
SELECT coalesce(sum(cost_nusd), 0) FROM charges
WHERE started_s >= :begins_s AND started_s < :ends_s """


def _group(connection: sqlite3.Connection, what: str, period: tuple[float, float]) -> dict[str, Sum]:
    tables = "charges, json_each(charges.tags) AS tags" if "." in what else "charges"
    query = f"SELECT {what}, {_SUM} FROM {tables} {_PERIOD} GROUP BY 1 ORDER BY 3 DESC, 1"  # noqa: S608  # our own words
    return {str(name): Sum(*rest) for name, *rest in connection.execute(query, period) if name != ""}


def _damage(connection: sqlite3.Connection) -> Iterator[str]:
    for (line,) in connection.execute("PRAGMA quick_check(5)"):
        if line != "ok":
            yield f"the file is damaged: {line}"


def _wrong_sums(connection: sqlite3.Connection) -> Iterator[str]:
    """The sums that budgets are held against, added up anew."""
    sums = connection.execute("SELECT kind, name, begins_s, ends_s, spent_nusd FROM sums").fetchall()
    for kind, name, begins_s, ends_s, spent_nusd in sums:
        window = {"begins_s": begins_s, "ends_s": ends_s, "name": name}
        (owed_nusd,) = connection.execute(_OWED + OF_KIND[Spender(kind)], window).fetchone()
        if owed_nusd != spent_nusd:
            account = f"{kind}:{name}" if name else kind
            yield f"the sum of {account} from {moment(begins_s)} is {spent_nusd}, its charges are {owed_nusd}"


def _wrong_charges(
    connection: sqlite3.Connection, period: tuple[float, float], charge_of: ChargeOf
) -> Iterator[str]:
    """For each charge whose usage is known what is wrong with it; empty: nothing."""
    query = f"SELECT id, target, usage, cost_nusd, price_as_of_s FROM charges {_PERIOD} AND NOT is_estimated"  # noqa: S608  # our own words
    for number, target, usage, cost_nusd, as_of_s in connection.execute(query, period):
        owed_nusd = charge_of(target, Usage(**_known(json.loads(usage))), as_of_s)
        wrong = owed_nusd != cost_nusd
        yield f"charge {number} of {target} is {cost_nusd}, its usage costs {owed_nusd}" if wrong else ""


def _known(usage: Mapping[str, Any]) -> dict[str, Any]:
    return {name: usage[name] for name in Usage.__dataclass_fields__ if name in usage}


def moment(epoch_s: float) -> str:
    """A time in UTC, to the second."""
    return f"{dt.datetime.fromtimestamp(epoch_s, dt.UTC):%Y-%m-%d %H:%M:%SZ}"
