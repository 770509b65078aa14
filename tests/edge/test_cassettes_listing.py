"""`failover cassettes` shows what cassettes hold and how the router sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import failover.cassettes.episodes
from failover.cassettes.episodes import load_folder
from failover.cassettes.listing import listing_of, totals_of
from failover.cli.cassettes import command

REPOSITORY = Path(__file__).parents[2]
RECORDED = REPOSITORY.parent / "shared" / "real-cassettes"
KEYS = [
    "file",
    "n",
    "provider",
    "model",
    "endpoint",
    "stream",
    "status",
    "outcome",
    "kind",
    "scope",
    "retry_after_s",
]


@pytest.fixture
def folder(tmp_path):
    """One cassette: a success, then a refusal with a waiting hint."""

    def exchange(status, headers, body):
        request = {
            "method": "POST",
            "uri": "https://api.openai.com/v1/chat/completions",
            "body": '{"model": "gpt-4o"}',
            "headers": {},
        }
        return {
            "request": request,
            "response": {"status": {"code": status}, "headers": headers, "body": {"string": body}},
        }

    document = {
        "interactions": [
            exchange(200, {}, '{"choices": [{"finish_reason": "stop"}]}'),
            exchange(429, {"Retry-After": ["7"]}, '{"error": {"code": "rate_limit_exceeded"}}'),
        ],
        "version": 1,
    }
    (tmp_path / "openai").mkdir()
    (tmp_path / "openai" / "a.yaml").write_text(yaml.safe_dump(document))
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_the_json_is_a_list_of_exactly_these_facts(folder):
    done = run(folder, "--json", "-")
    success, refusal = json.loads(done.stdout)
    assert done.exit_code == 0
    assert list(success) == KEYS
    assert success == {
        "file": "openai/a.yaml",
        "n": 0,
        "provider": "openai",
        "model": "gpt-4o",
        "endpoint": "chat.completions",
        "stream": False,
        "status": 200,
        "outcome": "success",
        "kind": None,
        "scope": None,
        "retry_after_s": None,
    }
    assert {key: refusal[key] for key in ("n", "status", "outcome", "kind", "scope", "retry_after_s")} == {
        "n": 1,
        "status": 429,
        "outcome": "failure",
        "kind": "rate_limited",
        "scope": "credential_model",
        "retry_after_s": 7.0,
    }


def test_people_get_a_table_and_a_sum(folder):
    done = run(folder)
    assert done.exit_code == 0
    assert "openai/a.yaml" in done.stdout
    assert "rate_limited" in done.stdout
    assert "2 episodes in 1 cassettes, 1 failures: rate_limited 1" in done.stdout


def test_json_in_a_file_leaves_the_table_on_the_terminal(folder, tmp_path):
    target = tmp_path / "list.txt"
    done = run(folder, "--json", target)
    assert (done.exit_code, len(json.loads(target.read_text()))) == (0, 2)
    assert "2 episodes" in done.stdout


def test_several_paths_are_listed_one_after_the_other(folder):
    done = run(folder, folder / "openai" / "a.yaml", "--json", "-")
    assert [row["file"] for row in json.loads(done.stdout)] == ["openai/a.yaml"] * 2 + ["a.yaml"] * 2


def test_each_problem_is_one_line_and_the_code_is_2(folder):
    (folder / "b.yaml").write_text("interactions: [")
    (folder / "c.json").write_text("{}")
    done = run(folder, folder / "nowhere", "--json", "-")
    assert (done.exit_code, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 3
    assert all(line.startswith("error: ") for line in done.stderr.splitlines())


def test_a_folder_without_cassettes_is_invalid(tmp_path):
    done = run(tmp_path)
    assert done.exit_code == 2
    assert "holds no cassette" in done.stderr


def test_a_list_that_cannot_be_written_is_told(folder):
    done = run(folder, "--json", folder / "no" / "such" / "list.json")
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


def test_control_c_ends_with_130(folder, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(failover.cassettes.episodes, "load_folder", interrupted)
    assert run(folder).exit_code == 130


@pytest.mark.parametrize("arguments", [[], ["--json", "-"]])
def test_a_reader_that_leaves_early_is_no_error(folder, arguments):
    """The pipe is closed before anything is written into it."""
    done = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-m", "failover", "cassettes", str(folder), *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    done.stdout.close()
    told = done.stderr.read()
    done.stderr.close()
    assert (done.wait(timeout=60), told) == (0, b"")


def test_totals_count_kinds_most_frequent_first(folder):
    rows = listing_of(load_folder(folder))
    totals = totals_of([*rows, rows[1], {**rows[1], "kind": "overloaded"}])
    assert (totals.episodes, totals.files, totals.failures) == (4, 1, 3)
    assert totals.kinds == (("rate_limited", 2), ("overloaded", 1))


def test_all_recorded_exchanges_are_listed_and_every_error_has_a_kind():
    if not RECORDED.is_dir():
        pytest.skip("the recorded exchanges are not beside this repository")
    rows = listing_of(load_folder(RECORDED))
    assert len(rows) == 295
    assert all(row["kind"] and row["scope"] for row in rows if row["status"] >= 400)
    assert all((row["kind"] is None) == (row["outcome"] == "success") for row in rows)
    hints = {row["retry_after_s"] for row in rows} - {None}
    assert {0.66, 1.0, 3.0, 4.0, 5.0, 7.0, 8.0, 20.0, 26.0} == hints
