"""Keeping standbys warm through the router: rounds, their story, and their end."""

from __future__ import annotations

import asyncio

import pytest

from failover.core.failures import FailureKind
from failover.core.vocabulary import Usage
from failover.errors import ConfigError
from failover.router import Router
from tests.edge.scripted import HELLO, ScriptedAdapter, answers, config, fails, heard, in_virtual_time, named

USED = Usage(8, 1)


def warm_router(adapter, *chain, **rules):
    loop = asyncio.get_running_loop()
    mapping = {**config(*chain), "keep_warm": {"every_s": 600, **rules}}
    return Router.from_dict(mapping, adapter=adapter, clock=loop.time, wall=loop.time, rng=lambda: 0.5)


def sent_to(adapter):
    return [outbound.target.name for outbound in adapter.sent]


@in_virtual_time
async def test_a_round_asks_for_one_token_whom_nobody_was_answered_by():
    adapter = ScriptedAdapter(gpt=answers(usage=USED), claude=answers(usage=USED))
    async with warm_router(adapter, "gpt", "claude") as router:
        await asyncio.sleep(1.0)
        await router.acompletion("chat", messages=HELLO)
        [canary] = await router.keep_warm()
        assert (canary.target, canary.answered, canary.why) == ("claude", True, "answered")
        assert canary.cost_nusd == 8 * 2_000 + 10_000
        assert adapter.sent[-1].payload["max_tokens"] == 1
        assert await router.keep_warm() == ()


@in_virtual_time
async def test_a_canary_is_told_as_an_attempt_and_spends_nobodys_budget():
    adapter = ScriptedAdapter(gpt=answers(usage=USED))
    async with warm_router(adapter, "gpt") as router:
        events = heard(router)
        before = router.snapshot().retry_budgets
        await router.keep_warm()
        assert [event.event for event in events] == ["attempt_started", "attempt_ended"]
        assert (events[0].cause, events[0].call) == ("keep_warm", "warm-1")
        assert router.snapshot().retry_budgets == before


@in_virtual_time
async def test_a_canary_that_fails_is_told_with_its_kind_and_not_tried_again():
    adapter = ScriptedAdapter(gpt=fails(FailureKind.MODEL_GONE))
    async with warm_router(adapter, "gpt") as router:
        [canary] = await router.keep_warm()
        assert (canary.asked, canary.answered, canary.why) == (True, False, "model_gone")
        assert sent_to(adapter) == ["gpt"]


@in_virtual_time
async def test_who_is_drained_is_not_asked_and_named():
    adapter = ScriptedAdapter(gpt=answers(usage=USED))
    async with warm_router(adapter, "gpt") as router:
        router.drain("gpt")
        [canary] = await router.keep_warm()
        assert (canary.asked, canary.why) == (False, "away")
        assert not adapter.sent


GOVERNED = {"data_classes": {"internal": {"require": {"dpa": True}}}, "default_data_class": "internal"}


@in_virtual_time
async def test_a_standby_that_may_have_nobodys_data_is_kept_warm_all_the_same():
    adapter = ScriptedAdapter(gpt=answers(usage=USED))
    loop = asyncio.get_running_loop()
    mapping = {**config("gpt"), **GOVERNED, "keep_warm": {"every_s": 600}}
    async with Router.from_dict(mapping, adapter=adapter, clock=loop.time, wall=loop.time) as router:
        [canary] = await router.keep_warm()
        assert canary.answered


@in_virtual_time
async def test_who_does_not_serve_us_is_not_even_greeted():
    adapter = ScriptedAdapter(gpt=answers(usage=USED))
    loop = asyncio.get_running_loop()
    mapping = {
        **config("gpt"),
        **GOVERNED,
        "keep_warm": {"every_s": 600},
        "organisation": {"callers_in": ["ru"]},
    }
    barred = {"terms": {"owner_limits": {"callers_in": ["ru"]}}}
    mapping["providers"] = {name: {**each, **barred} for name, each in mapping["providers"].items()}
    async with Router.from_dict(mapping, adapter=adapter, clock=loop.time, wall=loop.time) as router:
        [canary] = await router.keep_warm()
        assert (canary.asked, canary.why) == (False, "forbidden_by_terms")
        assert not adapter.sent


