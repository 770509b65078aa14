"""A short soak, so that the long one (`make soak`) does not rot; and what it looks for, it notices."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from benchmarks.soaking.books import Books, Complaints, States
from benchmarks.soaking.crowds import soak_threads
from benchmarks.soaking.loads import LOADS
from benchmarks.soaking.loops import soak_loops
from benchmarks.soaking.remains import Memory, open_files, used_bytes
from failover.core.events import AttemptEnded, AttemptStarted, CallEnded, CallStarted, Event
from failover.core.vocabulary import AttemptCause, Outcome
from failover.router import Router
from tests.edge.scripted import HELLO, ScriptedAdapter, config, hangs, in_virtual_time, router

CALLS = 250


@pytest.fixture(autouse=True)
def no_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the process: one that runs tests has a watchdog of its own."""
    for soak in ("loops", "crowds"):
        monkeypatch.setattr(f"benchmarks.soaking.{soak}.progress", print)


def test_routers_under_every_load_leave_nothing_behind():
    complaints, before = Complaints(), open_files()
    loads = [load for load in LOADS if not load.sockets]
    soaked = asyncio.run(soak_loops(CALLS, loads, 1, complaints, Memory(), rounds=2))
    assert complaints.told == []
    assert [each.called for each in soaked] == [CALLS] * len(loads)
    assert all(each.books.counts["config_reloaded"] + each.books.counts["target_reset"] for each in soaked)
    assert len(open_files()) <= len(before)


@pytest.mark.filterwarnings(
    "ignore:coroutine 'OpenAIChatCompletion", "ignore:.*:pytest.PytestUnraisableExceptionWarning"
)
def test_litellm_over_sockets_leaves_nothing_behind():
    complaints = Complaints()
    [load] = [load for load in LOADS if load.sockets]
    [soaked] = asyncio.run(soak_loops(CALLS, [load], 1, complaints, Memory(), rounds=1))
    assert complaints.told == []
    assert soaked.books.counts["call_ended"] == round(CALLS * load.share)


def test_many_threads_leave_nothing_behind():
    complaints, before = Complaints(), set(threading.enumerate())
    crowd = soak_threads(CALLS * 2, 8, 1, complaints, Memory(), rounds=2)
    assert complaints.told == []
    assert crowd.books.counts["call_ended"] == CALLS * 2
    assert set(threading.enumerate()) <= before


# What the books notice.


BEGAN = CallStarted(1.0, "1", "chat", 9.0, ("gpt",), (), (), "completion")
SENT = AttemptStarted(2.0, "1", 1, "gpt", AttemptCause.FIRST, probe=False, total_limit_s=1.0)
FAILED = Outcome.FAILURE
SETTLED = AttemptEnded(3.0, "1", 1, "gpt", FAILED, FAILED, None, None, None, 2.0, None, 0, 0, None)
ENDED = CallEnded(4.0, "1", "chat", 1.0, "gpt", None, 1, None)


def complaints_of(*events: Event) -> list[str]:
    complaints = Complaints()
    books = Books("own", complaints)
    for event in events:
        books(event)
    books.require_nothing_open()
    return complaints.told


def test_a_call_in_order_is_in_order():
    assert complaints_of(BEGAN, SENT, SETTLED, ENDED) == []


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ((BEGAN, SENT, SETTLED), "has not ended"),
        ((BEGAN, SENT), "its open permits: {1: 'gpt'}"),
        ((BEGAN, SENT, ENDED), "ended with open permits"),
        ((BEGAN, SENT, SETTLED, SETTLED, ENDED), "settled when it was not open"),
        ((BEGAN, SENT, SETTLED, ENDED, ENDED), "ended when it was not open"),
        ((BEGAN, BEGAN, SENT, SETTLED, ENDED), "began twice"),
        ((SENT, BEGAN, SETTLED, ENDED), "was told after"),
        ((BEGAN, SENT, SETTLED, ENDED, SENT), "when it was not open"),
    ],
    ids=range(8),
)
def test_the_books_notice(events, told):
    assert any(told in each for each in complaints_of(*events))


def test_memory_is_counted_to_the_byte():
    used_bytes()  # what it loads itself
    before = used_bytes()
    if before is None:
        pytest.skip("this platform's allocators do not tell")
    held = [bytes(100) for _ in range(1000)], bytes(1_000_000)
    after = used_bytes()
    assert held
    assert 1_100_000 < after - before < 1_300_000


@in_virtual_time
async def test_an_attempt_in_flight_is_noticed():
    complaints = Complaints()
    service: Router = router(ScriptedAdapter(gpt=hangs()), "gpt")
    running: Any = asyncio.create_task(service.acompletion("chat", HELLO))
    await asyncio.sleep(1.0)
    states = States(service, Books("own", complaints))
    service.reload(config("gpt"))
    states.require_rest()
    assert complaints.told
    running.cancel()
    await asyncio.wait([running])
    assert len(complaints.told) == complaints.count
