"""Scenario files: what one becomes, and every way in which it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml

from failover.chaos.arrivals import Constant, Poisson
from failover.chaos.drill import run_drill
from failover.chaos.finding import find_scenarios
from failover.chaos.meeting import SkippedDrill
from failover.chaos.scenario import START_EPOCH_S, Sometimes, load_scenario, scenario_json_schema
from failover.chaos.sizes import Tokens
from failover.chaos.workload_section import OperationAsked
from failover.core.vocabulary import Operation
from failover.errors import CassetteError, ConfigError
from tests.drills.worlds import CONFIG, ROOT, SCENARIOS, STORY, written

SCHEMA = ROOT / "docs" / "schemas" / "scenario.schema.json"
PAGE = ROOT / "docs" / "scenarios.md"
PAGES = ("scenarios.md", "injections.md", "workloads.md")
WHOLE_STORY = """
title: Everything a file can say
config: failover.yaml
cassettes: recordings
when_cassettes_absent: skip
modes: [simulate]
workload:
  {route: chat, rate_per_s: 2, for_s: 60, arrivals: constant, stream: true, deadline_s: 9}
inject:
  - {kind: outage, target: "openai/*", at_s: 10, for_s: 20, as: hang, share: 0.5, ramp_s: 2}
  - {kind: price_change, region: us, at_s: 12, factor: 0.5}
steady_state: {success_ratio_min: 0.9, requests_min: 5}
expect:
  success_ratio_min: 0.99
  latency_p95_max_s: 4
  served_share_min: {claude: 0.1}
  sometimes: [fallback, probe]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a story is written; what was found out of images is remembered next to it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "remembered"))
    return tmp_path


def refused(refusing: Callable[[], object]) -> list[str]:
    """The complaints, each as it is printed, without the folder."""
    with pytest.raises(ConfigError) as found:
        refusing()
    return [str(each).replace(f"{Path(each.file).parent}/", "") for each in found.value.complaints]


def unreadable(file: Path) -> list[str]:
    """What is said when it is loaded."""
    return refused(lambda: load_scenario(file))


def unfit(file: Path) -> list[str]:
    """What is said when it meets its config."""
    scenario = load_scenario(file)
    return refused(lambda: run_drill(scenario, seed=1, mode="simulate"))


# What a file becomes.


def test_a_file_says_its_story_and_paths_are_relative_to_it(folder: Path) -> None:
    scenario = load_scenario(written(folder, WHOLE_STORY))
    assert (scenario.name, scenario.title) == ("story", "Everything a file can say")
    assert scenario.config_path == folder / "failover.yaml"
    assert scenario.cassettes_path == folder / "recordings"
    assert (scenario.when_cassettes_absent, scenario.modes) == ("skip", ("simulate",))
    assert scenario.workload.arrivals == Constant()
    outage, change = scenario.injections
    assert (outage.selector, outage.at_s, outage.ends_s, outage.share) == ("target openai/*", 10, 30, 0.5)
    assert (change.kind, change.selector, change.is_fault) == ("price_change", "region us", False)
    assert scenario.steady_state.requests_min == 5
    assert scenario.expect.sometimes == (Sometimes.FALLBACK, Sometimes.PROBE)


def test_what_a_file_leaves_out_has_a_default(folder: Path) -> None:
    story = "title: t\nconfig: failover.yaml\nworkload: {route: chat, rate_per_s: 1, for_s: 60}\n"
    scenario = load_scenario(written(folder, story))
    assert (scenario.cassettes_path, scenario.injections) == (None, ())
    assert scenario.modes == ("simulate", "replay")
    assert scenario.workload.arrivals == Poisson()
    assert (scenario.workload.stream, scenario.workload.tokens_in) == (False, None)
    assert scenario.steady_state.success_ratio_min == 0.99


# How it is refused.


def test_five_mistakes_are_reported_together_with_file_and_line(folder: Path) -> None:
    story = """title: ""
config: failover.yaml
workload: {route: chat, rate_per_s: 0, for_s: 60}
inject:
  - {kind: outage, provider: openai, share: 2}
  - {kind: slowdown, factor: 2}
expects: {}
"""
    found = unreadable(written(folder, story))
    assert [complaint.split(": ")[0] for complaint in sorted(found)] == [
        "story.yaml:1",
        "story.yaml:3",
        "story.yaml:5",
        "story.yaml:6",
        "story.yaml:7",
    ]
    assert any("did you mean 'expect'?" in complaint for complaint in found)


