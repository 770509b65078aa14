"""Hours of the week in which a price is in force: peak or off-peak, in the provider's time zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

DAY_S, HOUR_S, MINUTE_S = 86_400, 3600, 60
DAY_MINUTES = 1440
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday."""


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """`windows`: minutes of the day, from, and to just before.

    A window that ends at or before its start runs over midnight. `weekdays` (0 is Monday) are those on which
    a window *begins*: one of Friday at 22:00 still runs on Saturday at 03:00. `zone` None: UTC, by arithmetic
    alone. In a named zone the wall clock counts: in the night in which clocks are set back, an hour that
    happens twice is in force twice, and one that is left out in spring never.
    """

    windows: tuple[tuple[int, int], ...]
    weekdays: frozenset[int] = frozenset(range(7))
    zone: dt.tzinfo | None = None

    def cover(self, as_of_s: float) -> bool:
        """Whether it is one of these hours at `as_of_s` (epoch seconds)."""
        if self.zone is None:
            day, second = divmod(as_of_s, DAY_S)
            weekday, minute = int(day + _EPOCH_WEEKDAY) % 7, second / MINUTE_S
        else:
            local = dt.datetime.fromtimestamp(as_of_s, self.zone)
            weekday, minute = local.weekday(), local.hour * 60 + local.minute
        for begins, ends in self.windows:
            if begins < ends:
                if begins <= minute < ends and weekday in self.weekdays:
                    return True
            elif (minute >= begins and weekday in self.weekdays) or (
                minute < ends and (weekday - 1) % 7 in self.weekdays
            ):
                return True
        return False

    def turns_s(self, since_s: float, until_s: float) -> list[float]:
        """The instants after `since_s` and up to `until_s` at which these hours begin or end, in order."""
        marks = {mark for mark in self._marks_s(since_s, until_s) if since_s < mark <= until_s}
        return [mark for mark in sorted(marks) if self.cover(mark) != self.cover(mark - 1)]

    def _marks_s(self, since_s: float, until_s: float) -> Iterator[float]:
        """Every instant at which anything may turn: edges of windows, and of daylight saving."""
        edges = {minute % DAY_MINUTES for window in self.windows for minute in window} | {0}
        first, last = int(since_s // DAY_S) - 1, int(until_s // DAY_S) + 1
        for day in range(first, last + 1):
            begins_s = day * DAY_S
            if self.zone is None:
                yield from (float(begins_s + minute * MINUTE_S) for minute in edges)
                continue
            midnight = dt.datetime.fromtimestamp(begins_s, dt.UTC).replace(tzinfo=self.zone)
            for minute in edges:
                moment = midnight.replace(hour=minute // 60, minute=minute % 60)
                yield from (moment.replace(fold=fold).timestamp() for fold in (0, 1))
            shift_s = self._clock_change_s(begins_s)
            if shift_s is not None:
                yield shift_s

    def _clock_change_s(self, begins_s: int) -> float | None:
        """When the clocks change in the 24 hours after `begins_s`, to the minute."""
        low, high = begins_s // MINUTE_S, begins_s // MINUTE_S + DAY_MINUTES
        if self._offset(low) == self._offset(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._offset(middle) == self._offset(low) else (low, middle)
        return float(high * MINUTE_S)

    def _offset(self, minute: int) -> dt.timedelta | None:
        return dt.datetime.fromtimestamp(minute * MINUTE_S, self.zone).utcoffset()
