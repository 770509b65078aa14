"""Keyed randomness: what is drawn depends on the seed and the key, and on nothing else."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.world.chance import Chance, Draws
from tests.drills.worlds import ROOT

KEYS = st.lists(st.text(min_size=1, max_size=8) | st.integers(), min_size=1, max_size=4).map(tuple)
SEEDS = st.integers(min_value=-(2**63), max_value=2**63)
DRAWS = 20_000


@given(seed=SEEDS, key=KEYS)
def test_equal_keys_give_equal_draws(seed, key) -> None:
    assert Chance(seed).uniform(*key) == Chance(seed).uniform(*key)
    assert Chance(seed).normal(*key) == Chance(seed).normal(*key)


def test_equal_keys_give_equal_draws_in_any_process() -> None:
    told_by = "print(Chance(7).uniform('a', 1), Chance(7).normal('b'))"
    code = f"from failover.chaos.world.chance import Chance; {told_by}"
    told = {
        subprocess.run(  # noqa: S603  our own interpreter and words
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "1", "4321")
    }
    assert told == {f"{Chance(7).uniform('a', 1)} {Chance(7).normal('b')}\n"}


def test_a_draw_is_what_it_was_in_every_version() -> None:
    """A seed in a bug report must mean the same world tomorrow."""
    assert Chance(1).uniform("answer", "gpt", "1", 1) == 0.10006300250551792
    assert Chance(1).normal("first_token", "gpt", "1", 1) == pytest.approx(0.42291818959743577)


@given(one=SEEDS, other=SEEDS, key=KEYS)
def test_different_seeds_draw_differently(one, other, key) -> None:
    assert (Chance(one).uniform(*key) == Chance(other).uniform(*key)) == (one == other)


@given(seed=SEEDS, key=KEYS)
def test_uniform_draws_lie_in_the_unit_interval_without_its_end(seed, key) -> None:
    assert 0.0 <= Chance(seed).uniform(*key) < 1.0


def test_uniform_draws_fill_the_unit_interval_evenly() -> None:
    chance = Chance(1)
    tenths = [0] * 10
    for number in range(DRAWS):
        tenths[int(chance.uniform("tenth", number) * 10)] += 1
    assert all(abs(count / DRAWS - 0.1) < 0.01 for count in tenths)


def test_normal_draws_have_mean_zero_and_variance_one() -> None:
    draws = [Chance(1).normal("normal", number) for number in range(DRAWS)]
    assert abs(statistics.fmean(draws)) < 0.02
    assert abs(statistics.pvariance(draws) - 1.0) < 0.03
    assert abs(sum(abs(draw) < 1.0 for draw in draws) / DRAWS - 0.6827) < 0.01


@given(st.lists(KEYS, min_size=2, max_size=8, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_drawing_does_not_matter(keys, shuffled: random.Random) -> None:
    chance = Chance(3)
    before = {key: chance.uniform(*key) for key in keys}
    shuffled.shuffle(keys)
    assert {key: chance.uniform(*key) for key in keys} == before


def test_neighbouring_keys_draw_independently() -> None:
    chance = Chance(5)
    pairs = [(chance.uniform("a", number), chance.uniform("a", number + 1)) for number in range(5_000)]
    assert abs(statistics.correlation(*zip(*pairs, strict=True))) < 0.05


def test_the_draws_of_a_call_do_not_depend_on_how_often_others_drew() -> None:
    alone = Draws(Chance(1), "call", "1")
    expected = [alone(), alone()]
    one, other = Draws(Chance(1), "call", "1"), Draws(Chance(1), "call", "2")
    drawn = [one(), other(), other(), one()]
    assert [drawn[0], drawn[3]] == expected
    assert len(set(drawn)) == len(drawn)
