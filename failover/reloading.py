"""Follows a config file: soon after it is written, what it says is in force."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from failover.config import Config
from failover.errors import ConfigError

_log = logging.getLogger("failover")

Stamp = tuple[int, int, int]
"""What tells two versions of a file apart: time of change in nanoseconds, size in bytes, inode."""


class Following:
    """One file, looked at again and again. An invalid version changes nothing and is complained of once.

    `read` reads a file, `in_force` is the config in force, `use` puts another one into force.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], Config],
        in_force: Callable[[], Config],
        use: Callable[[Config], None],
    ) -> None:
        self._path = path
        self._read = read
        self._in_force = in_force
        self._use = use
        self._complaint = ""

    async def run(self, every_s: float) -> None:
        """Look now, and then every `every_s` seconds, until cancelled."""
        seen = await self._stamp()
        await self._take_in(even_if_equal=False)
        while True:
            await asyncio.sleep(every_s)
            stamp = await self._stamp()
            if stamp != seen:
                seen = stamp
                await self._take_in(even_if_equal=True)

    async def _stamp(self) -> Stamp | None:
        """None while there is no such file."""
        try:
            stat = await asyncio.to_thread(self._path.stat)
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    async def _take_in(self, *, even_if_equal: bool) -> None:
        # A version that was only touched is put into force too: somebody asks for what was retired.
        try:
            config = await asyncio.to_thread(self._read, self._path)
            if even_if_equal or config != self._in_force():
                self._use(config)
                _log.info("%s is in force", self._path)
        except ConfigError as error:
            self._complain(str(error))
        except Exception as error:  # noqa: BLE001  a file must not end the watch over it, whatever it does
            self._complain(f"{type(error).__name__}: {error}")
        else:
            self._complaint = ""

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            _log.error("%s is not used; the config before it stays in force:\n%s", self._path, complaint)
