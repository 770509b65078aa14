"""Days as epoch seconds, and back."""

from __future__ import annotations

import datetime as dt


def day_s(text: str) -> float:
    """An ISO date, or a time with its zone, as epoch seconds; a date is its midnight in UTC."""
    moment = dt.datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def shown_day(at_s: float) -> str:
    """A date, with the time of day where it is not midnight: `2026-08-16 16:00`, in UTC."""
    moment = dt.datetime.fromtimestamp(at_s, dt.UTC)
    return f"{moment:%Y-%m-%d}" if at_s % 86_400 == 0 else f"{moment:%Y-%m-%d %H:%M}"
