"""When models end: which list says what of which target, whose word holds, and what contradicts it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import lifecycle_catalogue
from failover import catalogue
from failover.cli import main
from failover.config import config_from_dict, load_config
from failover.core.lifecycle import Lifecycle
from failover.core.vocabulary import ByDate, RetirementShape, Target
from failover.errors import ConfigError
from failover.lifecycles import LITELLM, known_lifecycles
from failover.outlook import outlook

ROOT = Path(__file__).parents[2]
FACTS = ROOT.parent / "shared" / "facts"
SERVICES = ROOT / "scenarios" / "incidents"


def day_s(day):
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


def day(at_s):
    return None if at_s is None else f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}"


def source(model, targets=None, **top):
    gpt = {"provider": "p", "model": model}
    return {
        "providers": {"p": {}},
        "targets": {
            "gpt": gpt,
            "other": {"provider": "p", "model": "mistral/mistral-embed"},
            **(targets or {}),
        },
        "routes": {"chat": {"chain": ["gpt", "other"]}},
        **top,
    }


def known(model, lifecycle=None, **top):
    mapping = source(model, **top)
    if lifecycle is not None:
        mapping["targets"]["gpt"]["lifecycle"] = lifecycle
    return known_lifecycles(config_from_dict(mapping))


def complaints(mapping):
    with pytest.raises(ConfigError) as found:
        config_from_dict(mapping)
    return [(each.where, each.what) for each in found.value.complaints]


# Names.


@pytest.mark.parametrize(
    ("model", "entry", "ends"),
    [
        ("openai/gpt-4o", "openai/gpt-4o", "2027-01-14"),
        ("gpt-4.1-nano", "openai/gpt-4.1-nano", "2026-10-23"),
        ("openai/gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13", "2026-10-23"),
        ("openai/gpt-4o-2024-08-06", "openai/gpt-4o", "2027-01-14"),
        ("openai/ft:gpt-4.1-nano-2025-04-14:acme::x", "openai/ft-gpt-4.1-nano-2025-04-14", "2026-10-23"),
        ("openai/ft:gpt-3.5-turbo-0125:acme::x", "openai/ft-gpt-3.5-turbo", "2026-10-23"),
        ("openai/responses/gpt-5", "openai/gpt-5", "2026-12-11"),
        ("anthropic/claude-3-5-haiku-latest", "anthropic/claude-3-5-haiku-20241022", "2026-02-19"),
        ("anthropic/claude-3-5-sonnet-latest", "anthropic/claude-3-5-sonnet-20241022", "2025-10-28"),
        ("anthropic/claude-opus-4-0", "anthropic/claude-opus-4-20250514", "2026-06-15"),
        ("gemini/gemini-2.5-pro", "gemini/gemini-2.5-pro", "2026-12-01"),
        ("gemini/gemini-1.5-pro", "gemini/gemini-1.5-pro", "2025-09-29"),
        ("vertex_ai/gemini-2.5-pro", "vertex_ai/gemini-2.5-pro", "2026-10-20"),
        ("vertex_ai/claude-3-5-haiku@20241022", "vertex_ai/claude-3-5-haiku", "2026-07-05"),
        (
            "bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
            "bedrock/anthropic.claude-3-7-sonnet-20250219-v1:0",
            "2026-07-30",
        ),
        (
            "bedrock/converse/us-east-1/anthropic.claude-3-haiku-20240307-v1:0",
            "bedrock/anthropic.claude-3-haiku-20240307-v1:0",
            "2026-09-10",
        ),
        ("azure/eu/gpt-4o", "azure/gpt-4o", "2026-03-31"),
        ("azure/claude-opus-4-6", "azure_ai/claude-opus-4-6", "2027-02-02"),
        ("deepseek/deepseek-chat", "deepseek/deepseek-chat", "2026-07-24"),
        ("groq/llama-3.3-70b-versatile", "groq/llama-3.3-70b-versatile", "2026-08-16"),
        ("cohere_chat/command-r-03-2024", "cohere/command-r-03-2024", None),
        ("dashscope/qwen3-8b", "dashscope/qwen3-8b", "2026-10-10"),
    ],
)
def test_a_model_is_found_by_the_names_that_litellm_has_for_it(model, entry, ends):
    found = catalogue.entry_of(Target("gpt", "p", model))
    assert found is not None
    assert (found.model, day(found.retired_s)) == (entry, ends)


@pytest.mark.parametrize(
    "target",
    [
        Target("gpt", "p", "openai/gpt-5.6-luna"),
        Target("gpt", "p", "anthropic/claude-sonnet-4-6"),
        Target("gpt", "p", "openrouter/openai/gpt-4"),
        Target("gpt", "p", "openai/gpt-4", api_base="https://models.example"),
        Target("gpt", "p", callable="shop:score"),
    ],
)
def test_nothing_is_said_of_who_is_not_listed_or_is_somebody_else(target):
    assert catalogue.entry_of(target) is None


@given(st.text(max_size=40))
def test_any_name_is_looked_up_without_an_error(model):
    catalogue.entry_of(Target("gpt", "p", model))


def test_every_model_of_the_shipped_catalogue_finds_itself():
    for name in catalogue.shipped():
        found = catalogue.entry_of(Target("gpt", "p", name))
        assert found is not None
        assert found.retired_s == catalogue.shipped()[name].retired_s


def test_the_shipped_catalogue_is_what_the_facts_make():
    file = FACTS / "deprecations.csv"
    if not file.is_file():
        pytest.skip(f"the facts are not here: {file}")
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    text, left_out = lifecycle_catalogue.catalogue(rows)
    assert catalogue.FILE.read_text("utf-8") == text
    assert len(catalogue.shipped()) + len(left_out) == len(rows)


# Whose word holds.


def test_the_shipped_catalogue_goes_before_litellms_map():
    told = known("openai/gpt-4.1-nano").lifecycles["gpt"]
    assert (day(told.retired_s), told.replacement) == ("2026-10-23", "gpt-5.6-luna")
    assert told.source.startswith("modeldeprecations.dev")
    assert told.by_date is ByDate.PASS_OVER


def test_a_date_that_is_only_the_earliest_of_several_gives_way_to_litellms_and_is_told():
    found = known("azure/gpt-5.2")
    assert found.lifecycles["gpt"].source == LITELLM
    [contradiction] = found.contradictions
    assert (contradiction.used_source, day(contradiction.other_s)) == (LITELLM, "2026-12-12")


def test_your_own_date_holds_bars_and_is_contradicted_aloud():
    found = known("openai/gpt-4.1-nano", {"retired": "2026-12-24", "source": "the sales team"})
    told = found.lifecycles["gpt"]
    assert (day(told.retired_s), told.by_date, told.source) == ("2026-12-24", ByDate.BAR, "the sales team")
    assert day(told.announced_s) == "2026-04-22"
    assert told.replacement == "gpt-5.6-luna"
    assert {day(each.other_s) for each in found.contradictions} == {"2026-10-23"}


def test_you_may_say_that_a_list_is_wrong():
    found = known("openai/gpt-4.1-nano", {"retired": "never"})
    assert found.lifecycles["gpt"].due_s is None
    assert found.lifecycles["gpt"].retired_s is None
    assert [each.used_s for each in found.contradictions] == [None, None]


def test_what_you_leave_out_a_list_may_say():
    told = known("openai/gpt-4.1-nano", {"deprecated": "2026-05-01", "shape": "redirect"}).lifecycles["gpt"]
    assert (day(told.deprecated_s), day(told.retired_s)) == ("2026-05-01", "2026-10-23")
    assert (told.shape, told.by_date) == (RetirementShape.REDIRECT, ByDate.PASS_OVER)


def test_lists_can_be_left_unread_one_by_one():
    for sources, name in (([], None), (["litellm"], LITELLM), (["catalogue"], "modeldeprecations.dev")):
        config = config_from_dict(source("openai/gpt-4.1-nano", lifecycle={"sources": sources}))
        told = known_lifecycles(config).lifecycles.get("gpt")
        assert (told is None) == (name is None)
        assert told is None or told.source.startswith(name)


def test_dates_of_lists_can_be_made_to_bar_or_to_warn_only():
    for word in ByDate:
        config = config_from_dict(source("openai/gpt-4.1-nano", lifecycle={"by_date": word.value}))
        assert known_lifecycles(config).lifecycles["gpt"].by_date is word


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-12-01", "2026-12-01T00:00:00+00:00"),
        ("2026-12-01T00:00:00-08:00", "2026-12-01T08:00:00+00:00"),
        ("2026-12-01T12:00:00Z", "2026-12-01T12:00:00+00:00"),
    ],
)
def test_a_date_begins_at_midnight_utc_unless_it_names_a_zone(written, at):
    told = known("p/x", {"retired": written}).lifecycles["gpt"]
    assert told.retired_s == datetime.fromisoformat(at).timestamp()


# A catalogue of one's own.

MINE = """
models:
  - {model: openai/gpt-4.1-nano, retired: 2026-11-05, source: the portal}
  - {model: mistral/mistral-large-2512, region: eu, retired: 2027-02-01, replacement: mistral-large-4}
