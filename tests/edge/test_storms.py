"""Many calls at once over real sockets: breakers, cancellations, deadlines and budgets hold all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from failover import CallError, DeadlineExceededError, Router
from failover.adapters.loading import load_litellm
from tests.edge.fast_time import in_fast_time, in_stepped_time, skip
from tests.edge.loopback_provider import (
    ANSWER,
    Both,
    Break,
    answers,
    breaks,
    hangs,
    refuses,
    resets,
    served,
    warm_up,
)
from tests.edge.scripted import HELLO, heard, in_flight, named, running_tasks

# pydantic's, on litellm's own types and litellm's own use of them.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*ReadOnly:UserWarning", "ignore:Accessing the 'model_:DeprecationWarning"
)

DOWN = refuses(503)
STORM = 50


@pytest.fixture(scope="module", autouse=True)
def silent_litellm() -> Iterator[None]:
    """litellm does not print, and has loaded whatever it loads late before any clock runs fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_litellm(), "suppress_debug_info", True)
        asyncio.run(warm_up())
        yield


async def ask(router: Router, **options: Any) -> Any:
    return await router.acompletion("chat", HELLO, **options)


async def read(router: Router) -> str:
    """A stream, read to its end."""
    chunks = [chunk async for chunk in await ask(router, stream=True)]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


# After the open time


@pytest.mark.parametrize("probes", [1, 3])
@pytest.mark.parametrize("now", [answers(after_s=5), DOWN], ids=["recovered", "still-down"])
@in_fast_time
async def test_fifty_calls_just_after_the_open_time_send_no_more_than_the_probes(now, probes):
    scripts = {"primary": [DOWN, now], "fallback": answers()}
    breaker = {"failures": 1, "open_s": 10, "probes": probes}
    async with served(scripts, breaker=breaker) as both:
        await ask(both.router)
        skip(10.0)
        events = heard(both.router)
        replies = await asyncio.gather(*(ask(both.router) for _ in range(STORM)))
        assert {reply.choices[0].message.content for reply in replies} == {ANSWER}
        assert 1 <= both.provider.attempts("primary") - 1 <= probes
        asked = [event for event in named(events, "attempt_started") if event.target == "primary"]
        assert all(event.probe for event in asked)
        assert in_flight(both.router) == {}


# Cancelled calls


@pytest.mark.parametrize(
    ("asked", "fate"),
    [(ask, hangs()), (read, hangs()), (read, breaks(Break.STALLED))],
    ids=["whole", "before-the-first-token", "in-the-middle"],
)
async def test_fifty_cancelled_calls_leak_nothing(asked, fate):
    async with served({"primary": fate, "fallback": answers()}) as both:
        events = heard(both.router)
        calls = [asyncio.create_task(asked(both.router)) for _ in range(STORM)]
        while both.provider.waiting() < STORM:  # noqa: ASYNC110  the provider tells it by this fact alone
            await asyncio.sleep(0.01)
        assert in_flight(both.router) == {"primary": STORM}
        for call in calls:
            call.cancel()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(end) for end in ends} == {asyncio.CancelledError}
        assert in_flight(both.router) == {}
        await both.provider.deserted()
        assert all(received.left for received in both.provider.received)
        assert {event.permit for event in named(events, "attempt_ended")} == {"abandoned"}
        assert running_tasks() == {asyncio.current_task()}


# Deadlines


async def test_with_everybody_silent_a_deadline_of_three_seconds_is_kept():
    """The one test that takes its time: three real seconds."""
    async with served({"primary": hangs(), "second": hangs(), "third": hangs()}, deadline_s=3) as both:
        ends = await asyncio.gather(ask(both.router), read(both.router), return_exceptions=True)
        assert in_flight(both.router) == {}
    assert [type(end) for end in ends] == [DeadlineExceededError] * 2
    for end in ends:
        assert 2.9 <= end.failover.duration_s <= 3.3


# A total outage


async def settled(both: Both) -> None:
    """Until nothing moves: every send is answered, or lies with a provider that is silent."""
    for _ in range(3):
        await asyncio.sleep(0)
    while sum(in_flight(both.router).values()) != both.provider.waiting():  # noqa: ASYNC110  as above
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("outage", "last_resort", "requests"),
    [
        pytest.param(DOWN, "wait", 600, id="overloaded-wait"),
        pytest.param(DOWN, "fail", 600, id="overloaded-fail"),
        pytest.param(resets(), "wait", 600, id="reset-wait"),
        pytest.param(resets(), "fail", 600, id="reset-fail"),
        pytest.param(hangs(), "wait", 600, id="silent-wait"),
        pytest.param(hangs(), "fail", 600, id="silent-fail"),
        pytest.param(refuses(429), "wait", 300, id="rate-limited-wait"),
        pytest.param(refuses(429, retry_after="2"), "wait", 300, id="rate-limited-with-a-hint-wait"),
        pytest.param(refuses(429), "fail", 600, id="rate-limited-fail"),
    ],
)
@in_stepped_time
async def test_a_total_outage_at_thirty_requests_a_second_is_no_storm(outage, last_resort, requests):
    scripts = {"primary": outage, "fallback": outage}
    options = {"last_resort": last_resort, "rng": Random(7).random}  # noqa: S311  a draw, no secret
    async with served(scripts, deadline_s=20, attempt_s=5, **options) as both:
        calls = []
        for _ in range(requests):
            calls.append(asyncio.create_task(ask(both.router)))
            await settled(both)
            skip(1 / 30)
        while not all(call.done() for call in calls):
            await settled(both)
            skip(1 / 30)
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert {isinstance(end, CallError) for end in ends} == {True}
        assert in_flight(both.router) == {}
        assert len(both.provider.received) <= 1.25 * requests
