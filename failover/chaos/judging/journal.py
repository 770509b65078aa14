"""The ordered events of a drill: counted, digested, and kept in a file where one is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

import orjson

from failover.core.events import Event

FLUSH_LINES = 512


class Journal:
    """Takes events in order of time. The digest is that of the lines, whether kept or not.

    Each line is one JSON object, `event` first. Lines are digested in batches: memory stays flat.
    """

    def __init__(self, see: Callable[[Event], None], file: Path | None = None) -> None:
        self.events = 0
        self._see = see
        self._digest = hashlib.sha256()
        self._lines: list[bytes] = []
        self._file: BinaryIO | None = file.open("wb") if file is not None else None

    def record(self, event: Event) -> None:
        """Take in one event."""
        self._see(event)
        self.events += 1
        self._lines.append(b'{"event":"%s",%s' % (event.event.encode(), orjson.dumps(event)[1:]))
        if len(self._lines) >= FLUSH_LINES:
            self._flush()

    def sha256(self) -> str:
        """The digest of everything recorded so far, in hexadecimal."""
        self._flush()
        return self._digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        if self._file is not None:
            self._file.close()

    def _flush(self) -> None:
        if self._lines:
            block = b"\n".join([*self._lines, b""])
            self._lines.clear()
            self._digest.update(block)
            if self._file is not None:
                self._file.write(block)
