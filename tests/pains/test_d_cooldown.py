"""Theme D: cooldown and circuit breaking.

Without a test of their own: 34416 as far as it is about refilling a memory from Redis, and 24678, 24787,
24988 as far as they are about the health checks of a proxy. What is known of a target lives in the
router's own process, and nobody but the attempts themselves, and an operator, says who is away.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from failover import AllTargetsFailedError, NoEligibleTargetError
from failover.core.failures import FailureKind
from tests.core.story import RATE_LIMITED, Story
from tests.core.story import target as target_of
from tests.edge.scripted import (
    HELLO,
    Fate,
    ScriptedAdapter,
    answers,
    fails,
    heard,
    in_virtual_time,
    named,
    router,
)

DOWN = fails(FailureKind.SERVER_ERROR, status=500)


def limited(retry_after_s: float, after_s: float = 0.0) -> Fate:
    return fails(FailureKind.RATE_LIMITED, after_s, status=429, retry_after_s=retry_after_s)


def now_s() -> float:
    return asyncio.get_running_loop().time()


@in_virtual_time
async def test_a_dead_primary_is_left_alone_though_it_is_the_only_one_of_its_kind():
    """BerriAI/litellm 40405, 8668: the breaker asks how a target does, not how many there are."""
    adapter = ScriptedAdapter(gpt=DOWN, claude=answers())
    service = router(adapter, "gpt", "claude")
    for _ in range(100):
        await service.acompletion("chat", HELLO)
    assert adapter.asked().count("gpt") == 5
    assert now_s() == 0.0, "a fallback costs no time"


@in_virtual_time
async def test_a_route_of_one_target_has_a_breaker_too():
    """BerriAI/litellm 8668, 34836: a hundred requests do not hammer who cannot answer."""
    adapter = ScriptedAdapter(gpt=DOWN)
    service = router(adapter, "gpt", attempts=1, last_resort="fail")
    for _ in range(100):
        with pytest.raises((AllTargetsFailedError, NoEligibleTargetError)):
            await service.acompletion("chat", HELLO)
    assert len(adapter.sent) == 5


@pytest.mark.parametrize(
    "kind", ["server_error", "overloaded", "connection", "timeout", "malformed_reply", "truncated_stream"]
)
@in_virtual_time
async def test_twenty_five_failures_in_a_row_take_a_target_out_at_once(kind):
    """BerriAI/litellm 34836: whatever the class of failure, and before the very next request."""
    adapter = ScriptedAdapter(gpt=fails(FailureKind(kind)), claude=answers())
    service = router(adapter, "gpt", "claude")
    for _ in range(25):
        await service.acompletion("chat", HELLO)
    assert service.snapshot().targets["gpt"].breaker == "open"
    assert adapter.asked().count("gpt") == 5


@pytest.mark.parametrize(("first_s", "then_s"), [(60.0, 1.0), (1.0, 60.0)])
@in_virtual_time
async def test_of_two_hints_the_longer_holds_whichever_came_first(first_s, then_s):
    """BerriAI/litellm 40130: two requests that were under way together were told different times."""
    adapter = ScriptedAdapter(gpt=[limited(first_s, 1.0), limited(then_s, 1.0)], claude=answers())
    service = router(adapter, "gpt", "claude")
    await asyncio.gather(service.acompletion("chat", HELLO), service.acompletion("chat", HELLO))
    assert adapter.asked().count("gpt") == 2
    assert service.snapshot().targets["gpt"].away_for_s == 60.0


def test_a_waiting_hint_keeps_everybody_away_who_shares_the_quota():
    """BerriAI/litellm 34399: the same key and model elsewhere is the same quota; another model is not."""
    shared = {"provider": "openai", "credential": "OPENAI_KEY"}
    eu, us = (target_of(name, model="gpt", region=name, **shared) for name in ("eu", "us"))
    story = Story(eu, us, target_of("mini", model="gpt-mini", **shared))
    story.call().sends_to("eu").fails(RATE_LIMITED, retry_after_s=20.0).sends_to("mini").succeeds()
    assert [story.state(name).cooldown_until_s for name in ("eu", "us", "mini")] == [20.0, 20.0, 0.0]


@in_virtual_time
async def test_who_was_told_to_wait_is_not_asked_again_at_once():
    """BerriAI/litellm 34399: with another target there or without, the hint is kept to the second."""
    adapter = ScriptedAdapter(gpt=[limited(2.0), answers("late")])
    reply = await router(adapter, "gpt").acompletion("chat", HELLO)
    assert (reply.text, now_s(), adapter.asked()) == ("late", 2.0, ["gpt", "gpt"])


@in_virtual_time
async def test_a_fallback_that_fails_is_left_alone_as_well():
    """BerriAI/litellm 35104: the place in the chain excuses nobody."""
    adapter = ScriptedAdapter(gpt=limited(3600.0), claude=DOWN, mistral=answers())
    service = router(adapter, "gpt", "claude", "mistral")
    for _ in range(50):
        assert (await service.acompletion("chat", HELLO)).failover.target == "mistral"
    assert adapter.asked().count("claude") == 5
    assert service.snapshot().targets["claude"].away == "breaker_open"


@in_virtual_time
async def test_thirty_seconds_are_thirty_seconds():
    """BerriAI/litellm 34416, 34836, 40025: no cycle, no other cache, nobody who hears of it later."""
    adapter = ScriptedAdapter(gpt=[limited(30.0), answers()], claude=answers())
    service = router(adapter, "gpt", "claude")
    served = []
    for _ in range(31):
        served.append((await service.acompletion("chat", HELLO)).failover.target)
        await asyncio.sleep(1.0)
    assert served == ["claude"] * 30 + ["gpt"]


@in_virtual_time
async def test_a_busy_router_forgets_no_cooldown():
    """BerriAI/litellm 40025: the state of one target is not displaced by that of two hundred others."""
    names = [f"t{number}" for number in range(200)]
    adapter = ScriptedAdapter(**dict.fromkeys(names, limited(600.0)))
    service = router(adapter, *names, attempts=100, retry_budget={"share": 1, "floor_per_s": 1000})
    for _ in range(2):
        with pytest.raises(AllTargetsFailedError):
            await service.acompletion("chat", HELLO)
    assert {each.away for each in service.snapshot().targets.values()} == {"cooldown"}
    assert sorted(adapter.asked()) == sorted(names)


@in_virtual_time
async def test_the_time_away_is_the_one_that_is_asked_for_also_when_it_is_none():
    """BerriAI/litellm 12037, 12108: a hint of 0 is a hint, and a breaker opens for as long as it is told."""
    adapter = ScriptedAdapter(gpt=limited(0.0), claude=DOWN, mistral=answers())
    service = router(adapter, "gpt", "claude", "mistral", breaker={"failures": 1, "open_s": 7})
    await service.acompletion("chat", HELLO)
    seen = service.snapshot().targets
    assert (seen["gpt"].away, seen["claude"].away_for_s) == (None, 7.0)


@in_virtual_time
async def test_when_everybody_is_away_the_call_waits_for_the_first_to_return():
    """BerriAI/litellm 3646: that is what the deadline is for."""
    adapter = ScriptedAdapter(gpt=[limited(20.0), answers()], claude=[limited(5.0), answers("back")])
    service = router(adapter, "gpt", "claude", deadline_s=30)
    reply = await service.acompletion("chat", HELLO)
    assert (reply.text, reply.failover.target, now_s()) == ("back", "claude", 5.0)


@in_virtual_time
async def test_when_nobody_returns_in_time_the_error_says_how_long_it_takes():
    """BerriAI/litellm 40718, 40958: every target, its reason, and the soonest return; nobody is blamed."""
    adapter = ScriptedAdapter(gpt=limited(600.0), claude=limited(900.0))
    service = router(adapter, "gpt", "claude", deadline_s=30)
    with pytest.raises(AllTargetsFailedError) as failed:
        await service.acompletion("chat", HELLO)
    assert {failure.status for _, failure in failed.value.failures} == {429}
    before = service.snapshot()
    with pytest.raises(NoEligibleTargetError) as refused:
        await service.acompletion("chat", HELLO)
    assert failed.value.retry_after_s == refused.value.retry_after_s == 600.0
    assert {each.reason for each in refused.value.passed_over} == {"cooldown"}
    assert service.snapshot().targets == before.targets


@in_virtual_time
async def test_who_is_away_why_and_for_how_long_can_be_seen():
    """BerriAI/litellm 25504: asked for at any time, told as it happens, and explained for a request."""
    adapter = ScriptedAdapter(gpt=limited(60.0), claude=DOWN, mistral=answers())
    service = router(adapter, "gpt", "claude", "mistral", breaker={"failures": 1})
    events = heard(service)
    await service.acompletion("chat", HELLO)
    seen = {name: (each.away, each.away_for_s) for name, each in service.snapshot().targets.items()}
    assert seen == {"gpt": ("cooldown", 60.0), "claude": ("breaker_open", 10.0), "mistral": (None, None)}
    assert [each.until_s for each in named(events, "cooldown_started")] == [60.0]
    assert [each.state_to for each in named(events, "breaker_changed")] == ["open"]
    assert {each.target.name: each.reason for each in service.decide("chat", HELLO).passed_over} == {
        "gpt": "cooldown",
        "claude": "breaker_open",
    }


@in_virtual_time
async def test_only_attempts_and_operators_say_who_is_away():
    """BerriAI/litellm 24678, 24787, 24988: one place decides it, and a reset undoes all of it."""
    service = router(ScriptedAdapter(gpt=limited(60.0), claude=answers()), "gpt", "claude")
    await service.acompletion("chat", HELLO)
    assert [target.name for target in service.decide("chat").order] == ["claude"]
    service.reset("gpt")
    assert [target.name for target in service.decide("chat").order] == ["gpt", "claude"]


@in_virtual_time
async def test_each_outage_in_a_row_is_left_alone_for_longer():
    """BerriAI/litellm 34836: a target that stays dead is probed ever more seldom, up to a limit."""
    adapter = ScriptedAdapter(gpt=DOWN, claude=answers())
    service = router(adapter, "gpt", "claude", breaker={"open_s": 10, "open_max_s": 40})
    asked_at = []
    for _ in range(200):
        sent = adapter.asked().count("gpt")
        await service.acompletion("chat", HELLO)
        if adapter.asked().count("gpt") > sent:
            asked_at.append(now_s())
        await asyncio.sleep(1.0)
    assert [later - sooner for sooner, later in pairwise(asked_at[4:])] == [10.0, 20.0] + [40.0] * 4


@in_virtual_time
async def test_of_fifty_requests_at_once_one_probes_who_may_be_back():
    """BerriAI/litellm 24678, and the theme's "half-open with one probe": the others go where it works."""
    adapter = ScriptedAdapter(gpt=[DOWN] * 5 + [answers(after_s=1.0)], claude=answers())
    service = router(adapter, "gpt", "claude")
    for _ in range(5):
        await service.acompletion("chat", HELLO)
    await asyncio.sleep(10.0)
    adapter.sent.clear()
    await asyncio.gather(*(service.acompletion("chat", HELLO) for _ in range(50)))
    assert (adapter.asked().count("gpt"), adapter.asked().count("claude")) == (1, 49)
