"""Recorded workloads: when requests came, and what was known of each, read row by row from a file.

A CSV file has a header line, a JSON Lines file (`.jsonl`) one object a line. `at_s` is required: seconds from
the beginning, not decreasing. `tokens_in`, `tokens_out`, `route`, `tenant`, `data_class` and `tags` (set
apart by spaces) may stand beside it, or be left empty. A trace is checked whole before it is used, and read
again while it is played: a long one takes no memory.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from failover.documents import Complaints, ending, shown
from failover.errors import Complaint, ConfigError

BYTES_MAX = 256 * 2**20
LINE_BYTES_MAX = 10_000
COMPLAINTS_MAX = 10
"""A file in the wrong shape would otherwise be complained about a million times."""
LARGEST = 1e15
SECONDS_MAX = 1e9
TOKENS_MAX = 10_000_000
TEXT_CHARACTERS_MAX = 200
NUMBERS = ("tokens_in", "tokens_out")
TEXTS = ("route", "tenant", "data_class", "tags")
ROUTES_MAX = 1_000
COLUMNS = ("at_s", *NUMBERS, *TEXTS)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One recorded request: seconds from the beginning, and what the file tells of it beside."""

    at_s: float
    tokens_in: int | None = None
    tokens_out: int | None = None
    route: str | None = None
    tenant: str | None = None
    data_class: str | None = None
    tags: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedTrace:
    """A trace that was found in order: `requests` of them, the first and the last at these seconds.

    Times are the file's own, before any `speed`. `routes` and `data_classes` are those that rows name, in
    order.
    """

    path: Path
    requests: int
    first_s: float
    last_s: float
    routes: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()

    def rows(self, for_s: float, speed: float = 1.0) -> Iterator[TraceRow]:
        """The rows that arrive before `for_s` when time runs `speed` times as fast, at those times.

        Raises `ConfigError` where the file is no longer what it was.
        """
        for row in _checked(self.path, _refusing(self.path)):
            at_s = round(row.at_s / speed, 6)
            if at_s >= for_s:
                return
            yield replace(row, at_s=at_s)


def load_trace(path: Path) -> RecordedTrace:
    """The trace at `path`, read through once; raises `ConfigError` with what is wrong, line by line."""
    complaints = Complaints()

    def complain(line: int, what: str) -> None:
        complaints.add_line(str(path), line, what)
        if len(complaints.found()) >= COMPLAINTS_MAX:
            complaints.add_line(str(path), line, "is as far as the file was read: there may be more")
            complaints.raise_if_any()

    requests, first_s, last_s = 0, 0.0, 0.0
    routes: dict[str, None] = {}
    classes: dict[str, None] = {}
    for row in _checked(path, complain):
        first_s = first_s if requests else row.at_s
        last_s = row.at_s
        requests += 1
        if row.route is not None and len(routes) < ROUTES_MAX:
            routes[row.route] = None
        if row.data_class is not None and len(classes) < ROUTES_MAX:
            classes[row.data_class] = None
    if not requests and not complaints.found():
        complaints.add_line(str(path), 0, "holds no request: a row is `at_s` and what else is known of it")
    complaints.raise_if_any()
    return RecordedTrace(path, requests, first_s, last_s, tuple(routes), tuple(classes))


Complain = Callable[[int, str], None]
"""Called with a line, 0 for the whole file, and what is wrong there."""


class _WrongError(ValueError):
    """Something is wrong with a row: the message says what."""


def _refusing(path: Path) -> Complain:
    def refuse(line: int, what: str) -> None:
        raise ConfigError([Complaint(str(path), line, "", f"was changed while it was played: {what}")])

    return refuse


def _checked(path: Path, complain: Complain) -> Iterator[TraceRow]:
    """The rows that are in order, complaining about the others."""
    reads = {".csv": _from_csv, ".jsonl": _from_json_lines}.get(path.suffix.lower())
    if reads is None:
        complain(0, "is no trace: it must end in .csv or .jsonl")
        return
    try:
        if path.stat().st_size > BYTES_MAX:
            complain(0, f"is larger than {BYTES_MAX // 2**20} MB: cut it, or sample it")
            return
        with path.open("rb") as file:
            yield from _in_order(reads(file, complain), complain)
    except FileNotFoundError:
        complain(0, "there is no such file")
    except IsADirectoryError:
        complain(0, "is a folder, not a file")
    except OSError:
        complain(0, "cannot be read")


