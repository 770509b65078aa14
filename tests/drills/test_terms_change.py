"""Terms that change in a drill: as they are, as we know them, and what is said of what was sent meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from failover.chaos.drill import run_drill
from failover.chaos.judging.event_lines import event_line
from failover.chaos.judging.invariants import Invariant
from failover.chaos.judging.invariants.nothing_forbidden_sent import NothingForbiddenSent
from failover.chaos.judging.invariants.open_breaker_respected import OpenBreakerRespected
from failover.chaos.judging.oracle import Oracle
from failover.chaos.judging.unwitting import Unwitting
from failover.chaos.judging.verdict import Conclusion, Verdict
from failover.chaos.meeting import SkippedDrill
from failover.chaos.modes.simulation import Simulation
from failover.chaos.routes import Routes
from failover.chaos.scenario import START_EPOCH_S, load_scenario
from failover.chaos.traces import load_trace
from failover.chaos.workload import arrivals
from failover.chaos.world.chance import Chance
from failover.chaos.world.governed import as_known, as_they_are, terms_told
from failover.core.breaker import CLOSED, HALF_OPEN, OPEN
from failover.core.decide import Facts
from failover.core.events import AttemptStarted, CallEnded, CallStarted
from failover.core.governance import Governance, Oversight
from failover.core.terms import Requirement, Terms
from failover.core.vocabulary import AttemptCause
from failover.core.world_events import TermsInForce
from failover.errors import ConfigError
from tests.drills.journals import Journal, checked
from tests.drills.worlds import (
    CLAUDE,
    GPT,
    LITELLM_WARNS,
    SCENARIOS,
    injection,
    outcomes,
    route,
    thinned,
    workload,
    world,
    written,
)

pytestmark = LITELLM_WARNS
FORGETS, KEEPS = {"retention_days": 0}, {"retention_days": 30}
GOVERNED = Governance(
    {"gpt": GPT, "claude": CLAUDE},
    {"gpt": (Terms(retention_days=0),), "claude": (Terms(retention_days=0),)},
    {"secret": Requirement(retention_days=0), "public": Requirement()},
    default="secret",
)
CONFIG = """
providers:
  openai:    {credential: env:OPENAI_API_KEY, terms: {retention_days: 0}}
  anthropic: {credential: env:ANTHROPIC_API_KEY, terms: {retention_days: 0}}
targets:
  gpt:    {provider: openai,    model: openai/gpt-5.6-luna}
  claude: {provider: anthropic, model: anthropic/claude-sonnet-5}
data_classes: {secret: {require: {retention_days: 0}}, public: {}}
routes:
  chat: {chain: [gpt, claude], data_class: secret, policy: {deadline_s: 30}}
"""
STORY = """
title: The terms change
config: failover.yaml
cassettes: cassettes
workload: {route: chat, rate_per_s: 2, for_s: 60%s}
inject:
  - {kind: terms_change, provider: openai, at_s: 20, for_s: 20, terms: {retention_days: 30}%s}
