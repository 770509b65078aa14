"""`failover prices`: what is told to whoever plans, pays or is paged, and the code that a pipeline sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from failover.cli.check import command as check_command
from failover.cli.prices import command
from failover.price_sources import genai_list

CONFIG = """
price_book: prices.yaml
providers: {p: {}}
targets:
  claude: {provider: p, model: anthropic/claude-sonnet-5}
  gemini: {provider: p, model: gemini/gemini-3.6-flash}
  night: {provider: p, model: deepseek/deepseek-v4-flash}
routes: {r: {chain: [claude, gemini, night]}}
"""
LARGE = CONFIG.replace("  night:", "  large: {provider: p, model: mistral/mistral-large-4}\n  night:")
"""With one that no two price lists agree about."""

ENDED = "{input_usd_per_mtok: 1, output_usd_per_mtok: 1, valid_to: 2026-01-01}"

Shown = Callable[..., Result]


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shown:
    monkeypatch.chdir(tmp_path)

    def run(*options: str, text: str = LARGE, prices: str = "{}") -> Result:
        Path("failover.yaml").write_text(text, "utf-8")
        Path("prices.yaml").write_text(prices, "utf-8")
        return CliRunner().invoke(command, ["failover.yaml", *options])

    return run


def told(result: Result, *options: str) -> dict:
    return {each["target"]: each for each in json.loads(result.stdout)["targets"]}


def line_of(result: Result, *words: str) -> str:
    (line,) = [line for line in result.output.splitlines() if all(word in line.split() for word in words)]
    return line


def test_every_price_is_told_with_its_time_and_source(shown):
    result = shown("--as-of", "2026-11-20", text=CONFIG)
    assert result.exit_code == 0
    gemini = line_of(result, "gemini", "2026-08-12", "2027-01-01")
    assert gemini.split()[1:3] == ["0.75", "3.75"]
    assert "an introductory price" in gemini
    assert "a promotion" in gemini
    assert result.output.endswith("every price is known, and no two sources contradict each other\n")
    large = line_of(shown("--as-of", "2026-11-20"), "large", "2026-10-20", "further")
    assert large.split()[1:3] == ["1.36", "4.18"]
    assert "Franklin release" in large


def test_what_changes_next_and_what_was_cancelled_is_told(shown):
    result = shown("--as-of", "2026-11-20")
    assert line_of(result, "gemini", "announced").split()[:5] == [
        "gemini", "2027-01-01", "0.75/3.75", "1.5/7.5", "announced",
    ]  # fmt: skip
    assert line_of(result, "claude", "cancelled").split()[1:4] == ["2026-09-01", "2/10", "3/15"]


def test_another_day_has_other_prices(shown):
    before, after = (told(shown("--json", "-", "--as-of", day)) for day in ("2026-10-19", "2026-10-20"))
    rates = [each["large"]["price"]["input_nusd_per_mtok"] for each in (before, after)]
    assert rates == [680_000_000, 1_360_000_000]
    assert before["large"]["until"] == after["large"]["since"] == "2026-10-20T00:00:00Z"


def test_another_hour_has_other_prices(shown):
    """23 November 2026 is a Monday."""
    told_at = [told(shown("--json", "-", "--as-of", f"2026-11-23T0{hour}:00"))["night"] for hour in (0, 2, 5)]
    assert [each["price"]["output_nusd_per_mtok"] for each in told_at] == [
        600_000_000,
        1_200_000_000,
        600_000_000,
    ]
    assert (told_at[1]["since"], told_at[1]["until"]) == ("2026-11-23T01:00:00Z", "2026-11-23T04:00:00Z")


def test_one_model_or_target_can_be_asked_for(shown):
    for name in ("large", "mistral/mistral-large-4"):
        assert list(told(shown("--json", "-", "--model", name))) == ["large"]


def test_a_model_that_no_target_has_is_refused_with_the_nearest(shown):
    result = shown("--model", "mistral/mistral-large4")
    assert result.exit_code == 2
    assert "no target has this model or name; did you mean 'mistral/mistral-large-4'?" in result.stderr


@pytest.mark.parametrize("as_of", ["soon", "2026-13-01"])
def test_a_day_that_is_none_is_refused(shown, as_of):
    assert shown("--as-of", as_of).exit_code == 2


def test_a_price_that_is_unknown_deviates_and_says_why(shown):
    pounds = "prices: {mistral/mistral-large-4: {currency: GBP, input_per_mtok: 1, output_per_mtok: 2}}"
    result = shown("--as-of", "2026-11-20", prices=pounds)
    assert result.exit_code == 1
    assert (
        "unknown: large: its price is not known: it is told in GBP, and what that is worth is not"
        in result.output
    )
    assert "every price is known" not in result.output


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("{callable: 'a.b:c'}", "a function has one only where you tell it"),
        ("{provider: p, model: openai/nobody-knows-it}", "no source tells one"),
        (
            f"{{provider: p, model: m, prices: {ENDED}}}",
            "none of those that are told is in force then",
        ),
    ],
)
def test_why_a_price_is_unknown_is_told(shown, target, why):
    text = f"providers: {{p: {{}}}}\ntargets: {{t: {target}}}\nroutes: {{r: {{chain: [t]}}}}"
    result = shown("--as-of", "2026-11-20", text=text)
    assert result.exit_code == 1
    assert f"unknown: t: its price is not known: {why}\n" in result.output


def test_two_lists_that_contradict_each_other_deviate_with_both_figures(shown):
    """On a Saturday only one of them knows that the peak is of weekdays."""
    if not genai_list.is_installed():
        pytest.skip("genai-prices is not installed: pip install 'failover[prices]'")
    result = shown("--as-of", "2026-11-21T02:00", text=CONFIG)
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.startswith("contradiction")]
    assert line.startswith("contradiction: night: genai-prices")
    assert "says $0.3/$1.2; $0.15/$0.6 is in force by litellm" in line


def test_a_price_of_ones_own_settles_a_contradiction(shown):
    own = "prices: {deepseek/deepseek-v4-flash: {input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.6}}"
    assert shown("--as-of", "2026-11-21T02:00", prices=own, text=CONFIG).exit_code == 0


def test_a_list_that_is_older_than_a_change_is_told(shown):
    result = shown("--as-of", "2026-11-20", "--model", "large")
    assert "outdated: large: litellm" in result.output
    assert "says $0.68/$2.09; $1.36/$4.18 is in force by Franklin" in result.output


def test_a_source_that_is_old_is_told_with_its_age_and_does_not_deviate(shown):
    text = LARGE.replace("price_book: prices.yaml", "price_book: {file: prices.yaml, stale_days: 10}")
    one = "{input_usd_per_mtok: 1, output_usd_per_mtok: 2}"
    prices = f"{{as_of: 2026-11-01, source: our list, prices: {{mistral/mistral-large-4: {one}}}}}"
    result = shown("--as-of", "2026-11-20", "--model", "large", text=text, prices=prices)
    assert result.exit_code == 0
    assert "stale: large: our list is of 2026-11-01, 19 days old; more than 10 are reported" in result.output
    assert "stale" not in shown("--as-of", "2026-11-10", "--model", "large", text=text, prices=prices).output


def test_a_service_tier_or_region_without_a_price_is_told(shown):
    text = LARGE.replace("mistral-large-4}", "mistral-large-4, billing: {service: flex, region: eu}}")
    result = shown("--as-of", "2026-11-20", "--model", "large", text=text)
    assert "billing: large: no price at the service tier flex is known: $1.36/$4.18 is" in result.output
    assert "billing: large: no surcharge of the region eu is known: $1.36/$4.18 is" in result.output


def test_a_model_of_the_price_file_that_no_target_has_is_told(shown):
    prices = "prices: {mistral/mistral-large4: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}"
    result = shown("--as-of", "2026-11-20", prices=prices)
    said = "no target has the model mistral/mistral-large4; did you mean 'mistral/mistral-large-4'?"
    assert f"unused: prices.yaml: {said}" in result.output


def test_all_of_it_can_be_written_for_a_machine(shown):
    result = shown("--as-of", "2026-11-20", "--json", "out.json")
    written = json.loads(Path("out.json").read_text("utf-8"))
    assert "in force" in result.output
    assert (written["format"], written["as_of"]) == ("failover/prices@1", "2026-11-20T00:00:00Z")
    claude = written["targets"][0]
    assert claude["price"]["cached_input_nusd_per_mtok"] == 200_000_000
    assert claude["price"]["services"]["batch"]["input_nusd_per_mtok"] == 1_000_000_000
    assert [(each["kind"], each["at"][:10]) for each in claude["changes"]] == [("cancelled", "2026-09-01")]
    assert claude["changes"][0]["after"]["state"] == "cancelled"


def test_a_file_that_cannot_be_written_is_said_so(shown):
    result = shown("--json", "nowhere/out.json")
    assert result.exit_code == 2
    assert "nowhere/out.json: cannot be written" in result.stderr


def test_an_invalid_price_file_is_told_with_its_line(shown):
    result = shown(prices="\nprices: {m: {}}")
    assert result.exit_code == 2
    assert "prices.yaml:2: prices.m: the key 'input_usd_per_mtok' is missing" in result.stderr


def test_check_notes_what_is_wrong_with_the_sources(shown):
    shown(prices="prices: {nobody/has-it: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}")
    result = CliRunner().invoke(check_command, ["failover.yaml"])
    assert "note: unused: prices.yaml: no target has the model nobody/has-it" in result.output


def test_dates_of_hours_and_ends_of_promotions_are_told_as_they_are(shown):
    prices = """
    prices:
      mistral/mistral-large-4:
        - {input_usd_per_mtok: 4, output_usd_per_mtok: 8}
        - {input_usd_per_mtok: 2, output_usd_per_mtok: 4, valid_to: 2027-01-01, promotion: true}
        - input_usd_per_mtok: 5
          output_usd_per_mtok: 9
          valid_from: 2027-06-01
          valid_to: 2027-07-01
          peak: [{hours: ['08:00-18:00'], input_usd_per_mtok: 6, output_usd_per_mtok: 9.5}]
    """
    result = shown("--as-of", "2026-11-20", "--model", "large", prices=prices)
    rows = [line.split()[1:] for line in result.output.splitlines() if line.startswith("  large   2027")]
    assert [(row[0], row[1], row[2], "at some hours" in " ".join(row)) for row in rows] == [
        ("2027-01-01", "2/4", "4/8", False),
        ("2027-06-01", "4/8", "5/9", False),
        ("2027-06-01", "4/8", "6/9.5", True),
        ("2027-07-01", "5/9", "4/8", False),
        ("2027-07-01", "6/9.5", "at", True),
    ]
    assert "promotion ends" in result.output
