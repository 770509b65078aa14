"""One line of an audit trail: a JSON object, chained to the one before it by a hash of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any

from failover.core.terms import SAID, Terms

GENESIS = "0" * 64
"""What the first record follows."""

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """Where a trail ends: how many records it has, and the hash of the last one."""

    records: int = 0
    sha256: str = GENESIS

    def __str__(self) -> str:
        return f"{self.records}:{self.sha256}"


def canonical(fields: Fields) -> bytes:
    """The one way to write it: keys in order, no spaces, ASCII."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def digest(previous: str, fields: Fields) -> str:
    """SHA-256 over the hash of the record before, and this one without its own."""
    return hashlib.sha256(previous.encode("ascii") + canonical(fields)).hexdigest()


def chained(head: Head, fields: Fields) -> tuple[bytes, Head]:
    """The line of a record that follows `head`, and the head after it."""
    numbered = {"record": head.records + 1, **fields, "previous": head.sha256}
    sha256 = digest(head.sha256, numbered)
    return canonical({**numbered, "sha256": sha256}) + b"\n", Head(head.records + 1, sha256)


def moment(epoch_s: float) -> str:
    """An instant as records tell it: UTC, to the microsecond."""
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def terms_told(terms: Terms) -> dict[str, Any]:
    """What terms say, as plain values: what their digest is of."""
    told = {name: value for name in SAID if (value := getattr(terms, name)) is not None}
    return {name: _plain(value) for name, value in told.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return "unlimited" if value == inf else value


def terms_digest(terms: Terms) -> str:
    """The SHA-256 of what terms say: the same terms have the same."""
    return hashlib.sha256(canonical(terms_told(terms))).hexdigest()