"""


def changed(**fields: Any) -> Any:
    return injection("terms_change", **{"target": "gpt", "terms": KEEPS, **fields})


def allowed(governance: Governance, *at_s: float) -> list[bool]:
    return [governance.bar("gpt", "secret", START_EPOCH_S + each) is None for each in at_s]


# Woven into what the config says.


def test_a_change_holds_from_its_instant_to_its_end() -> None:
    real = as_they_are(GOVERNED, [changed(at_s=10, for_s=20)], START_EPOCH_S)
    assert allowed(real, 9.999, 10, 29.999, 30) == [True, False, False, True]
    assert as_they_are(GOVERNED, [], START_EPOCH_S) is GOVERNED


def test_our_config_knows_of_it_at_once_or_later_or_never() -> None:
    def known(**fields: Any) -> list[bool]:
        return allowed(as_known(GOVERNED, [changed(at_s=10, **fields)], START_EPOCH_S), 9, 11, 16)

    assert known() == [True, False, False]
    assert known(known_after_s=5) == [True, True, False]
    assert known(known=False) == [True, True, True]
    assert known(for_s=3, known_after_s=5) == [True, True, True]


def test_a_change_leaves_others_and_what_it_does_not_name_alone() -> None:
    real = as_they_are(GOVERNED, [changed(terms={"dpa": True})], START_EPOCH_S)
    assert allowed(real, 5) == [True]
    assert as_they_are(GOVERNED, [changed()], START_EPOCH_S).bar("claude", "secret", START_EPOCH_S) is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"share": 0.5}, "for everybody at once"),
        ({"sticky": "tenant"}, "for everybody at once"),
        ({"terms": {}}, "says nothing: name in terms what changes"),
        ({"terms": {"valid_from": "2026-01-01", "dpa": True}}, "leave valid_from and valid_to out"),
        ({"known": False, "known_after_s": 5}, "leave out known_after_s"),
        ({"terms": {"retention": 5}}, "Extra inputs"),
    ],
)
def test_what_a_change_cannot_be_is_refused(fields, words) -> None:
    with pytest.raises(ValidationError, match=words):
        changed(**fields)


def test_it_touches_no_exchange() -> None:
    change = changed()
    assert (change.is_fault, change.changes_terms, change.change("same", None)) == (False, True, "same")


# Told in the journal.


def test_the_journal_tells_at_the_beginning_and_at_every_turn() -> None:
    injections = [changed(at_s=10, for_s=20, known=False)]
    real = as_they_are(GOVERNED, injections, START_EPOCH_S)
    told = [
        (each.at_s, each.forbidden, each.really_forbidden)
        for each in terms_told(GOVERNED, real, ["gpt"], START_EPOCH_S)
    ]
    assert told == [(0.0, (), ()), (10.0, (), ("", "secret")), (30.0, (), ())]
    assert list(terms_told(Governance(), Governance(), ["gpt"], START_EPOCH_S)) == []


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (TermsInForce(1.0, "gpt", (), ()), "terms of gpt: it may have all data"),
        (TermsInForce(1.0, "gpt", ("", "a"), ("", "a")), "terms of gpt: not for data of no class, a"),
        (
            TermsInForce(1.0, "gpt", ("a",), ("a", "b")),
            "terms of gpt: not for a; nobody told us, but not for b either",
        ),
    ],
)
def test_it_is_told_in_words(event, line) -> None:
    assert event_line(event) == line


def test_only_what_nobody_told_us_is_unwitting() -> None:
    counted = Unwitting()

    def sends(call: str, data_class: str) -> None:
        facts = ("chat", 30.0, ("gpt",), (), (), "completion", data_class)
        counted.call_started(CallStarted(1.0, call, *facts))
        counted.attempt_started(
            AttemptStarted(1.0, call, 1, "gpt", AttemptCause.FIRST, probe=False, total_limit_s=1.0)
        )
        counted.call_ended(CallEnded(2.0, call, "chat", 1.0, "gpt", None, 1, 0))

    sends("1", "secret")
    counted.terms_in_force(TermsInForce(1.0, "gpt", ("known",), ("known", "secret")))
    for number, name in enumerate(("secret", "public", "known"), start=2):
        sends(str(number), name)
    assert counted.attempts == 1


def forbids(name: str, *classes: str, at_s: float = 0.0) -> TermsInForce:
    return TermsInForce(at_s, name, classes, classes)


def broken(rule: type[Invariant], journal: Journal) -> tuple[str, ...]:
    return checked(rule, journal).violations


def test_data_that_go_to_whom_they_are_forbidden_are_a_violation() -> None:
    journal = Journal().write(forbids("gpt", "", "secret"), forbids("claude"))
    journal.call(data_class="secret").asks("claude").answers().ends("claude")
    journal.call(data_class="public").asks("gpt").answers().ends("gpt")
    assert broken(NothingForbiddenSent, journal) == ()
    journal.at(7.0).call(data_class="secret").asks("gpt").answers().ends("gpt")
    journal.call().asks("gpt").answers().ends("gpt")
    told = broken(NothingForbiddenSent, journal)
    assert told[0].startswith("at 7.000 s, call 3, target gpt: attempt 1 took data of class secret to who")
    assert "took data of no class to who may not have it" in told[1]


def test_where_nothing_governs_nothing_is_checked() -> None:
    journal = Journal()
    journal.call().asks("gpt").answers().ends("gpt")
    assert checked(NothingForbiddenSent, journal).checked == 0


def test_who_may_ask_nobody_else_may_probe_an_open_breaker_early() -> None:
    def early(*events: TermsInForce) -> tuple[str, ...]:
        journal = Journal().write(*events).breaker("gpt", CLOSED, OPEN, until_s=60.0)
        journal.at(2.0).breaker("gpt", OPEN, HALF_OPEN)
        return broken(OpenBreakerRespected, journal)

    assert early() != ()
    assert early(forbids("claude", "secret"), forbids("mistral", "secret")) == ()
    assert early(forbids("claude", "secret")) != ()


# Drilled.


def drilled(
    folder: Path, workload: str = "", change: str = "", config: str = CONFIG, mode: str = "simulate"
) -> Verdict:
    file = written(folder, STORY % (workload, change), config)
    return run_drill(load_scenario(file), seed=1, mode=mode)


@pytest.mark.parametrize("mode", ["simulate", "replay"])
def test_what_may_not_go_there_any_more_goes_elsewhere_from_that_instant(tmp_path: Path, mode: str) -> None:
    verdict = drilled(tmp_path, mode=mode)
    assert verdict.verdict is Conclusion.PASSED, verdict.reasons
    assert 30 < verdict.targets["claude"].served < 60
    assert verdict.unwitting == 0
    [kept] = [each for each in verdict.invariants if each.name == "nothing_forbidden_sent"]
    assert (kept.checked, kept.violations) == (verdict.attempts, ())
    assert [each.exercised for each in verdict.coverage.injections] == [True]


def test_what_nobody_told_us_is_counted_and_is_no_violation(tmp_path: Path) -> None:
    verdict = drilled(tmp_path, change=", known: false")
    assert verdict.verdict is Conclusion.PASSED, verdict.reasons
    assert 30 < verdict.unwitting < 60
    assert verdict.targets["claude"].served < 5
    late = drilled(tmp_path, change=", known_after_s: 10")
    assert 10 < late.unwitting < 30


def test_data_that_may_go_there_still_do(tmp_path: Path) -> None:
    verdict = drilled(tmp_path, workload=", data_class: public")
    assert verdict.targets["claude"].served < 5


def test_where_nobody_may_for_now_we_wait_as_the_oracle_does(tmp_path: Path) -> None:
    verdict = drilled(tmp_path, config=CONFIG.replace("chain: [gpt, claude]", "chain: [gpt]"))
    assert verdict.coverage.sometimes["wait"] > 20
    assert verdict.regret.success_ratio == pytest.approx(0.0, abs=0.05)


def test_a_config_that_asks_nothing_of_terms_is_told_so_or_skipped(tmp_path: Path) -> None:
    plain = CONFIG.replace("data_classes: {secret: {require: {retention_days: 0}}, public: {}}\n", "")
    plain = plain.replace("data_class: secret, ", "")
    with pytest.raises(ConfigError, match="it has no 'data_classes'"):
        drilled(tmp_path, config=plain)
    story = (STORY % ("", "")).replace("config:", "when_untouched: skip\nconfig:")
    with pytest.raises(SkippedDrill, match="nothing that happens in it touches"):
        run_drill(load_scenario(written(tmp_path, story, plain)), seed=1, mode="simulate")


def test_a_workload_of_a_class_that_the_config_lacks_is_told_so_or_skipped(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown data class 'secrte'; the config has: public, secret"):
        drilled(tmp_path, workload=", data_class: secrte")
    story = (STORY % (", data_class: secrte", "")).replace("config:", "when_untouched: skip\nconfig:")
    with pytest.raises(SkippedDrill, match="has no such data"):
        run_drill(load_scenario(written(tmp_path, story, CONFIG)), seed=1, mode="simulate")


@pytest.mark.parametrize("name", ["terms-change", "terms-signed", "confidential-stays-home"])
def test_the_shipped_scenarios_of_terms_hold_in_replay_too(name: str, tmp_path: Path) -> None:
    verdict = run_drill(
        thinned(load_scenario(SCENARIOS / f"{name}.yaml"), tmp_path, 150), seed=0, mode="replay"
    )
    assert [each.violations for each in verdict.invariants if not each.kept] == []


# A workload.


def test_requests_are_of_their_part_s_class_and_tags() -> None:
    mix = [{"data_class": "secret", "tags": ["a", "b"]}, {}]
    told = list(arrivals(workload(mix=mix, tags=["c"]), Chance(1)))
    found = {(asked.request.data_class, asked.request.tags) for _, asked in told}
    assert found == {("secret", frozenset({"a", "b"})), ("", frozenset({"c"}))}
    assert len({id(asked.shape) for _, asked in told}) == 2


def test_a_trace_tells_them_row_by_row(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("at_s,data_class,tags\n0,secret,a b\n1,,\n2,public,c\n", "utf-8")
    trace = load_trace(file)
    assert trace.data_classes == ("secret", "public")
    asked_for = workload(
        arrivals={"kind": "trace", "file": str(file)}, rate_per_s=None, data_class="internal", tags=["d"]
    )
    told = [asked for _, asked in arrivals(asked_for, Chance(1), trace)]
    assert [each.request.data_class for each in told] == ["secret", "internal", "public"]
    assert [sorted(each.request.tags) for each in told] == [["a", "b"], ["d"], ["c"]]
    assert len({id(each.shape) for each in told}) == 1


# Whatever changes, and whatever fails.


@settings(max_examples=40, deadline=None)
@given(
    changes=st.lists(
        st.builds(
            lambda name, at_s, for_s, terms, known: injection(
                "terms_change", target=name, at_s=at_s, for_s=for_s, terms=terms, known=known
            ),
            st.sampled_from(["gpt", "claude", "*"]),
            st.sampled_from([2.0, 9.5, 15.0]),
            st.sampled_from([None, 4.0, 12.0]),
            st.sampled_from([FORGETS, KEEPS]),
            st.booleans(),
        ),
        max_size=3,
    ),
    outage=st.booleans(),
)
def test_nobody_beats_the_oracle_and_nothing_forbidden_is_sent(changes, outage) -> None:
    faults = [injection("outage", target="gpt", at_s=5, for_s=10)] if outage else []
    in_world = world(GPT, CLAUDE, inject=[*changes, *faults], governance=GOVERNED)
    on = route(GPT, CLAUDE, deadline_s=8.0)
    sent: list[tuple[float, str]] = []
    oracle = Oracle(in_world, outcomes(), Routes.only(on), 30.0)

    def record(event: Any) -> None:
        if isinstance(event, AttemptStarted):
            sent.append((event.at_s, event.target))
        if isinstance(event, CallEnded):
            oracle.call_ended(event)

    facts = Facts(in_world.prices, START_EPOCH_S, oversight=Oversight(in_world.governance))
    simulation = Simulation(in_world, outcomes(), [on], facts, record)
    simulation.run(arrivals(workload(), in_world.chance), [], oracle.arrived)
    known = [each for each in changes if each.known]
    for at_s, name in sent:
        said = [each for each in known if each.at_s <= at_s < each.ends_s and each.target in (name, "*")]
        assert not said or said[-1].terms.retention_days == 0
    assert oracle.possible().unservable + oracle.possible().looked_at <= 31
