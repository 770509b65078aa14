"""Bugs planted in the real router: each is found, made small, written down, and seen again from the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from failover.chaos.drill import run_drill
from failover.chaos.scenario import load_scenario
from failover.chaos.search.asking import Asked, prepare
from failover.chaos.search.checking import seen_again
from failover.chaos.search.hunt import Budget
from failover.chaos.search.writing import write
from failover.core.failures import DISPOSITIONS, Failure, FailureKind, SameTarget, StayAway
from failover.core.learned import Learned
from failover.core.target_state import LimitedState, TargetState
from failover.core.vocabulary import Outcome

CONFIG = """
providers:
  openai:    {credential: env:OPENAI_API_KEY}
  anthropic: {credential: env:ANTHROPIC_API_KEY}
targets:
  gpt:     {provider: openai,    model: openai/gpt-5.6-luna}
  claude:  {provider: anthropic, model: anthropic/claude-sonnet-5}
  limited: {provider: anthropic, model: anthropic/claude-haiku-4-5, limits: {rpm: 60}}
routes:
  chat:   {chain: [gpt, claude], policy: &policy {deadline_s: 30, breaker: {open_s: 10, open_max_s: 20}}}
  narrow: {chain: [gpt, limited], policy: *policy}
"""


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "failover.yaml"
    file.write_text(CONFIG, "utf-8")
    return file


def leaks_the_permit_of_a_probe_that_times_out(monkeypatch):
    settles = Learned.blame

    def blame(self, state, permit, failure, now, wait):
        if permit.probe and failure.kind is FailureKind.TIMEOUT:
            state.in_flight -= 1
            return Outcome.FAILURE
        return settles(self, state, permit, failure, now, wait)

    monkeypatch.setattr(Learned, "blame", blame)


def asks_again_after_model_gone(monkeypatch):
    def disposition(failure):
        row = DISPOSITIONS[failure.kind]
        if failure.kind is FailureKind.MODEL_GONE:
            return replace(row, same_target=SameTarget.ONCE_AT_ONCE, stay_away=StayAway.BREAKER)
        return row

    monkeypatch.setattr(Failure, "disposition", property(disposition))


def falls_back_to_who_is_retired(monkeypatch):
    monkeypatch.setattr(
        TargetState,
        "eligible",
        lambda self, now, _load=None: self.cooldown_until_s <= now and self.breaker.admits(now),
    )


def falls_back_to_who_is_over_its_limit(monkeypatch):
    monkeypatch.setattr(LimitedState, "eligible", TargetState.eligible)


@pytest.mark.parametrize(
    ("bug", "route", "breaks"),
    [
        (leaks_the_permit_of_a_probe_that_times_out, "chat", "preferred_returns"),
        (asks_again_after_model_gone, "chat", "retry_allowed"),
        (falls_back_to_who_is_retired, "chat", "retired_left_alone"),
        (falls_back_to_who_is_over_its_limit, "narrow", "limits_kept"),
    ],
)
def test_a_planted_bug_is_found_made_small_and_written_down(
    bug, route, breaks, config, tmp_path, monkeypatch
):
    with monkeypatch.context() as planted:
        bug(planted)
        asked = Asked(config, Budget(drills=600), route=route, rate_per_s=1.0)
        (prepared,) = prepare(asked)
        found = prepared.hunt.run()
        assert found is not None
        assert found.violation.name == breaks
        assert found.whole
        assert len(found.trial.injections) <= 2
        command = prepared.command(found.after_drills)
        file = write(found, prepared.hunt.trials.story, command, tmp_path / "found.yaml")
        again = run_drill(load_scenario(file), seed=0, mode="simulate")
        violations = {each.name: each.violations for each in again.invariants if not each.kept}
        assert violations[breaks][0] == found.violation.what
    mended = run_drill(load_scenario(file), seed=0, mode="simulate")
    assert (mended.verdict, mended.reasons) == ("passed", ())
    assert seen_again(file, found.violation, 0, "simulate") == "no: passed"


def test_replay_shows_a_planted_bug_too(config, tmp_path, monkeypatch):
    asks_again_after_model_gone(monkeypatch)
    asked = Asked(config, Budget(drills=200), route="chat", for_s=120, rate_per_s=1.0, kinds=("deprecation",))
    (prepared,) = prepare(asked)
    found = prepared.hunt.run()
    assert found is not None
    file = write(found, prepared.hunt.trials.story, "by hand", tmp_path / "found.yaml")
    assert seen_again(file, found.violation, 0, "replay") == "yes"


def test_the_router_as_it_is_breaks_nothing_in_a_short_search():
    config = Path(__file__).parents[2] / "scenarios" / "failover.yaml"
    asked = Asked(config, Budget(drills=40), route="chat", for_s=200, rate_per_s=1.0, seed=3)
    (prepared,) = prepare(asked)
    assert prepared.hunt.run() is None
    assert prepared.hunt.trials.covered.drills == 40


@pytest.mark.parametrize("limits", [("regret_success_ratio_max=0.99",), ("amplification_max=1.05",)])
def test_the_same_seed_and_drills_make_the_same_search(config, limits):
    def searched(seed):
        asked = Asked(config, Budget(drills=30), "chat", limits, seed, for_s=120, rate_per_s=1.0)
        (prepared,) = prepare(asked)
        found = prepared.hunt.run()
        return prepared.hunt.trials.covered, found and (found.first, found.trial.injections)

    assert searched(7) == searched(7)
    assert searched(7) != searched(8)


def test_a_limit_counts_only_where_a_target_is_left_alone(config):
    def found(spare):
        limits = ("success_ratio_min=0.9",)
        asked = Asked(
            config, Budget(drills=60), "chat", limits, 0, for_s=120, rate_per_s=1.0, spare=spare, kinds=("outage",)
        )
        (prepared,) = prepare(asked)
        return prepared.hunt.run()

    assert found(spare=1) is None
    everything = found(spare=0)
    assert everything is not None
    assert [each["provider"] for each in everything.trial.injections] == ["*"]


def test_what_is_broken_without_a_fault_needs_no_search(config, tmp_path):
    asked = Asked(config, Budget(drills=60), "chat", ("latency_p95_max_s=0.1",), for_s=120, rate_per_s=1.0)
    (prepared,) = prepare(asked)
    found = prepared.hunt.run()
    assert found is not None
    assert (found.trial.injections, prepared.hunt.trials.covered.drills) == ((), 1)
    file = write(found, prepared.hunt.trials.story, "by hand", tmp_path / "found.yaml")
    assert seen_again(file, found.violation, 0, "simulate") == "yes"