@in_virtual_time
async def test_rounds_go_on_until_they_are_ended_or_the_router_is_closed():
    adapter = ScriptedAdapter(gpt=answers(usage=USED))
    async with warm_router(adapter, "gpt") as router:
        stop = router.keep_warm_every(60.0)
        await asyncio.sleep(1850.0)
        assert len(adapter.sent) == 4
        stop()
        await asyncio.sleep(1200.0)
        assert len(adapter.sent) == 4
        router.keep_warm_every()
    await asyncio.sleep(1200.0)
    assert len(adapter.sent) <= 5


@in_virtual_time
async def test_after_a_reload_the_rules_of_the_new_config_hold():
    adapter = ScriptedAdapter(gpt=answers(usage=USED))
    async with warm_router(adapter, "gpt") as router:
        router.keep_warm_every(60.0)
        await asyncio.sleep(10.0)
        router.reload(config("gpt"))
        await asyncio.sleep(2000.0)
        assert len(adapter.sent) == 1


@in_virtual_time
async def test_what_the_config_does_not_say_is_complained_of():
    async with warm_router(ScriptedAdapter(gpt=answers()), "gpt") as router:
        router.reload(config("gpt"))
        with pytest.raises(ConfigError, match="say how often, and for how much, under 'keep_warm'"):
            await router.keep_warm()
        with pytest.raises(ValueError, match="round_s must be more than 0"):
            router.keep_warm_every(0.0)


def test_without_an_event_loop_the_routers_own_thread_keeps_warm():
    adapter = ScriptedAdapter(gpt=answers(usage=USED))
    mapping = {**config("gpt"), "keep_warm": {}}
    with Router.from_dict(mapping, adapter=adapter) as router:
        events = heard(router)
        router.keep_warm_every(3600.0)
        while not named(events, "attempt_ended"):
            router.snapshot()


@in_virtual_time
async def test_a_router_stops_asking_at_the_instant_and_names_the_successor():
    adapter = ScriptedAdapter(gpt=answers("old"), claude=answers("new"))
    mapping = config("gpt", "claude")
    mapping["targets"]["gpt"] |= {"lifecycle": {"retired": "1970-01-02"}, "successor": "claude"}
    loop = asyncio.get_running_loop()
    async with Router.from_dict(mapping, adapter=adapter, clock=loop.time, wall=loop.time) as router:
        events = heard(router)
        assert (await router.acompletion("chat", messages=HELLO)).text == "old"
        await asyncio.sleep(86_400.0)
        assert (await router.acompletion("chat", messages=HELLO)).text == "new"
        [passed_over] = router.decide("chat", messages=HELLO).passed_over
        assert (passed_over.reason, passed_over.successor) == ("retired", "claude")
        told = router.snapshot().targets["gpt"]
        assert (told.stage, told.successor, told.retires_in_s) == ("retired", "claude", 0.0)
        assert [event.event for event in events if event.event.startswith("retirement")] == [
            "retirement_ahead",
            "retirement_reached",
        ]


@in_virtual_time
async def test_a_reload_brings_new_dates_and_does_not_warn_twice():
    adapter = ScriptedAdapter(gpt=answers("old"), claude=answers("new"))
    loop = asyncio.get_running_loop()
    mapping = config("gpt", "claude")
    async with Router.from_dict(mapping, adapter=adapter, clock=loop.time, wall=loop.time) as router:
        events = heard(router)
        mapping["targets"]["gpt"]["lifecycle"] = {"retired": "1970-01-02"}
        for _ in range(2):
            router.reload(mapping)
            await router.acompletion("chat", messages=HELLO)
        assert len(named(events, "retirement_ahead")) == 1
