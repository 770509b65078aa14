"""Who listens to which events: a listener has a method named after each event that it looks at.

A day has millions of events, so one table is made once, and an event reaches only those who look at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_args

from failover.core.events import Event

EVENTS: tuple[type[Event], ...] = get_args(Event)

Handler = Callable[[Any], None]
DispatchTable = dict[type[Event], tuple[Handler, ...]]


def dispatch_table(listeners: Iterable[object]) -> DispatchTable:
    """For each class of event the methods that look at it: `call_started` at every `CallStarted`."""
    asked = list(listeners)
    return {
        event: tuple(
            method for listener in asked if (method := getattr(listener, event.event, None)) is not None
        )
        for event in EVENTS
    }
