"""What a search may draw: every kind, every fault domain once, and nothing that a scenario file refuses."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, model_validator

from failover.chaos.injections import AnyInjection, Injection
from failover.chaos.judging.invariants import INVARIANTS
from failover.chaos.scenario import ScenarioSection, load_scenario
from failover.chaos.search.grids import RAMPS_S, SHARES, grid_of, kinds
from failover.chaos.search.hunt import Found
from failover.chaos.search.objectives import LIMITS
from failover.chaos.search.schedules import Space, schedules
from failover.chaos.search.selectors import distinct, reaches_of
from failover.chaos.search.trials import CRASH, Story, Trial, Violation
from failover.chaos.search.words import BREAKS, injection_in_words, title
from failover.chaos.search.writing import scenario_text, write
from failover.documents import Section
from tests.drills.journals import calm, scenario, verdict_on
from tests.drills.worlds import CLAUDE, GPT, MISTRAL, target

TARGETS = (GPT, CLAUDE, MISTRAL)
REACHES = reaches_of(TARGETS)
MODELS = [each.model for each in TARGETS]


def space(*names, faults_max=4, for_s=300):
    found = [grid_of(name, kinds()[name], REACHES, MODELS) for name in names or kinds()]
    return Space(tuple(each for each in found if each is not None), 20, for_s, for_s, faults_max)


# Kinds


@pytest.mark.parametrize("kind", kinds())
def test_every_registered_kind_can_be_drawn(kind):
    grid = grid_of(kind, kinds()[kind], REACHES, MODELS)
    assert grid is not None
    assert grid.selectors
    assert all(grid.fields.values())


@pytest.mark.parametrize("kind", kinds())
def test_all_first_values_of_a_kind_are_valid_together_and_each_other_value_beside_them(kind):
    grid = grid_of(kind, kinds()[kind], REACHES, MODELS)
    (domain, name), *_ = grid.selectors
    simplest = {"kind": kind, domain: name, **{key: values[0] for key, values in grid.fields.items()}}
    adapter = TypeAdapter(AnyInjection)
    adapter.validate_python(simplest)
    for key, values in grid.fields.items():
        for value in values:
            adapter.validate_python({**simplest, key: value})


def test_kinds_are_those_that_scenarios_know_in_their_order():
    assert list(kinds())[:2] == ["outage", "brownout"]
    assert set(kinds()) == {each.model_fields["kind"].annotation.__args__[0] for each in kinds().values()}


class Severity(StrEnum):
    """How bad it is."""

    MILD = "mild"
    GRAVE = "grave"


class Part(Section):
    """One stretch of it."""

    length_s: float = Field(gt=0.0)


class Everything(Injection):
    """Every sort of field that a kind may have."""

    kind: Literal["everything"]
    shape: Literal["round", "square"] = Field(default="square", alias="as")
    severity: Severity = Severity.MILD
    sticky: bool = True
    every_s: float = Field(gt=5.0, le=20.0)
    tokens: Annotated[int, Field(ge=1)] = 7
    hint_s: float | None = Field(default=None, ge=0.0)
    served: str
    steps: tuple[int, ...] = ()
    part: Part

    @model_validator(mode="after")
    def _all_at_once(self):
        if self.share != 1.0 or self.credential is None:
            message = "by its credential, and for everybody"
            raise ValueError(message)
        return self


def test_the_fields_of_a_kind_nobody_thought_of_are_read_off_its_schema():
    grid = grid_of("everything", Everything, REACHES, ["a-model"])
    assert grid is not None
    assert grid.fields == {
        "as": ("square", "round"),
        "severity": ("mild", "grave"),
        "sticky": (True, False),
        "every_s": (10.0,),
        "tokens": (7, 10, 1, 200),
        "hint_s": (None, 10.0, 1.0, 60.0, 0.0),
        "served": ("a-model", "anything"),
        "steps": ((), [1], [5], [20], [0]),
        "part": ({"length_s": 10.0},),
    }
    assert (grid.shares, grid.ramps_s) == ((1.0,), RAMPS_S)
    assert {domain for domain, _ in grid.selectors} == {"credential"}


class Unguessable(Injection):
    """Its only valid value is no guess of anybody's."""

    kind: Literal["unguessable"]
    code: int = Field(ge=4711, le=4711)


def test_a_kind_whose_values_nobody_can_guess_is_left_out():
    assert grid_of("unguessable", Unguessable, REACHES) is None


def test_what_a_kind_refuses_is_not_drawn():
    price_change = grid_of("price_change", kinds()["price_change"], REACHES)
    assert (price_change.shares, price_change.ramps_s) == ((1.0,), (0,))
    outage = grid_of("outage", kinds()["outage"], REACHES)
    assert (outage.shares, outage.ramps_s) == (SHARES, RAMPS_S)


# Fault domains


def test_fault_domains_that_hit_the_same_targets_are_tried_once():
    found = [reach.selector for reach in distinct(REACHES)]
    assert found == [("target", "gpt"), ("target", "claude"), ("target", "mistral"), ("provider", "*")]


def test_a_fault_domain_that_two_targets_share_is_tried():
    targets = (target("a", edge="cloudflare"), target("b", "mistral/x", edge="cloudflare"), MISTRAL)
    assert ("edge", "cloudflare") in [reach.selector for reach in distinct(reaches_of(targets))]
    assert ("provider", "mistral") in [reach.selector for reach in distinct(reaches_of(targets))]


