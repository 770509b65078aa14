"""Capacity: how much a provider can do, whom it turns away, and what turning away costs it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.cassettes.timing import Timing
from failover.chaos.injections import Encounter, Images
from failover.chaos.workload import Shape
from failover.chaos.world.chance import Chance
from failover.chaos.world.successes import Source, Success, Successes
from failover.chaos.world.world import World
from failover.core.prices import PriceBook
from failover.core.vocabulary import Target
from tests.drills.meetings import answer, asked, injected

ONE = Target("one", "openai", "openai/gpt-5.6-luna", credential="KEY")
TWO = Target("two", "openai", "openai/gpt-5-mini", credential="KEY")
ELSE = Target("else", "anthropic", "anthropic/claude-sonnet-5", credential="OTHER")


class Told:
    """Everybody answers in two seconds."""

    def of(self, target: Target, shape: Shape, *, stream: bool) -> Successes:
        image = answer("openai", stream=stream).image
        return Successes(Source.SYNTHETIC, (Success(image, Timing(None, 2.0)),))


def world(**fields: Any) -> World:
    capacity = injected("capacity", **{"provider": "openai", **fields})
    return World(Chance(1), (ONE, TWO, ELSE), Told(), (capacity,), PriceBook({}))


def served(at: World, times_s: list[float], target: Target = ONE, shape: Shape | None = None) -> list[bool]:
    """Whether each of the attempts, sent at these times, finds room."""
    found = []
    for number, at_s in enumerate(times_s):
        request = asked(number) if shape is None else asked(number, shape=shape)
        reply = at.meet(target, request, 1, at_s, stream=False).image.reply
        assert reply is not None
        found.append(reply.status == 200)
    return found


def test_so_many_requests_a_minute_and_no_more() -> None:
    evenly = [number / 2 for number in range(240)]
    assert sum(served(world(rpm=60), evenly)) == pytest.approx(120, abs=1)


def test_what_is_not_used_is_kept_for_a_burst_and_no_longer() -> None:
    at_once = [100.0] * 50
    assert sum(served(world(rpm=60), at_once)) == 1
    assert sum(served(world(rpm=60, burst_s=20), at_once)) == 20


def test_a_little_capacity_still_lets_a_request_through_now_and_then() -> None:
    """Less than one in the burst time: the bucket holds one all the same."""
    assert served(world(rpm=6), [0.0, 5.0, 10.0, 12.0, 20.0]) == [True, False, True, False, True]


def test_so_many_at_once_and_the_next_when_one_has_ended() -> None:
    assert served(world(concurrency=2), [0.0, 0.5, 1.0, 1.9, 2.0, 2.1]) == [
        *(True, True, False, False),
        *(True, False),
    ]


def test_tokens_count_those_asked_and_those_answered() -> None:
    """A request is let in while anything is left; what it takes beyond that is owed."""
    large = Shape(tokens_in=500, tokens_out=500)
    within = world(tpm=6000, burst_s=10)
    from_request = within.meet(ONE, asked(1, shape=large), 1, 0.0, stream=False)
    assert from_request.image.reply is not None
    assert from_request.image.reply.status == 200
    evenly = [float(number) for number in range(120)]
    taken = sum(served(world(tpm=6000, burst_s=1), evenly, shape=large))
    # 500 of them are answered; the prompt of `asked` is not estimated here.
    assert taken == pytest.approx(120 * 100 / 500, abs=2)


def test_all_that_it_hits_share_it_and_others_are_left_alone() -> None:
    within = world(rpm=60, burst_s=10)
    assert sum(served(within, [0.0] * 8, ONE)) == 8
    assert sum(served(within, [0.0] * 8, TWO)) == 2
    assert all(served(within, [0.0] * 8, ELSE))


def test_outside_of_its_time_there_is_room_for_all() -> None:
    within = world(rpm=1, at_s=10, for_s=10)
    assert served(within, [0.0, 1.0, 10.0, 11.0, 19.9, 20.0, 20.1]) == [
        *(True, True),
        *(True, False, False),
        *(True, True),
    ]


def test_two_drills_of_one_scenario_do_not_share_what_is_left() -> None:
    injection = injected("capacity", rpm=1)
    first, second = injection.gate(), injection.gate()
    assert first is not None
    assert second is not None
    good = answer("openai", stream=False)
    at = Encounter(ONE, asked(), stream=False, images=Images())
    assert first.passed(good, at, 0.0) is good
    assert first.passed(good, at, 0.0) is not good
    assert second.passed(good, at, 0.0) is good


STEADY = st.integers(0, 200).map(lambda ms: ms / 1000)


@given(gaps_s=st.lists(STEADY, min_size=50, max_size=150), refusal_share=st.floats(0.0, 1.0))
def test_who_asks_more_is_never_served_more_where_refusals_cost(gaps_s, refusal_share) -> None:
    """A refusal takes room, so that the very same requests fare no better for others in between."""
    times_s = [sum(gaps_s[: number + 1]) for number in range(len(gaps_s))]
    with_others = sorted([*times_s, *((one + two) / 2 for one, two in pairwise(times_s))])
    free = sum(served(world(rpm=300, refusal_share=0.0), with_others))
    costly = sum(served(world(rpm=300, refusal_share=refusal_share), with_others))
    assert costly <= free


def test_whoever_keeps_asking_keeps_it_down() -> None:
    """Ten times what it can do: refusals that cost half a request leave room for next to none."""
    storm = [number / 100 for number in range(6_000)]
    assert sum(served(world(rpm=600, refusal_share=0.0), storm)) == pytest.approx(600, rel=0.02)
    assert sum(served(world(rpm=600, refusal_share=0.5), storm)) < 60
