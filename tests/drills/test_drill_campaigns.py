"""`failover drill` with many seeds, many processes and two configs: what it prints, writes and ends with."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from rich.console import Console

from failover.chaos import drill
from failover.chaos.campaign import agreement
from failover.chaos.campaign.job import Job, JobResult
from failover.chaos.campaign.pools import Here
from failover.chaos.campaign.runner import CampaignError
from failover.chaos.judging.verdict import Conclusion, Refused, Skipped
from failover.cli import drill_telling, drilling
from failover.cli.drill import command
from tests.drills.campaigns import STORY
from tests.drills.journals import calm, verdict_on
from tests.drills.worlds import CONFIG, LITELLM_WARNS, ROOT, written

pytestmark = LITELLM_WARNS
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "comparison.schema.json").read_text("utf-8"))
PASSED = verdict_on(calm())


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A drill of a minute, with an outage that the second target takes over."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "remembered"))
    return written(tmp_path, STORY)


@pytest.fixture
def alone(story: Path) -> Path:
    """The same config without anybody to fall back to."""
    file = story.with_name("alone.yaml")
    file.write_text(CONFIG.replace("chain: [gpt, claude]", "chain: [gpt]"), "utf-8")
    return file


def run(*words):
    return CliRunner().invoke(command, [str(word) for word in words])


def test_many_seeds_are_told_in_one_block_and_written_each(story, tmp_path):
    done = run(story, "--seeds", 4, "--seed", 3, "--json", tmp_path / "v.json", "--journal", tmp_path / "j")
    assert done.exit_code == 0
    assert done.stdout.count("PASSED") == 1
    assert "PASSED  story  (simulate, 4 seeds)" in done.stdout
    assert f"worst: failover drill {story} --seed " in done.stdout
    assert "4 passed in" in done.stdout
    assert [each["seed"] for each in json.loads((tmp_path / "v.json").read_text("utf-8"))] == [3, 4, 5, 6]
    journals = {file.name for file in (tmp_path / "j").iterdir()}
    assert journals == {f"story.simulate.seed-{seed}.jsonl" for seed in range(3, 7)}


def test_seeds_that_fail_are_counted_and_the_worst_is_named(story):
    story.write_text(STORY + "expect: {latency_p95_max_s: 0.01}\n", "utf-8")
    done = run(story, "--seeds", 3)
    assert done.exit_code == 1
    text = " ".join(done.stdout.split())
    assert "FAILED story (simulate, 3 seeds) seeds 3 failed" in text
    assert "why expectation latency_p95_max_s: 3 of 3 seeds" in text


def test_of_many_seeds_the_worst_one_is_drawn(story, tmp_path):
    run(story, "--seeds", 3, "--report", tmp_path / "out")
    drawn = json.loads((tmp_path / "out" / "pictures.json").read_text("utf-8"))
    told = run(story, "--seeds", 3).stdout
    assert [f"--seed {each['seed']} " in told for each in drawn] == [True]
    assert len(json.loads((tmp_path / "out" / "verdicts.json").read_text("utf-8"))) == 3


def test_processes_draw_as_this_one_does(story, tmp_path):
    for jobs in ("1", "2"):
        run(story, "--seeds", 3, "--jobs", jobs, "--report", tmp_path / jobs)
    here, elsewhere = (tmp_path / jobs / "pictures.json" for jobs in ("1", "2"))
    assert here.read_bytes() == elsewhere.read_bytes()


def test_a_comparison_is_told_to_a_pull_request(story, alone):
    done = run(story, "--compare", alone, "--markdown", "-")
    assert done.stdout.startswith("### What does this change do to survivability?")
    assert "measure" in done.stderr


def test_quiet_tells_only_scenarios_with_a_seed_that_did_not_pass(story):
    assert run(story, "--seeds", 2, "--quiet").output == ""
    story.write_text(STORY + "expect: {latency_p95_max_s: 0.01}\n", "utf-8")
    assert run(story, "--seeds", 2, "--quiet").output.startswith("FAILED  story")


def test_what_is_wrong_or_does_not_apply_is_told_once_for_all_seeds(story, tmp_path):
    story.write_text(STORY + "modes: [replay]\n", "utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text(STORY.replace("route: chat", "route: other"), "utf-8")
    done = run(story, broken, "--seeds", 5, "--mode", "simulate")
    assert done.exit_code == 2
    assert done.stdout.count("SKIPPED") == 1
    assert done.stderr.count("has no route") == 1
    assert "1 skipped, 1 invalid" in done.stdout


def test_both_modes_are_drilled_and_agree(story):
    done = run(story, "--mode", "both")
    assert done.exit_code == 0, done.output
    assert "(simulate, seed 0)" in done.stdout
    assert "(replay, seed 0)" in done.stdout
    assert "2 passed" in done.stdout


def test_modes_that_disagree_deviate(story, monkeypatch):
    monkeypatch.setattr(agreement, "disagreement", lambda *_: "story: they disagree")
    done = run(story, "--mode", "both")
    assert done.exit_code == 1
    assert "story: they disagree" in done.stdout


def test_a_worse_config_is_found_worse(story, alone, tmp_path):
    words = ("--json", tmp_path / "c.json", "--journal", tmp_path / "j")
    done = run(story, "--seeds", 6, "--compare", alone, *words)
    assert done.exit_code == 1
    text = " ".join(done.stdout.split())
    assert "What does this change do to survivability? It makes it worse: of 6 drills" in text
    assert "fewer requests are served in 1 of 1 scenarios (story)." in text
    document = json.loads((tmp_path / "c.json").read_text("utf-8"))
    jsonschema.validate(document, SCHEMA)
    assert document["other"] == str(alone)
    assert len(list((tmp_path / "j").glob("story.simulate.seed-*.base.jsonl"))) == 6
    assert len(list((tmp_path / "j").glob("story.simulate.seed-*.other.jsonl"))) == 6


def test_the_reverse_is_better_and_ends_well(story, alone):
    done = run(story, "--seeds", 6, "--config", alone, "--compare", story.with_name("failover.yaml"))
    assert done.exit_code == 0
    assert "It makes it better" in done.stdout


def test_the_same_config_changes_nothing(story):
    same = story.with_name("failover.yaml")
    done = run(story, "--compare", same)
    assert done.exit_code == 0
    assert "the same in every world" in done.stdout
    assert run(story, "--compare", same, "--quiet").output == ""


def test_a_config_that_cannot_be_drilled_is_no_comparison(story, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(CONFIG.replace("chat:", "talk:"), "utf-8")
    done = run(story, "--seeds", 3, "--compare", other, "--json", tmp_path / "c.json")
    assert done.exit_code == 2
    assert done.stderr.count("has no route 'chat'") == 1
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--compare", "other.yaml", "--junit", "v.xml"],
        ["--compare", "other.yaml", "--html", "v.html"],
        ["--compare", "other.yaml", "--report", "folder"],
        ["--compare", "-"],
        ["--jobs", "2", "--dask", "tcp://127.0.0.1:8786"],
        ["--seeds", "0"],
        ["--jobs", "0"],
    ],
)
def test_what_cannot_be_asked_together_is_refused(story, words):
    done = run(story, *words)
    assert done.exit_code == 2
    assert done.stderr.startswith("Usage:")


def test_a_missing_dask_is_told_how_to_install(story, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "failover.chaos.campaign.dask_pool", raising=False)
    done = run(story, "--dask", "tcp://127.0.0.1:8786")
    assert done.exit_code == 2
    assert done.stderr == "distributed is not installed: pip install 'failover[dask]'\n"


def test_ctrl_c_among_many_seeds_tells_those_that_are_there(story, monkeypatch):
    def strikes_at_the_third(*_, seed, **__):
        if seed == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return replace(PASSED, seed=seed)

    monkeypatch.setattr(drill, "run_drill", strikes_at_the_third)
    done = run(story, "--seeds", 9)
    assert done.exit_code == 130
    assert "(simulate, 2 seeds)" in done.stdout
    assert "interrupted while drilling story; so far: 2 passed" in done.stdout


def test_a_campaign_that_cannot_go_on_says_so_and_what_was_reached(story, monkeypatch):
    def lost(jobs, _pool, _work):
        yield JobResult(jobs[0], PASSED)
        raise CampaignError("the scheduler is gone")

    monkeypatch.setattr(drilling, "run_jobs", lost)
    done = run(story, "--seeds", 2)
    assert done.exit_code == 2
    assert done.stderr == "the scheduler is gone\n"
    assert "(simulate, 1 seed)" in done.stdout


class Started(Here):
    """A stand-in for processes, that says how many were asked for."""

    def __init__(self, workers):
        raise RuntimeError(f"{workers} processes")


@pytest.mark.parametrize(
    ("words", "workers"),
    [((), 0), (("--seeds", 50), 0), (("--jobs", 1), 0), (("--jobs", 8), 0), (("--jobs", 8, "--seeds", 3), 3)],
)
def test_processes_are_started_where_they_are_worth_it(story, monkeypatch, words, workers):
    monkeypatch.setattr(drilling, "Processes", Started)
    monkeypatch.setattr(drill, "run_drill", lambda *_, **__: PASSED)
    done = run(story, *words)
    assert (f"{workers} processes" in done.stderr) is (workers > 0)


def test_much_work_is_shared_among_the_processors_that_we_may_use(story, monkeypatch):
    monkeypatch.setattr(drilling, "Processes", Started)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 2, 3}, raising=False)
    story.write_text(STORY.replace("for_s: 60", "for_s: 60000"), "utf-8")
    assert "3 processes" in run(story, "--seeds", 10).stderr
    assert "2 processes" in run(story, "--seeds", 2).stderr


RESULTS = [
    JobResult(Job(Path("a.yaml"), "a", 0, "simulate"), outcome)
    for outcome in (PASSED, Skipped("a", ""), replace(PASSED, verdict=Conclusion.FAILED), Refused("a", ()))
]


def progress(*, terminal, quiet=False, total=4):
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80, color_system=None)
    with drill_telling.Progress(console, total, quiet=quiet) as shown:
        for result in RESULTS:
            shown.awaits("[bold]a")
            shown.advance(result)
        shown.awaits("[bold]a")
    return file.getvalue()


def test_a_log_is_told_now_and_then_how_far_it_is(monkeypatch):
    assert progress(terminal=False) == ""
    monkeypatch.setattr(drill_telling, "LINE_EVERY_S", 0.0)
    lines = progress(terminal=False).splitlines()
    assert lines == [
        f"drilled {n} of 4 in 0 s; {bad} did not pass" for n, bad in ((1, 0), (2, 0), (3, 1), (4, 2))
    ]


@pytest.mark.parametrize("total", [1, 4])
def test_a_terminal_shows_a_bar_and_a_name_as_it_is(total):
    shown = progress(terminal=True, total=total)
    assert "[bold]a" in shown
    assert ("4/4" in shown) is (total == 4)


def test_quiet_shows_no_progress(monkeypatch):
    monkeypatch.setattr(drill_telling, "LINE_EVERY_S", 0.0)
    assert progress(terminal=True, quiet=True) + progress(terminal=False, quiet=True) == ""
