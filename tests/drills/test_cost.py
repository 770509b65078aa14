"""What a workload costs in a month, and what may make it dearer."""

from __future__ import annotations

import json
from itertools import pairwise

import jsonschema
import pytest
from click.testing import CliRunner

from failover.cli.cost import command
from failover.costs.answer import cost_json_schema
from tests.drills.worlds import LITELLM_WARNS, ROOT

pytestmark = LITELLM_WARNS

SCHEMA = json.loads((ROOT / "docs" / "schemas" / "cost.schema.json").read_text("utf-8"))
CHEAP, DEAR = "input_usd_per_mtok: 1, output_usd_per_mtok: 2", "input_usd_per_mtok: 3, output_usd_per_mtok: 6"
CONFIG = f"""
providers: {{openai: {{credential: env:OPENAI_API_KEY}}, mistral: {{credential: env:MISTRAL_API_KEY}}}}
targets:
  gpt: {{provider: openai, model: openai/gpt-5.6-luna, prices: {{{CHEAP}}}}}
  mistral: {{provider: mistral, model: mistral/mistral-large-2512, prices: {{{DEAR}}}}}
routes:
  chat: {{chain: [gpt, mistral], policy: {{deadline_s: 600, first_token_s: 600}}}}
"""
WORKLOAD = "workload: {route: chat, rate_per_s: 0.1, tokens_in: 1000, tokens_out: 500}\n"
EACH_USD = 0.002
"""1000 tokens at 1 dollar and 500 at 2 dollars for a million."""
MONTHLY = 0.1 * 86_400 * 30


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "failover.yaml").write_text(CONFIG)
    (tmp_path / "workload.yaml").write_text(WORKLOAD)
    return tmp_path


def asked(folder, *arguments):
    words = [folder / "failover.yaml", "--workload", folder / "workload.yaml", "--requests", 80, *arguments]
    return CliRunner().invoke(command, [str(word) for word in words])


