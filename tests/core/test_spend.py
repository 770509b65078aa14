"""Windows in which budgets count, and who is in whose scope."""

from __future__ import annotations

import datetime as dt
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.spend import EACH, Account, Per, Spender, SpendScope, names_of, window_at
from failover.core.vocabulary import Request
from tests.core.story import target

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [dt.UTC, *map(ZoneInfo, ["Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kolkata"])]
CALENDAR = [per for per in Per if per is not Per.TOTAL]


def at(text: str, zone: dt.tzinfo = dt.UTC) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def window(per: str, text: str, zone: dt.tzinfo = dt.UTC) -> tuple[str, str]:
    begins_s, ends_s = window_at(Per(per), zone, at(text, zone))
    return tuple(f"{dt.datetime.fromtimestamp(each, zone):%Y-%m-%d %H:%M}" for each in (begins_s, ends_s))


@pytest.mark.parametrize(
    ("per", "begins", "ends"),
    [
        ("minute", "2026-05-13 12:34", "2026-05-13 12:35"),
        ("hour", "2026-05-13 12:00", "2026-05-13 13:00"),
        ("day", "2026-05-13 00:00", "2026-05-14 00:00"),
        ("week", "2026-05-11 00:00", "2026-05-18 00:00"),
        ("month", "2026-05-01 00:00", "2026-06-01 00:00"),
    ],
)
def test_a_window_is_one_of_the_calendar(per, begins, ends):
    assert window(per, "2026-05-13 12:34:56") == (begins, ends)


def test_december_is_followed_by_january():
    assert window("month", "2026-12-31 23:59:59") == ("2026-12-01 00:00", "2027-01-01 00:00")


def test_a_total_has_neither_beginning_nor_end():
    assert window_at(Per.TOTAL, BERLIN, 1e9) == (0.0, inf)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-05-13", 24)])
def test_a_day_on_which_clocks_change_is_shorter_or_longer(day, hours):
    begins_s, ends_s = window_at(Per.DAY, BERLIN, at(f"{day} 12:00", BERLIN))
    assert (ends_s - begins_s) / 3600 == hours


@given(st.sampled_from(CALENDAR), st.sampled_from(ZONES), st.floats(0, 4e9))
def test_every_instant_lies_in_one_window_and_the_next_begins_where_it_ends(per, zone, at_s):
    begins_s, ends_s = window_at(per, zone, at_s)
    assert begins_s <= at_s < ends_s
    assert window_at(per, zone, begins_s) == (begins_s, ends_s)
    assert window_at(per, zone, ends_s)[0] == ends_s


GPT = target("gpt", provider="openai", credential="KEY")
REQUEST = Request("1", tenant="acme", tags=frozenset({"batch", "night"}))


@pytest.mark.parametrize(
    ("kind", "inside", "outside"),
    [
        ("route", "chat", "other"),
        ("target", "gpt", "claude"),
        ("provider", "openai", "mistral"),
        ("credential", "KEY", "OTHER"),
        ("tenant", "acme", "umbrella"),
        ("tag", "night", "day"),
    ],
)
def test_an_attempt_is_charged_to_whom_the_scope_names(kind, inside, outside):
    assert names_of(SpendScope(Spender(kind), inside), "chat", GPT, REQUEST) == (inside,)
    assert names_of(SpendScope(Spender(kind), outside), "chat", GPT, REQUEST) == ()


def test_all_is_everybody():
    assert names_of(SpendScope(Spender.ALL), "chat", GPT, REQUEST) == ("",)


def test_each_tenant_has_an_account_of_its_own_and_nobody_has_none():
    each = SpendScope(Spender.TENANT, EACH)
    assert names_of(each, "chat", GPT, REQUEST) == ("acme",)
    assert names_of(each, "chat", GPT, Request("2")) == ()


def test_a_scope_and_an_account_are_written_as_a_config_writes_them():
    assert [str(SpendScope(Spender.ALL)), str(SpendScope(Spender.TAG, "a"))] == ["all", "tag:a"]
    assert [str(Account(Spender.ALL, "", 0, 1)), str(Account(Spender.TAG, "a", 0, 1))] == ["all", "tag:a"]
