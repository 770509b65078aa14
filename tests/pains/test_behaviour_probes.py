"""What a router was seen to do when it was probed with faults, row by row: the same faults, and what comes.

The rows are measurements of BerriAI/litellm 1.106.2, each quoted in the docstring of its test. Where a row
was measured with a setting that is not here (`max_parallel_requests`, `allowed_fails`), the test is about
what the setting was for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest

from failover import AllTargetsFailedError, CallError, NoEligibleTargetError, Router, StreamInterruptedError
from failover.adapters.loading import load_litellm
from failover.core.failures import FailureKind
from failover.core.stats import Recent
from tests.edge.fake_wire import refusal
from tests.edge.scripted import (
    CUT,
    HELLO,
    Fate,
    ScriptedAdapter,
    answers,
    config,
    fails,
    hangs,
    in_flight,
    in_virtual_time,
    router,
    stop,
    streams,
)
from tests.pains.wire import QUIET, wired

pytestmark = QUIET
DOWN = fails(FailureKind.SERVER_ERROR, status=500)
WHOLE = streams("he", "llo", stop())


def now_s() -> float:
    return asyncio.get_running_loop().time()


def by_latency(adapter: ScriptedAdapter, *names: str) -> Router:
    mapping = config(*names)
    mapping["routes"]["chat"]["strategy"] = "latency"
    return Router.from_dict(mapping, adapter=adapter, clock=now_s, wall=now_s, rng=Random(5).random)  # noqa: S311  no secret


async def served(service: Router, calls: int) -> Counter[str]:
    return Counter([(await service.acompletion("chat", HELLO)).failover.target for _ in range(calls)])


@in_virtual_time
async def test_a_chain_of_three_dead_targets_costs_two_attempts_each_and_not_nine():
    """Seen: 3 targets, all 500: 9 attempts in 14.2 s. Here a second chance each, and a second at most."""
    adapter = ScriptedAdapter(gpt=DOWN, claude=DOWN, mistral=DOWN)
    with pytest.raises(AllTargetsFailedError):
        await router(adapter, "gpt", "claude", "mistral").acompletion("chat", HELLO)
    assert Counter(adapter.asked()) == {"gpt": 2, "claude": 2, "mistral": 2}
    assert now_s() <= 1.0


@in_virtual_time
async def test_three_replicas_are_each_asked_once_before_any_is_asked_twice():
    """Seen: three equal targets and a fallback: three attempts, one target hit twice, another never."""
    names = ("one", "two", "three", "fallback")
    adapter = ScriptedAdapter(**dict.fromkeys(names, DOWN))
    mapping = config(*names)
    mapping["routes"]["chat"] |= {"chain": [["one", "two", "three"], ["fallback"]], "strategy": "weighted"}
    service = Router.from_dict(mapping, adapter=adapter, clock=now_s, wall=now_s)
    with pytest.raises(AllTargetsFailedError):
        await service.acompletion("chat", HELLO)
    assert set(adapter.asked()[:3]) == {"one", "two", "three"}
    assert adapter.asked()[3] == "fallback"


@in_virtual_time
async def test_a_dead_primary_is_not_paid_for_in_every_request():
    """Seen: 6 requests: 18 attempts on the dead primary, 4 s each, for ever. Here 5 in a hundred, no wait."""
    adapter = ScriptedAdapter(gpt=DOWN, claude=answers())
    await served(router(adapter, "gpt", "claude"), 100)
    assert (adapter.asked().count("gpt"), now_s()) == (5, 0.0)


@in_virtual_time
async def test_who_wants_to_leave_at_the_first_failure_says_so():
    """Seen: with `allowed_fails=1` two attempts on the dead primary in all. Here one is one."""
    adapter = ScriptedAdapter(gpt=DOWN, claude=answers())
    await served(router(adapter, "gpt", "claude", breaker={"failures": 1}), 6)
    assert adapter.asked().count("gpt") == 1


@in_virtual_time
async def test_a_timeout_of_one_second_with_two_hanging_targets_takes_two():
    """Seen: `timeout=1`, two hanging targets: 6 attempts, 16 s."""
    adapter = ScriptedAdapter(gpt=hangs(), claude=hangs())
    with pytest.raises(AllTargetsFailedError):
        await router(adapter, "gpt", "claude", attempt_s=1).acompletion("chat", HELLO)
    assert (adapter.asked(), now_s()) == (["gpt", "claude"], 2.0)


@in_virtual_time
async def test_the_default_timeout_is_a_minute_and_not_a_hundred():
    """Seen: 6000 s. And half of the time is kept for the next target."""
    adapter = ScriptedAdapter(gpt=hangs(), claude=answers())
    assert (await router(adapter, "gpt", "claude").acompletion("chat", HELLO)).failover.target == "claude"
    assert now_s() <= 30.0
    with pytest.raises(CallError):
        await router(ScriptedAdapter(gpt=hangs()), "gpt").acompletion("chat", HELLO)
    assert now_s() <= 30.0 + 60.0


@in_virtual_time
async def test_who_just_said_429_is_not_asked_again_within_its_hint():
    """Seen: `Retry-After: 2`: four attempts in 50 ms on the target that had just said 429."""
    limited = fails(FailureKind.RATE_LIMITED, status=429, retry_after_s=2.0)
    adapter = ScriptedAdapter(gpt=[limited, answers()], claude=[limited, answers()])
    await router(adapter, "gpt", "claude").acompletion("chat", HELLO)
    assert (adapter.asked(), now_s()) == (["gpt", "claude", "gpt"], 2.0)


@in_virtual_time
async def test_when_all_are_limited_somebody_waits_or_is_told_how_long():
    """Seen: the next request fails at once with a `ValueError` without status or waiting time."""
    limited = fails(FailureKind.RATE_LIMITED, status=429, retry_after_s=20.0)
    adapter = ScriptedAdapter(gpt=[limited, limited, answers()], claude=[limited, limited, answers()])
    service = router(adapter, "gpt", "claude")
    with pytest.raises(AllTargetsFailedError):
        await service.acompletion("chat", HELLO, deadline_s=5)
    with pytest.raises(NoEligibleTargetError) as refused:
        await service.acompletion("chat", HELLO, deadline_s=5)
    assert refused.value.retry_after_s == 20.0
    assert (await service.acompletion("chat", HELLO, deadline_s=60)).text == "hello"


@in_virtual_time
async def test_a_stream_that_is_cut_before_its_first_chunk_is_served_by_the_next():
    """Seen: the fallback serves. Here too."""
    service = router(ScriptedAdapter(gpt=streams(CUT), claude=WHOLE), "gpt", "claude")
    stream = await service.acompletion("chat", HELLO, stream=True)
    assert [getattr(chunk, "text", chunk) async for chunk in stream] == ["he", "llo", "stop"]


@pytest.mark.parametrize("policy", [{"stream_recovery": "restart"}, {"delivery": "whole"}, {}], ids=str)
@in_virtual_time
async def test_a_stream_that_is_cut_after_three_chunks_ends_as_its_caller_chose(policy):
    """Seen: three chunks, a connection error, and the fallback never called."""
    service = router(
        ScriptedAdapter(gpt=streams("a", "b", "c", CUT), claude=WHOLE), "gpt", "claude", **policy
    )
    stream = await service.acompletion("chat", HELLO, stream=True)
    if policy:
        assert [getattr(chunk, "text", chunk) async for chunk in stream][-3:] == ["he", "llo", "stop"]
    else:
        with pytest.raises(StreamInterruptedError) as raised:
            _ = [chunk async for chunk in stream]
        assert raised.value.partial_text == "abc"


@in_virtual_time
async def test_ten_calls_at_once_are_spread_and_their_cancelling_leaves_no_count():
    """Seen: all ten go to one target, and its counter of calls in flight stays at 10 for an hour."""
    mapping = config("gpt", "claude")
    mapping["routes"]["chat"]["strategy"] = "least_busy"
    adapter = ScriptedAdapter(gpt=hangs(), claude=hangs())
    service = Router.from_dict(mapping, adapter=adapter, clock=now_s, wall=now_s)
    calls = [asyncio.create_task(service.acompletion("chat", HELLO)) for _ in range(10)]
    await asyncio.sleep(0.6)
    assert in_flight(service) == {"gpt": 5, "claude": 5}
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert in_flight(service) == {}


@in_virtual_time
async def test_what_is_running_is_counted_for_as_long_as_it_runs():
    """Seen: after 600 s the limiter of one call at a time forgets the one that runs, and admits another."""
    fates: list[Fate] = [DOWN, answers(after_s=900.0)]
    service = router(ScriptedAdapter(gpt=fates), "gpt", attempts=1, breaker={"failures": 1}, **LONG)
    with pytest.raises(CallError):
        await service.acompletion("chat", HELLO)
    await asyncio.sleep(10.0)
    probe = asyncio.create_task(service.acompletion("chat", HELLO))
    await asyncio.sleep(700.0)
    assert in_flight(service) == {"gpt": 1}
    with pytest.raises(NoEligibleTargetError, match="probe_running"):
        await service.acompletion("chat", HELLO)
    assert (await probe).text == "hello"


LONG = {"deadline_s": 1000, "first_token_s": 1000, "last_resort": "fail"}


@in_virtual_time
async def test_one_worse_sample_condemns_nobody():
    """Seen: B's one sample is 0.2 s against 0.1 s, and 1000 of the next 1000 calls go to A."""
    adapter = ScriptedAdapter(a=answers(after_s=0.1), b=[answers(after_s=0.2), answers(after_s=0.01)])
    service = by_latency(adapter, "b", "a")
    await served(service, 1000)
    assert (await served(service, 100))["b"] > 90


