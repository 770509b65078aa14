"""Events on their way to who listens: in order, after the fact, outside of any lock."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import Lock

from failover.core.events import Event

Listener = Callable[[Event], None]
_log = logging.getLogger("failover")


class Outbox:
    """`put` is called while a call decides, `deliver` after it.

    One thread at a time hands events on, so that each listener hears them in the order they happened: a
    thread that finds another one at it leaves its events to that one.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._listeners: dict[object, Listener] = {}
        self._delivering = Lock()

    @property
    def put(self) -> Callable[[Event], None]:
        """Takes in one event."""
        return self._events.append

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def add(self, listener: Listener) -> object:
        """One more listener; returns what `remove` takes."""
        seat = object()
        self._listeners = {**self._listeners, seat: listener}
        return seat

    def remove(self, seat: object) -> None:
        """A listener that hears no more; removing it again changes nothing."""
        self._listeners = {each: listener for each, listener in self._listeners.items() if each is not seat}

    def deliver(self) -> None:
        """Hand on what there is. A listener that raises is logged, and harms nobody."""
        while self._events and self._delivering.acquire(blocking=False):
            try:
                while self._events:
                    self._hand_on(self._events.popleft())
            finally:
                self._delivering.release()

    def _hand_on(self, event: Event) -> None:
        for listener in self._listeners.values():
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # a listener may raise anything, and harms nobody
                _log.exception("a listener raised on %s; it harms nobody", event.event)
