"""Real days as drills: each tells its source, what is known and what is assumed, and what becomes of it."""

from __future__ import annotations

import csv
import re
from datetime import UTC, date, datetime, timedelta

import pytest
import yaml

from failover.chaos.drill import run_drill
from failover.chaos.finding import find_scenarios
from failover.chaos.judging.verdict import Conclusion
from failover.chaos.meeting import SkippedDrill
from failover.chaos.routes import Routes
from failover.chaos.scenario import load_scenario
from failover.config import load_config
from tests.drills.worlds import LITELLM_WARNS, ROOT, SCENARIOS

pytestmark = LITELLM_WARNS
FOLDER = SCENARIOS / "incidents"
INCIDENTS = find_scenarios([FOLDER])
CONTROLS = [each for each in INCIDENTS if not each.injections]
FACTS = ROOT.parent / "shared" / "facts"
DATED = re.compile(r"\d{4}-\d\d-\d\d")
REQUESTS_MAX = 5_000

LOCAL = """
providers: {ollama: {credential: env:LOCAL_KEY}}
targets: {llama: {provider: ollama, model: ollama_chat/llama3}}
routes: {chat: {chain: [llama]}}
"""
UNASKED = """
providers: {ollama: {credential: env:LOCAL_KEY}, deepseek: {credential: env:DEEPSEEK_API_KEY}}
targets:
  llama: {provider: ollama, model: ollama_chat/llama3}
  deepseek: {provider: deepseek, model: deepseek/deepseek-chat}
routes:
  chat:
    chain: [llama, deepseek]
    policy: {deadline_s: 900, attempt_s: 800, first_token_s: 800, breaker: {slow_s: 800}}
"""
VECTORS = """
providers: {openai: {credential: env:OPENAI_API_KEY}}
targets: {small: {provider: openai, model: openai/text-embedding-3-small}}
routes: {vectors: {chain: [small]}}
"""
STRICT = """
providers: {ollama: {credential: env:LOCAL_KEY}, gemini: {credential: env:GEMINI_API_KEY}}
targets:
  gemini: {provider: gemini, model: gemini/gemini-2.5-pro}
  llama: {provider: ollama, model: ollama_chat/llama3}
routes: {chat: {chain: [gemini, llama], policy: {on_wrong_model: fail}}}
"""
PLAIN = """
targets: {score: {callable: "shop.scores:score"}}
routes: {scores: {chain: [score]}}
"""

each_incident = pytest.mark.parametrize("incident", INCIDENTS, ids=lambda each: each.name)
each_control = pytest.mark.parametrize("control", CONTROLS, ids=lambda each: each.name)


@pytest.fixture(scope="module")
def remembered(tmp_path_factory):
    """What was found out of images, for all the drills of this module."""
    return tmp_path_factory.mktemp("remembered")


@pytest.fixture(autouse=True)
def elsewhere(remembered, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(remembered))


def told(incident):
    """The file as it is written."""
    return yaml.safe_load(incident.path.read_text("utf-8"))


def begins(incident):
    return datetime.fromtimestamp(incident.start_epoch_s, UTC)


def drilled(incident, folder, config):
    file = folder / "mine.yaml"
    file.write_text(config, "utf-8")
    return run_drill(incident, seed=0, mode="simulate", config=file)


def named(name):
    return load_scenario(FOLDER / f"{name}.yaml")


def test_there_are_more_incidents_than_anyone_remembers():
    assert len(INCIDENTS) >= 30
    assert len(CONTROLS) >= 4


@each_incident
def test_an_incident_says_where_it_is_from_what_is_known_and_what_is_assumed(incident):
    story = told(incident)
    assert all(story.get(key) for key in ("title", "source", "known", "assumed", "begins"))
    assert story["when_untouched"] == "skip"


@each_incident
def test_an_incident_fits_any_config(incident):
    """It names neither a route nor a target of one."""
    expect = told(incident)["expect"]
    assert not incident.workload.mix
    assert incident.workload.route is None
    assert {"served_share_min", "served_share_max", "detected_within_s"}.isdisjoint(expect)