@in_virtual_time
async def test_one_timeout_does_not_outweigh_nine_quick_answers():
    """Seen: B's nine samples of 0.05 s and one timeout, and 1000 of 1000 calls go to A at 0.1 s."""
    quick = answers(after_s=0.05)
    adapter = ScriptedAdapter(
        a=answers(after_s=0.1), b=[*[quick] * 9, fails(FailureKind.TIMEOUT, 5.0), quick]
    )
    service = by_latency(adapter, "b", "a")
    await served(service, 20)
    assert (await served(service, 1000))["b"] > 900


@in_virtual_time
async def test_three_identical_targets_share_the_calls_without_luck():
    """Seen: 300 calls to three equal targets: 93/115/92 in one run and 298/1/1 in another."""
    for seed in range(5):
        noise = Random(seed)  # noqa: S311  no secret
        adapter = ScriptedAdapter(lambda _, noise=noise: answers(after_s=1.0 + 0.1 * noise.random()))
        shares = await served(by_latency(adapter, "one", "two", "three"), 300)
        assert min(shares[name] for name in ("one", "two", "three")) >= 30


@in_virtual_time
async def test_latencies_of_three_thousand_minutes_are_neither_hoarded_nor_wiped():
    """Seen: a key per minute that is never pruned; or, in memory, all statistics lost every hour."""
    adapter = ScriptedAdapter(gpt=answers(after_s=0.5))
    service = router(adapter, "gpt", hedge={})
    for _ in range(3000):
        await service.acompletion("chat", HELLO)
        adapter.sent.clear()
        await asyncio.sleep(60.0)
        assert service.snapshot().targets["gpt"].total_s == 0.5
    state = service._learned.states["gpt"]  # noqa: SLF001  what is kept has no other door
    assert len(state.totals._values_s) == Recent.KEPT  # noqa: SLF001  the ring itself