def _in_order(rows: Iterator[tuple[int, Mapping[str, Any]]], complain: Complain) -> Iterator[TraceRow]:
    before_s = 0.0
    for line, told in rows:
        try:
            row = _row(told)
        except _WrongError as error:
            complain(line, str(error))
            continue
        if row.at_s < before_s:
            complain(line, f"at_s is {row.at_s:g}, before the {before_s:g} above it: sort the file by at_s")
        else:
            before_s = row.at_s
            yield row


def _row(told: Mapping[str, Any]) -> TraceRow:
    at_s = _number("at_s", told.get("at_s"))
    if at_s is None:
        raise _WrongError("at_s is missing: the second at which the request came")
    if at_s > SECONDS_MAX:
        raise _WrongError("at_s counts seconds from the beginning of the trace, not from 1970")
    tokens_in, tokens_out = (_tokens(name, told.get(name)) for name in NUMBERS)
    return TraceRow(at_s, tokens_in, tokens_out, *(_text(name, told.get(name)) for name in TEXTS))


def _number(name: str, value: Any) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _WrongError(f"{name} must be a number, got {shown(value)}")
    if not 0.0 <= value <= LARGEST:
        raise _WrongError(f"{name} must be 0 or more, and no more than {LARGEST:g}, got {shown(value)}")
    return float(value)


def _tokens(name: str, value: Any) -> int | None:
    count = _number(name, value)
    if count is None:
        return None
    if count != int(count) or count > TOKENS_MAX:
        raise _WrongError(f"{name} must be a whole number, at most {TOKENS_MAX}, got {shown(value)}")
    return int(count)


def _text(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _WrongError(f"{name} must be text, got {shown(value)}")
    if len(value) > TEXT_CHARACTERS_MAX:
        raise _WrongError(f"{name} is longer than {TEXT_CHARACTERS_MAX} characters")
    return value


def _lines(file: BinaryIO, complain: Complain) -> Iterator[str]:
    """Its lines, as far as they are text of a reasonable length: reading stops at the first that is not."""
    line = 0
    while content := file.readline(LINE_BYTES_MAX + 1):
        line += 1
        try:
            text = content.decode("utf-8-sig" if line == 1 else "utf-8")
        except UnicodeDecodeError:
            complain(line, "is not UTF-8: save the file in that encoding")
            return
        if len(content) > LINE_BYTES_MAX or "\0" in text:
            complain(line, f"is no line of text of at most {LINE_BYTES_MAX} bytes")
            return
        yield text


def _from_csv(file: BinaryIO, complain: Complain) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.reader(_lines(file, complain), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not _header_in_order(header, complain):
            return
        for cells in reader:
            if len(cells) == len(header):
                yield reader.line_num, dict(zip(header, cells, strict=True))
            elif cells:
                complain(reader.line_num, f"has {len(cells)} cells, the first line has {len(header)}")
    except csv.Error as error:
        complain(reader.line_num, f"is no CSV: {error}")


def _header_in_order(header: list[str], complain: Complain) -> bool:
    if not header or not _known(header, 1, complain):
        return False
    if "at_s" not in header:
        complain(1, f"names no column at_s: the first line names the columns, of {', '.join(COLUMNS)}")
        return False
    twice = sorted({name for name in header if header.count(name) > 1})
    for name in twice:
        complain(1, f"names the column {name} twice")
    return not twice


def _from_json_lines(file: BinaryIO, complain: Complain) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, text in enumerate(_lines(file, complain), start=1):
        if not text.strip():
            continue
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            complain(line, "is not valid JSON")
            continue
        if not isinstance(told, dict):
            complain(line, f'must be an object, as in {{"at_s": 0.5}}, got {shown(told)}')
        elif _known(told, line, complain):
            yield line, told


def _known(names: Iterable[str], line: int, complain: Complain) -> bool:
    unknown = [name for name in names if name not in COLUMNS]
    for name in unknown:
        complain(line, f"unknown column {shown(name)}{ending(name, COLUMNS)}")
    return not unknown
