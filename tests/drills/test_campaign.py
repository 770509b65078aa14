"""A campaign of real drills: the same results however many processes ran it, and what Ctrl-C leaves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from failover.chaos.campaign.agreement import disagreement
from failover.chaos.campaign.job import Job, run_job
from failover.chaos.campaign.pools import Here, Processes
from failover.chaos.campaign.runner import run_jobs
from failover.chaos.campaign.seeds import summarize
from failover.chaos.judging.verdict import Conclusion, Quantiles, Refused, Skipped, Verdict, to_json
from tests.drills.campaigns import STORY
from tests.drills.journals import OUTAGE, Journal, calm, scenario, verdict_on, weathered
from tests.drills.worlds import LITELLM_WARNS, ROOT, written

pytestmark = LITELLM_WARNS
COMMAND = [sys.executable, "-m", "failover", "drill"]


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the story's images are: found out once, so that no process loads litellm for it."""
    folder = tmp_path_factory.mktemp("remembered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        run_job(Job(written(folder, STORY), "story", 0, "simulate"))
    return folder


@pytest.fixture
def story(tmp_path: Path, remembered: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short drill."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(remembered))
    return written(tmp_path, STORY)


def seeds_of(story: Path, count: int, journals: Path) -> list[Job]:
    journals.mkdir()
    return [
        Job(story, "story", seed, "simulate", journal=journals / f"{seed}.jsonl") for seed in range(count)
    ]


def untimed(results) -> list[dict]:
    """What the JSON report would say of each, without the real time it took."""
    told = [to_json(result.outcome) for result in results]
    return [{key: value for key, value in each.items() if key != "wall_s"} for each in told]


def test_one_process_and_two_give_equal_results_and_journals(story, tmp_path):
    here = untimed(run_jobs(seeds_of(story, 5, tmp_path / "here"), Here()))
    with Processes(2) as pool:
        elsewhere = untimed(run_jobs(seeds_of(story, 5, tmp_path / "elsewhere"), pool))
    assert here == elsewhere
    assert len({each["journal_sha256"] for each in here}) == 5
    for file in (tmp_path / "here").iterdir():
        assert file.read_bytes() == (tmp_path / "elsewhere" / file.name).read_bytes()


def test_a_job_may_run_in_another_folder_and_says_the_same(story, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = Job(Path("story.yaml"), "story", 0, "simulate", config=Path("failover.yaml"))
    here = run_job(job)
    monkeypatch.chdir(ROOT)
    assert untimed([run_job(replace(job, folder=tmp_path))]) == untimed([here])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title: x", "the key 'config' is missing"),
        (STORY.replace("route: chat", "route: other"), "has no route 'other'"),
        (STORY.replace("cassettes: cassettes", "cassettes: nowhere"), "there is no such folder of cassettes"),
    ],
)
def test_a_job_that_cannot_run_says_why_in_its_result(story, text, complaint):
    story.write_text(text, "utf-8")
    refused = run_job(Job(story, "story", 0, "simulate")).outcome
    assert isinstance(refused, Refused)
    assert complaint in " ".join(refused.complaints)


def test_a_journal_that_cannot_be_written_is_a_result_too(story, tmp_path):
    job = Job(story, "story", 0, "simulate", journal=tmp_path / "nowhere" / "a.jsonl")
    assert "No such file" in run_job(job).outcome.complaints[0]


def test_a_mode_that_does_not_apply_is_skipped(story):
    story.write_text(STORY + "modes: [replay]\n", "utf-8")
    assert isinstance(run_job(Job(story, "story", 0, "simulate")).outcome, Skipped)


LONG = STORY.replace("for_s: 60}", "for_s: 1000000}")


def test_ctrl_c_tells_what_was_reached_and_leaves_no_process(story, tmp_path):
    """The whole group of the terminal is struck, as a terminal does it."""
    long = tmp_path / "very-long.yaml"
    long.write_text(LONG, "utf-8")
    process = subprocess.Popen(  # noqa: S603  our own interpreter and our own words
        [*COMMAND, str(story), str(long), str(long), "--jobs", "2", "--json", str(tmp_path / "v.json")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        text=True,
    )
    # A slow machine tells before that how far it is.
    assert any(line.startswith("PASSED  story") for line in process.stdout)
    os.killpg(process.pid, signal.SIGINT)
    told, complained = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted while drilling very-long; so far: 1 passed" in told
    assert complained == ""
    assert '"scenario": "story"' in (tmp_path / "v.json").read_text("utf-8")
    assert gone(process.pid)


def gone(group: int) -> bool:
    """Whether the last process of the group has ended: the one that tracks resources ends after ours."""
    for _ in range(1_000_000):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-group, os.WNOHANG)
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        os.sched_yield()
    return False


def drilled(
    seed: int, served: float, conclusion: Conclusion = Conclusion.PASSED, p95: float = 1.0
) -> Verdict:
    verdict = verdict_on(calm())
    reasons = (
        () if conclusion is Conclusion.PASSED else (f"expectation x: 1 was asked, {served} was measured",)
    )
    figures = {"success_ratio": served, "latency_s": Quantiles(p95, p95, p95), "cost_per_1k_usd": served}
    return replace(verdict, seed=seed, verdict=conclusion, reasons=reasons, **figures)


def test_seeds_are_summed_up_and_the_worst_is_named():
    verdicts = [
        drilled(1, 1.0),
        drilled(2, 0.9, p95=3.0),
        drilled(3, 0.95, Conclusion.FAILED),
        drilled(4, 0.99, Conclusion.FAILED),
        drilled(5, 0.5, Conclusion.UNKNOWN),
    ]
    summary = summarize(verdicts)
    assert summary.verdicts == {Conclusion.PASSED: 2, Conclusion.FAILED: 2, Conclusion.UNKNOWN: 1}
    assert summary.verdict is Conclusion.FAILED
    assert summary.worst.seed == 3
    assert (summary.success_ratio_min, summary.success_ratio_median) == (0.5, 0.95)
    assert (summary.latency_p95_median_s, summary.latency_p95_max_s) == (1.0, 3.0)
    assert summary.reasons == (("expectation x", 3),)


def test_seeds_with_nothing_measured_are_summed_up_as_nothing():
    summary = summarize([verdict_on(Journal(), scenario(OUTAGE))])
    assert (summary.success_ratio_min, summary.latency_p95_max_s, summary.cost_per_1k_median_usd) == (
        None,
    ) * 3


def test_modes_that_decide_alike_agree():
    verdict = verdict_on(weathered(), scenario(OUTAGE))
    assert disagreement(verdict, replace(verdict, mode="replay", wall_s=9.0)) == ""
    told = disagreement(verdict, replace(verdict, mode="replay", attempts=verdict.attempts + 1))
    assert told.startswith(
        "story, seed 7: simulate and replay disagree, which is a bug of failover: attempts 83 and"
    )
