"""A real Dask cluster of two worker processes: the same results, also when workers die."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("distributed", reason="the extra dask is not installed")
import dask
from distributed import LocalCluster

from failover.chaos.campaign.dask_pool import DaskCluster, look, run_elsewhere, wrong_with
from failover.chaos.campaign.job import Job
from failover.chaos.campaign.runner import CampaignError, run_jobs
from failover.chaos.campaign.software import Software, software
from failover.chaos.judging.verdict import Refused
from failover.cli.drill import command
from tests.drills.campaigns import STORY, act, did, in_words, jobs
from tests.drills.worlds import LITELLM_WARNS, written

pytestmark = [
    *LITELLM_WARNS,
    # A worker that is killed, or a cluster that is closed, leaves connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes on loopback; a job that kills one is given up at once, to be tried alone."""
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.multiprocessing-method": "spawn",
        # Fifteen seconds after a worker was lost a cluster looks, and closes it where it is being restarted.
        "distributed.deploy.lost-worker-timeout": "1h",
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            # None would ask for one known port, which two runs of the tests cannot share.
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            silence_logs=50,
        ) as here,
    ):
        yield here


@pytest.fixture
def address(cluster):
    return cluster.scheduler_address


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "remembered"))
    return written(tmp_path, STORY)


def told(*names):
    return [f"{number} {name}" for number, name in enumerate(names)]


def drilled(story, report, *words):
    done = CliRunner().invoke(command, [str(story), "--seeds", "4", "--json", str(report), *words])
    assert done.exit_code == 0, done.output
    return [
        {key: value for key, value in verdict.items() if key != "wall_s"}
        for verdict in json.loads(report.read_text("utf-8"))
    ]


def test_a_cluster_gives_the_results_of_this_process(address, story, tmp_path):
    here = drilled(story, tmp_path / "here.json")
    there = drilled(
        story, tmp_path / "there.json", "--dask", address, "--journal", str(tmp_path / "journals")
    )
    assert here == there
    assert len(list((tmp_path / "journals").iterdir())) == 4


def test_a_worker_that_is_killed_in_the_middle_costs_no_result(address):
    names = ["tells its process", *["works"] * 60]
    with DaskCluster(address, []) as pool:
        results = run_jobs(jobs(*names), pool, act)
        os.kill(int(did(next(results))), signal.SIGKILL)
        assert in_words(results) == told(*names)[1:]


def test_a_job_that_kills_every_worker_is_named_and_costs_no_other_its_result(address, tmp_path):
    names = ("works", "works", "dies", "works", "dies once", "works", "works")
    with DaskCluster(address, []) as pool:
        results = list(run_jobs(jobs(*names, marks=tmp_path), pool, act))
    words = told(*names)
    words[2] = "Refused"
    assert in_words(results) == words
    assert "dies (simulate, seed 2): its process died" in results[2].outcome.complaints[0]


def test_a_job_that_raises_is_told_of_that_job_alone(address):
    with DaskCluster(address, []) as pool:
        assert in_words(run_jobs(jobs("works", "raises", "works"), pool, act)) == [
            "0 works",
            "Crashed",
            "2 works",
        ]


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("tcp://127.0.0.1:1", "no Dask scheduler answers at tcp://127.0.0.1:1 within"),
        ("nonsense", "'nonsense' is no address of a Dask scheduler: missing port number"),
        ("ftp://here:1", "'ftp://here:1' is no address of a Dask scheduler: unknown address scheme"),
        ("", "'' is no address of a Dask scheduler"),
    ],
)
def test_where_no_scheduler_answers_one_error_says_so(story, wrong, complaint):
    done = CliRunner().invoke(command, [str(story), "--dask", wrong])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith(complaint)
    assert len(done.stderr.splitlines()) == 1


def test_a_cluster_without_workers_is_refused():
    where = {"dashboard_address": "127.0.0.1:0", "host": "127.0.0.1", "protocol": "tcp://"}
    with (
        LocalCluster(n_workers=0, processes=False, **where) as empty,
        pytest.raises(CampaignError, match="has no worker: start some"),
        DaskCluster(empty.scheduler_address, []),
    ):
        raise AssertionError


@pytest.fixture
def here(story):
    """What this process runs and sees."""
    return look([str(story), str(story.parent)])


def test_whoever_runs_and_sees_the_same_may_work(here):
    assert wrong_with(here, here) == ""


def test_other_software_is_refused(here):
    other = replace(here, software=replace(here.software, litellm="0.1"))
    assert wrong_with(other, here) == (
        f"runs another litellm 0.1, here it is {here.software.litellm}: install the same there as here"
    )


def test_a_worker_without_failover_is_refused(here):
    absent = ModuleNotFoundError("No module named 'failover'", name="failover")
    assert wrong_with(absent, here) == "lacks failover: install the same failover[drill] there as here"


def test_files_that_a_worker_does_not_see_are_named(here, story):
    blind = replace(here, contents=dict.fromkeys(here.contents, "absent"))
    assert wrong_with(blind, here).startswith(f"does not see {story}: files travel by path; share the folder")


def test_files_that_a_worker_sees_otherwise_are_named(here, story):
    other = replace(here, contents={**here.contents, str(story): "another digest"})
    assert wrong_with(other, here) == f"sees another content at {story}: bring it up to date"


def test_a_folder_is_another_when_a_file_in_it_is(here, story):
    story.with_name("more.yaml").write_text("{}", "utf-8")
    folder = str(story.parent)
    assert look([folder]).contents[folder] != here.contents[folder]


def test_a_worker_that_joins_late_with_other_software_drills_nothing(story):
    other = replace(software(), failover="0.0.1")
    outcome = run_elsewhere(other, Job(story, "story", 0, "simulate")).outcome
    assert isinstance(outcome, Refused)
    assert outcome.complaints[0].startswith("a worker of the cluster runs another failover")


def test_software_is_compared_by_every_part():
    one = Software("1", "2", "3.11", "abc")
    assert one.unlike(one) == ""
    assert one.unlike(Software("1", "2", "3.12", "abd")) == (
        "python 3.12, here it is 3.11; source of failover abd, here it is abc"
    )
