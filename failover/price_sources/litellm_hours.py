"""The hours of litellm's off-peak prices: told in UTC, their weekdays by a calendar of their own."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from failover.core.peaks import DAY_MINUTES, WeeklyHours

_WINDOW = re.compile(r"\s*(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)\s*")
_WORDS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EVERY_DAY = frozenset(range(7))


def hours_of(off_peak: Mapping[str, Any]) -> Iterator[WeeklyHours]:
    """The hours of an `off_peak_pricing`, one for each set of weekdays.

    What is malformed is left out, as litellm does.
    """
    found: dict[frozenset[int], tuple[tuple[int, int], ...]] = {}
    for hours in _each(off_peak):
        found[hours.weekdays] = found.get(hours.weekdays, ()) + hours.windows
    for weekdays, windows in found.items():
        yield WeeklyHours(windows, weekdays)


def _each(off_peak: Mapping[str, Any]) -> Iterator[WeeklyHours]:
    shift = _shift_minutes(off_peak.get("weekday_timezone"))
    yield from _hours(off_peak.get("hours_utc"), _EVERY_DAY, 0)
    windows = off_peak.get("windows")
    for rule in windows if isinstance(windows, list) else ():
        if isinstance(rule, Mapping):
            yield from _hours(rule.get("hours_utc"), _weekdays(rule.get("weekdays")), shift)


def _hours(told: object, weekdays: frozenset[int], shift: int) -> Iterator[WeeklyHours]:
    windows = [told] if isinstance(told, str) else told if isinstance(told, Sequence) else ()
    for window in windows:
        match = _WINDOW.fullmatch(window) if isinstance(window, str) else None
        if match is None:
            continue
        begins, ends = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        for part_begins, part_ends in _within_a_day(begins, ends):
            yield from _by_calendar(part_begins, part_ends, weekdays, shift)


def _within_a_day(begins: int, ends: int) -> list[tuple[int, int]]:
    """A weekday is that of the instant, not of the window's begin: so windows are cut at midnight."""
    if begins < ends:
        return [(begins, ends)]
    return [part for part in ((begins, DAY_MINUTES), (0, ends)) if part[0] < part[1]]


def _by_calendar(begins: int, ends: int, weekdays: frozenset[int], shift: int) -> Iterator[WeeklyHours]:
    """Those hours, on the days that are `weekdays` in a calendar `shift` minutes ahead of UTC."""
    for day in (-1, 0, 1):
        # The part of the window that lies, there, on the day after, the same, or the day before.
        low, high = max(begins, day * DAY_MINUTES - shift), min(ends, (day + 1) * DAY_MINUTES - shift)
        if low < high and weekdays:
            yield WeeklyHours(((low, high),), frozenset((weekday - day) % 7 for weekday in weekdays))


def _weekdays(told: object) -> frozenset[int]:
    if told is None:
        return _EVERY_DAY
    if isinstance(told, str) or not isinstance(told, Sequence):
        return frozenset()
    numbers = (day - 1 if isinstance(day, int) else _numbered(day) for day in told)
    return frozenset(number for number in numbers if number in _EVERY_DAY)


def _numbered(day: object) -> int:
    word = str(day).strip().lower()[:3]
    return _WORDS.index(word) if word in _WORDS else -1


def _shift_minutes(zone: object) -> int:
    """How far that calendar is ahead of UTC: as it was on a winter's day, where it moves with the seasons."""
    try:
        offset = dt.datetime(2026, 1, 15, tzinfo=ZoneInfo(str(zone))).utcoffset() if zone else None
    except (ValueError, ZoneInfoNotFoundError):
        offset = None
    return 0 if offset is None else int(offset.total_seconds() // 60)