"""
WITH_MINE = """
catalogue: ends.yaml
providers: {p: {}}
targets:
  gpt: {provider: p, model: openai/gpt-4.1-nano}
  eu: {provider: p, model: mistral/mistral-large-2512, region: eu}
  us: {provider: p, model: mistral/mistral-large-2512, region: us}
routes: {chat: {chain: [gpt, eu, us]}}
"""


def written(folder, mine):
    (folder / "ends.yaml").write_text(mine, "utf-8")
    (folder / "failover.yaml").write_text(WITH_MINE, "utf-8")
    return folder / "failover.yaml"


def test_your_catalogue_goes_before_the_shipped_one_and_knows_regions(tmp_path):
    found = known_lifecycles(load_config(written(tmp_path, MINE)))
    assert day(found.lifecycles["gpt"].retired_s) == "2026-11-05"
    assert found.lifecycles["eu"].replacement == "mistral-large-4"
    assert found.lifecycles["eu"].source.endswith("ends.yaml")
    assert "us" not in found.lifecycles


@pytest.mark.parametrize(
    ("mine", "line", "what"),
    [
        (
            "models:\n  - {model: a/b, retird: 2026-01-01}\n",
            2,
            "unknown key 'retird'; did you mean 'retired'?",
        ),
        ("models:\n  - {model: a/b, retired: soon}\n", 2, "must be a date or a time"),
        ("models:\n  - {model: a/b}\n", 2, "says nothing"),
        (
            "models:\n  - model: a/b\n    announced: 2027-01-01\n    retired: 2026-01-01\n",
            3,
            "must not be later",
        ),
        (
            "models:\n- {model: a, retired: 2026-01-01}\n- {model: a, retired: 2026-01-01}\n",
            3,
            "stands twice",
        ),
        ("models: []\n", 1, "must not be empty"),
        ("- 1\n", 1, ""),
    ],
)
def test_a_wrong_catalogue_is_complained_of_with_its_own_file_and_line(tmp_path, mine, line, what):
    with pytest.raises(ConfigError) as found:
        load_config(written(tmp_path, mine))
    [complaint] = found.value.complaints
    assert (Path(complaint.file).name, complaint.line) == ("ends.yaml", line)
    assert what in complaint.what


def test_a_catalogue_that_is_not_there_is_complained_of(tmp_path):
    file = written(tmp_path, MINE)
    (tmp_path / "ends.yaml").unlink()
    with pytest.raises(ConfigError, match=r"ends\.yaml: there is no such file"):
        load_config(file)


# Complaints.


@pytest.mark.parametrize(
    ("gpt", "what"),
    [
        ({"successor": "othr"}, "unknown target 'othr'; did you mean 'other'?"),
        ({"successor": "gpt"}, "comes back to where it began: gpt -> gpt"),
        ({"successor": "off"}, "'off' is not in the chain of route 'chat', where 'gpt' is"),
        ({"lifecycle": {}}, "says nothing"),
        (
            {"lifecycle": {"retired": "2026-01-01", "deprecated": "2026-02-01"}},
            "must not be later than retired",
        ),
        ({"lifecycle": {"successor": "other", "retired": "never"}}, "stands beside 'lifecycle'"),
    ],
)
def test_what_cannot_be_meant_is_complained_of(gpt, what):
    mapping = source("p/x", targets={"off": {"provider": "p", "model": "p/y"}})
    mapping["targets"]["gpt"].update(gpt)
    [(_, told)] = complaints(mapping)
    assert what in told


@pytest.mark.parametrize(
    ("name", "what"),
    [("othr", "unknown target 'othr'"), ("off", "'off' is on no route"), ("code", "is a plain function")],
)
def test_who_cannot_be_kept_warm_is_complained_of(name, what):
    extra = {"off": {"provider": "p", "model": "p/y"}, "code": {"callable": "a:b"}}
    mapping = source("p/x", targets=extra, keep_warm={"targets": [name]})
    mapping["routes"]["code"] = {"chain": ["code"]}
    [(where, told)] = complaints(mapping)
    assert where == "keep_warm.targets.0"
    assert what in told


# What will break.


def ahead(config, as_of, until="2027-03-01"):
    return outlook(config, day_s(as_of), day_s(until))


def test_the_real_days_are_named_ahead():
    services = load_config(SERVICES / "services.yaml")
    found = {each.target.name: each for each in ahead(services, "2026-10-01").targets}
    assert (found["gpt-nano"].days_left, found["gemini-pro"].days_left) == (22, 61)
    assert found["gemini-pro"].lifecycle.shape is RetirementShape.REDIRECT
    assert found["deepseek-chat"].days_left < 0


def test_an_order_to_withdraw_is_named_as_soon_as_you_write_it_down():
    mapping = source("anthropic/claude-fable-5", lifecycle={"sources": []})
    mapping["targets"]["gpt"]["lifecycle"] = {"retired": "2026-06-12T21:00:00Z", "source": "export order"}
    [found] = ahead(config_from_dict(mapping), "2026-06-12").targets
    assert (found.days_left, found.routes) == (1, ("chat",))


def test_a_route_whose_targets_all_end_says_from_when_nobody_is_left():
    mapping = source("p/x", lifecycle={"sources": []})
    mapping["targets"]["gpt"]["lifecycle"] = {"retired": "2026-12-01"}
    mapping["targets"]["other"]["lifecycle"] = {"retired": "2027-01-01"}
    found = ahead(config_from_dict(mapping), "2026-11-01")
    [route] = found.routes
    assert (day(route.nobody_from_s), route.live, found.holds) == ("2027-01-01", (), False)
    assert ahead(config_from_dict(mapping), "2026-11-01", "2026-12-31").holds


def test_a_route_that_comes_to_depend_on_one_provider_is_named():
    mapping = source("p/x", lifecycle={"sources": []})
    mapping["providers"]["q"] = {}
    mapping["targets"]["other"]["provider"] = "q"
    mapping["targets"]["gpt"]["lifecycle"] = {"retired": "2026-12-01"}
    [route] = ahead(config_from_dict(mapping), "2026-11-01").routes
    assert (day(route.one_provider_from_s), route.provider) == ("2026-12-01", "q")


def advice(gpt, other, **facts):
    mapping = source(gpt, lifecycle={"sources": ["catalogue"]})
    mapping["targets"]["other"]["model"] = other
    mapping["targets"]["gpt"].update(facts)
    found = ahead(config_from_dict(mapping), "2026-10-01").targets
    return next(each.advice for each in found if each.target.name == "gpt")


def test_what_to_do_depends_on_who_is_there():
    nano = "openai/gpt-4.1-nano"
    assert advice(nano, "openai/gpt-4.1", successor="other") == (
        "its successor other takes its place, and can do its work",
    )
    assert "a window of" in advice(nano, "openai/gpt-5.6-luna", successor="other")[0]
    assert "cannot do all of its work" in advice(nano, "openai/gpt-4", successor="other")[0]
    assert "does not outlive it" in advice(nano, "openai/gpt-4", successor="other")[1]
    assert advice(nano, "openai/gpt-5.6-luna") == (
        "other has the model that its provider recommends: name it as 'successor'",
    )
    assert advice(nano, "mistral/mistral-embed")[0].startswith("add a target of openai/gpt-5.6-luna")
    assert advice("azure/o1", "mistral/mistral-embed")[0].startswith("nobody named a successor")


def test_a_decision_as_of_a_date_says_who_is_due_and_who_comes_after():
    asked = ["decide", str(SERVICES / "services.yaml"), "drafts", "--as-of"]
    after = CliRunner().invoke(main, [*asked, "2026-12-02"]).output
    assert "passed over: gpt-nano: retirement_due (successor gpt-5.6-luna)" in after
    assert "passed over: gpt-nano" not in CliRunner().invoke(main, [*asked, "2026-10-22"]).output


def test_of_whom_no_date_is_known_is_said():
    assert "gpt" in ahead(config_from_dict(source("p/x")), "2026-10-01").undated


def test_a_successor_alone_is_no_date():
    assert known_lifecycles(config_from_dict(source("p/x"))).lifecycles == {}
    mapping = source("p/x")
    mapping["targets"]["gpt"]["successor"] = "other"
    told = known_lifecycles(config_from_dict(mapping)).lifecycles["gpt"]
    assert told == Lifecycle(successor="other", by_date=ByDate.IGNORE)
