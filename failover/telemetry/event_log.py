"""A router's events as log lines: the event's name, and its fields as keys and values."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Protocol

from failover.core.breaker import OPEN
from failover.core.calendar_events import RetirementAhead, RetirementReached
from failover.core.events import (
    AttemptEnded,
    AttemptStarted,
    BreakerChanged,
    CallEnded,
    CallStarted,
    Event,
    FirstTokenReceived,
    OutageSuspected,
    ReplyDoubted,
    TargetRetired,
)
from failover.core.failures import FailureKind
from failover.core.spend_events import (
    BudgetReached,
    LedgerFailed,
    ReservationExceeded,
    SpendAlarmRaised,
    SpendRefused,
    SpendReserved,
)
from failover.core.vocabulary import Outcome
from failover.router import Router

DEBUG, INFO, WARNING, ERROR = "debug", "info", "warning", "error"

LEVELS: Mapping[type[Event], str] = {
    CallStarted: DEBUG,
    AttemptStarted: DEBUG,
    FirstTokenReceived: DEBUG,
    AttemptEnded: DEBUG,
    ReplyDoubted: WARNING,
    OutageSuspected: WARNING,
    TargetRetired: WARNING,
    RetirementAhead: WARNING,
    RetirementReached: WARNING,
    SpendReserved: DEBUG,
    SpendRefused: WARNING,
    ReservationExceeded: WARNING,
    BudgetReached: WARNING,
    SpendAlarmRaised: ERROR,
    LedgerFailed: ERROR,
}
"""The level of an event that is not told as `INFO`; `level_of` raises it where one tells of trouble."""


class KeyValueLogger(Protocol):
    """structlog's loggers, and any other whose methods take an event's name and keyword arguments."""

    def debug(self, event: str, **fields: Any) -> Any:
        """One line of this level."""
        ...

    def info(self, event: str, **fields: Any) -> Any:
        """One line of this level."""
        ...

    def warning(self, event: str, **fields: Any) -> Any:
        """One line of this level."""
        ...

    def error(self, event: str, **fields: Any) -> Any:
        """One line of this level."""
        ...


Logger = KeyValueLogger | logging.Logger | logging.LoggerAdapter[Any]


def log_events(router: Router, logger: Logger) -> Callable[[], None]:
    """Log the events of calls that begin from now on; returns the function that ends it.

    A logger of the standard library gets one line, `name key=value …`, with the same keys on the record
    (`extra`), for formatters that write JSON. Any other is called as structlog's are. Times are seconds
    of the router's clock, costs nano-dollars.
    """
    if isinstance(logger, logging.Logger | logging.LoggerAdapter):
        return router.subscribe(_to_standard(logger))
    return router.subscribe(_to_structured(logger))


def level_of(event: Event) -> str:
    """A failed attempt and an opening breaker are warnings, a call that failed its caller is an error."""
    match event:
        case AttemptEnded(outcome=Outcome.FAILURE):
            return WARNING
        case BreakerChanged(state_to=state) if state == OPEN:
            return WARNING
        case CallEnded(error=str(error)) if error != FailureKind.CANCELLED:
            return ERROR
    return LEVELS.get(type(event), INFO)


def fields_of(event: Event) -> dict[str, Any]:
    """The event's fields as plain values: words, numbers, lists, None."""
    return {field.name: _plain(getattr(event, field.name)) for field in dataclasses.fields(event)}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _to_structured(logger: KeyValueLogger) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        getattr(logger, level_of(event))(event.event, **fields_of(event))

    return listen


def _to_standard(logger: logging.Logger | logging.LoggerAdapter[Any]) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        level = logging.getLevelNamesMapping()[level_of(event).upper()]
        if logger.isEnabledFor(level):
            fields = fields_of(event)
            told = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
            logger.log(level, "%s %s", event.event, told, extra={"event": event.event, **fields})

    return listen