def test_a_name_that_would_be_a_wildcard_is_not_used():
    names = [reach.selector for reach in reaches_of((target("a*"), target("b")))]
    assert ("target", "a*") not in names
    assert ("credential", "a*-key") not in names


# Schedules


@given(schedules(space()))
@settings(max_examples=200, suppress_health_check=list(HealthCheck), deadline=None)
def test_whatever_is_drawn_is_a_valid_scenario_in_which_every_injection_hits_somebody(injections):
    story = {"title": "x", "config": "x", "workload": {"route": "chat", "rate_per_s": 1, "for_s": 300}}
    section = ScenarioSection.model_validate({**story, "inject": list(injections)})
    assert 1 <= len(section.inject) <= 4
    for each in section.inject:
        assert 20 <= each.at_s < 300
        assert each.at_s == int(each.at_s)
        assert any(each.hits(target) for target in TARGETS)


@given(schedules(space()))
@settings(max_examples=50, suppress_health_check=list(HealthCheck), deadline=None)
def test_whatever_is_drawn_can_be_written_and_read(tmp_path_factory, injections):
    folder = tmp_path_factory.mktemp("found")
    file = folder / "found.yaml"
    file.write_text(scenario_text(found(injections), story(folder), "failover search", file), "utf-8")
    drawn = ScenarioSection.model_validate(story(folder).section(injections)).inject
    assert load_scenario(file).injections == drawn


@given(st.data(), st.integers(60, 5000))
@settings(max_examples=50, suppress_health_check=list(HealthCheck), deadline=None)
def test_faults_begin_before_the_workload_ends_however_long_it_is(data, for_s):
    for each in data.draw(schedules(space("outage", for_s=for_s))):
        assert 20 <= each["at_s"] < for_s


# Words and files


def story(folder, **facts):
    workload = {"route": "chat", "rate_per_s": 2.0, "for_s": 300}
    expect = {"amplification_max": 1.5, "served_share_min": {"gpt": 0.5, "claude": 0.1}}
    return Story(folder / "failover.yaml", workload, expect, 3, **facts)


def found(injections=({"kind": "outage", "target": "gpt", "at_s": 30},), name="retry_allowed"):
    violation = Violation(name, "at 31 s, call 5\x1b[31m")
    trial = Trial(tuple(injections), (violation,), {}, verdict_on(calm(), scenario()))
    return Found(violation, trial, tuple(injections), 17)


@pytest.mark.parametrize(
    ("injection", "words"),
    [
        (
            {"kind": "outage", "target": "gpt", "at_s": 30, "for_s": 10, "as": "hang"},
            "outage (as hang) of target gpt, from 30 s to 40 s",
        ),
        (
            {"kind": "slowdown", "provider": "*", "at_s": 5, "factor": 20.0, "share": 0.5, "ramp_s": 60},
            "slowdown (factor 20) of provider *, from 5 s on, 50 % of attempts, growing over 60 s",
        ),
    ],
)
def test_an_injection_reads_as_a_sentence(injection, words):
    assert injection_in_words(injection) == words


def test_a_title_says_what_breaks_and_when():
    outage = {"kind": "outage", "target": "gpt", "at_s": 30, "for_s": 10}
    told = "outage of target gpt, from 30 s to 40 s"
    assert title("preferred_returns", [outage]) == f"The preferred target never serves again: {told}"
    assert title("served_share_min.gpt", []) == "A target serves too little, without any fault"
    assert title("unheard_of", [outage]) == f"unheard_of does not hold: {told}"


def test_words_are_kept_only_for_what_a_search_can_break():
    assert set(BREAKS) <= {CRASH} | {each.name for each in INVARIANTS} | set(LIMITS)


def test_the_file_says_how_it_was_found_and_expects_only_what_broke(tmp_path):
    file = write(
        found(name="served_share_min.gpt"), story(tmp_path), "failover search x", tmp_path / "s" / "f.yaml"
    )
    assert file.read_text("utf-8").splitlines() == [
        "# Found by: failover search x",
        "# It broke served_share_min.gpt: at 31 s, call 5?[31m",
        "# See it again: failover drill f.yaml --seed 3 --mode simulate",
        "title: 'A target serves too little: outage of target gpt, from 30 s on'",
        "config: ../failover.yaml",
        "workload: {route: chat, rate_per_s: 2.0, for_s: 300}",
        "inject:",
        "  - {kind: outage, target: gpt, at_s: 30}",
        "expect: {served_share_min: {gpt: 0.5}}",
    ]


def test_an_invariant_needs_no_expectation_and_cassettes_are_named_from_the_file(tmp_path):
    with_cassettes = story(tmp_path, cassettes=tmp_path / "tapes")
    file = write(found(), with_cassettes, "x", tmp_path / "found.yaml")
    assert "expect" not in file.read_text("utf-8")
    assert "cassettes: tapes\n" in file.read_text("utf-8")


def test_a_file_is_never_overwritten_and_never_written_twice(tmp_path):
    wanted = tmp_path / "found.yaml"
    wanted.write_text("somebody's own", "utf-8")
    files = [write(found(), story(tmp_path), command, wanted) for command in ("a", "b", "a")]
    assert [file.name for file in files] == ["found-2.yaml", "found-3.yaml", "found-2.yaml"]
    assert wanted.read_text("utf-8") == "somebody's own"


def test_unasked_the_file_goes_to_the_scenarios_by_what_it_breaks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = write(found(name="served_share_min.gpt"), story(tmp_path), "x", None)
    assert file.parent == Path("scenarios")
    assert file.name.startswith("found-served_share_min-gpt-")
