"""A cold standby: locked, slow, or refusing so steep a ramp; and what warms it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from failover.chaos.injections import Encounter, Gate, Images
from failover.chaos.world.image import Exchange
from failover.core.vocabulary import Target
from tests.drills.meetings import answer, asked, injected

STANDBY = Target("standby", "anthropic", "anthropic/claude-sonnet-5")
ANOTHER = Target("another", "anthropic", "anthropic/claude-haiku-4-5")
GOOD = answer("anthropic", stream=False)


def cold(**fields: Any) -> Gate:
    gate = injected("cold_standby", provider="anthropic", **fields).gate()
    assert gate is not None
    return gate


def meets(gate: Gate, at_s: float, target: Target = STANDBY) -> Exchange:
    return gate.passed(GOOD, Encounter(target, asked(), stream=False, images=Images()), at_s)


def test_at_the_beginning_everybody_is_cold_and_slow_for_a_while() -> None:
    gate = cold(warm_s=60, first_token_extra_s=10)
    assert [meets(gate, at_s).first_token_s for at_s in (5.0, 30.0, 64.0)] == [10.5, 10.5, 10.5]
    assert meets(gate, 65.0) is GOOD


def test_who_is_used_stays_warm_and_who_is_not_grows_cold() -> None:
    gate = cold(idle_s=100, warm_s=10, first_token_extra_s=10)
    assert [meets(gate, at_s) is GOOD for at_s in (0.0, 50.0, 150.0, 250.0)] == [False, True, True, True]
    assert meets(gate, 350.1) is not GOOD


def test_each_target_is_warm_or_cold_by_itself() -> None:
    gate = cold(warm_s=10)
    meets(gate, 0.0)
    assert meets(gate, 20.0) is GOOD
    assert meets(gate, 20.0, ANOTHER) is not GOOD


def test_a_locked_one_stays_refused_however_often_it_is_asked() -> None:
    gate = cold(idle_s=900, **{"as": "locked"})
    replies = [meets(gate, at_s).image.reply for at_s in (0.0, 1.0, 600.0)]
    assert {None if reply is None else reply.status for reply in replies} == {404}


def test_who_was_used_before_it_began_is_not_locked() -> None:
    gate = cold(at_s=100, idle_s=900, **{"as": "locked"})
    meets(gate, 50.0)
    assert meets(gate, 200.0) is GOOD
    assert meets(gate, 1_200.0) is not GOOD


def test_after_its_time_it_is_as_warm_as_any() -> None:
    gate = cold(for_s=100, **{"as": "locked"})
    assert meets(gate, 50.0) is not GOOD
    assert meets(gate, 100.0) is GOOD


def test_a_ramp_lets_in_so_many_and_twice_as_many_with_each_time_of_doubling() -> None:
    gate = cold(rate_per_s=1, double_s=30, **{"as": "ramp"})
    let_in = [sum(meets(gate, second + part / 50) is GOOD for part in range(50)) for second in range(180)]
    by_half_minutes = [sum(let_in[start : start + 30]) for start in range(0, 180, 30)]
    for earlier, later in pairwise(by_half_minutes):
        assert later == pytest.approx(min(2 * earlier, 30 * 50), rel=0.1)


def test_a_ramp_begins_again_when_nobody_asked_for_long() -> None:
    gate = cold(rate_per_s=1, double_s=10, idle_s=60, **{"as": "ramp"})
    for second in range(100):
        meets(gate, float(second))
    assert all(meets(gate, 100 + part / 10) is GOOD for part in range(10))
    later = [meets(gate, 200 + part / 10) is GOOD for part in range(10)]
    assert later == [True, *[False] * 9]
