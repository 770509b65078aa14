"""A target taken out of traffic by hand, and brought back."""

from __future__ import annotations

import asyncio

import pytest

from failover import ConfigError, NoEligibleTargetError
from failover.core.failures import FailureKind
from tests.edge.scripted import (
    HELLO,
    ScriptedAdapter,
    answers,
    fails,
    heard,
    in_flight,
    in_virtual_time,
    named,
    router,
)


def both(**fates):
    return ScriptedAdapter(**{"gpt": answers(), "claude": answers(), **fates})


@in_virtual_time
async def test_a_drained_target_gets_no_new_attempts_until_it_is_undrained():
    adapter = both()
    service = router(adapter, "gpt", "claude")
    service.drain("gpt")
    await service.acompletion("chat", HELLO)
    service.undrain("gpt")
    await service.acompletion("chat", HELLO)
    assert adapter.asked() == ["claude", "gpt"]


@in_virtual_time
async def test_what_runs_at_a_target_that_is_drained_ends_there():
    service = router(both(gpt=answers("whole", 5.0)), "gpt", "claude")
    running = asyncio.create_task(service.acompletion("chat", HELLO))
    await asyncio.sleep(1.0)
    service.drain("gpt")
    assert in_flight(service) == {"gpt": 1}
    assert (await running).text == "whole"
    assert in_flight(service) == {}


@in_virtual_time
async def test_a_decision_tells_that_a_target_is_drained():
    service = router(both(), "gpt", "claude")
    service.drain("gpt")
    assert [(each.target.name, each.reason) for each in service.decide("chat").passed_over] == [
        ("gpt", "drained")
    ]


@in_virtual_time
async def test_a_snapshot_tells_what_an_operator_said():
    service = router(both(), "gpt", "claude", "mistral")
    service.drain("gpt")
    service.force_open("claude")
    service.force_open("mistral", for_s=9)
    await asyncio.sleep(1.0)
    seen = service.snapshot().targets
    assert [(each.drained, each.forced_open, each.away, each.away_for_s) for each in seen.values()] == [
        (True, False, "drained", None),
        (False, True, "breaker_open", None),
        (False, True, "breaker_open", 8.0),
    ]


@in_virtual_time
async def test_a_target_forced_open_for_a_time_is_probed_when_it_is_over():
    adapter = both()
    service = router(adapter, "gpt", "claude")
    service.force_open("gpt", for_s=9)
    await service.acompletion("chat", HELLO)
    await asyncio.sleep(9.0)
    assert not service.snapshot().targets["gpt"].forced_open
    await service.acompletion("chat", HELLO)
    assert adapter.asked() == ["claude", "gpt"]


@in_virtual_time
async def test_nobody_is_asked_where_an_operator_took_everybody_out():
    adapter = both()
    service = router(adapter, "gpt", "claude")
    service.drain("gpt")
    service.force_open("claude")
    with pytest.raises(NoEligibleTargetError, match="gpt: drained; claude: breaker_open"):
        await service.acompletion("chat", HELLO)
    assert adapter.asked() == []


@in_virtual_time
async def test_a_reset_brings_a_target_back_at_once():
    adapter = both(gpt=[fails(FailureKind.REGION_BLOCKED), answers()])
    service = router(adapter, "gpt", "claude")
    await service.acompletion("chat", HELLO)
    assert service.snapshot().targets["gpt"].away == "retired"
    service.reset("gpt")
    await service.acompletion("chat", HELLO)
    assert adapter.asked() == ["gpt", "claude", "gpt"]


@in_virtual_time
async def test_each_control_is_told_to_listeners_at_once():
    service = router(both(), "gpt", "claude")
    events = heard(service)
    await asyncio.sleep(2.0)
    service.drain("gpt")
    service.undrain("gpt")
    service.force_open("gpt")
    service.reset("gpt")
    assert [(each.event, each.at_s) for each in events] == [
        ("target_drained", 2.0),
        ("target_undrained", 2.0),
        ("target_forced_open", 2.0),
        ("breaker_changed", 2.0),
        ("target_reset", 2.0),
        ("breaker_changed", 2.0),
    ]
    assert [event.state_to for event in named(events, "breaker_changed")] == ["open", "closed"]


@pytest.mark.parametrize("control", ["drain", "undrain", "force_open", "reset"])
@in_virtual_time
async def test_an_unknown_target_is_refused_naming_the_nearest(control):
    with pytest.raises(ConfigError, match=r"'gtp'.*did you mean 'gpt'"):
        getattr(router(both(), "gpt", "claude"), control)("gtp")


@pytest.mark.parametrize("for_s", [0, -1, float("nan")])
@in_virtual_time
async def test_a_target_is_forced_open_for_more_than_no_time(for_s):
    service = router(both(), "gpt")
    with pytest.raises(ValueError, match="for_s must be more than 0 seconds"):
        service.force_open("gpt", for_s)
    assert service.snapshot().targets["gpt"].breaker == "closed"