@in_virtual_time
async def test_fifty_requests_after_an_outage_are_one_probe():
    """Seen: 50 requests just after a cooldown: 50 attempts on the target that is still dead."""
    adapter = ScriptedAdapter(gpt=fails(FailureKind.SERVER_ERROR, 0.1, status=500), claude=answers())
    service = router(adapter, "gpt", "claude")
    await served(service, 5)
    await asyncio.sleep(service.snapshot().targets["gpt"].away_for_s or 0.0)
    adapter.sent.clear()
    await asyncio.gather(*(service.acompletion("chat", HELLO) for _ in range(50)))
    assert adapter.asked().count("gpt") == 1


@in_virtual_time
async def test_of_a_hundred_and_fifty_targets_none_is_forgotten():
    """Seen: a cache of 200 entries, and the counters of only 100 of 150 targets survive."""
    names = [f"t{number}" for number in range(150)]
    mapping = config(*names)
    mapping["routes"]["chat"]["strategy"] = "least_busy"
    adapter = ScriptedAdapter(**dict.fromkeys(names, answers(after_s=1.0)))
    service = Router.from_dict(mapping, adapter=adapter, clock=now_s, wall=now_s)
    for _ in range(4):
        await asyncio.gather(*(service.acompletion("chat", HELLO) for _ in range(150)))
    assert {each.total_s for each in service.snapshot().targets.values()} == {1.0}