def answered(folder, *arguments):
    file = folder / "cost.json"
    result = asked(folder, "--json", file, *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(file.read_text())


def row(found, name):
    return next(each for each in found["rows"] if each["name"] == name)


def test_a_month_of_equal_requests_costs_so_many_times_one(folder):
    found = answered(folder)
    assert found["requests"] == MONTHLY
    assert found["now"]["usd"] == pytest.approx(MONTHLY * EACH_USD)
    assert found["now"]["interval"]["low"] <= found["now"]["usd"] <= found["now"]["interval"]["high"] + 1e-6


def test_doubled_prices_double_the_bill(folder):
    assert row(answered(folder), "every price doubles")["of_now"] == pytest.approx(2.0)


def test_without_its_target_a_route_pays_the_next_one(folder):
    found = row(answered(folder), "without gpt")
    assert found["bill"]["usd"] == pytest.approx(MONTHLY * EACH_USD * 3)
    assert found["bill"]["targets"]["mistral"]["served_share"] == 1.0


def test_the_bound_is_every_attempt_at_the_dearest_target(folder):
    found = answered(folder)
    assert found["dearest"] == "mistral"
    assert found["most_usd"] == pytest.approx(MONTHLY * EACH_USD * 3 * found["attempts_most"])


def test_a_price_that_changes_within_the_month_counts_from_its_day(folder):
    later = CONFIG.replace(
        f"{{{CHEAP}}}",
        f"[{{{CHEAP}}}, {{input_usd_per_mtok: 2, output_usd_per_mtok: 4, valid_from: 2026-12-16}}]",
    )
    (folder / "failover.yaml").write_text(later)
    found = answered(folder, "--as-of", "2026-12-01", "--requests", "800")
    assert found["now"]["usd"] == pytest.approx(MONTHLY * EACH_USD * 1.5, rel=0.1)


def test_a_story_adds_what_its_failures_cost_and_no_more(folder):
    story = folder / "dark.yaml"
    story.write_text(
        "title: The cheap one is away for two hours\nconfig: failover.yaml\n"
        "workload: {route: chat, rate_per_s: 1, for_s: 14400}\n"
        "inject: [{kind: outage, target: gpt, at_s: 3600, for_s: 7200, as: '503'}]\n"
    )
    found = answered(folder, "--under", story, "--seeds", "6")
    [told] = found["stories"]
    extra_usd = told["expected_usd"] - found["now"]["usd"]
    assert extra_usd == pytest.approx(7200 * 0.1 * EACH_USD * 2, rel=0.25)
    assert all(
        low <= high for low, high in pairwise((told["expected_usd"], told["p95_usd"], told["worst_usd"]))
    )
    twice = answered(folder, "--under", story, "--seeds", "6", "--times", "2")["stories"][0]
    assert twice["expected_usd"] - found["now"]["usd"] == pytest.approx(2 * extra_usd)


def test_a_story_of_somebody_else_says_that_it_is_none_of_these_routes(folder):
    story = folder / "else.yaml"
    story.write_text(
        "title: Cohere is away\nconfig: failover.yaml\nwhen_untouched: skip\n"
        "workload: {route: chat, rate_per_s: 1, for_s: 100}\n"
        "inject: [{kind: outage, provider: cohere, at_s: 10, for_s: 20, as: '503'}]\n"
    )
    result = asked(folder, "--under", story)
    assert result.exit_code == 0
    assert "nothing that happens in it touches" in " ".join(result.output.split())


def test_an_unknown_price_is_no_bill(folder):
    unknown = CONFIG.replace("openai/gpt-5.6-luna", "openai/nobody-knows")
    unknown = unknown.replace(f", prices: {{{CHEAP}}}", "")
    (folder / "failover.yaml").write_text(unknown)
    result = asked(folder)
    assert result.exit_code == 2
    assert "no bill: nobody knows the price of gpt" in result.output


def test_budgets_are_held_against_the_bill_and_do_not_hold_it_down(folder):
    budgets = """
budgets:
  - {scope: "route:chat", usd: 1, per: day}
  - {scope: "target:mistral", usd: 1, per: month}
  - {scope: "provider:openai", usd: 10, per: week, kind: soft}
  - {scope: "tenant:*", usd: 1, per: day}
"""
    (folder / "failover.yaml").write_text(CONFIG + budgets)
    found = answered(folder)
    assert found["now"]["usd"] == pytest.approx(MONTHLY * EACH_USD)
    spent = [each["expected_usd"] for each in found["budgets"]]
    daily = MONTHLY * EACH_USD / 30
    assert spent == [pytest.approx(daily), 0.0, pytest.approx(7 * daily), None]
    output = " ".join(asked(folder).output.split())
    assert (
        "route:chat, $1.00 per day: $17.28 are spent of it on average, MORE than it allows: requests"
        in output
    )
    assert "tenant:*, $1.00 per day: the workload does not tell whose requests are whose" in output


def test_the_same_question_has_the_same_answer(folder):
    assert answered(folder) == answered(folder)


def test_the_answer_keeps_to_its_schema(folder):
    jsonschema.validate(answered(folder), SCHEMA)
    assert cost_json_schema() == SCHEMA, "write docs/schemas/cost.schema.json anew"


def test_the_workload_of_a_scenario_will_do(folder):
    (folder / "workload.yaml").write_text(
        "title: Any\nconfig: failover.yaml\n"
        "workload: {route: chat, rate_per_s: 0.1, for_s: 60, tokens_in: 1000, tokens_out: 500}\n"
    )
    assert answered(folder)["now"]["usd"] == pytest.approx(MONTHLY * EACH_USD)


def test_a_trace_is_played_as_it_was_recorded(folder):
    (folder / "trace.csv").write_text(
        "at_s,tokens_in,tokens_out\n" + "".join(f"{n},1024,512\n" for n in range(90))
    )
    (folder / "workload.yaml").write_text(
        "workload: {route: chat, for_s: 900, tokens_in: 1, tokens_out: 1,"
        " arrivals: {kind: trace, file: trace.csv}}\n"
    )
    assert answered(folder)["requests"] == pytest.approx(90 / 900 * 86_400 * 30)


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("workload: {route: chat}", "rate_per_s is missing"),
        ("workload: {route: chart, rate_per_s: 1}", "no route 'chart'"),
        ("worklod: {rate_per_s: 1}", "worklod"),
        ("", "workload"),
    ],
    ids=["no rate", "no such route", "misspelt", "empty"],
)
def test_a_wrong_workload_is_told_with_its_place(folder, written, what):
    (folder / "workload.yaml").write_text(written)
    result = asked(folder)
    assert result.exit_code == 2
    assert what in result.output
    assert "Traceback" not in result.output


def test_names_stand_in_the_page_as_text(folder):
    story = folder / "<b>dark.yaml"
    story.write_text(
        "title: Dark\nconfig: failover.yaml\nworkload: {route: chat, rate_per_s: 1, for_s: 100}\n"
        "inject: [{kind: outage, target: gpt, at_s: 10, for_s: 20, as: '503'}]\n"
    )
    page = folder / "cost.html"
    result = asked(folder, "--html", page, "--under", story, "--seeds", "1")
    assert result.exit_code == 0, result.output
    text = page.read_text("utf-8")
    assert "&lt;b&gt;dark" in text
    assert "<b>dark" not in text
