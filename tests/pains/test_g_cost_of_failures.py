"""Theme G: budgets, usage, and what failures cost.

Without a test here: 20886, 32614, 32618, budgets of dollars that are kept in step through Redis. There are no
such budgets, here or in Redis; a config that asks for one is refused, which is tested.
"""

from __future__ import annotations

import asyncio

import pytest

from failover import AllTargetsFailedError, ConfigError, StreamInterruptedError
from failover.adapters.loading import load_litellm
from failover.config import config_from_dict
from failover.core.failures import FailureKind
from failover.core.prices import DatedPrice, PriceBook
from failover.core.vocabulary import Usage
from tests.core.story import OVERLOADED, Story
from tests.edge.fake_wire import OPENAI_STREAM, openai_chunk, refusal, streamed, whole_answer
from tests.edge.scripted import (
    CUT,
    HELLO,
    Piece,
    Said,
    ScriptedAdapter,
    answers,
    config,
    fails,
    hangs,
    heard,
    in_flight,
    in_virtual_time,
    named,
    router,
    streams,
)
from tests.pains.wire import QUIET, config_over, wired

pytestmark = QUIET
DOWN = fails(FailureKind.OVERLOADED, status=503)


def priced(*, gpt: float, claude: float) -> dict[str, object]:
    """Two targets whose tokens cost so many dollars per million."""
    mapping = config_over("gpt", "claude")
    for name, usd in (("gpt", gpt), ("claude", claude)):
        mapping["targets"][name]["prices"] = {"input_usd_per_mtok": usd, "output_usd_per_mtok": usd}
    return mapping


async def test_after_a_fallback_cost_and_target_are_those_of_who_served(monkeypatch):
    """BerriAI/litellm 8810, 28228, 28241: not null, nor the first one's price or name."""
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)
    service, _ = wired({"gpt": lambda: refusal(503), "claude": whole_answer})
    service.reload(priced(gpt=1_000, claude=2))
    async with service:
        story = (await service.acompletion("chat", HELLO)).failover
    assert (story.target, story.cost_usd) == ("claude", pytest.approx(5 * 2e-6))


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}])
async def test_after_a_fallback_a_stream_has_its_cost_too(monkeypatch, usage):
    """BerriAI/litellm 8810: whether the provider counts the tokens or litellm has to."""
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)
    counted = (*OPENAI_STREAM[:2], openai_chunk({}, "stop", usage=usage or None), OPENAI_STREAM[3])
    service, _ = wired({"gpt": lambda: refusal(503), "claude": lambda: streamed(*counted)})
    service.reload(priced(gpt=1_000, claude=2))
    async with service:
        stream = await service.acompletion("chat", HELLO, stream=True)
        _ = [chunk async for chunk in stream]
    assert stream.failover.target == "claude"
    assert stream.failover.cost_usd > 0
    if usage:
        assert stream.failover.cost_usd == pytest.approx(5 * 2e-6)


def test_tokens_of_failed_attempts_are_booked():
    """The theme's "booked when known", and 8810: a discarded answer was paid for, and unknown is not free."""
    prices = PriceBook({"gpt": (DatedPrice(2_000_000_000, 0),), "claude": (DatedPrice(0, 0),)})
    for book, cost_nusd in ((prices, 2_000_000), (PriceBook(), None)):
        call = Story("gpt", "claude", prices=book).call()
        call.sends_to("gpt").fails(OVERLOADED, usage=Usage(1000, 10)).sends_to("claude").succeeds(Usage(5, 5))
        assert call.story.events[-1].cost_nusd == cost_nusd


@in_virtual_time
async def test_why_a_fallback_was_made_is_in_the_reply_and_in_the_events():
    """BerriAI/litellm 16752: the reason of every hop, and of everybody passed over."""
    adapter = ScriptedAdapter(
        gpt=fails(FailureKind.RATE_LIMITED, status=429, retry_after_s=60.0), claude=answers()
    )
    service = router(adapter, "gpt", "claude")
    events = heard(service)
    first, second = [(await service.acompletion("chat", HELLO)).failover for _ in range(2)]
    told = [(each.target, each.cause, each.failure) for each in first.attempts]
    assert told == [("gpt", "first", "rate_limited"), ("claude", "fallback", None)]
    assert [(each.target.name, each.reason) for each in second.passed_over] == [("gpt", "cooldown")]
    ended = named(events, "attempt_ended")
    assert [(each.target, each.failure) for each in ended][:2] == [("gpt", "rate_limited"), ("claude", None)]


@in_virtual_time
async def test_what_was_reserved_for_a_cancelled_call_is_given_back():
    """BerriAI/litellm 27639: no permit, probe or count is left behind that would refuse others later."""
    adapter = ScriptedAdapter(gpt=[DOWN, hangs(), answers()])
    service = router(adapter, "gpt", breaker={"failures": 1, "open_s": 5}, last_resort="fail", attempts=1)
    with pytest.raises(AllTargetsFailedError):
        await service.acompletion("chat", HELLO)
    await asyncio.sleep(5.0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(service.acompletion("chat", HELLO), 1.0)
    assert in_flight(service) == {}
    assert (await service.acompletion("chat", HELLO)).text == "hello"


@pytest.mark.parametrize("place", ["config", "route", "policy", "target"])
def test_a_budget_that_nobody_would_keep_is_refused(place):
    """BerriAI/litellm 32180, 20886: a limit of dollars is never accepted and then skipped."""
    mapping = config("gpt")
    route = mapping["routes"]["chat"]
    where = {
        "config": mapping,
        "route": route,
        "policy": route["policy"],
        "target": mapping["targets"]["gpt"],
    }
    where[place]["budgets"] = {"usd": 10}
    with pytest.raises(ConfigError, match="budgets"):
        config_from_dict(mapping)


async def test_the_provider_of_a_target_is_found_once_and_not_in_every_call(monkeypatch):
    """BerriAI/litellm 21043: what the config fixes is not parsed again on the hot path."""
    litellm, asked = load_litellm(), []
    find = litellm.get_llm_provider

    def counting(*arguments: object, **options: object) -> object:
        if not arguments and set(options) == {
            "model",
            "api_base",
        }:  # as we ask; litellm asks itself in its own way
            asked.append(options)
        return find(*arguments, **options)

    service, provider = wired({"gpt": whole_answer})
    async with service:
        monkeypatch.setattr(litellm, "get_llm_provider", counting)
        for _ in range(6):
            await service.acompletion("chat", HELLO)
    assert len(provider.requests) == 6
    assert len(asked) == 1


@in_virtual_time
async def test_a_broken_call_carries_its_cost_as_well():
    """BerriAI/litellm 8810: an error tells what was spent on it."""
    counted = Piece(Said("he"), has_token=True, text="he", usage=Usage(1000, 100))
    service = router(ScriptedAdapter(gpt=streams(counted, CUT)), "gpt")
    stream = await service.acompletion("chat", HELLO, stream=True)
    with pytest.raises(StreamInterruptedError) as raised:
        _ = [chunk async for chunk in stream]
    assert raised.value.failover.cost_usd == pytest.approx(0.003)