def test_an_unknown_kind_of_injection_is_told_with_the_nearest(folder: Path) -> None:
    (found,) = unreadable(written(folder, STORY.replace("kind: outage", "kind: outrage")))
    assert found.startswith("story.yaml:7: inject.0")
    assert "'outrage'" in found
    assert "did you mean 'outage'?" in found


def test_two_selectors_are_one_too_many(folder: Path) -> None:
    (found,) = unreadable(written(folder, STORY.replace("provider: openai", "provider: openai, region: us")))
    assert found.startswith("story.yaml:7: ")
    assert "exactly one of: target, provider, model" in found


@pytest.mark.parametrize("at_s", [60, 61])
def test_an_injection_that_begins_after_the_workload_is_refused(folder: Path, at_s: int) -> None:
    (found,) = unreadable(written(folder, STORY.replace("at_s: 10", f"at_s: {at_s}")))
    assert found == "story.yaml:7: inject.0.at_s: begins after the workload, which ends at 60 s"


def test_an_injection_that_hits_no_target_of_the_route_is_refused(folder: Path) -> None:
    story = STORY + "  - {kind: slowdown, provider: openia, factor: 2}\n"
    (found,) = unfit(written(folder, story))
    assert found == ("story.yaml:8: inject.1: hits no target of route chat: none lies in provider openia")


def test_a_route_that_the_config_does_not_have_is_refused(folder: Path) -> None:
    (found,) = unfit(written(folder, STORY.replace("route: chat", "route: chart")))
    assert found.startswith("story.yaml:5: workload.route: ")
    assert found.endswith("failover.yaml has no route 'chart'; it has: chat")


def test_cassettes_that_are_absent_refuse_the_drill(folder: Path) -> None:
    story = STORY.replace("cassettes: cassettes", "cassettes: nowhere")
    with pytest.raises(CassetteError, match="nowhere: there is no such folder of cassettes"):
        run_drill(load_scenario(written(folder, story)), seed=1, mode="simulate")


def test_or_skip_it_where_the_scenario_says_so(folder: Path) -> None:
    story = STORY.replace("cassettes: cassettes", "cassettes: nowhere\nwhen_cassettes_absent: skip")
    with pytest.raises(SkippedDrill, match="its cassettes are not here"):
        run_drill(load_scenario(written(folder, story)), seed=1, mode="simulate")


def test_cassettes_asked_for_on_the_command_line_are_never_skipped(folder: Path) -> None:
    story = STORY.replace("cassettes: cassettes", "cassettes: cassettes\nwhen_cassettes_absent: skip")
    with pytest.raises(CassetteError):
        run_drill(
            load_scenario(written(folder, story)), seed=1, mode="simulate", cassettes=folder / "nowhere"
        )


def test_a_streamed_workload_runs_in_both_modes(folder: Path) -> None:
    streamed = STORY.replace("route: chat", "route: chat, stream: true")
    assert load_scenario(written(folder, streamed)).modes == ("simulate", "replay")


@pytest.mark.parametrize(
    "operation", sorted({*get_args(OperationAsked)} - {Operation.COMPLETION, Operation.RESPONSES})
)
def test_what_has_no_streams_is_not_streamed(folder: Path, operation: Operation) -> None:
    streamed = f"route: chat, operation: {operation.value}, stream: true"
    (found,) = unreadable(written(folder, STORY.replace("route: chat", streamed)))
    assert found == f"story.yaml:5: workload: {operation.value} has no streams; leave out `stream`"


def test_a_plain_function_cannot_be_asked_for(folder: Path) -> None:
    """It has no wire to be drilled on."""
    assert set(Operation) - {*get_args(OperationAsked)} == {Operation.CALL}
    (found,) = unreadable(written(folder, STORY.replace("route: chat", "route: chat, operation: call")))
    assert found.startswith("story.yaml:5: workload.operation: ")


# A mix.

MIXED = STORY.replace(
    "workload: {route: chat,",
    "workload:\n"
    "  {mix: [{route: chat, stream: true}, {route: more, share: 3, tokens_in: 9, tokens_out: 5}],\n"
    "  ",
)
MORE = CONFIG + "  more: {chain: [claude]}\n"


