"""One timer for many waits: each ends at its own limit, and a cancellation from outside stays one."""

from __future__ import annotations

import asyncio

import pytest

from failover.watchdog import Watchdog
from tests.edge.scripted import in_virtual_time


async def within(dog: Watchdog, seconds: float, limit_s: float) -> str:
    """A wait as an attempt waits: it takes so many seconds, and may take `limit_s`."""
    dog.begin(limit_s)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        if dog.is_late(task):
            return "late"
        raise
    finally:
        dog.end()
    return "done"


@in_virtual_time
async def test_what_comes_in_time_is_handed_on():
    dog = Watchdog()
    assert await within(dog, 1.0, 2.0) == "done"
    assert (dog.rang, dog.waited_s) == (False, 1.0)


@in_virtual_time
async def test_what_is_late_is_stopped_at_its_limit():
    dog = Watchdog()
    assert await within(dog, 9.0, 2.0) == "late"
    assert (dog.rang, asyncio.get_running_loop().time(), dog.waited_s) == (True, 2.0, 2.0)


@in_virtual_time
async def test_each_wait_has_its_own_limit():
    dog, clock = Watchdog(), asyncio.get_running_loop().time
    for _ in range(5):
        await within(dog, 1.0, 3.0)
    assert await within(dog, 9.0, 3.0) == "late"
    assert clock() == 8.0
    assert await within(dog, 9.0, 0.5) == "late"
    assert (clock(), dog.waited_s) == (8.5, 8.5)


@in_virtual_time
async def test_only_waiting_counts():
    dog = Watchdog()
    await within(dog, 1.0, 3.0)
    await asyncio.sleep(10.0)
    assert await within(dog, 2.0, 3.0) == "done"
    assert dog.waited_s == 3.0


@in_virtual_time
async def test_no_time_at_all_is_a_limit_too():
    assert await within(Watchdog(), 1.0, -1.0) == "late"


@in_virtual_time
async def test_who_is_cancelled_is_cancelled_and_not_late():
    dog = Watchdog()
    waiting = asyncio.create_task(within(dog, 9.0, 5.0))
    await asyncio.sleep(1.0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not dog.rang


@in_virtual_time
async def test_a_cancellation_at_the_very_limit_is_one():
    waiting = asyncio.create_task(within(Watchdog(), 9.0, 2.0))
    asyncio.get_running_loop().call_at(2.0, waiting.cancel)
    with pytest.raises(asyncio.CancelledError):
        await waiting


@in_virtual_time
async def test_a_limit_around_it_keeps_its_own_timeout():
    dog = Watchdog()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await within(dog, 9.0, 5.0)
    assert not dog.rang
    assert await within(dog, 1.0, 5.0) == "done"


async def _resetting() -> None:
    try:
        await asyncio.sleep(9.0)
    except asyncio.CancelledError:
        raise ConnectionResetError from None


@in_virtual_time
async def test_a_cancellation_of_ours_does_not_outlive_its_wait():
    """A client may make an error of its own of it: whoever waits outside must not find it afterwards."""
    dog = Watchdog()
    task = asyncio.current_task()
    assert task is not None
    for _ in range(2):
        dog.begin(1.0)
        with pytest.raises(ConnectionResetError):
            await _resetting()
        dog.end()
        assert (dog.rang, task.cancelling()) == (True, 0)


@in_virtual_time
async def test_a_closed_watchdog_leaves_no_timer():
    dog = Watchdog()
    await within(dog, 1.0, 5.0)
    dog.close()
    dog.close()
    timers = vars(asyncio.get_running_loop())["_scheduled"]
    assert all(timer.cancelled() for timer in timers)


def test_a_wait_that_never_began_may_end():
    dog = Watchdog()
    dog.end()
    assert dog.waited_s == 0.0
