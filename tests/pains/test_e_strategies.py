"""Theme E: strategies.

Without a test of their own: 25323 to 25325 and 40009 as far as they share a counter through Redis, and
1361, 1393, 1935, which were mistakes in a formula of latency that is not used here (what it is meant to do
is). There is no usage strategy whose internals could be tested for 7669 and 16060; their symptom is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover import AllTargetsFailedError, ConfigError, Router
from failover.core.decide import Facts, decide
from failover.core.failures import FailureKind
from failover.core.learned import Learned
from failover.core.policy import LastResort
from failover.core.prices import DatedPrice, PriceBook
from failover.core.strategies import STRATEGIES
from failover.core.vocabulary import Request, Route, Usage
from tests.core.story import chain_of
from tests.edge.scripted import (
    HELLO,
    ROLE,
    Fate,
    ScriptedAdapter,
    answers,
    config,
    fails,
    hangs,
    in_flight,
    in_virtual_time,
    paced,
    stop,
)

NAMES = ("gpt", "claude", "mistral")


def ranked_by(strategy: str, adapter: ScriptedAdapter, *names: str, **prices: Any) -> Router:
    """A router over one tier, on the running loop's clock, whose chance is a seeded one."""
    mapping = config(*names)
    mapping["routes"]["chat"]["strategy"] = strategy
    for name, price in prices.items():
        mapping["targets"][name]["prices"] = price
    clock = asyncio.get_running_loop().time
    return Router.from_dict(mapping, adapter=adapter, clock=clock, wall=clock, rng=Random(7).random)  # noqa: S311  chance, no secret


def usd(per_mtok: Any) -> dict[str, Any]:
    return {"input_usd_per_mtok": per_mtok, "output_usd_per_mtok": per_mtok}


async def served(service: Router, calls: int, *, every_s: float = 1.0, **options: Any) -> Counter[str]:
    """Who served so many calls, one after the other."""
    targets: list[str] = []
    for _ in range(calls):
        reply = await service.acompletion("chat", HELLO, **options)
        if options.get("stream"):
            _ = [chunk async for chunk in reply]
        targets.append(reply.failover.target)
        await asyncio.sleep(every_s)
    return Counter(targets)


@pytest.mark.parametrize("strategy", ["latency", "least_busy", "weighted"])
@in_virtual_time
async def test_nobody_starves_among_equals(strategy):
    """BerriAI/litellm 39322, 40401, 25393: no counter drifts, and ties do not all go to the first."""
    chance = Random(3)  # noqa: S311  chance, no secret
    adapter = ScriptedAdapter(lambda _: answers(after_s=1.0 + 0.1 * chance.random()))
    shares = await served(ranked_by(strategy, adapter, *NAMES), 300)
    assert set(shares) == set(NAMES)
    assert min(shares.values()) >= 50


@in_virtual_time
async def test_requests_at_once_are_spread_over_those_least_busy():
    """BerriAI/litellm 39322, 25323, 40009: an attempt counts from the moment of the pick."""
    adapter = ScriptedAdapter(**dict.fromkeys(NAMES, answers(after_s=1.0)))
    service = ranked_by("least_busy", adapter, *NAMES)
    await asyncio.gather(*(service.acompletion("chat", HELLO) for _ in range(30)))
    assert Counter(adapter.asked()) == dict.fromkeys(NAMES, 10)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@in_virtual_time
async def test_cancelled_calls_leave_no_target_looking_busy(strategy):
    """BerriAI/litellm 39322, 40401: the count goes down on every way out, and never below nothing."""
    adapter = ScriptedAdapter(**dict.fromkeys(NAMES, hangs()))
    service = ranked_by(strategy, adapter, *NAMES)
    calls = [asyncio.create_task(service.acompletion("chat", HELLO)) for _ in range(10)]
    await asyncio.sleep(0.5)
    assert sum(in_flight(service).values()) == 10
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert {each.in_flight for each in service.snapshot().targets.values()} == {0}


@in_virtual_time
async def test_latency_takes_the_quickest_and_still_looks_at_the_others():
    """BerriAI/litellm 873, 12624: most go to the quick one; nobody is condemned by one bad sample."""
    adapter = ScriptedAdapter(gpt=answers(after_s=0.1), claude=answers(after_s=0.4))
    shares = await served(ranked_by("latency", adapter, "gpt", "claude"), 300)
    assert shares["gpt"] > shares["claude"] > 0


@in_virtual_time
async def test_who_became_quick_again_is_found():
    """BerriAI/litellm 873: a target that was slow once gets its traffic back when it is not."""
    slow_once: list[Fate] = [answers(after_s=5.0), answers(after_s=0.1)]
    adapter = ScriptedAdapter(gpt=slow_once, claude=answers(after_s=1.0))
    service = ranked_by("latency", adapter, "gpt", "claude")
    await served(service, 500)
    assert (await served(service, 100))["gpt"] > 50