@each_incident
def test_an_incident_is_short(incident):
    assert incident.workload.rate_per_s * incident.workload.for_s <= REQUESTS_MAX


@each_incident
def test_the_date_of_an_incident_lies_in_its_time(incident):
    found = DATED.match(incident.name)
    if found:
        first, last = begins(incident), begins(incident) + timedelta(seconds=incident.workload.for_s)
        assert first.date() <= date.fromisoformat(found[0]) <= last.date()


@each_incident
def test_an_incident_touches_the_config_that_it_drills(incident):
    routes = Routes(tuple(load_config(incident.config_path).routes.values()), {})
    if incident not in CONTROLS:
        assert any(each.hits(target) for each in incident.injections for target in routes.targets())


@each_control
def test_in_a_control_nothing_may_change(control):
    assert {"breaker_opened", "cooldown", "retired"} <= set(told(control)["expect"]["never"])


@each_incident
def test_the_shipped_services_come_through(incident):
    verdict = run_drill(incident, seed=0, mode="simulate")
    assert verdict.verdict is Conclusion.PASSED, verdict.reasons


@each_control
def test_a_service_that_is_not_concerned_passes_every_control(control, tmp_path):
    assert drilled(control, tmp_path, LOCAL).verdict is Conclusion.PASSED


def test_a_cancelled_rise_is_not_in_the_shipped_prices():
    incident = named("2026-09-01-sonnet-5-rise-cancelled")
    [price] = load_config(incident.config_path).prices["sonnet"]
    assert (price.valid_from_s, price.valid_to_s) == (None, None)


def test_the_page_tells_every_incident_and_no_other():
    page = (ROOT / "docs" / "incidents.md").read_text("utf-8")
    linked = re.findall(r"^\| \[([\w-]+)\]\(\.\./scenarios/incidents/\1\.yaml\) \|", page, re.MULTILINE)
    assert linked == [each.name for each in INCIDENTS]
    assert f"Of {len(INCIDENTS)} stories" in page


# One's own config.


def test_who_is_not_touched_skips_an_incident(tmp_path):
    with pytest.raises(SkippedDrill, match="nothing that happens in it touches"):
        drilled(named("2025-08-28-openrouter-database"), tmp_path, LOCAL)


def test_who_never_has_to_ask_whom_it_hits_skips_it_with_that_reason(tmp_path):
    with pytest.raises(SkippedDrill, match="only deepseek, and nobody asked"):
        drilled(named("2025-01-25-deepseek-attacks"), tmp_path, UNASKED)


def test_a_route_of_embeddings_is_asked_for_embeddings(tmp_path):
    verdict = drilled(named("2024-01-30-openai-release"), tmp_path, VECTORS)
    assert verdict.verdict is Conclusion.FAILED
    assert verdict.routes["vectors"].requests == verdict.requests


def test_who_has_nothing_but_plain_functions_skips_it(tmp_path):
    with pytest.raises(SkippedDrill, match="plain functions have no wire"):
        drilled(named("2025-08-28-openrouter-database"), tmp_path, PLAIN)


def test_a_reroute_of_gemini_is_seen_by_who_asks_for_the_model_it_pays_for(tmp_path):
    verdict = drilled(named("2026-12-01-gemini-reroute-rebill-untold"), tmp_path, STRICT)
    assert verdict.targets["gemini"].failures["wrong_model"] > 0
    assert verdict.targets["llama"].served > 0


def test_who_knows_the_day_of_a_reroute_is_not_answered_by_another_model(tmp_path):
    verdict = drilled(named("2026-12-01-gemini-reroute-rebill"), tmp_path, STRICT)
    assert verdict.verdict is Conclusion.PASSED, verdict.reasons
    assert "wrong_model" not in verdict.targets["gemini"].failures
    assert verdict.coverage.sometimes["retirement_reached"] == 1


