"""The event loop on virtual time: real coroutines, exact clocks, and no waiting."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.modes.virtual_loop import DeadlockError, VirtualLoop, run_virtual

A_YEAR_S = 365 * 86_400.0


def now() -> float:
    return asyncio.get_running_loop().time()


async def woken_after(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return now()


def test_time_begins_at_zero() -> None:
    async def asks() -> float:
        return now()

    assert run_virtual(asks()) == 0.0


@given(st.floats(0.0, 1e9))
def test_a_sleep_takes_exactly_its_time(seconds) -> None:
    assert run_virtual(woken_after(seconds)) == seconds


@given(st.lists(st.integers(1, 10**12).map(lambda at_us: at_us / 1e6), min_size=2, max_size=8))
def test_a_timer_rings_exactly_when_it_was_set_to_however_time_got_there(times) -> None:
    """What a request meets is decided by the time: an error in its last bit is another world."""

    async def listens() -> list[float]:
        loop = asyncio.get_running_loop()
        rung: list[float] = []
        for at_s in times:
            loop.call_at(at_s, lambda: rung.append(now()))
        await asyncio.sleep(2e6)
        return rung

    assert run_virtual(listens()) == sorted(times)


@pytest.mark.parametrize("seconds", [86_400.0, A_YEAR_S, 100 * A_YEAR_S])
def test_long_times_pass_at_once(seconds) -> None:
    """Fractions of a second still count: the loop must not spin where a clock's resolution vanishes."""

    async def sleeps() -> float:
        await asyncio.sleep(seconds)
        await asyncio.sleep(0.001)
        return now()

    assert run_virtual(sleeps()) == pytest.approx(seconds + 0.001, abs=1e-6)


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=2, max_size=12), st.floats(0.0, 1e6))
def test_who_waits_for_the_same_time_is_woken_in_the_order_of_asking(waits, until_s) -> None:
    """Else the last bit of a sum would decide who is the probe of a breaker."""
    woken: list[int] = []

    async def waits_its_time(number: int, first_s: float) -> None:
        await asyncio.sleep(first_s)
        asked.append(number)
        await asyncio.sleep(until_s + 1 - now())
        woken.append(number)

    asked: list[int] = []

    async def together() -> None:
        await asyncio.gather(*(waits_its_time(number, first_s) for number, first_s in enumerate(waits)))

    run_virtual(together())
    assert woken == asked


def test_tasks_that_sleep_side_by_side_wake_at_their_own_times() -> None:
    async def together() -> list[float]:
        return await asyncio.gather(*(woken_after(seconds) for seconds in (3.0, 1.0, 2.0)))

    assert run_virtual(together()) == [3.0, 1.0, 2.0]


def test_a_group_of_tasks_takes_as_long_as_its_longest() -> None:
    async def group() -> float:
        async with asyncio.TaskGroup() as tasks:
            for seconds in (5.0, 0.5, 7.25):
                tasks.create_task(asyncio.sleep(seconds))
        return now()

    assert run_virtual(group()) == 7.25


def test_a_limit_passes_exactly_when_it_should() -> None:
    async def limited() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await asyncio.sleep(60)
        return now()

    assert run_virtual(limited()) == 2.5


def test_a_limit_that_is_kept_does_not_hold_the_loop() -> None:
    async def limited() -> float:
        async with asyncio.timeout(3600):
            await asyncio.sleep(1)
        return now()

    assert run_virtual(limited()) == 1.0


def test_waiting_for_ever_is_an_error_that_names_who_waits() -> None:
    async def waits() -> None:
        await asyncio.create_task(asyncio.Event().wait(), name="the one that waits")

    with pytest.raises(DeadlockError, match="the one that waits"):
        run_virtual(waits())


def test_an_executor_runs_inline() -> None:
    async def computes() -> tuple[int, float]:
        return await asyncio.to_thread(lambda: 42), now()

    assert run_virtual(computes()) == (42, 0.0)


@pytest.mark.parametrize("error", [ValueError, KeyError, asyncio.CancelledError])
def test_what_an_executor_raises_reaches_who_awaits_it(error) -> None:
    def breaks() -> None:
        raise error

    async def awaits() -> None:
        with pytest.raises(error):
            await asyncio.get_running_loop().run_in_executor(None, breaks)

    run_virtual(awaits())


def test_an_exception_comes_out_as_it_was_raised() -> None:
    async def breaks() -> None:
        await asyncio.sleep(1)
        message = "as it was raised"
        raise ValueError(message)

    with pytest.raises(ValueError, match="as it was raised"):
        run_virtual(breaks())


def test_a_task_is_cancelled_at_the_time_it_is_cancelled() -> None:
    async def cancels() -> float:
        task = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return now()

    assert run_virtual(cancels()) == 4.0


def test_two_loops_know_nothing_of_each_other() -> None:
    assert [run_virtual(woken_after(5)), run_virtual(woken_after(1))] == [5.0, 1.0]
    loop = VirtualLoop()
    assert loop.time() == 0.0
    loop.close()
