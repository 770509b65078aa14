"""The file of an audit trail: opened by one process at a time, only ever appended to."""

from __future__ import annotations

import importlib.util
import json
import os
import threading
from pathlib import Path
from typing import Any

from failover.audit.records import Fields, Head, chained
from failover.documents import shown
from failover.errors import Complaint, ConfigError

TAIL_BYTES = 65_536
"""Longer than any record: where the last one is looked for."""


class Trail:
    """Appends records. `head` is where it ends; `torn_bytes` were found behind the last whole record.

    A record that a crash cut short was of an attempt that was not sent: it is cut off. Raises `ConfigError`
    where the file cannot be used: it is no trail, another process has it, or it may not be written.
    """

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self.path = path
        self.durable = durable
        self._lock = threading.Lock()
        self._pid = os.getpid()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _complaint(path, f"cannot be opened for the audit trail: {error.strerror}") from error
        try:
            _lock(self._file, path)
            self.head, self._size, self.torn_bytes = _end_of(self._file, path)
            if self.torn_bytes:
                os.ftruncate(self._file, self._size)
        except BaseException:
            os.close(self._file)
            raise

    @property
    def is_ours(self) -> bool:
        """Whether this process opened it; a child of `os.fork` has only borrowed it."""
        return os.getpid() == self._pid

    def append(self, fields: Fields) -> None:
        """One more record, handed to the operating system, or to the disk where it is `durable`.

        Raises `OSError` where it cannot be written; the trail is as it was then.
        """
        if not self.is_ours:
            raise OSError("another process of this program opened it: name the file with {pid}")
        with self._lock:
            line, head = chained(self.head, fields)
            try:
                self._write(line)
            except OSError:
                # What was written of it would break the chain for good.
                os.ftruncate(self._file, self._size)
                raise
            self.head, self._size = head, self._size + len(line)

    def close(self) -> None:
        """Let go of the file. Closing twice changes nothing."""
        if self._file >= 0 and self.is_ours:
            os.close(self._file)
        self._file = -1

    def _write(self, line: bytes) -> None:
        written = 0
        while written < len(line):
            written += os.write(self._file, line[written:])
        if self.durable:
            os.fsync(self._file)


def _lock(file: int, path: Path) -> None:
    if importlib.util.find_spec("fcntl") is None:
        return  # elsewhere nobody can tell; the page says so
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        what = (
            "is written by another router: two would break the chain. Give each process a file of its own, "
            "'audit: {file: audit-{pid}.jsonl}'"
        )
        raise _complaint(path, what) from error


def _end_of(file: int, path: Path) -> tuple[Head, int, int]:
    """The head, the bytes up to it, and those behind it that are no whole record."""
    size = os.fstat(file).st_size
    tail = os.pread(file, TAIL_BYTES, max(0, size - TAIL_BYTES))
    whole, newline, torn = tail.rpartition(b"\n")
    if not newline:
        if size and not tail.startswith(b'{"'):
            raise _complaint(path, "is no audit trail: name a file of its own")
        return Head(), 0, size
    try:
        told: dict[str, Any] = json.loads(whole.rpartition(b"\n")[2])
        head = Head(int(told["record"]), str(told["sha256"]))
    except (ValueError, KeyError, TypeError) as error:
        last = shown(whole.rpartition(b"\n")[2].decode("utf-8", "replace"))
        what = f"is no audit trail, or was damaged: its last line is {last}; keep it, and name another file"
        raise _complaint(path, what) from error
    return head, size - len(torn), len(torn)


def _complaint(path: Path, what: str) -> ConfigError:
    return ConfigError([Complaint(str(path), 0, "audit", what)])
