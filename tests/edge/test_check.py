"""`failover check`: what a config's author is told, and the code that a pipeline sees."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rich.console
from click.testing import CliRunner, Result

from failover import config as config_package
from failover.cli import tables
from failover.cli.check import command

ROOT = Path(__file__).parents[2]
STURDY = """
providers:
  openai: {credential: env:OPENAI_API_KEY, edge: cdn}
  anthropic: {credential: env:ANTHROPIC_API_KEY}
targets:
  gpt: {provider: openai, model: openai/gpt-4o, region: us}
  claude: {provider: anthropic, model: anthropic/claude-sonnet-5, region: us}
  spare: {provider: anthropic, model: anthropic/claude-sonnet-5, region: eu}
routes:
  chat: {chain: [gpt, claude], policy: {deadline_s: 30}}
"""

Check = Callable[..., Result]


@pytest.fixture
def checked(tmp_path: Path) -> Check:
    def run(text: str, **environment: str) -> Result:
        file = tmp_path / "failover.yaml"
        file.write_text(text, "utf-8")
        absent = {"OPENAI_API_KEY": None, "ANTHROPIC_API_KEY": None}
        return CliRunner().invoke(command, [str(file)], env={**absent, **environment})

    return run


def rows(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()]


def test_a_sturdy_config_holds(checked: Check) -> None:
    result = checked(STURDY)
    assert result.exit_code == 0
    assert "every route survives the loss of any single provider" in result.output


def test_a_route_on_one_provider_deviates(checked: Check) -> None:
    result = checked(STURDY.replace("[gpt, claude]", "[claude, spare]"))
    assert result.exit_code == 1
    assert "does not survive the loss of some single provider: chat" in result.output


def test_one_fragile_route_among_sturdy_ones_deviates(checked: Check) -> None:
    result = checked(f"{STURDY}  lone: {{chain: [gpt]}}\n")
    assert result.exit_code == 1
    assert "some single provider: lone\n" in result.output


def test_another_domain_that_all_share_is_shown_and_does_not_deviate(checked: Check) -> None:
    result = checked(STURDY)
    assert ["region", "us", "NO", "none"] in rows(result.output)
    assert result.exit_code == 0


def test_every_mistake_of_an_invalid_config_is_told_with_file_and_line(checked: Check) -> None:
    text = (
        STURDY.replace("deadline_s", "dedline_s")
        .replace("provider: openai", "provider: opnai")
        .replace("[gpt, claude]", "[gpt, claud]")
        .replace("region: eu", "region: 5")
        .replace("edge: cdn", "egde: cdn")
    )
    result = checked(text)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = [line.split("failover.yaml:")[1].split(":")[0] for line in result.stderr.splitlines()[:-1]]
    assert lines == ["3", "6", "8", "10", "10"]
    assert result.stderr.endswith("\n5 complaints; nothing was done\n")


def test_one_mistake_is_counted_as_one(checked: Check) -> None:
    assert checked("[]").stderr.endswith("\n1 complaint; nothing was done\n")


def test_a_file_that_is_not_there_is_invalid(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
    assert "there is no such file" in result.stderr


@pytest.mark.parametrize("content", [b"\xff\xfe\0", b"a: [", b"\t", b"", b"- 1"])
def test_nothing_ends_in_a_traceback(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "failover.yaml"
    file.write_bytes(content)
    script = "from failover.cli.check import command; command()"
    done = subprocess.run(  # noqa: S603  our own interpreter and our own words
        [sys.executable, "-c", script, str(file)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr


def test_interrupting_is_no_verdict(checked: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(config_package, "load_config", interrupted)
    assert checked(STURDY).exit_code == 130


def test_the_chain_is_listed_with_tiers_providers_and_regions(checked: Check) -> None:
    output = checked(STURDY.replace("[gpt, claude]", "[[claude, spare], [gpt]]")).output
    assert ["1", "spare", "anthropic", "eu", "anthropic/claude-sonnet-5"] in rows(output)
    assert ["2", "gpt", "openai", "us", "openai/gpt-4o"] in rows(output)


def test_every_limit_is_printed_and_whether_it_was_set(checked: Check) -> None:
    output = rows(checked(STURDY).output)
    assert ["deadline_s", "30", "set"] in output
    assert ["idle_s", "20", "default"] in output
    assert ["backoff.initial_s", "0.25", "default"] in output
    assert ["breaker.probes", "1", "default"] in output
    assert ["last_resort", "wait", "default"] in output
    assert any(row[:1] == ["attempt_s"] and row[-1] == "default" for row in output)


def test_what_is_left_after_each_loss_is_printed(checked: Check) -> None:
    output = rows(checked(STURDY).output)
    assert ["provider", "openai", "yes", "claude"] in output
    assert ["credential", "ANTHROPIC_API_KEY", "yes", "gpt"] in output
    assert ["edge", "cdn", "yes", "claude"] in output


def test_a_domain_that_is_not_named_is_not_judged(checked: Check) -> None:
    output = checked(STURDY).output
    assert "not judged: which edge these lie in is not said: claude\n" in output
    assert "not judged: which cloud these lie in is not said: gpt, claude\n" in output
    assert "not judged: which region" not in output


def test_absent_environment_variables_are_named_and_no_error(checked: Check) -> None:
    assert "not set: OPENAI_API_KEY, ANTHROPIC_API_KEY\n" in checked(STURDY).output


def test_environment_variables_that_are_set_are_not_told(checked: Check) -> None:
    value = "q7" * 12
    output = checked(STURDY, OPENAI_API_KEY=value, ANTHROPIC_API_KEY="").output
    assert "not set: ANTHROPIC_API_KEY\n" in output
    assert value not in output


def test_a_price_known_to_nobody_is_told(checked: Check) -> None:
    output = checked(STURDY.replace("openai/gpt-4o", "openai/nobody-knows-it")).output
    assert "targets whose price is unknown, here and in litellm's map: gpt\n" in output


def test_a_price_in_the_config_is_known(checked: Check) -> None:
    prices = "openai/nobody-knows-it, prices: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}"
    assert "price is unknown" not in checked(STURDY.replace("openai/gpt-4o", prices)).output


def test_a_price_in_litellms_map_is_known(checked: Check) -> None:
    assert "price is unknown" not in checked(STURDY).output


def test_a_callable_has_no_price_unless_it_is_told(checked: Check) -> None:
    text = STURDY.replace("provider: openai, model: openai/gpt-4o", "callable: 'a.b:c'")
    assert "in litellm's map: gpt\n" in checked(text).output


def test_a_target_on_no_route_is_told(checked: Check) -> None:
    assert "targets that are on no route: spare\n" in checked(STURDY).output


def test_a_policy_that_never_falls_back_is_told(checked: Check) -> None:
    output = checked(STURDY.replace("{deadline_s: 30}", "{attempts: 1}")).output
    assert "one attempt in a call, so that no call falls back: chat\n" in output


def test_an_absent_folder_of_cassettes_is_told(checked: Check, tmp_path: Path) -> None:
    text = f"cassettes: tapes\n{STURDY}"
    assert "the folder of cassettes does not exist" in checked(text).output
    (tmp_path / "tapes").mkdir()
    assert "the folder of cassettes does not exist" not in checked(text).output


def test_tables_are_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(rich.console.Console, "print", lambda _console, table: drawn.append(table))
    tables.show("losses", ("loss of", "survives"), [("[bold]", "NO"), ("us", "yes")])
    (table,) = drawn
    assert [str(cell) for cell in table.columns[0].cells] == ["[bold]", "us"]
    assert [row.style for row in table.rows] == ["red", None]
