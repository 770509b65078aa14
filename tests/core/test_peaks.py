"""Prices of certain hours: weekdays, midnight, time zones, and the nights in which clocks change."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.peaks import WeeklyHours
from failover.core.prices import DatedPrice, PriceBook

UTC = dt.UTC
BERLIN, SHANGHAI, KOLKATA, NEW_YORK = map(
    ZoneInfo, ("Europe/Berlin", "Asia/Shanghai", "Asia/Kolkata", "America/New_York")
)
WEEKDAYS = frozenset(range(5))
ZONES = st.sampled_from([None, BERLIN, SHANGHAI, KOLKATA, NEW_YORK])
HOURS = st.builds(
    WeeklyHours,
    st.lists(st.tuples(st.integers(0, 1439), st.integers(1, 1440)), min_size=1, max_size=3).map(tuple),
    st.frozensets(st.integers(0, 6), min_size=1),
    ZONES,
)
INSTANTS = st.integers(1_760_000_000, 1_830_000_000)


def minute(text):
    return int(text[:2]) * 60 + int(text[3:])


def hours(*windows, weekdays=range(7), zone=None):
    told = tuple((minute(window[:5]), minute(window[6:])) for window in windows)
    return WeeklyHours(told, frozenset(weekdays), zone)


def utc_s(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("when", "covered"),
    [
        ("2026-11-16T00:59:59", False),
        ("2026-11-16T01:00:00", True),
        ("2026-11-16T03:59:59", True),
        ("2026-11-16T04:00:00", False),
        ("2026-11-21T02:00:00", False),
    ],
)
def test_hours_begin_on_the_minute_and_end_just_before_it(when, covered):
    """DeepSeek's peak, of weekdays: 21 November 2026 is a Saturday."""
    assert hours("01:00-04:00", "06:00-10:00", weekdays=WEEKDAYS).cover(utc_s(when)) is covered


@pytest.mark.parametrize(
    ("when", "covered"),
    [
        ("2026-11-20T22:00:00", True),
        ("2026-11-21T03:00:00", True),
        ("2026-11-21T06:00:00", False),
        ("2026-11-21T23:00:00", False),
        ("2026-11-16T03:00:00", False),
        ("2026-11-16T21:59:00", False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(when, covered):
    """That of Friday the 20th still runs on Saturday; the night before Monday is Sunday's, and none."""
    assert hours("22:00-06:00", weekdays=WEEKDAYS).cover(utc_s(when)) is covered


def test_a_window_from_midnight_to_midnight_is_the_whole_day():
    for whole in (hours("00:00-24:00"), hours("00:00-00:00")):
        assert all(whole.cover(utc_s("2026-11-20T00:00:00") + 600 * step) for step in range(300))


def test_hours_are_those_of_the_zone():
    assert hours("09:00-18:00", zone=SHANGHAI).cover(utc_s("2026-11-20T01:00:00"))
    assert not hours("09:00-18:00", zone=SHANGHAI).cover(utc_s("2026-11-20T10:00:00"))
    sunday_there = hours("00:00-24:00", weekdays={6}, zone=SHANGHAI)
    assert sunday_there.cover(utc_s("2026-11-21T16:00:00"))


def test_an_hour_that_is_left_out_in_spring_is_never_in_force():
    """On 29 March 2026 clocks in Berlin go from 02:00 to 03:00, at 01:00 UTC."""
    begins_s = utc_s("2026-03-29T00:00:00")
    lost = hours("02:00-03:00", zone=BERLIN)
    assert not any(lost.cover(begins_s + 60 * step) for step in range(240))
    assert lost.turns_s(begins_s, begins_s + 4 * 3600) == []
    cut = hours("02:30-04:00", zone=BERLIN)
    assert cut.turns_s(begins_s, begins_s + 6 * 3600) == [begins_s + 3600, begins_s + 2 * 3600]


def test_an_hour_that_happens_twice_in_autumn_is_in_force_twice():
    """On 25 October 2026 clocks in Berlin go from 03:00 back to 02:00, at 01:00 UTC."""
    begins_s = utc_s("2026-10-25T00:00:00")
    twice = hours("02:30-03:00", zone=BERLIN)
    assert sum(twice.cover(begins_s + 60 * step) for step in range(240)) == 60
    marks = [begins_s + 60 * after for after in (30, 60, 90, 120)]
    assert twice.turns_s(begins_s, begins_s + 4 * 3600) == marks


@given(of=HOURS, since_s=INSTANTS, lasts_s=st.integers(0, 3 * 86_400))
def test_between_two_turns_nothing_turns(of, since_s, lasts_s):
    turns = of.turns_s(since_s, since_s + lasts_s)
    assert turns == sorted(turns)
    edges = [since_s, *turns, since_s + lasts_s + 1]
    for begins_s, ends_s in pairwise(edges):
        step_s = max(1, int(ends_s - begins_s) // 40)
        within = {of.cover(at_s) for at_s in range(int(begins_s), int(ends_s), step_s)}
        assert len(within) <= 1
    for turn_s in turns:
        assert of.cover(turn_s) != of.cover(turn_s - 1)


@given(of=HOURS, at_s=INSTANTS)
def test_hours_in_utc_are_those_of_the_zone_named_utc(of, at_s):
    """Arithmetic and the calendar agree."""
    by_hand = WeeklyHours(of.windows, of.weekdays)
    by_calendar = WeeklyHours(of.windows, of.weekdays, ZoneInfo("UTC"))
    assert by_hand.cover(at_s) == by_calendar.cover(at_s)


NIGHT = DatedPrice(5, 5, hours=hours("16:30-00:30"))


def test_a_price_of_certain_hours_lies_over_the_one_before_it():
    book = PriceBook({"deepseek": (DatedPrice(10, 10), NIGHT)})
    told = [
        book.in_force("deepseek", utc_s(f"2025-03-01T{time}:00"))
        for time in ("16:29", "16:30", "00:29", "00:30")
    ]
    assert [price.input_nusd_per_mtok for price in told if price] == [10, 5, 5, 10]


def test_a_later_price_ends_the_hours_of_the_one_before():
    later = DatedPrice(7, 7, valid_from_s=utc_s("2025-09-05T00:00:00"))
    book = PriceBook({"deepseek": (DatedPrice(10, 10), NIGHT, later)})
    assert book.in_force("deepseek", utc_s("2025-09-05T20:00:00")) is later


def test_a_book_tells_when_another_price_comes_into_force():
    begins_s = utc_s("2025-03-01T00:00:00")
    book = PriceBook(
        {"deepseek": (DatedPrice(10, 10), NIGHT, DatedPrice(5, 5, valid_from_s=begins_s + 17.5 * 3600))}
    )
    # At half past five in the afternoon it is the same price by another name.
    assert book.turns_s("deepseek", begins_s, begins_s + 86_400) == [begins_s + 1800, begins_s + 16.5 * 3600]
    assert book.turns_s("nobody", begins_s, begins_s + 86_400) == []


def test_a_price_turns_at_its_dates_and_within_them_at_its_hours():
    price = DatedPrice(5, 5, 3600.0, 86_400.0, hours=hours("00:00-02:00"))
    assert price.turns_s(0.0, 200_000.0) == [3600.0, 7200.0, 86_400.0]
    assert price.turns_s(90_000.0, 200_000.0) == []
