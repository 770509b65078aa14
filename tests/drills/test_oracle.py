"""The omniscient router: nobody serves what it calls unservable, nor cheaper or sooner than it could.

Whatever the world, the policy and the strategy: whoever routes at random in many worlds is lucky in some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.cassettes.timing import Timing
from failover.chaos.injections import Injection
from failover.chaos.judging.oracle import Oracle
from failover.chaos.routes import Routes
from failover.chaos.workload import Shape, arrivals
from failover.chaos.workload_section import Workload
from failover.chaos.world.chance import Chance
from failover.chaos.world.image import Image
from failover.chaos.world.successes import Source, Success, Successes
from failover.chaos.world.synthetic import synthetic_success
from failover.chaos.world.usage_shapes import with_usage
from failover.chaos.world.world import World
from failover.core.capabilities import Capabilities, Capability, Needs
from failover.core.events import CallEnded
from failover.core.policy import Delivery, HedgePolicy, LastResort, StreamRecovery
from failover.core.prices import DatedPrice, PriceBook
from failover.core.strategies import STRATEGIES
from failover.core.vocabulary import Request, Route, Target
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


TARGETS = (GPT, CLAUDE, MISTRAL)
SECONDS = st.integers(0, 25) | st.floats(0.0, 25.0)
LASTING = st.integers(1, 20) | st.floats(0.1, 20.0)


def price_changes() -> st.SearchStrategy[Injection]:
    return st.builds(
        lambda name, at_s, for_s, factor: injection(
            "price_change", target=name, at_s=at_s, for_s=for_s, factor=factor
        ),
        st.sampled_from(["gpt", "claude", "*"]),
        SECONDS,
        st.none() | LASTING,
        st.sampled_from([0.0, 0.5, 3.0]),
    )


def disturbance(kind: str, **own: st.SearchStrategy[Any]) -> st.SearchStrategy[Injection]:
    times = {
        "target": st.sampled_from([*(each.name for each in TARGETS), "*"]),
        "at_s": SECONDS,
        "for_s": st.none() | LASTING,
        "share": st.sampled_from([0.3, 0.7, 1.0]),
        "ramp_s": st.sampled_from([0.0, 5.0]),
    }
    return st.fixed_dictionaries({**times, **own}).map(lambda fields: injection(kind, **fields))


STICKY = st.sampled_from(["attempt", "request", "tenant", "account"])
DISTURBANCES = st.lists(
    disturbance(
        "outage", sticky=STICKY, **{"as": st.sampled_from(["500", "503", "refused", "reset", "hang"])}
    )
    | disturbance("rate_limit", sticky=STICKY, retry_after_s=st.none() | st.integers(0, 5))
    | disturbance(
        "slowdown",
        sticky=STICKY,
        factor=st.sampled_from([1.0, 3.0, 10.0]),
        first_token_extra_s=st.sampled_from([0.0, 2.0]),
    )
    | price_changes(),
    max_size=5,
)


@cache
def answer(model: str, tokens: tuple[int, int], *, stream: bool) -> Image:
    """An answer that is billed so."""
    return Image("by hand", with_usage(synthetic_success(model, stream=stream), *tokens))


class Answering:
    """Targets that give one of several answers, each with its size and its timing; None: as it is drawn.

    By a target's name and whether it streams.
    """

    def __init__(
        self, said: Mapping[tuple[str, bool], Sequence[tuple[tuple[int, int], Timing | None]]]
    ) -> None:
        self._said = said

    def of(self, target: Target, _shape: Shape, *, stream: bool) -> Successes:
        answers = tuple(
            Success(answer(target.model, tokens, stream=stream), timing)
            for tokens, timing in self._said[target.name, stream]
        )
        return Successes(Source.RECORDED, answers)


TIMINGS = st.none() | st.builds(
    lambda first_token_s, rest_s: Timing(first_token_s, first_token_s + rest_s),
    st.sampled_from([0.1, 0.5, 2.0]),
    st.sampled_from([0.0, 0.3, 1.5, 4.0]),
)
TOKENS = st.tuples(st.sampled_from([0, 10, 1000]), st.sampled_from([0, 5, 300]))
SAID = st.lists(st.tuples(TOKENS, TIMINGS), min_size=1, max_size=3)
PRICES = st.none() | st.integers(1, 50).map(lambda usd: (DatedPrice(usd * 10**9, usd * 4 * 10**9),))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    targets = TARGETS[: draw(st.integers(1, 3))]
    injections = inject_of(len(targets), draw(DISTURBANCES))
    prices = {each.name: draw(PRICES) or () for each in targets}
    said = Answering({(each.name, stream): draw(SAID) for each in targets for stream in (False, True)})
    return World(Chance(draw(st.integers(0, 99))), targets, said, injections, PriceBook(prices))


WORLDS = worlds()
POLICIES = st.fixed_dictionaries(
    {
        "deadline_s": st.sampled_from([1.0, 3.0, 10.0]),
        "attempts": st.integers(1, 4),
        "attempt_s": st.none() | st.sampled_from([1.0, 4.0]),
        "first_token_s": st.sampled_from([0.4, 2.5, 8.0]),
        "idle_s": st.sampled_from([0.2, 1.0, 20.0]),
        "hedge": st.none() | st.just(HedgePolicy(after_quantile=0.5, share=1.0)),
        "stream_recovery": st.sampled_from(StreamRecovery),
        "delivery": st.sampled_from(Delivery),
        "stream_upstream": st.booleans(),
        "last_resort": st.sampled_from(LastResort),
    }
)
REQUESTED = st.builds(
    lambda stream, tenants, deadline_s: workload(
        arrivals="poisson", rate_per_s=1.5, for_s=30.0, stream=stream, tenants=tenants, deadline_s=deadline_s
    ),
    st.booleans(),
    st.none() | st.integers(1, 3),
    st.none() | st.sampled_from([2.0, 6.0]),
)


def inject_of(size: int, inject: list[Injection]) -> list[Injection]:
    return [each for each in inject if any(each.hits(target) for target in TARGETS[:size])]


def chain(of: World, strategy: str, **limits: Any) -> Route:
    targets = [target for target in TARGETS if target.name in of.prices.prices]
    return route(*targets, strategy=strategy, **limits)


def looking_at(of: World, on: Route, requests: float = 1.0) -> Oracle:
    return Oracle(of, outcomes(), Routes.only(on), requests)


def unservable(of: World, on: Route, requests: Workload) -> set[str]:
    oracle = looking_at(of, on)
    return {
        each.request.id
        for arrived_s, each in arrivals(requests, of.chance)
        if not oracle.servable(each, arrived_s)
    }


ROUNDED_S = 1e-6
"""A simulation tells whole microseconds."""


def assert_nobody_beats_it(of: World, on: Route, requests: Workload) -> None:
    """Each request that was served could be served, and at no more, and no later, than it was."""
    oracle = looking_at(of, on)
    ended = {call.call: call for call in Simulated(of, on, requests).of(CallEnded)}
    for arrived_s, each in arrivals(requests, of.chance):
        call = ended[each.request.id]
        if call.target is None:
            continue
        best = oracle.best(each, arrived_s)
        assert best is not None, call
        assert call.at_s - arrived_s >= best.latency_s - ROUNDED_S, (call, best)
        if call.cost_nusd is not None and best.cost_nusd is not None:
            assert call.cost_nusd >= best.cost_nusd, (call, best)


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(of=WORLDS, strategy=st.sampled_from(sorted(STRATEGIES)), policy=POLICIES, requests=REQUESTED)
def test_no_router_serves_what_it_could_not_or_cheaper_or_sooner(of, strategy, policy, requests) -> None:
    assert_nobody_beats_it(of, chain(of, strategy, **policy), requests)


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(of=WORLDS, policies=st.lists(POLICIES, min_size=3, max_size=3), requests=REQUESTED)
def test_of_many_routers_in_one_world_the_luckiest_does_not_either(of, policies, requests) -> None:
    for policy in policies:
        for strategy in STRATEGIES:
            assert_nobody_beats_it(of, chain(of, strategy, **policy), requests)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(of=WORLDS, policy=POLICIES, requests=REQUESTED)
def test_a_more_patient_policy_reaches_no_less(of, policy, requests) -> None:
    on = chain(of, "priority", **policy)
    patient = chain(of, "priority", **{**policy, "deadline_s": 20.0, "attempts": 6})
    assert unservable(of, patient, requests) <= unservable(of, on, requests)


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
    asking = workload(arrivals="poisson", rate_per_s=1.5, for_s=30.0)
    once, often = (unservable(half, route(GPT, attempts=attempts), asking) for attempts in (1, 6))
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
