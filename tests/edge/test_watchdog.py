"""One timer for many waits: each ends at its own limit, and a cancellation from outside stays one."""

from __future__ import annotations

import asyncio

import pytest

from failover.watchdog import Watchdog
from tests.edge.scripted import in_virtual_time


async def after(seconds: float, value: str = "done") -> str:
    await asyncio.sleep(seconds)
    return value


@in_virtual_time
async def test_what_comes_in_time_is_handed_on():
    dog = Watchdog()
    assert await dog.wait(after(1.0), 2.0) == "done"
    assert not dog.rang


@in_virtual_time
async def test_what_is_late_is_a_timeout_at_its_limit():
    dog = Watchdog()
    with pytest.raises(TimeoutError):
        await dog.wait(after(9.0), 2.0)
    assert (dog.rang, asyncio.get_running_loop().time()) == (True, 2.0)


@in_virtual_time
async def test_each_wait_has_its_own_limit():
    dog, clock = Watchdog(), asyncio.get_running_loop().time
    for _ in range(5):
        await dog.wait(after(1.0), 3.0)
    with pytest.raises(TimeoutError):
        await dog.wait(after(9.0), 3.0)
    assert clock() == 8.0
    with pytest.raises(TimeoutError):
        await dog.wait(after(9.0), 0.5)
    assert clock() == 8.5


@in_virtual_time
async def test_a_timer_of_a_wait_that_is_over_harms_nobody():
    dog = Watchdog()
    await dog.wait(after(1.0), 3.0)
    await asyncio.sleep(10.0)
    assert await dog.wait(after(2.0), 3.0) == "done"


@in_virtual_time
async def test_no_time_at_all_is_a_limit_too():
    with pytest.raises(TimeoutError):
        await Watchdog().wait(after(1.0), -1.0)


@in_virtual_time
async def test_who_is_cancelled_is_cancelled_and_not_late():
    dog = Watchdog()
    waiting = asyncio.create_task(dog.wait(after(9.0), 5.0))
    await asyncio.sleep(1.0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not dog.rang


@in_virtual_time
async def test_a_cancellation_at_the_very_limit_is_one():
    dog = Watchdog()
    waiting = asyncio.create_task(dog.wait(after(9.0), 2.0))
    asyncio.get_running_loop().call_at(2.0, waiting.cancel)
    with pytest.raises(asyncio.CancelledError):
        await waiting


@in_virtual_time
async def test_a_limit_around_it_keeps_its_own_timeout():
    dog = Watchdog()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await dog.wait(after(9.0), 5.0)
    assert not dog.rang
    assert await dog.wait(after(1.0), 5.0) == "done"


@in_virtual_time
async def test_what_goes_wrong_inside_comes_out():
    async def fails() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await Watchdog().wait(fails(), 5.0)


@in_virtual_time
async def test_a_closed_watchdog_leaves_no_timer():
    dog = Watchdog()
    await dog.wait(after(1.0), 5.0)
    dog.close()
    dog.close()
    timers = vars(asyncio.get_running_loop())["_scheduled"]
    assert all(timer.cancelled() for timer in timers)
