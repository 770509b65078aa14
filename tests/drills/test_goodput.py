"""Goodput: when as many are served again after the last fault, and a storm that keeps them from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.drill import run_drill
from failover.chaos.judging.goodput import Goodput
from failover.chaos.judging.verdict import Verdict
from failover.chaos.scenario import Scenario, load_scenario
from failover.core.events import CallEnded, CallStarted
from failover.core.world_events import InjectionEnded, InjectionStarted
from tests.drills.meetings import ROOT

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]
STORY = """
title: An outage
config: failover.yaml
workload: {route: chat, rate_per_s: 1, for_s: 100}
inject:
  - {kind: outage, provider: openai, at_s: 10, for_s: 10}
  - {kind: price_change, provider: openai, at_s: 10, for_s: 60, factor: 2}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    """An outage until second 20 of 100."""
    file = tmp_path / "story.yaml"
    file.write_text(STORY, "utf-8")
    return load_scenario(file)


def run(scenario: Scenario, served: list[bool], takes_s: float = 0.5) -> Goodput:
    """A request each second from 0.5, served or not, after the steady state of ten and the outage of ten."""
    goodput = Goodput(scenario)
    timed = []
    for number, good in enumerate(served):
        at_s = number + 0.5
        ended = CallEnded(at_s + takes_s, str(number), "chat", at_s, "gpt" if good else None, None, 1, 0)
        timed += [
            (at_s, 0, CallStarted(at_s, str(number), "chat", 30.0, ("gpt",), (), (), "completion")),
            (at_s + takes_s, 1, ended),
        ]
    timed += [(10.0, 2, InjectionStarted(10.0, 0, "outage", "provider openai"))]
    timed += [(20.0, 2, InjectionEnded(20.0, 0, "outage", "provider openai"))]
    timed += [(70.0, 2, InjectionEnded(70.0, 1, "price_change", "provider openai"))]
    for _, _, event in sorted(timed, key=lambda each: each[:2]):
        match event:
            case CallStarted():
                goodput.call_started(event)
            case CallEnded():
                goodput.call_ended(event)
            case InjectionStarted():
                goodput.injection_started(event)
            case _:
                goodput.injection_ended(event)
    return goodput


GOOD, BAD = [True] * 10, [False] * 10


def test_goodput_that_is_back_at_once_took_no_time(scenario) -> None:
    assert run(scenario, GOOD + BAD + GOOD * 8).recovered_after_s == 0.0


def test_it_is_back_when_the_last_bad_window_is_over(scenario) -> None:
    """One good window between bad ones is no recovery."""
    assert run(scenario, GOOD + BAD + BAD + GOOD + BAD + GOOD * 5).recovered_after_s == 30.0


def test_a_window_is_good_that_serves_nine_in_ten_of_the_steady_state(scenario) -> None:
    nearly, less = [True] * 9 + [False], [True] * 8 + [False] * 2
    assert run(scenario, GOOD + BAD + nearly * 8).recovered_after_s == 0.0
    assert run(scenario, GOOD + BAD + less * 4 + GOOD * 4).recovered_after_s == 40.0
    half = [True, False] * 5
    assert run(scenario, half + BAD + half * 8).recovered_after_s == 0.0


def test_what_stays_down_to_the_end_never_recovered(scenario) -> None:
    assert run(scenario, GOOD + BAD + GOOD * 7 + BAD).recovered_after_s is None
    assert run(scenario, GOOD + BAD * 9).recovered_after_s is None


def test_without_a_steady_state_nothing_is_known(scenario) -> None:
    goodput = Goodput(scenario)
    goodput.injection_started(InjectionStarted(0.0, 0, "outage", "provider openai"))
    goodput.injection_ended(InjectionEnded(20.0, 0, "outage", "provider openai"))
    assert goodput.recovered_after_s is None


def test_without_a_fault_that_ends_there_is_nothing_to_recover_from(scenario) -> None:
    goodput = Goodput(scenario)
    goodput.call_ended(CallEnded(1.0, "1", "chat", 0.5, "gpt", None, 1, 0))
    goodput.injection_ended(InjectionEnded(20.0, 1, "price_change", "provider openai"))
    assert goodput.recovered_after_s is None


@given(served=st.lists(st.booleans(), min_size=100, max_size=100), takes_s=st.floats(0.1, 30.0))
def test_how_long_answers_take_changes_nothing(served, takes_s) -> None:
    """Requests count in the window in which they came, however late they end."""
    scenario = load_scenario(ROOT / "scenarios" / "retry-storm.yaml")
    steady = GOOD + served
    first, second = (run(scenario, steady, takes) for takes in (0.1, takes_s))
    if first.recovered_after_s is not None and takes_s < 9.0:
        assert first.recovered_after_s == second.recovered_after_s


# Metastable failure: the trigger is gone, and retries keep everybody down.

UNBOUNDED = {
    "attempts": 6,
    "backoff": {"initial_s": 0.1, "max_s": 0.5},
    "retry_budget": {"share": 1.0, "floor_per_s": 1000},
    "breaker": {"failures": 1_000_000, "failure_share": 1.0, "slow_share": 1.0, "min_requests": 1_000_000},
}
"""As many retries as anybody likes, and no breaker to speak of."""


def stormed(tmp_path: Path, **policy: object) -> Verdict:
    """The shipped storm, in which the route's policy says so instead."""
    config = yaml.safe_load((ROOT / "scenarios" / "failover.yaml").read_text("utf-8"))
    config["routes"] = {"chat": config["routes"]["chat"]}
    config["routes"]["chat"]["policy"].update(policy)
    file = tmp_path / "failover.yaml"
    file.write_text(yaml.safe_dump(config), "utf-8")
    scenario = load_scenario(ROOT / "scenarios" / "retry-storm.yaml")
    return run_drill(scenario, seed=1, mode="simulate", config=file)


def goodput_after(verdict: Verdict) -> float | None:
    (found,) = [each for each in verdict.expectations if each.name == "goodput_recovered_within_s"]
    return found.measured


@pytest.fixture(autouse=True)
def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out of images stays in the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "remembered"))


def test_without_a_retry_budget_a_storm_never_ends(tmp_path: Path) -> None:
    """Half a minute of errors, and nobody is served for the three minutes after it."""
    naive = stormed(tmp_path, **UNBOUNDED)
    assert goodput_after(naive) is None
    assert naive.success_ratio is not None
    assert naive.success_ratio < 0.25
    assert naive.amplification is not None
    assert naive.amplification > 4


def test_the_shipped_policy_comes_back(tmp_path: Path) -> None:
    cured = stormed(tmp_path)
    after_s = goodput_after(cured)
    assert after_s is not None
    assert after_s <= 40
    assert cured.verdict == "passed"


def test_breakers_alone_are_a_cure(tmp_path: Path) -> None:
    policy = {key: value for key, value in UNBOUNDED.items() if key != "breaker"}
    assert goodput_after(stormed(tmp_path, **policy)) is not None


def test_a_budget_alone_is_none_where_one_attempt_more_for_each_call_is_too_much(tmp_path: Path) -> None:
    """A first fallback to another fault domain is free: where all of them share one limit, it is too much."""
    budgeted = {**UNBOUNDED, "retry_budget": {"share": 0.2, "floor_per_s": 1.0}}
    assert goodput_after(stormed(tmp_path, **budgeted)) is None