def test_each_part_of_a_mix_takes_what_it_leaves_out_from_the_whole(folder: Path) -> None:
    parts = load_scenario(written(folder, MIXED.replace("for_s: 60", "for_s: 60, deadline_s: 9"))).workload
    told = [(part.route, part.share, part.stream, part.tokens_in, part.deadline_s) for part in parts.parts()]
    assert told == [("chat", 1.0, True, None, 9.0), ("more", 3.0, False, Tokens(values=(9,)), 9.0)]


def test_a_route_that_only_a_part_of_a_mix_names_is_looked_for_too(folder: Path) -> None:
    (found,) = unfit(written(folder, MIXED, CONFIG))
    assert found.endswith("failover.yaml has no route 'more'; it has: chat")


def test_a_part_that_names_no_route_is_asked_of_every_route_alike(folder: Path) -> None:
    scenario = load_scenario(written(folder, MIXED.replace("route: more, ", ""), MORE))
    verdict = run_drill(scenario, seed=1, mode="simulate")
    asked = {name: route.requests / verdict.requests for name, route in verdict.routes.items()}
    assert asked == pytest.approx({"chat": 0.25 + 0.375, "more": 0.375}, abs=0.1)


def test_half_a_size_in_a_part_of_a_mix_is_refused_at_its_place(folder: Path) -> None:
    (found,) = unreadable(written(folder, MIXED.replace("tokens_in: 9, ", "")))
    assert found.startswith("story.yaml:6: workload.mix.1: ")


def test_an_injection_need_only_hit_a_target_of_one_of_the_routes(folder: Path) -> None:
    story = MIXED.replace("provider: openai", "provider: anthropic").replace("chat,", "only,")
    scenario = load_scenario(written(folder, story, MORE + "  only: {chain: [gpt]}\n"))
    run_drill(scenario, seed=1, mode="simulate")


# When, and where it is told.


def test_a_story_may_begin_at_a_date(folder: Path) -> None:
    told = "title: The primary goes dark\nbegins: 2025-06-10T09:36:00Z\n"
    dated = written(folder, STORY.replace("title: The primary goes dark\n", told))
    assert load_scenario(dated).start_epoch_s == 1_749_548_160.0
    assert load_scenario(written(folder)).start_epoch_s == START_EPOCH_S


def test_a_date_without_a_zone_is_refused(folder: Path) -> None:
    """It would mean another instant on another machine."""
    dated = written(folder, STORY.replace("cassettes:", "begins: 2025-06-10T09:36:00\ncassettes:"))
    assert unreadable(dated)


def test_a_story_tells_its_sources_and_what_is_known_and_assumed(folder: Path) -> None:
    told = "source: [https://status.invalid/1]\nknown: [it was dark]\nassumed: [for all]\ncassettes:"
    scenario = load_scenario(written(folder, STORY.replace("cassettes:", told)))
    assert (scenario.source, scenario.known, scenario.assumed) == (
        ("https://status.invalid/1",),
        ("it was dark",),
        ("for all",),
    )


def test_half_a_size_is_refused(folder: Path) -> None:
    (found,) = unreadable(written(folder, STORY.replace("route: chat", "route: chat, tokens_in: 5")))
    assert "set both, or neither" in found


def test_a_provider_that_cannot_be_played_is_simulated_and_its_replay_skipped_with_the_reason(
    folder: Path,
) -> None:
    """Its requests would leave the drill."""
    scenario = load_scenario(written(folder, STORY, CONFIG.replace("openai/gpt", "cohere/gpt")))
    why = "cannot be replayed: litellm reaches this provider by a client of its own, .*; simulate it"
    with pytest.raises(SkippedDrill, match=why):
        run_drill(scenario, seed=1, mode="replay")
    verdict = run_drill(scenario, seed=1, mode="simulate")
    assert verdict.targets["gpt"].served
    assert verdict.targets["gpt"].failures == {"overloaded": verdict.coverage.failures["overloaded"]}


# Which files a command line means.


def test_a_folder_means_its_scenarios_and_leaves_configs_out(folder: Path) -> None:
    story = written(folder).read_text("utf-8")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "other.yml").write_text(story, "utf-8")
    (folder / "notes.txt").write_text("no scenario", "utf-8")
    assert [scenario.name for scenario in find_scenarios([folder])] == ["other", "story"]


