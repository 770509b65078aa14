"""The World driver: the very same calls, over a heap of virtual events."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from failover.chaos.world.world import World
from failover.core.events import AttemptStarted, CallStarted, FirstTokenReceived
from failover.core.failures import FailureKind
from failover.core.prices import DatedPrice
from failover.core.world_events import InjectionStarted, PriceInForce
from tests.drills.worlds import (
    CLAUDE,
    GPT,
    LITELLM_WARNS,
    MISTRAL,
    ROOT,
    Simulated,
    injection,
    route,
    target,
    workload,
    world,
)

pytestmark = LITELLM_WARNS
CHAIN = route(GPT, CLAUDE)
CHAIN_OF_ONE = route(GPT)


def gpt_is(shape: str, **fields: Any) -> World:
    """A world in which one of two targets is out, as told."""
    return world(GPT, CLAUDE, inject=[injection("outage", target="gpt", **{"as": shape}, **fields)])


def simulated(in_world: World, **fields: Any) -> Simulated:
    return Simulated(in_world, CHAIN, workload(**fields))


def test_in_a_calm_world_the_first_target_serves_everybody() -> None:
    calm = simulated(world(GPT, CLAUDE))
    assert set(calm.served.values()) == {"gpt"}
    assert len(calm.attempts) == len(calm.served) == 30
    assert {(ended.started_s, ended.at_s) for ended in calm.attempts} == {(n, n + 1.0) for n in range(1, 31)}


@pytest.mark.parametrize("shape", ["500", "503", "529", "refused", "reset"])
def test_an_outage_makes_everybody_fall_back(shape) -> None:
    dark = simulated(gpt_is(shape))
    assert set(dark.served.values()) == {"claude"}
    assert len(dark.served) == 30
    first = dark.attempts[0]
    assert (first.target, first.at_s - first.started_s) == ("gpt", pytest.approx(0.08))


def test_an_outage_is_over_when_it_ends() -> None:
    dark = simulated(gpt_is("503", at_s=5, for_s=10), for_s=60.5)
    assert set(list(dark.served.values())[:4]) == {"gpt"}
    assert dark.served["10"] == "claude"
    assert dark.served["60"] == "gpt"


def test_silence_becomes_a_timeout_at_the_attempts_limit() -> None:
    silent = Simulated(gpt_is("hang"), route(GPT, CLAUDE, attempt_s=4.0, deadline_s=30.0))
    first = silent.attempts[0]
    assert (first.failure, first.at_s - first.started_s) == (FailureKind.TIMEOUT, 4.0)
    assert set(silent.served.values()) == {"claude"}


def test_an_answer_that_takes_too_long_is_no_answer() -> None:
    late = Simulated(world(GPT, takes_s=5.0), route(GPT, attempt_s=4.0, attempts=1), workload(for_s=1.5))
    (attempt,) = late.attempts
    assert (attempt.failure, attempt.at_s) == (FailureKind.TIMEOUT, 5.0)
    assert [request.id for request in late.unserved] == ["1"]


def test_an_answer_that_takes_as_long_as_its_limit_is_late() -> None:
    """As on an event loop, where the limit's timer was set first."""
    barely = Simulated(world(GPT, takes_s=4.0), route(GPT, attempt_s=4.0), workload(for_s=1.5))
    assert not barely.served
    in_time = Simulated(world(GPT, takes_s=3.999), route(GPT, attempt_s=4.0), workload(for_s=1.5))
    assert in_time.served == {"1": "gpt"}


def test_nobody_is_answered_after_the_deadline() -> None:
    slow = Simulated(world(GPT, takes_s=9.0), CHAIN_OF_ONE, workload(deadline_s=5.0))
    assert not slow.served
    assert len(slow.unserved) == 30
    assert all(started.deadline_s == started.at_s + 5.0 for started in slow.of(CallStarted))


# Streams.


def test_a_stream_tells_its_first_token() -> None:
    told = Simulated(world(GPT, takes_s=3.0, first_token_s=0.5), CHAIN_OF_ONE, workload(stream=True))
    assert [token.at_s for token in told.of(FirstTokenReceived)] == [n + 0.5 for n in range(1, 31)]
    assert [ended.at_s for ended in told.attempts] == [n + 3.0 for n in range(1, 31)]


def test_a_stream_that_starts_too_late_hits_its_first_token_limit() -> None:
    slow = Simulated(
        world(GPT, takes_s=12.0, first_token_s=9.0),
        route(GPT, first_token_s=8.0, attempts=1),
        workload(stream=True, for_s=1.5),
    )
    (attempt,) = slow.attempts
    assert (attempt.failure, attempt.at_s, attempt.first_token_s) == (FailureKind.TIMEOUT, 9.0, None)


def test_whole_replies_know_no_first_token_limit() -> None:
    slow = Simulated(
        world(GPT, takes_s=12.0, first_token_s=9.0), route(GPT, first_token_s=8.0), workload(for_s=1.5)
    )
    assert slow.served == {"1": "gpt"}


# The journal.


