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
from failover.chaos.search.trials import CRASH, Violation, broken_limits
from failover.chaos.search.writing import write
from failover.core.failures import DISPOSITIONS, Failure, FailureKind, SameTarget, StayAway
from failover.core.learned import Learned
from failover.core.target_state import LimitedState, TargetState
from failover.core.vocabulary import Outcome
from tests.drills.journals import FALLBACK, OUTAGE, Journal, calm, scenario, verdict_on

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

KINDS = ("outage", "slowdown", "rate_limit", "deprecation", "price_change")
"""Named, so that a new kind does not make it another search."""


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


def search(config, *, drills, **options):
    """A search of the route `chat`, in short drills unless the options say otherwise."""
    plain = {"route": "chat", "for_s": 120, "rate_per_s": 1.0, "kinds": KINDS}
    (prepared,) = prepare(Asked(config, Budget(drills=drills), **{**plain, **options}))
    return prepared


def written(prepared, found):
    """The file of what was found, beside the config."""
    story = prepared.hunt.trials.story
    command = prepared.command(found.after_drills)
    return write(found, story, command, story.config.with_name("found.yaml"))


@pytest.mark.parametrize(
    ("bug", "breaks", "options"),
    [
        (leaks_the_permit_of_a_probe_that_times_out, "preferred_returns", {"seed": 1}),
        (asks_again_after_model_gone, "retry_allowed", {"seed": 1}),
        (falls_back_to_who_is_retired, "retired_left_alone", {"seed": 2, "kinds": ("region_block",)}),
        (falls_back_to_who_is_over_its_limit, "limits_kept", {"seed": 1, "route": "narrow"}),
    ],
)
def test_a_planted_bug_is_found_made_small_and_written_down(bug, breaks, options, config, monkeypatch):
    with monkeypatch.context() as planted:
        bug(planted)
        prepared = search(config, drills=800, **{"for_s": 300, **options})
        found = prepared.hunt.run()
        assert found is not None
        assert found.violation.name == breaks
        assert found.whole
        assert len(found.trial.injections) <= 2
        file = written(prepared, found)
        assert told_by(file, options["seed"])[breaks] == found.violation.what
    assert told_by(file, options["seed"]) == {}
    assert seen_again(file, found.violation, options["seed"], "simulate") == "no: passed"


def told_by(file, seed):
    """The first violation of each invariant that a drill of `file` sees broken."""
    verdict = run_drill(load_scenario(file), seed=seed, mode="simulate")
    return {each.name: each.violations[0] for each in verdict.invariants if not each.kept}


def test_a_schedule_that_makes_the_router_raise_is_found(config, monkeypatch):
    def retire(_self, _scope, _state, _kind):
        raise ZeroDivisionError("nobody thought of it")

    monkeypatch.setattr(Learned, "_retire", retire)
    prepared = search(config, drills=200, kinds=("region_block",), for_s=300)
    found = prepared.hunt.run()
    assert found is not None
    assert found.violation == Violation(CRASH, "ZeroDivisionError: nobody thought of it")
    assert len(found.trial.injections) == 1
    assert (
        seen_again(written(prepared, found), found.violation, 0, "simulate")
        == "yes, it raises ZeroDivisionError"
    )
    monkeypatch.undo()
    assert seen_again(written(prepared, found), found.violation, 0, "simulate") == "no: passed"


def test_replay_shows_a_planted_bug_too(config, monkeypatch):
    asks_again_after_model_gone(monkeypatch)
    prepared = search(config, drills=200, kinds=("deprecation",))
    found = prepared.hunt.run()
    assert found is not None
    assert seen_again(written(prepared, found), found.violation, 0, "replay") == "yes"


def test_the_router_as_it_is_breaks_nothing_in_a_short_search():
    config = Path(__file__).parents[2] / "scenarios" / "failover.yaml"
    prepared = search(config, drills=40, seed=3, for_s=200)
    assert prepared.hunt.run() is None
    assert prepared.hunt.trials.covered.drills == 40


@pytest.mark.parametrize("limits", [("regret_success_ratio_max=0.99",), ("amplification_max=1.05",)])
def test_the_same_seed_and_drills_make_the_same_search(config, limits):
    def searched(seed):
        prepared = search(config, drills=30, objective=limits, seed=seed)
        found = prepared.hunt.run()
        return prepared.hunt.trials.covered, found and (found.first, found.trial.injections)

    assert searched(7) == searched(7)
    assert searched(7) != searched(8)


def test_a_search_for_so_many_seconds_ends(config):
    asked = Asked(config, Budget(seconds=0.2), "chat", for_s=120, rate_per_s=1.0)
    (prepared,) = prepare(asked)
    assert prepared.hunt.run() is None
    assert prepared.hunt.trials.covered.drills >= 1


def test_a_limit_counts_only_where_a_target_is_left_alone(config):
    def found(spare):
        outages = {"objective": ("success_ratio_min=0.9",), "kinds": ("outage",)}
        return search(config, drills=60, spare=spare, **outages).hunt.run()

    assert found(spare=1) is None
    everything = found(spare=0)
    assert everything is not None
    assert [each["provider"] for each in everything.trial.injections] == ["*"]


def test_a_target_that_cannot_do_the_job_is_not_one_that_was_left_alone(config):
    small = "targets:\n  small: {provider: openai, model: openai/gpt-5.6-mini, context_window_tokens: 500}"
    config.write_text(CONFIG.replace("targets:", small).replace("[gpt, claude]", "[gpt, small]"), "utf-8")
    assert [each.name for each in search(config, drills=1).hunt.trials.story.targets] == ["gpt"]


@pytest.mark.parametrize(
    ("for_s", "breaks"),
    [
        (600, [Violation("recovered_within_s", "60 was asked, and it never recovered")]),
        (210, []),
    ],
    ids=["time enough", "too soon to tell"],
)
def test_a_recovery_that_never_came_breaks_its_limit_where_there_was_time_for_it(for_s, breaks):
    told = scenario(OUTAGE, expect={"recovered_within_s": 60}, workload={"for_s": for_s})
    journal = calm().at(100.0).starts()
    journal.call().asks("gpt").fails(FailureKind.OVERLOADED).asks("claude", FALLBACK).answers().ends("claude")
    journal.at(200.0).ends().served("claude", times=9)
    assert broken_limits(verdict_on(journal, told), told) == breaks


def test_a_drill_that_shows_nothing_breaks_no_limit():
    told = scenario(OUTAGE, expect={"success_ratio_min": 1.0})
    journal = Journal().call().ends(error="NoEligibleTargetError")
    assert broken_limits(verdict_on(journal, told), told) == []


def test_what_is_broken_without_a_fault_needs_no_search(config):
    prepared = search(config, drills=60, objective=("latency_p95_max_s=0.1",))
    found = prepared.hunt.run()
    assert found is not None
    assert (found.trial.injections, prepared.hunt.trials.covered.drills) == ((), 1)
    assert seen_again(written(prepared, found), found.violation, 0, "simulate") == "yes"


def test_a_file_that_cannot_be_drilled_so_is_not_taken_for_a_proof(config):
    prepared = search(config, drills=60, objective=("amplification_max=1",), stream=True)
    found = prepared.hunt.run()
    file = written(prepared, found)
    config.unlink()
    assert seen_again(file, found.violation, 0, "simulate").startswith("no, it cannot be drilled so: ")
