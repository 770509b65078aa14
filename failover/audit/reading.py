"""Reads an audit trail back: is every record as it was written, and who saw what?"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from failover.audit.records import GENESIS, Head, canonical, digest
from failover.documents import shown
from failover.errors import Complaint, ConfigError

LINE_BYTES_MAX = 65_536
_ANCHOR = re.compile(r"(\d+):([0-9a-f]{64})")


@dataclass(slots=True)
class Found:
    """What a trail holds: `broken` is where it is not what was written, empty where it is.

    `seen` counts the attempts by data class and target, `lost` those that could not be written down.
    """

    head: Head = field(default_factory=Head)
    broken: str = ""
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_at: str = ""
    last_at: str = ""
    lost: int = 0
    openings: int = 0
    torn: int = 0


def read_trail(path: Path, anchor: str | None = None) -> Found:
    """Every record, held against the one before it; reading stops at the first that is not as it was.

    `anchor` is a head that was noted earlier, `records:sha256`: the record of that number must have that
    hash, which shows records that were cut off the end. Raises `ConfigError` for what cannot be read.
    """
    noted = None if anchor is None else _head_of(anchor)
    found = Found()
    for line, text in enumerate(_lines(path), start=1):
        found.broken = _held(found, line, text)
        if found.broken:
            return found
        if noted is not None and noted.records == found.head.records and noted != found.head:
            found.broken = f"line {line}: record {noted.records} is not the one that was noted: rewritten"
            return found
    if noted is not None and noted.records > found.head.records:
        missing = noted.records - found.head.records
        found.broken = f"it ends at record {found.head.records}: at least {missing} were cut off its end"
    return found


def _held(found: Found, line: int, text: bytes) -> str:
    """Takes in one line; returns what is wrong with it."""
    try:
        told: Any = json.loads(text)
    except ValueError:
        told = None
    if not text.endswith(b"\n"):
        return f"line {line}: is cut short"
    if not isinstance(told, dict) or not {"record", "previous", "sha256"} <= told.keys():
        return f"line {line}: is no record of an audit trail"
    sha256, number = told.pop("sha256"), found.head.records + 1
    wrong = ""
    if told["record"] != number:
        wrong = f"is record {shown(told['record'])}, and {number} should follow: some were removed or moved"
    elif told["previous"] != found.head.sha256:
        wrong = f"record {number} does not follow the one before it, which was replaced"
    elif digest(found.head.sha256, told) != sha256 or canonical({**told, "sha256": sha256}) != text[:-1]:
        wrong = f"record {number} was changed after it was written"
    if wrong:
        return f"line {line}: {wrong}"
    found.head = Head(number, sha256)
    _count(found, told)
    return ""


def _count(found: Found, told: dict[str, Any]) -> None:
    found.last_at = str(told.get("at", ""))
    found.first_at = found.first_at or found.last_at
    match told.get("kind"):
        case "sent":
            found.seen[str(told.get("data_class", "")), str(told.get("target", ""))] += 1
        case "lost":
            found.lost += int(told.get("attempts", 0))
        case "opened":
            found.openings += 1
            found.torn += bool(told.get("torn_bytes"))


def _head_of(anchor: str) -> Head:
    match = _ANCHOR.fullmatch(anchor)
    if match is None or (match[1] == "0" and match[2] != GENESIS):
        what = f"must be what 'failover audit verify' printed, such as 17:0f3a…, got {shown(anchor)}"
        raise ConfigError([Complaint("--anchor", 0, "", what)])
    return Head(int(match[1]), match[2])


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while text := file.readline(LINE_BYTES_MAX):
                yield text
    except OSError as error:
        raise ConfigError([Complaint(str(path), 0, "", f"cannot be read: {error.strerror}")]) from error