@in_virtual_time
async def test_streams_are_ranked_by_their_first_token_however_long_the_answer():
    """BerriAI/litellm 40202: a long answer does not make a slow start look quick."""
    late = paced((3.0, ROLE), (0.0, "one"), *((0.0, "more"),) * 5, (0.0, stop(Usage(10, 5000))))
    soon = paced((1.0, "one"), (5.0, stop(Usage(10, 1))))
    service = ranked_by("latency", ScriptedAdapter(gpt=late, claude=soon), "gpt", "claude")
    await served(service, 300, stream=True)
    assert (await served(service, 100, stream=True))["claude"] > 90


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@in_virtual_time
async def test_a_target_that_nobody_has_seen_yet_divides_nothing_by_zero(strategy):
    """BerriAI/litellm 39970, 16060: no samples, no prices, nobody in flight, and every call is served."""
    mapping = config(*NAMES)
    for target in mapping["targets"].values():
        del target["prices"]
    mapping["routes"]["chat"]["strategy"] = strategy
    adapter = ScriptedAdapter(**dict.fromkeys(NAMES, answers(after_s=0.0)))
    service = Router.from_dict(mapping, adapter=adapter)
    for _ in range(20):
        assert (await service.acompletion("chat", HELLO)).text == "hello"


RATES = st.integers(0, 10**9)
TOKENS = st.integers(0, 10**6)


@given(rates=st.lists(st.tuples(RATES, RATES), min_size=2, max_size=5), tokens_in=TOKENS, tokens_out=TOKENS)
def test_the_cheapest_is_picked_by_the_very_function_that_bills(rates, tokens_in, tokens_out):
    """BerriAI/litellm 35787, 31573: what ranks is what is charged afterwards."""
    prices = PriceBook({f"t{place}": (DatedPrice(*rate),) for place, rate in enumerate(rates)})
    route = Route("chat", chain_of(list(prices.prices)), "cost")
    request = Request("1", tokens_in=tokens_in, tokens_out=tokens_out)
    decision = decide(route, request, Learned([route]), Facts(prices), 0.0, lambda: 0.5)
    bills = [prices.charge_nusd(each.name, Usage(tokens_in, tokens_out), 0.0) or 0 for each in decision.order]
    assert bills == sorted(bills)


@in_virtual_time
async def test_a_price_of_zero_is_a_price_and_an_unknown_one_is_last():
    """BerriAI/litellm 36303, 31573: free is the cheapest; of whom nothing is told, nothing is assumed."""
    adapter = ScriptedAdapter(**dict.fromkeys(NAMES, answers()))
    mapping = config("unknown", "dear", "free")
    mapping["routes"]["chat"]["strategy"] = "cost"
    mapping["targets"]["dear"]["prices"], mapping["targets"]["free"]["prices"] = usd(500_000), usd(0)
    del mapping["targets"]["unknown"]["prices"]
    decision = Router.from_dict(mapping, adapter=adapter).decide("chat", HELLO)
    assert [target.name for target in decision.order] == ["free", "dear", "unknown"]


def test_a_name_with_its_provider_before_it_has_its_price():
    """BerriAI/litellm 35787: the map is asked under the name that litellm is asked for."""
    mapping = config("gpt", "mini")
    mapping["routes"]["chat"]["strategy"] = "cost"
    for name, model in (("gpt", "openai/gpt-4o"), ("mini", "openai/gpt-4o-mini")):
        mapping["targets"][name] = {"provider": f"{name}-inc", "model": model}
    service = Router.from_dict(mapping)
    assert service.snapshot().targets["mini"].input_usd_per_mtok == 0.15
    assert [target.name for target in service.decide("chat", HELLO).order] == ["mini", "gpt"]


def test_a_price_in_quotes_is_refused_and_not_compared_as_text():
    """BerriAI/litellm 33979: "10" would stand before "9"."""
    mapping = config("gpt")
    mapping["targets"]["gpt"]["prices"] = usd("10")
    with pytest.raises(ConfigError, match="must be a number"):
        Router.from_dict(mapping)


def test_cost_ranks_sync_calls_too():
    """BerriAI/litellm 35787 and the theme's table: there is one selection, for coroutines and for threads."""
    mapping = config("dear", "cheap")
    mapping["routes"]["chat"]["strategy"] = "cost"
    mapping["targets"]["dear"]["prices"], mapping["targets"]["cheap"]["prices"] = usd(9), usd(1)
    with Router.from_dict(mapping, adapter=ScriptedAdapter(dear=answers(), cheap=answers())) as service:
        assert service.completion("chat", HELLO).failover.target == "cheap"


@in_virtual_time
async def test_targets_at_their_limit_are_waited_for_and_are_no_assertion_error():
    """BerriAI/litellm 7669, 16060: a wait, and where there is none, an error that says what it is."""
    limited = fails(FailureKind.RATE_LIMITED, status=429, retry_after_s=3.0)
    adapter = ScriptedAdapter(gpt=[limited, answers()], claude=[limited, answers()])
    service = ranked_by("balanced", adapter, "gpt", "claude")
    assert (await service.acompletion("chat", HELLO)).text == "hello"
    assert asyncio.get_running_loop().time() == 3.0
    mapping = config("gpt", last_resort=LastResort.FAIL.value, attempts=1)
    with pytest.raises(AllTargetsFailedError, match="rate_limited"):
        await Router.from_dict(mapping, adapter=ScriptedAdapter(gpt=limited)).acompletion("chat", HELLO)


@in_virtual_time
async def test_a_bad_key_is_not_tried_again_at_once():
    """BerriAI/litellm 12624: one refusal, then the next target; and the key rests for minutes."""
    adapter = ScriptedAdapter(gpt=fails(FailureKind.UNAUTHORIZED, status=401), claude=answers())
    service = ranked_by("priority", adapter, "gpt", "claude")
    assert await served(service, 100) == {"claude": 100}
    assert adapter.asked().count("gpt") == 1
