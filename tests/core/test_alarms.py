"""Alarms: more than so much in the last while, and many times what is usual."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from failover.core import spending
from failover.core.alarms import GRAINS, Alarm, Rate
from failover.core.spend import Per, Spender, SpendScope
from failover.core.spending import Spending
from failover.core.vocabulary import Usage
from failover.ledger.memory import MemoryLedger
from tests.core.money import events, priced
from tests.core.story import Story

if TYPE_CHECKING:
    import pytest

ALL = SpendScope(Spender.ALL)


def test_more_than_the_limit_in_the_last_hour_is_told_once():
    rate = Rate(Alarm(ALL, 100), 0.0)
    assert [rate.charge(60, now) for now in (0.0, 10.0, 20.0)] == [None, True, None]


def test_what_is_older_than_the_window_no_longer_counts():
    rate = Rate(Alarm(ALL, 100, Per.MINUTE), 0.0)
    assert rate.charge(60, 0.0) is None
    assert rate.charge(60, 61.0) is None
    assert rate.spent_nusd == 60


def test_it_ends_well_below_the_limit():
    rate = Rate(Alarm(ALL, 100, Per.MINUTE), 0.0)
    rate.charge(120, 0.0)
    assert rate.is_raised
    assert rate.charge(90, 61.0) is None
    assert rate.charge(10, 122.0) is False


def test_many_times_the_usual_is_alarming_even_where_it_is_little():
    rate = Rate(Alarm(ALL, 5, Per.MINUTE, times=3.0), 0.0)
    for second in range(600):
        assert rate.charge(1, float(second)) is None
    assert 55 <= rate.usual_nusd(600.0) <= 61
    assert rate.limit_nusd(600.0) == int(rate.usual_nusd(600.0) * 3)
    assert rate.charge(200, 600.0) is True


def test_nothing_is_usual_in_the_beginning():
    rate = Rate(Alarm(ALL, 5, Per.MINUTE, times=3.0), 0.0)
    assert rate.charge(1000, 10.0) is None
    assert rate.usual_nusd(10.0) == 0.0


def test_a_quiet_while_lowers_what_is_usual():
    rate = Rate(Alarm(ALL, 5, Per.MINUTE, times=3.0), 0.0)
    for second in range(300):
        rate.charge(1, float(second))
    before = rate.usual_nusd(300.0)
    rate.charge(0, 900.0)
    assert rate.usual_nusd(900.0) < before


@given(st.lists(st.tuples(st.integers(0, 100), st.floats(0, 30)), max_size=60))
def test_a_window_holds_what_was_charged_in_it_to_the_grain(charges):
    rate, now, seen = Rate(Alarm(ALL, 10**9, Per.MINUTE), 0.0), 0.0, []
    for cost, later_s in charges:
        now += later_s
        rate.charge(cost, now)
        seen.append((cost, now))
        grain = 60.0 / GRAINS
        since = (now // grain - GRAINS + 1) * grain
        assert rate.spent_nusd == sum(cost for cost, at in seen if at >= since)


def story(alarm):
    return Story("gpt", prices=priced("gpt"), spending=Spending(MemoryLedger(), (), (alarm,)))


def spends(told, nusd, **asked):
    told.call(tokens_out=nusd, **asked).sends_to("gpt").succeeds(Usage(0, nusd))


def test_an_alarm_is_told_with_its_figures_and_so_is_its_end():
    told = story(Alarm(SpendScope(Spender.TENANT, "*"), 100, Per.MINUTE))
    spends(told, 70, tenant="acme")
    spends(told, 70, tenant="umbrella")
    spends(told, 40, tenant="acme")
    [alarm] = events(told, "spend_alarm_raised")
    assert (alarm.account, alarm.per, alarm.spent_nusd, alarm.limit_nusd) == (
        "tenant:acme",
        "minute",
        110,
        100,
    )
    told.after(120.0)
    spends(told, 1, tenant="acme")
    assert [event.account for event in events(told, "spend_alarm_ended")] == ["tenant:acme"]


def test_of_too_many_tenants_the_first_is_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spending, "ALARMS_MAX", 2)
    told = story(Alarm(SpendScope(Spender.TENANT, "*"), 100))
    for tenant in ("a", "b", "c"):
        spends(told, 60, tenant=tenant)
    spends(told, 60, tenant="a")
    assert events(told, "spend_alarm_raised") == []
