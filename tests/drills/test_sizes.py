"""How long prompts and replies are: at most sixteen sizes, right on average."""

from __future__ import annotations

from collections import Counter
from math import exp
from statistics import fmean
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.sizes import SIZES_MAX, TOKENS_MAX, AnyTokens, Tokens
from failover.chaos.world.chance import Chance
from failover.documents import Section, read_document
from failover.errors import ConfigError

COUNTS = st.integers(0, TOKENS_MAX)
LOG_NORMALS = st.builds(
    lambda median, spread: Tokens(median=median, spread=spread), st.floats(1, 1e5), st.floats(0, 3)
)
LISTS = st.lists(st.tuples(COUNTS, st.floats(0.01, 100.0)), min_size=1, max_size=SIZES_MAX).map(
    lambda pairs: Tokens(
        values=tuple(value for value, _ in pairs), weights=tuple(weight for _, weight in pairs)
    )
)
RANGES = st.tuples(COUNTS, COUNTS).map(lambda ends: Tokens(min=min(ends), max=max(ends)))
DISTRIBUTIONS = LOG_NORMALS | LISTS | RANGES
DRAWS = 20_000


def drawn(tokens: Tokens) -> list[int]:
    return [tokens.draw(Chance(1), "in", number) for number in range(DRAWS)]


@given(tokens=DISTRIBUTIONS)
def test_the_support_is_known_in_order_and_short(tokens) -> None:
    support = tokens.support()
    assert 0 < len(support) <= SIZES_MAX
    assert list(support) == sorted(set(support))
    assert all(0 <= size <= TOKENS_MAX for size in support)


@given(tokens=DISTRIBUTIONS, seed=st.integers(0, 2**32), key=st.integers())
def test_a_draw_is_one_of_the_support_and_always_the_same(tokens, seed, key) -> None:
    size = tokens.draw(Chance(seed), key)
    assert size in tokens.support()
    assert size == tokens.draw(Chance(seed), key)


@pytest.mark.parametrize(
    "tokens",
    [
        Tokens(median=300, spread=0.9),
        Tokens(values=(10, 100, 1_000), weights=(5, 3, 2)),
        Tokens(values=(10, 100)),
        Tokens(min=3, max=9),
        Tokens(min=0, max=5_000),
    ],
)
def test_everything_in_the_support_is_drawn_and_the_mean_is_that_of_the_draws(tokens) -> None:
    found = drawn(tokens)
    assert tuple(sorted(set(found))) == tokens.support()
    assert fmean(found) == pytest.approx(tokens.mean, rel=0.03)


@given(median=st.floats(50, 1e4), spread=st.floats(0, 2))
def test_a_log_normal_keeps_its_mean_though_it_is_cut(median, spread) -> None:
    """Or every bill would be too small: the mean is made by the long ones."""
    assert Tokens(median=median, spread=spread).mean == pytest.approx(
        median * exp(spread**2 / 2), rel=0.01, abs=1
    )


@given(least=COUNTS, more=COUNTS)
def test_an_even_range_keeps_its_mean_and_its_ends(least, more) -> None:
    most = min(TOKENS_MAX, least + more)
    tokens = Tokens(min=least, max=most)
    assert tokens.mean == pytest.approx((least + most) / 2, abs=0.5)
    assert least <= tokens.support()[0]
    assert tokens.support()[-1] <= most


def test_half_of_a_log_normal_lies_below_its_median() -> None:
    found = drawn(Tokens(median=500, spread=1.0))
    assert sum(size < 500 for size in found) / DRAWS == pytest.approx(0.5, abs=0.02)


def test_values_come_by_their_weights() -> None:
    counts = Counter(drawn(Tokens(values=(10, 1_000), weights=(9, 1))))
    assert counts[1_000] / DRAWS == pytest.approx(0.1, abs=0.01)


# As a file words it.


class Worded(Section):
    """A document with one key."""

    tokens_in: AnyTokens


def worded(text: str) -> Any:
    return read_document(f"tokens_in: {text}", Worded).tokens_in


def test_a_number_is_a_size_for_all() -> None:
    assert worded("800").support() == (800,)
    assert worded("0").draw(Chance(1), "1") == 0


@pytest.mark.parametrize(
    "text", ["{median: 300, spread: 0.9}", "{values: [1, 2], weights: [3, 1]}", "{min: 1, max: 9}"]
)
def test_or_a_mapping_says_how_they_differ(text) -> None:
    assert len(worded(text).support()) > 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-1", "tokens_in: must be a whole number from 0 to 10000000, or a mapping, got -1"),
        ("1.5", "must be a whole number"),
        ("true", "must be a whole number"),
        ("many", "must be a whole number"),
        ("{}", "exactly one of {median, spread}, {values, weights} and {min, max}"),
        ("{median: 3, spread: 1, min: 1, max: 2}", "exactly one of"),
        ("{median: 3}", "the key 'spread' is missing beside the other"),
        ("{max: 3}", "the key 'min' is missing beside the other"),
        ("{weights: [1]}", "the key 'values' is missing beside the other"),
        ("{min: 3, max: 2}", "min, 3, must not be above max, 2"),
        ("{values: [1, 2], weights: [1]}", "has 2 values and 1 weights"),
        ("{values: [1, -2]}", "tokens_in.values.1: must be at least 0, got -2"),
        ("{values: []}", "must not be empty"),
        (f"{{values: {list(range(17))}}}", "must have at most 16 entries, got 17"),
        ("{values: [1], weights: [0]}", "must be greater than 0, got 0"),
        ("{mediam: 3, spread: 1}", "did you mean 'median'?"),
        ("{median: 0, spread: 1}", "must be greater than 0, got 0"),
    ],
)
def test_what_cannot_be_is_refused(text, complaint) -> None:
    with pytest.raises(ConfigError, match="tokens_in") as found:
        worded(text)
    assert any(complaint in str(said) for said in found.value.complaints)


@pytest.mark.parametrize("accepts", [800, {"median": 300, "spread": 0.9}, {"values": [1]}])
def test_the_schema_accepts_numbers_and_mappings(accepts) -> None:
    jsonschema.Draft202012Validator(Worded.model_json_schema()).validate({"tokens_in": accepts})


@pytest.mark.parametrize("refuses", [-1, 1.5, "many", {"mediam": 3}])
def test_the_schema_refuses_what_reading_refuses(refuses) -> None:
    assert not jsonschema.Draft202012Validator(Worded.model_json_schema()).is_valid({"tokens_in": refuses})