def test_on_the_mass_retirement_nobody_asks_a_model_that_is_gone_unless_nobody_told():
    name = "2026-10-23-openai-mass-retirement"
    told, untold = (run_drill(named(each), seed=0, mode="simulate") for each in (name, f"{name}-untold"))
    assert "model_gone" not in told.targets["gpt-nano"].failures
    assert untold.targets["gpt-nano"].failures["model_gone"] > 0
    assert told.success_ratio == untold.success_ratio == 1.0


# The facts, where they are at hand.

STARTS = {
    "2023-10-19-openai-per-account": "oai-2023-10-19",
    "2023-11-08-openai-routing-memory": "oai-2023-11-08",
    "2024-01-30-openai-release": "oai-2024-01-30",
    "2024-08-02-anthropic-rate-limits": "ant-2024-08-02",
    "2024-08-16-openai-two-waves": "oai-2024-08-16",
    "2024-12-04-openai-530-then-stall": "oai-2024-12-04a",
    "2024-12-11-openai-control-plane": "oai-2024-12-11",
    "2025-01-25-deepseek-attacks": "dsk-2025-01-25",
    "2025-06-10-openai-quarter-failing": "oai-2025-06-10",
    "2025-06-12-gcp-service-control": "gcp-2025-06-12",
    "2025-08-28-openrouter-database": "or-2025-08-28",
    "2025-11-18-edge-shared": "cf-2025-11-18",
    "2026-01-27-azure-sweden-residency": "az-2026-01-27",
    "2026-02-17-gateway-false-401": "or-2026-02-17",
    "2026-02-27-vertex-429-503": "goog-2026-02-27",
    "2026-03-09-azure-one-model-400": "az-2026-03-09",
    "2026-04-28-anthropic-auth-errors": "ant-2026-04-28",
    "2026-06-02-anthropic-one-model": "ant-2026-06-02",
    "2026-06-03-openai-slow-and-false-429": "oai-2026-06-03",
    "2026-06-12-fable-5-withdrawn": "ant-2026-06-12-fable",
}
"""Whose first fault begins when the facts say that it began."""


def facts(name, key):
    file = FACTS / name
    if not file.is_file():
        pytest.skip(f"the facts are not here: {file}")
    with file.open(encoding="utf-8", newline="") as rows:
        return {row[key]: row for row in csv.DictReader(rows)}


@pytest.mark.parametrize("name", STARTS)
def test_an_incident_begins_when_it_began(name):
    row = facts("incidents.csv", "id")[STARTS[name]]
    incident = named(name)
    first_s = min(injection.at_s for injection in incident.injections)
    assert begins(incident) + timedelta(seconds=first_s) == datetime.fromisoformat(row["start_utc"])


def test_the_models_of_a_mass_retirement_are_those_that_were_retired():
    rows = facts("deprecations.csv", "model")
    incident = named("2026-10-23-openai-mass-retirement")
    models = [injection.target.removeprefix("openai/") for injection in incident.injections]
    assert {rows[model]["retired_on"] for model in models} == {"2026-10-23"}
    assert len(models) == len(set(models))


def test_a_dated_name_is_a_day_of_which_the_facts_know():
    """But for those that only the prose of the facts tells."""
    days = {row["start_utc"][:10] for row in facts("incidents.csv", "id").values()}
    with (FACTS / "price_changes.csv").open(encoding="utf-8", newline="") as rows:
        days |= {row["effective_date"] for row in csv.DictReader(rows)}
    days |= {row["retired_on"] for row in facts("deprecations.csv", "model").values()}
    elsewhere = {"2024-07-09", "2025-08-31", "2026-04-21", "2026-09-01"}
    elsewhere |= {"2025-05-13", "2025-09-05", "2026-06-09"}
    ours = {found[0] for each in INCIDENTS if (found := DATED.match(each.name))}
    assert ours - elsewhere <= days