def test_events_come_in_order_of_time() -> None:
    busy = simulated(gpt_is("503", share=0.5), rate_per_s=10, arrivals="poisson")
    times = [event.at_s for event in busy.events]
    assert times == sorted(times)


def test_the_worlds_own_events_are_told_when_they_are_due() -> None:
    due = [
        (8.5, InjectionStarted(8.5, 0, "outage", "target gpt")),
        (0.0, PriceInForce(0.0, "gpt", 1, 2)),
        (99.0, PriceInForce(99.0, "gpt", 3, 4)),
    ]
    told = Simulated(world(GPT, CLAUDE), CHAIN, told=due)
    times = [event.at_s for event in told.events]
    assert times == sorted(times)
    assert [event.at_s for event in told.of(PriceInForce)] == [0.0, 99.0]
    (begun,) = told.of(InjectionStarted)
    later = told.events[told.events.index(begun) + 1]
    assert later.at_s >= 8.5


def test_what_happens_to_the_world_at_once_is_told_in_its_order() -> None:
    due = [(5.0, PriceInForce(5.0, name, 1, 2)) for name in ("gpt", "claude", "mistral")]
    told = Simulated(world(GPT), CHAIN_OF_ONE, told=due)
    assert [event.target for event in told.of(PriceInForce)] == ["gpt", "claude", "mistral"]


def test_an_attempt_costs_what_it_costs_when_it_ends() -> None:
    dearer = injection("price_change", target="gpt", at_s=10, for_s=10, factor=3)
    price = DatedPrice(1_000_000, 1_000_000)
    paid = Simulated(world(GPT, inject=[dearer], prices={"gpt": (price,)}), CHAIN_OF_ONE)
    assert [ended.cost_nusd for ended in paid.attempts] == [15] * 8 + [45] * 10 + [15] * 12


def test_limits_are_kept_and_the_next_target_takes_what_is_over() -> None:
    limited = target("gpt", requests_per_minute=20, concurrency=2)
    busy = Simulated(world(limited, CLAUDE, takes_s=3.0), route(limited, CLAUDE), workload(rate_per_s=2))
    by_gpt = [ended for ended in busy.attempts if ended.target == "gpt"]
    assert len(by_gpt) == 20
    assert len(busy.served) == len(busy.of(CallStarted)) > 40


def test_alone_a_limited_target_is_waited_for() -> None:
    limited = target("gpt", requests_per_minute=10)
    busy = Simulated(world(limited), route(limited, deadline_s=300.0), workload(rate_per_s=1))
    assert len(busy.served) == len(busy.of(CallStarted)) == 30
    started = [event.at_s for event in busy.of(AttemptStarted)]
    assert all(later - earlier >= 60.0 for earlier, later in zip(started, started[10:], strict=False))
    in_order = [event.call for event in busy.of(AttemptStarted)]
    assert in_order == [event.call for event in busy.of(CallStarted)]


@pytest.mark.parametrize("stream", [False, True])
def test_the_headers_of_recorded_replies_tell_what_is_left(*, stream: bool) -> None:
    told = {"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "0"}
    spent = {"gpt": told | {"x-ratelimit-reset-requests": "9500ms"}}
    first_token_s = 0.5 if stream else None
    read = Simulated(
        world(GPT, CLAUDE, headers=spent, first_token_s=first_token_s),
        CHAIN,
        workload(stream=stream),
    )
    by_gpt = [ended.started_s for ended in read.attempts if ended.target == "gpt"]
    assert by_gpt == ([1.0, 11.0, 21.0] if stream else [1.0, 12.0, 23.0])


def test_nothing_is_left_over_at_the_end() -> None:
    """Memory is flat: what is under way is held, what is over is not."""
    busy = simulated(gpt_is("503", share=0.5, for_s=20), rate_per_s=20)
    assert busy.simulation._heap == []  # noqa: SLF001  what is still held has no public name
    assert len(busy.served) + len(busy.unserved) == len(busy.of(CallStarted)) == 609


def story(seed: int) -> str:
    """A story with chance in everything, as its journal's digest."""
    inject = [
        injection("outage", target="gpt", at_s=5, for_s=10, share=0.5),
        injection("rate_limit", target="claude", at_s=8, for_s=10, share=0.3, retry_after_s=2),
        injection("slowdown", provider="*", at_s=15, factor=3, ramp_s=10),
    ]
    random_world = world(GPT, CLAUDE, MISTRAL, inject=inject, seed=seed, takes_s=None)
    chosen = route(GPT, CLAUDE, MISTRAL, strategy="latency", deadline_s=10.0)
    return Simulated(random_world, chosen, workload(arrivals="poisson", rate_per_s=10)).digest


def test_the_same_seed_gives_the_same_journal_and_another_gives_another() -> None:
    assert story(1) == story(1)
    assert story(1) != story(2)


def test_the_same_seed_gives_the_same_journal_in_another_process() -> None:
    code = "from tests.drills.test_simulation import story; print(story(1))"
    told = subprocess.run(  # noqa: S603  our own interpreter and words
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "4321", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert told.stdout.split()[-1] == story(1)
