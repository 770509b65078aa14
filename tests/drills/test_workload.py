"""Workloads: which requests arrive when, and how large they are."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.workload import Asked, Shape, arrivals
from failover.chaos.workload_section import OperationAsked, Workload
from failover.chaos.world.chance import Chance
from failover.core.capabilities import Needs
from failover.core.vocabulary import Operation, Request, Usage
from failover.tokens import tokens_in
from tests.drills.worlds import GPT, LITELLM_WARNS, asked, outcomes, workload, world

pytestmark = LITELLM_WARNS

KINDS = ["constant", "poisson"]
SEEDS = st.integers(0, 2**32)


def asking(requests: Workload, seed: int = 1) -> list[tuple[float, Asked]]:
    return list(arrivals(requests, Chance(seed)))


def arriving(requests: Workload, seed: int = 1) -> list[tuple[float, Request]]:
    return [(at_s, each.request) for at_s, each in asking(requests, seed)]


@given(seed=SEEDS, kind=st.sampled_from(KINDS), rate=st.floats(0.1, 50.0), for_s=st.floats(0.5, 20.0))
def test_requests_arrive_in_order_within_the_time_and_count_from_one(seed, kind, rate, for_s) -> None:
    found = arriving(workload(arrivals=kind, rate_per_s=rate, for_s=for_s), seed)
    times = [at_s for at_s, _ in found]
    assert times == sorted(times)
    assert all(0.0 < at_s < for_s for at_s in times)
    assert [request.id for _, request in found] == [str(number + 1) for number in range(len(found))]


def test_constant_arrivals_are_evenly_spaced() -> None:
    found = arriving(workload(rate_per_s=4, for_s=2))
    assert [at_s for at_s, _ in found] == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]


@pytest.mark.parametrize("kind", KINDS)
def test_requests_arrive_at_the_rate_asked_for(kind) -> None:
    assert len(arriving(workload(arrivals=kind, rate_per_s=20, for_s=500))) == pytest.approx(10_000, rel=0.02)


def test_poisson_arrivals_come_in_bunches_as_real_ones_do() -> None:
    times = [at_s for at_s, _ in arriving(workload(arrivals="poisson", rate_per_s=10, for_s=1_000))]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert variance == pytest.approx(mean**2, rel=0.1)


@given(seed=SEEDS, other=SEEDS)
def test_the_same_seed_gives_the_same_arrivals_and_another_gives_others(seed, other) -> None:
    requests = workload(arrivals="poisson", rate_per_s=5, for_s=10)
    assert arriving(requests, seed) == arriving(requests, seed)
    if seed != other:
        assert arriving(requests, seed) != arriving(requests, other)


def test_a_longer_workload_begins_like_a_shorter_one() -> None:
    shorter, longer = (arriving(workload(arrivals="poisson", for_s=for_s)) for for_s in (20, 40))
    assert longer[: len(shorter)] == shorter


def test_requests_say_what_the_workload_says() -> None:
    _, request = arriving(workload(tokens_in=800, tokens_out=200, stream=True, deadline_s=9))[0]
    needs = Needs(parameters=frozenset({"max_tokens"}), tokens_in=800, tokens_out=200)
    assert request == Request("1", tokens_in=800, tokens_out_max=200, stream=True, deadline_s=9, needs=needs)


@given(st.integers(1, 100_000))
def test_a_prompt_is_as_long_as_the_router_would_estimate(size) -> None:
    _, found = asking(workload(tokens_in=size, tokens_out=7, for_s=1.5))[0]
    assert tokens_in(found.shape.errand().payload) == size
    assert found.request.tokens_in == size


def test_without_a_size_prompts_are_short() -> None:
    assert Shape().errand().payload == {"messages": [{"role": "user", "content": "ping"}]}


@pytest.mark.parametrize("size", [(None, None), (None, 5), (5, None)])
def test_a_size_that_is_not_told_whole_leaves_the_recorded_counts(size) -> None:
    image = world(GPT).exchange(GPT, asked(), 1, 0.0, stream=False).image
    assert image.reply is not None
    assert Shape(Operation.COMPLETION, *size).applied(image.reply) is image.reply
    assert outcomes().of(GPT, Shape(), image, stream=False).usage == Usage(10, 5)


# A mix, and tenants.

MIX = [{"route": "chat", "share": 3, "stream": True}, {"route": "search", "operation": "embedding"}]


def test_requests_of_a_mix_come_in_proportion_to_their_shares() -> None:
    found = asking(workload(rate_per_s=40, for_s=100, mix=MIX))
    kinds = Counter((each.route, each.request.operation, each.request.stream) for _, each in found)
    assert set(kinds) == {("chat", "completion", True), ("search", "embedding", False)}
    assert kinds["chat", "completion", True] / len(found) == pytest.approx(0.75, abs=0.03)


def test_a_mix_changes_neither_times_nor_numbers() -> None:
    """So that drills of different mixes meet the same world at the same times."""
    plain, mixed = (asking(workload(arrivals="poisson", for_s=60, mix=mix)) for mix in ([], MIX))
    assert [(at_s, each.request.id) for at_s, each in plain] == [
        (at_s, each.request.id) for at_s, each in mixed
    ]


def test_requests_of_one_kind_share_their_shape() -> None:
    """What is found out of a shape is found out once."""
    shapes = {each.route: set() for _, each in asking(workload(for_s=60, mix=MIX))}
    for _, each in asking(workload(for_s=60, mix=MIX)):
        shapes[each.route].add(each.shape)
    assert [len(found) for found in shapes.values()] == [1, 1]


def test_without_tenants_nobody_is_one() -> None:
    assert {each.tenant for _, each in asking(workload(for_s=60))} == {""}


def test_tenants_share_the_requests_evenly() -> None:
    found = Counter(each.tenant for _, each in asking(workload(rate_per_s=40, for_s=100, tenants=4)))
    assert set(found) == {"1", "2", "3", "4"}
    assert all(count / 4_000 == pytest.approx(0.25, abs=0.03) for count in found.values())


@pytest.mark.parametrize("operation", sorted(get_args(OperationAsked)))
@pytest.mark.parametrize("size", [1, 50, 4_000])
def test_a_prompt_of_any_operation_is_as_long_as_asked(operation, size) -> None:
    errand = Shape(Operation(operation), size, 5).errand()
    if operation != Operation.TRANSCRIPTION:
        assert tokens_in(errand.payload) == pytest.approx(size, abs=2)
