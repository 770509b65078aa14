"""A call that is cancelled anywhere blames nobody and leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from failover import (
    CallError,
    Router,
)
from failover.core.failures import FailureKind
from failover.core.vocabulary import Outcome
from tests.edge.scripted import (
    HELLO,
    ScriptedAdapter,
    answers,
    fails,
    hangs,
    heard,
    in_flight,
    in_virtual_time,
    named,
    raises,
    router,
    running_tasks,
)

OVERLOADED = FailureKind.OVERLOADED


async def cancelled_after(steps: int, service: Router) -> bool:
    """Cancel a call after so many turns of the loop; False when it had ended by then."""
    running = asyncio.create_task(service.acompletion("chat", HELLO, user="cancelled"))
    for _ in range(steps):
        await asyncio.sleep(0.25)
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        return True
    return False


@in_virtual_time
async def test_a_call_cancelled_at_any_await_blames_nobody_and_leaves_nothing():
    # Two attempts, then a wait for the backoff, then a retry: every kind of await is met.
    fates = {
        "gpt": [fails(OVERLOADED, 1.0), answers(after_s=1.0)] * 99,
        "claude": fails(FailureKind.TIMEOUT, 1.0),
    }
    steps = 0
    while True:
        adapter = ScriptedAdapter(**fates)
        service = router(adapter, "gpt", "claude", backoff={"initial_s": 8, "max_s": 8})
        events = heard(service)
        was_cancelled = await cancelled_after(steps, service)
        assert (in_flight(service), adapter.running) == ({}, 0)
        if not was_cancelled:
            break
        # The loop had no turn yet: the call did not begin.
        assert steps == 0 or named(events, "call_ended")[-1].error == "cancelled"
        started, ended = named(events, "attempt_started"), named(events, "attempt_ended")
        assert len(started) == len(ended)
        assert all(
            event.permit is not Outcome.FAILURE for event in ended if event.outcome is Outcome.ABANDONED
        )
        steps += 1
    assert steps > 12


@in_virtual_time
async def test_a_cancelled_attempt_is_abandoned():
    service = router(ScriptedAdapter(gpt=hangs()), "gpt", breaker={"failures": 1})
    events = heard(service)
    assert await cancelled_after(3, service)
    [ended] = named(events, "attempt_ended")
    assert (ended.outcome, ended.permit) == (Outcome.ABANDONED, Outcome.ABANDONED)
    assert service.snapshot().targets["gpt"].breaker == "closed"


@in_virtual_time
async def test_a_cancelled_probe_gives_its_slot_back():
    adapter = ScriptedAdapter(gpt=[fails(OVERLOADED), hangs(), answers()], claude=answers())
    service = router(adapter, "gpt", "claude", breaker={"failures": 1, "open_s": 1})
    await service.acompletion("chat", HELLO)
    await asyncio.sleep(1.0)
    assert await cancelled_after(1, service)
    assert (await service.acompletion("chat", HELLO)).failover.target == "gpt"


@in_virtual_time
async def test_fifty_cancelled_calls_leak_nothing():
    adapter = ScriptedAdapter(gpt=hangs())
    service = router(adapter, "gpt")
    calls = [asyncio.create_task(service.acompletion("chat", HELLO)) for _ in range(50)]
    await asyncio.sleep(1.0)
    assert (in_flight(service), adapter.running) == ({"gpt": 50}, 50)
    for call in calls:
        call.cancel()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(end) for end in ends} == {asyncio.CancelledError}
    assert (in_flight(service), adapter.running) == ({}, 0)
    assert running_tasks() == {asyncio.current_task()}


class StopEverythingError(BaseException):
    """As an interrupt from the keyboard: no `Exception`."""


@in_virtual_time
async def test_an_interrupt_settles_the_permit_on_its_way_out():
    service = router(ScriptedAdapter(gpt=raises(StopEverythingError(), 1.0)), "gpt")
    events = heard(service)
    with pytest.raises(StopEverythingError):
        await service.acompletion("chat", HELLO)
    assert in_flight(service) == {}
    assert named(events, "attempt_ended")[0].permit is Outcome.ABANDONED


@in_virtual_time
async def test_a_service_that_limits_the_call_itself_gets_its_own_timeout():
    service = router(ScriptedAdapter(gpt=hangs()), "gpt")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.0):
            await service.acompletion("chat", HELLO)
    assert in_flight(service) == {}


@in_virtual_time
async def test_a_timeout_that_the_client_raises_itself_is_not_taken_for_our_limit():
    service = router(ScriptedAdapter(gpt=raises(TimeoutError("the client's"), 1.0)), "gpt")
    with pytest.raises(CallError) as raised:
        await service.acompletion("chat", HELLO)
    assert raised.value.failures[0][1].phase is None
