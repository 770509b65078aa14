"""The omniscient router: nobody serves what it calls unservable, in any world, by any strategy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.chaos.injections import Injection
from failover.chaos.judging.oracle import Oracle
from failover.chaos.modes import playing
from failover.chaos.routes import Routes
from failover.chaos.workload import arrivals
from failover.chaos.workload_section import Workload
from failover.chaos.world.world import World
from failover.core.capabilities import Capabilities, Capability, Needs
from failover.core.events import CallEnded
from failover.core.vocabulary import Request, Route
from tests.drills.worlds import (
    CLAUDE,
    GPT,
    LITELLM_WARNS,
    MISTRAL,
    Simulated,
    asked,
    injection,
    outcomes,
    route,
    workload,
    world,
)

pytestmark = LITELLM_WARNS


@pytest.fixture(autouse=True, scope="module")
def silence_ends_at_once() -> Iterator[None]:
    """Whoever asks litellm what silence means fails here, instead of waiting for ever."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(playing, "PAST_EVERY_LIMIT_S", 0.0)
        yield


TARGETS = (GPT, CLAUDE, MISTRAL)
SECONDS = st.integers(0, 25) | st.floats(0.0, 25.0)
LASTING = st.integers(1, 20) | st.floats(0.1, 20.0)


def disturbance(kind: str, **own: st.SearchStrategy[Any]) -> st.SearchStrategy[Injection]:
    times = {
        "target": st.sampled_from([*(each.name for each in TARGETS), "*"]),
        "at_s": SECONDS,
        "for_s": st.none() | LASTING,
        "share": st.sampled_from([0.3, 0.7, 1.0]),
        "ramp_s": st.sampled_from([0.0, 5.0]),
    }
    return st.fixed_dictionaries({**times, **own}).map(lambda fields: injection(kind, **fields))


DISTURBANCES = st.lists(
    disturbance("outage", **{"as": st.sampled_from(["500", "503", "refused", "hang"])})
    | disturbance("rate_limit", retry_after_s=st.none() | st.integers(0, 5))
    | disturbance("slowdown", factor=st.sampled_from([1.0, 3.0, 10.0])),
    max_size=4,
)
WORLDS = st.builds(
    lambda size, inject, seed, takes_s: world(
        *TARGETS[:size], inject=inject_of(size, inject), seed=seed, takes_s=takes_s
    ),
    st.integers(1, 3),
    DISTURBANCES,
    st.integers(0, 99),
    st.sampled_from([None, 0.5, 2.0]),
)
POLICIES = st.fixed_dictionaries(
    {
        "deadline_s": st.sampled_from([1.0, 3.0, 10.0]),
        "attempts": st.integers(1, 4),
        "attempt_s": st.none() | st.sampled_from([1.0, 4.0]),
    }
)
STRATEGIES = ("priority", "cost", "latency")
REQUESTS = workload(arrivals="poisson", rate_per_s=1.5, for_s=30.0)


def inject_of(size: int, inject: list[Injection]) -> list[Injection]:
    return [each for each in inject if any(each.hits(target) for target in TARGETS[:size])]


def chain(of: World, strategy: str, **limits: Any) -> Route:
    targets = [target for target in TARGETS if target.name in of.prices.prices]
    return route(*targets, strategy=strategy, **limits)


def looking_at(of: World, on: Route, requests: float = 1.0) -> Oracle:
    return Oracle(of, outcomes(), Routes.only(on), requests)


def unservable(of: World, on: Route, requests: Workload = REQUESTS) -> set[str]:
    oracle = looking_at(of, on)
    return {
        each.request.id
        for arrived_s, each in arrivals(requests, of.chance)
        if not oracle.servable(each, arrived_s)
    }


@settings(max_examples=60)
@given(of=WORLDS, strategy=st.sampled_from(STRATEGIES), policy=POLICIES)
def test_nobody_is_served_whom_the_oracle_could_not_serve(of, strategy, policy) -> None:
    on = chain(of, strategy, **policy)
    assert not unservable(of, on) & Simulated(of, on, REQUESTS).served.keys()


@settings(max_examples=30)
@given(of=WORLDS, policy=POLICIES)
def test_no_strategy_serves_more_than_the_oracle(of, policy) -> None:
    out_of_reach = unservable(of, chain(of, "priority", **policy))
    for strategy in STRATEGIES:
        found = Simulated(of, chain(of, strategy, **policy), REQUESTS)
        assert len(found.served) <= len(found.served) + len(found.unserved) - len(out_of_reach)


@settings(max_examples=30)
@given(of=WORLDS, policy=POLICIES)
def test_a_more_patient_policy_reaches_no_less(of, policy) -> None:
    on = chain(of, "priority", **policy)
    patient = chain(of, "priority", **{**policy, "deadline_s": 20.0, "attempts": 6})
    assert unservable(of, patient) <= unservable(of, on)


# What it sees, in worlds made by hand.


def servable(*inject: Injection, takes_s: float = 1.0, at_s: float = 0.0, **limits: Any) -> bool:
    of = world(GPT, inject=inject, takes_s=takes_s)
    return looking_at(of, route(GPT, **limits)).servable(asked(), at_s)


def test_in_a_calm_world_everything_is_servable() -> None:
    assert servable(deadline_s=1.0)


def test_nothing_is_servable_that_takes_longer_than_the_deadline() -> None:
    assert not servable(takes_s=2.0, deadline_s=1.0)


def test_who_arrives_in_an_outage_is_servable_if_it_ends_in_time() -> None:
    assert servable(injection("outage", target="gpt", for_s=5), deadline_s=6.0)
    assert not servable(injection("outage", target="gpt", for_s=5), deadline_s=5.9)


def test_a_share_leaves_a_way_for_who_may_ask_more_than_once() -> None:
    half = world(GPT, inject=[injection("outage", target="gpt", share=0.5)])
    once, often = (unservable(half, route(GPT, attempts=attempts)) for attempts in (1, 6))
    assert often < once


def test_silence_that_is_slowed_down_is_looked_at_without_waiting() -> None:
    hang = injection("outage", target="gpt", **{"as": "hang"})
    assert not servable(hang, injection("slowdown", target="gpt", factor=2), deadline_s=5.0)


def test_the_requests_own_deadline_counts() -> None:
    of = looking_at(world(GPT, takes_s=2.0), route(GPT, deadline_s=1.0))
    assert of.servable(asked(Request("1", deadline_s=3.0)), 0.0)
    assert not of.servable(asked(), 0.0)


def unserved(call: str, at_s: float) -> CallEnded:
    return CallEnded(at_s, call, "chat", 0.0, None, "AllTargetsFailedError", 1, 0)


def test_it_counts_the_unserved_whom_nobody_could_have_served() -> None:
    of = looking_at(world(GPT, takes_s=2.0), route(GPT, deadline_s=1.0))
    of.arrived(asked(Request("1")), 0.0)
    of.arrived(asked(Request("2", deadline_s=3.0)), 1.0)
    of.call_ended(unserved("1", 1.0))
    of.call_ended(unserved("2", 4.0))
    assert of.possible().unservable == 1


def test_who_cannot_do_the_job_is_no_way_to_serve_it() -> None:
    mute = replace(GPT, capabilities=Capabilities(unable=frozenset({Capability.TOOLS})))
    of = looking_at(world(mute), route(mute))
    assert of.servable(asked(), 0.0)
    assert not of.servable(asked(Request("1", needs=Needs(frozenset({Capability.TOOLS})))), 0.0)
