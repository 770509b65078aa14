"""What an operator does to a running router: takes a target out of traffic, and follows a config file."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import RLock

from failover.config import Config
from failover.core import controls
from failover.core.learned import Learned
from failover.core.target_state import TargetState
from failover.documents import ending
from failover.errors import Complaint, ConfigError
from failover.reloading import Following
from failover.thread_driver import Background


class RouterControls(ABC):
    """The part of a router for its operator.

    What names a target raises `ConfigError` where no route has such a target.
    """

    _clock: Callable[[], float]
    _lock: RLock
    _deliver: Callable[[], None]
    _watching: asyncio.Task[None] | Future[None] | None = None

    def drain(self, target: str) -> None:
        """No new attempts at `target`, not even as a last resort; those that run may end."""
        with self._lock:
            controls.drain(self._learned, self._state(target), self._clock())
        self._deliver()

    def undrain(self, target: str) -> None:
        """A drained target may be tried again."""
        with self._lock:
            controls.undrain(self._learned, self._state(target), self._clock())
        self._deliver()

    def force_open(self, target: str, for_s: float | None = None) -> None:
        """Open the breaker of `target` for `for_s` seconds, or until `reset`.

        Not even a last resort asks sooner. It replaces whatever was to end the breaker's open time.
        """
        _require_positive("for_s", for_s)
        with self._lock:
            controls.force_open(self._learned, self._state(target), self._clock(), for_s)
        self._deliver()

    def reset(self, target: str) -> None:
        """Close the breaker of `target`; forget its cooldown, its retirement and the evidence for one.

        Its usual speed is kept, and a drained target stays drained.
        """
        with self._lock:
            controls.reset(self._learned, self._state(target), self._clock())
        self._deliver()

    def watch(self, path: str | Path, every_s: float = 5.0) -> Callable[[], None]:
        """Reload whenever the file at `path` changes, looked at now and then every `every_s` seconds.

        An invalid file is logged with every complaint, and changes nothing. Returns a function that
        ends it; so do `aclose` and another `watch`. Without a running event loop, the thread that sends
        the sync calls watches.
        """
        _require_positive("every_s", every_s)
        following = Following(Path(path), self._read, lambda: self.config, self.reload)
        if self._watching is not None:
            self._watching.cancel()
        watching: asyncio.Task[None] | Future[None]
        try:
            watching = asyncio.get_running_loop().create_task(following.run(every_s))
        except RuntimeError:
            watching = self._sending().submit(following.run(every_s))
        self._watching = watching

        def unwatch() -> None:
            watching.cancel()

        return unwatch

    async def _unwatch(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None and watching.cancel() and isinstance(watching, asyncio.Task):
            await asyncio.wait([watching])

    def _state(self, name: str) -> TargetState:
        try:
            return self._learned.states[name]
        except KeyError:
            what = f"no target of a route is named so{ending(name, self._learned.states)}"
            raise ConfigError([Complaint(str(self.config.source), 0, f"target {name!r}", what)]) from None

    @abstractmethod
    def reload(self, config: Config) -> None:
        """Put another config into force."""

    @abstractmethod
    def _read(self, path: Path) -> Config:
        """The config in a file, with the functions that were handed over."""

    @abstractmethod
    def _sending(self) -> Background:
        """Where sync calls are sent."""

    @property
    @abstractmethod
    def config(self) -> Config:
        """The config in force."""

    @property
    @abstractmethod
    def _learned(self) -> Learned:
        """What is known of its targets."""


def _require_positive(name: str, value_s: float | None) -> None:
    if value_s is not None and not value_s > 0:
        raise ValueError(f"{name} must be more than 0 seconds, not {value_s}")
