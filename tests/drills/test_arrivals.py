"""When requests come: rates, windows, and that nothing but seed and key decides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import islice
from math import inf
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.arrivals import PLAIN, AnyArrivals, Burst, Constant, Daily, Poisson, Trace
from failover.chaos.world.chance import Chance
from failover.documents import Section, read_document
from failover.errors import ConfigError
from tests.drills.worlds import ROOT

Process = Constant | Poisson | Daily | Burst
SEEDS = st.integers(0, 2**32)
DAY_S, HOUR_S = 86_400.0, 3_600.0
BURSTS = st.builds(
    lambda every_s, share, factor, first_at_s: Burst(
        every_s=every_s, for_s=every_s * share, factor=factor, first_at_s=first_at_s
    ),
    st.floats(1.0, 100.0),
    st.floats(0.01, 0.99),
    st.floats(0.0, 50.0),
    st.none() | st.floats(0.0, 200.0),
)
DAYS = st.builds(
    lambda peak, ratio, start: Daily(peak_hour=peak, peak_to_trough=ratio, start_hour=start),
    st.floats(0.0, 24.0),
    st.floats(1.0, 100.0),
    st.floats(0.0, 24.0),
)
PROCESSES = st.just(Constant()) | st.just(Poisson()) | DAYS | BURSTS
RATES = st.floats(0.01, 20.0)
LENGTHS = st.floats(0.1, 100.0)


def times(process: Process, rate_per_s: float, for_s: float, seed: int = 1, *key: str) -> list[float]:
    return list(process.times(rate_per_s, for_s, Chance(seed), *key))


def between(found: list[float], since_s: float, until_s: float) -> int:
    return sum(since_s <= at_s < until_s for at_s in found)


# What holds for each of them.


@given(process=PROCESSES, rate=RATES, for_s=LENGTHS, seed=SEEDS)
def test_times_rise_within_the_workload_in_whole_microseconds(process, rate, for_s, seed) -> None:
    found = times(process, rate, for_s, seed)
    assert found == sorted(found)
    assert all(0.0 <= at_s < for_s for at_s in found)
    assert found == [round(at_s, 6) for at_s in found]


@given(process=PROCESSES, rate=RATES, for_s=LENGTHS, longer=st.floats(1.0, 3.0), seed=SEEDS)
def test_a_longer_workload_begins_with_the_arrivals_of_a_shorter_one(
    process, rate, for_s, longer, seed
) -> None:
    short, long = times(process, rate, for_s, seed), times(process, rate, for_s * longer, seed)
    assert long[: len(short)] == short
    assert all(at_s >= for_s for at_s in long[len(short) :])


@given(process=PROCESSES, seed=SEEDS, other=SEEDS)
def test_the_same_seed_gives_the_same_arrivals(process, seed, other) -> None:
    found = times(process, 5.0, 50.0, seed)
    assert found == times(process, 5.0, 50.0, seed)
    drawn = not isinstance(process, Constant) and len(found) > 20
    assert not drawn or (found == times(process, 5.0, 50.0, other)) == (seed == other)


@given(process=DAYS | BURSTS | st.just(Poisson()))
def test_every_key_has_arrivals_of_its_own(process) -> None:
    """So the parts of a mix do not march in step."""
    one, other = (times(process, 5.0, 100.0, 1, key) for key in ("chat", "batch"))
    assert one != other or len(one) < 3


def test_arrivals_are_the_same_in_any_process() -> None:
    code = (
        "from failover.chaos.arrivals import *; from failover.chaos.world.chance import Chance\n"
        "print([list(each().times(1.0, 400.0, Chance(7))) for each in (Constant, Poisson, Daily, Burst)])"
    )
    told = subprocess.run(  # noqa: S603  our own interpreter and words
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "4321", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    here = [times(each(), 1.0, 400.0, 7) for each in (Constant, Poisson, Daily, Burst)]
    assert json.loads(told) == here


@pytest.mark.parametrize("process", [Constant(), Poisson(), Daily(), Burst()])
def test_a_workload_without_end_is_drawn_as_far_as_it_is_looked_at(process) -> None:
    assert len(list(islice(process.times(3.0, inf, Chance(1)), 1_000))) == 1_000


# Each for itself.


def test_constant_arrivals_are_evenly_spaced() -> None:
    assert times(Constant(), 4.0, 1.5) == [0.25, 0.5, 0.75, 1.0, 1.25]


@pytest.mark.parametrize("process", [Constant(), Poisson()])
def test_requests_arrive_at_the_rate_asked_for(process) -> None:
    assert len(times(process, 20.0, 1_000.0)) == pytest.approx(20_000, rel=0.02)


@pytest.mark.parametrize("peak_to_trough", [1.0, 4.0, 50.0])
def test_over_a_day_the_mean_rate_is_the_one_asked_for(peak_to_trough) -> None:
    found = times(Daily(peak_to_trough=peak_to_trough), 0.3, DAY_S)
    assert len(found) == pytest.approx(0.3 * DAY_S, rel=0.02)


def test_the_peak_is_as_much_busier_than_the_trough_as_told() -> None:
    found = times(Daily(peak_hour=15, peak_to_trough=5), 2.0, DAY_S)
    peak, trough = (between(found, (hour - 1) * HOUR_S, (hour + 1) * HOUR_S) for hour in (15, 3))
    assert peak / trough == pytest.approx(5.0, rel=0.1)


def test_a_day_may_begin_at_any_hour() -> None:
    found = times(Daily(peak_hour=9, peak_to_trough=20, start_hour=9), 1.0, DAY_S)
    assert between(found, 0.0, HOUR_S) > 10 * between(found, 12 * HOUR_S, 13 * HOUR_S)


@given(day=DAYS, at_s=st.floats(0.0, 3 * DAY_S), rate=RATES)
def test_the_rate_of_a_day_stays_between_trough_and_peak_and_comes_back(day, at_s, rate) -> None:
    most, least = (
        day.rate_at((day.peak_hour - day.start_hour) * HOUR_S, rate),
        day.rate_at((day.peak_hour - day.start_hour + 12.0) * HOUR_S, rate),
    )
    assert most == pytest.approx(least * day.peak_to_trough, rel=1e-6)
    assert least * (1 - 1e-9) <= day.rate_at(at_s, rate) <= most * (1 + 1e-9)
    assert day.rate_at(at_s, rate) == pytest.approx(day.rate_at(at_s + DAY_S, rate))


def test_bursts_come_in_their_windows_and_only_there() -> None:
    found = times(Burst(every_s=100, for_s=10, factor=20), 1.0, 10_000.0)
    inside = [at_s for at_s in found if at_s >= 100 and at_s % 100 < 10]
    assert len(inside) == pytest.approx(99 * 10 * 20, rel=0.03)
    assert len(found) - len(inside) == pytest.approx(10_000 - 99 * 10, rel=0.03)


@given(burst=BURSTS, seed=SEEDS)
def test_with_a_factor_of_nothing_nobody_comes_in_a_burst(burst, seed) -> None:
    silent = burst.model_copy(update={"factor": 0.0})
    windows = list(islice(silent.windows(), 400))
    for at_s in times(silent, 5.0, 100.0, seed):
        on, until_s = next(window for window in windows if at_s < window[1])
        began_s = next((before for _, before in windows[::-1] if before <= at_s), 0.0)
        assert not on or min(at_s - began_s, until_s - at_s) < 2e-6


@given(BURSTS)
def test_windows_follow_each_other_and_take_turns(burst) -> None:
    windows = list(islice(burst.windows(), 50))
    ends = [until_s for _, until_s in windows]
    assert ends == sorted(ends)
    assert [on for on, _ in windows] == [False, True] * 25


def test_the_first_burst_may_come_at_once() -> None:
    found = times(Burst(every_s=100, for_s=10, factor=50, first_at_s=0), 1.0, 100.0)
    assert between(found, 0, 10) > 5 * between(found, 10, 100)


# As a file words it.


class Worded(Section):
    """A document with one key."""

    arrivals: AnyArrivals


def worded(text: str) -> Any:
    return read_document(f"arrivals: {text}", Worded).arrivals


@pytest.mark.parametrize("word", PLAIN)
def test_a_word_is_enough(word) -> None:
    assert worded(word).kind == word
    assert worded(word) == worded(f"{{kind: {word}}}")


def test_or_a_mapping_says_more() -> None:
    assert worded("{kind: daily, peak_hour: 9, peak_to_trough: 2}") == Daily(peak_hour=9, peak_to_trough=2)
    assert worded("{kind: trace, file: mine.csv, speed: 10}") == Trace(file="mine.csv", speed=10)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("posson", "unknown value 'posson'; did you mean 'poisson'?"),
        ("3", "must be a word or a mapping, got 3"),
        ("[daily]", "must be a word or a mapping, got a list"),
        ("{peak_hour: 3}", "the key 'kind' is missing"),
        ("{kind: daily, peek_hour: 3}", "did you mean 'peak_hour'?"),
        ("{kind: daily, peak_hour: 25}", "arrivals.peak_hour: must be at most 24, got 25"),
        ("{kind: daily, peak_to_trough: 0.5}", "must be at least 1, got 0.5"),
        ("{kind: burst, every_s: 5, for_s: 5}", "must be less than every_s, 5 s: bursts end"),
        ("{kind: burst, every_s: 0.5}", "must be at least 1, got 0.5"),
        ("trace", "the key 'file' is missing"),
        ("{kind: trace, file: a.csv, speed: 0}", "must be greater than 0, got 0"),
    ],
)
def test_what_cannot_be_is_refused(text, complaint) -> None:
    with pytest.raises(ConfigError) as found:
        worded(text)
    (said,) = map(str, found.value.complaints)
    assert complaint in said


@pytest.mark.parametrize(
    "accepts", [*PLAIN, {"kind": "burst", "factor": 3}, {"kind": "trace", "file": "a.csv"}]
)
def test_the_schema_accepts_words_and_mappings(accepts) -> None:
    jsonschema.Draft202012Validator(Worded.model_json_schema()).validate({"arrivals": accepts})


@pytest.mark.parametrize("refuses", ["trace", "posson", 3, {"kind": "daily", "peak_hour": 25}])
def test_the_schema_refuses_what_reading_refuses(refuses) -> None:
    assert not jsonschema.Draft202012Validator(Worded.model_json_schema()).is_valid({"arrivals": refuses})
