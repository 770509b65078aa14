"""What a router tells its listeners: in order, outside of decisions, and at nobody's cost."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from failover.core.failures import FailureKind
from tests.edge.scripted import (
    HELLO,
    ScriptedAdapter,
    answers,
    fails,
    heard,
    in_virtual_time,
    router,
)

OVERLOADED = FailureKind.OVERLOADED


@in_virtual_time
async def test_events_tell_a_call_in_the_order_it_happened():
    service = router(
        ScriptedAdapter(gpt=fails(OVERLOADED, 1.0), claude=answers(after_s=1.0)), "gpt", "claude"
    )
    events = heard(service)
    await service.acompletion("chat", HELLO)
    attempts = ["attempt_started", "attempt_ended"] * 2
    assert [event.event for event in events] == ["call_started", *attempts, "call_ended"]
    assert [event.at_s for event in events] == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]


@in_virtual_time
async def test_a_listener_that_raises_is_logged_and_harms_nobody(caplog):
    service = router(ScriptedAdapter(gpt=answers("served")), "gpt")
    service.subscribe(lambda _event: 1 / 0)
    events = heard(service)
    with caplog.at_level(logging.ERROR, "failover"):
        assert (await service.acompletion("chat", HELLO)).text == "served"
    assert len(events) == len(caplog.records) == 4
    assert "call_started" in caplog.text


@in_virtual_time
async def test_who_unsubscribed_hears_nothing_more():
    service = router(ScriptedAdapter(gpt=answers()), "gpt")
    first, second = [], []
    leave = service.subscribe(first.append)
    service.subscribe(second.append)
    leave()
    leave()
    await service.acompletion("chat", HELLO)
    assert (len(first), len(second)) == (0, 4)


@in_virtual_time
async def test_a_listener_subscribed_twice_leaves_once_at_a_time():
    service = router(ScriptedAdapter(gpt=answers()), "gpt")
    events: list[Any] = []
    leave = service.subscribe(events.append)
    service.subscribe(events.append)
    leave()
    leave()
    await service.acompletion("chat", HELLO)
    assert len(events) == 4


@in_virtual_time
async def test_a_listener_may_decide_look_and_leave_while_it_is_told():
    service = router(ScriptedAdapter(gpt=fails(OVERLOADED), claude=answers()), "gpt", "claude")
    seen: list[tuple[str, int]] = []

    def look(event: Any) -> None:
        seen.append((event.event, len(service.decide("chat", HELLO).order)))
        service.snapshot()
        if event.event == "attempt_ended":
            leave()

    leave = service.subscribe(look)
    await service.acompletion("chat", HELLO)
    assert [name for name, _ in seen] == ["call_started", "attempt_started", "attempt_ended"]


@in_virtual_time
async def test_who_subscribes_hears_whole_calls_and_no_tail_of_one():
    service = router(ScriptedAdapter(gpt=answers(after_s=2.0)), "gpt")
    running = asyncio.create_task(service.acompletion("chat", HELLO))
    await asyncio.sleep(1.0)
    events = heard(service)
    await asyncio.gather(running, service.acompletion("chat", HELLO))
    assert {event.call for event in events} == {"2"}
    assert len(events) == 4