def test_the_cheapest_is_found_by_a_thread_as_well():
    """Seen: the sync call knows no selection by cost: "No deployments available"."""
    mapping = config("dear", "cheap")
    mapping["routes"]["chat"]["strategy"] = "cost"
    mapping["targets"]["dear"]["prices"] = {"input_usd_per_mtok": 90, "output_usd_per_mtok": 90}
    adapter = ScriptedAdapter(dear=answers(), cheap=fails(FailureKind.OVERLOADED))
    with Router.from_dict(mapping, adapter=adapter) as service:
        assert service.completion("chat", HELLO).failover.target == "dear"
    assert adapter.asked() == ["cheap", "dear"]


async def test_routers_are_made_by_the_hundred_and_no_callback_list_grows():
    """Seen: with 120 routers every callback list of the process grows to its cap of 100."""
    litellm = load_litellm()
    lists = {name: value for name, value in vars(litellm).items() if name.endswith("callback")}
    before = {name: list(value) for name, value in lists.items() if isinstance(value, list)}
    services = [wired({"gpt": lambda: refusal(500)})[0] for _ in range(120)]
    for service in (services[0], services[-1]):
        with pytest.raises(CallError):
            await service.acompletion("chat", HELLO)
    for service in services:
        await service.aclose()
    assert {name: getattr(litellm, name) for name in before} == before


async def test_a_router_after_a_hundred_and_ten_others_heeds_a_429():
    """Seen: it gets a 429 and records no cooldown at all."""
    others = [wired({"gpt": lambda: refusal(500)})[0] for _ in range(110)]
    service, _ = wired({"gpt": lambda: refusal(429, retry_after="60")}, deadline_s=5)
    async with service:
        with pytest.raises(AllTargetsFailedError):
            await service.acompletion("chat", HELLO)
        assert service.snapshot().targets["gpt"].away == "cooldown"
    for each in others:
        await each.aclose()


@pytest.mark.parametrize("asked", [{}, {"max_retries": 0}, {"num_retries": 2, "max_retries": 0}], ids=str)
async def test_an_attempt_is_one_request_whatever_the_caller_passes_on(monkeypatch, asked):
    """Seen: a direct call on 500 sends 3, 1, 3 or 1 requests, by which two settings are passed."""
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)
    service, provider = wired({"gpt": lambda: refusal(500)}, attempts=1)
    async with service:
        with pytest.raises(AllTargetsFailedError):
            await service.acompletion("chat", HELLO, **asked)
    assert len(provider.requests) == 1


async def test_a_failed_call_does_not_switch_off_a_setting_of_the_process(monkeypatch):
    """Seen: `litellm.num_retries = 2`, one failing call, and it is None for the whole process."""
    litellm = load_litellm()
    monkeypatch.setattr(litellm, "suppress_debug_info", True)
    monkeypatch.setattr(litellm, "num_retries", 2)
    service, _ = wired({"gpt": lambda: refusal(500)})
    async with service:
        with pytest.raises(AllTargetsFailedError):
            await service.acompletion("chat", HELLO)
    assert litellm.num_retries == 2