def test_a_file_means_itself(folder: Path) -> None:
    file = written(folder)
    assert [scenario.path for scenario in find_scenarios([file])] == [file]


def test_the_complaints_of_all_files_come_at_once(folder: Path) -> None:
    written(folder, "title: no more than this\n")
    (folder / "worse.yaml").write_text("title: [\n", "utf-8")
    (folder / "empty").mkdir()
    with pytest.raises(ConfigError) as found:
        find_scenarios([folder, folder / "empty", folder / "missing.yaml"])
    files = {Path(complaint.file).name for complaint in found.value.complaints}
    assert files == {"story.yaml", "worse.yaml", "empty", "missing.yaml"}
    assert any("holds no scenario file" in str(complaint) for complaint in found.value.complaints)


def test_a_folder_of_nothing_but_configs_holds_no_scenario(folder: Path) -> None:
    (folder / "failover.yaml").write_text(CONFIG, "utf-8")
    with pytest.raises(ConfigError, match="holds no scenario file"):
        find_scenarios([folder])


def test_every_shipped_scenario_loads() -> None:
    assert find_scenarios([SCENARIOS])


# The published schema.


def test_the_published_schema_is_up_to_date() -> None:
    text = json.dumps(scenario_json_schema(), indent=2) + "\n"
    assert SCHEMA.read_text("utf-8") == text, (
        "write json.dumps(scenario_json_schema(), indent=2) + '\\n' to it"
    )


def test_the_published_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(scenario_json_schema())


@pytest.mark.parametrize(
    "text", [STORY, WHOLE_STORY, *(each.path.read_text("utf-8") for each in find_scenarios([SCENARIOS]))]
)
def test_the_published_schema_accepts_what_loads(text: str) -> None:
    # An editor knows no times: what YAML reads as one is text to a schema.
    written = json.loads(json.dumps(yaml.safe_load(text), default=str))
    jsonschema.Draft202012Validator(scenario_json_schema()).validate(written)


@pytest.mark.parametrize(
    ("is_written", "should_be"),
    [
        ("kind: outage", "kind: outrage"),
        ("for_s: 60", "for_s: 0"),
        ("inject:", "injects:"),
        ("title:", "name:"),
    ],
)
def test_the_published_schema_refuses_what_loading_refuses(is_written: str, should_be: str) -> None:
    story = yaml.safe_load(STORY.replace(is_written, should_be))
    assert not jsonschema.Draft202012Validator(scenario_json_schema()).is_valid(story)


def sections() -> list[dict[str, Any]]:
    schema = scenario_json_schema()
    return [schema, *schema["$defs"].values()]


def test_every_key_and_every_word_is_documented() -> None:
    page = "".join((ROOT / "docs" / name).read_text("utf-8") for name in PAGES)
    words = {key for section in sections() for key in section.get("properties", {})}
    words |= {word for section in sections() for word in section.get("enum", ())}
    assert not [word for word in sorted(words) if f"`{word}`" not in page]


def test_every_example_of_the_documentation_is_a_scenario() -> None:
    blocks = [block.split("```")[0] for block in PAGE.read_text("utf-8").split("```yaml\n")[1:]]
    stories = [yaml.safe_load(block) for block in blocks]
    whole = [story for story in stories if isinstance(story, dict) and "title" in story]
    assert whole
    validator = jsonschema.Draft202012Validator(scenario_json_schema())
    for story in whole:
        validator.validate(story)
    plain = yaml.safe_load(STORY)
    for injections in (story for story in stories if isinstance(story, list)):
        validator.validate({**plain, "inject": injections})


def test_a_price_that_changes_while_the_last_calls_run_is_what_they_are_charged_by(tmp_path):
    story = """
title: The price falls again when no more requests come
config: failover.yaml
cassettes: cassettes
workload: {route: chat, rate_per_s: 2, for_s: 60, tokens_in: 800, tokens_out: 200}
inject:
  - {kind: price_change, target: gpt, at_s: 30, for_s: 31, factor: 2}
  - {kind: slowdown, target: gpt, at_s: 50, first_token_extra_s: 5}
"""
    verdict = run_drill(load_scenario(written(tmp_path, story)), seed=1, mode="simulate")
    (charges,) = (each for each in verdict.invariants if each.name == "charges_exact")
    assert (charges.violations, verdict.simulated_s > 61) == ((), True)
