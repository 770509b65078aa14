"""Many jobs over any executor: in order, as many at a time as there is room for, and none ever lost."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import Future

import pytest

from failover.chaos.campaign import runner
from failover.chaos.campaign.job import Crashed, JobResult
from failover.chaos.campaign.pools import Here, Processes
from failover.chaos.campaign.runner import AHEAD, CampaignError, run_jobs
from failover.chaos.judging.verdict import Refused, Skipped
from tests.drills.campaigns import Shared, Threads, act, did, in_words, job, jobs


def told(*names):
    return [f"{number} {name}" for number, name in enumerate(names)]


def test_results_come_in_the_order_of_the_jobs_whoever_is_first():
    count = 8
    ended = [threading.Event() for _ in range(count + 1)]
    ended[count].set()

    def after_the_next(this):
        ended[this.seed + 1].wait()
        ended[this.seed].set()
        return JobResult(this, Skipped("", str(this.seed)))

    results = run_jobs([job(number) for number in range(count)], Threads(count), after_the_next)
    assert in_words(results) == [str(number) for number in range(count)]


def test_a_slow_job_lets_others_go_ahead_so_far_and_no_farther():
    taken, enough = [], threading.Event()
    furthest = AHEAD * 2

    def endless():
        while True:
            taken.append(len(taken))
            if len(taken) == furthest:
                enough.set()
            yield job(len(taken))

    def first_is_slow(this):
        if this.seed == 1:
            enough.wait()
        return JobResult(this, Skipped("", str(this.seed)))

    results = run_jobs(endless(), Threads(2), first_is_slow)
    assert did(next(results)) == "1"
    assert len(taken) == furthest
    assert did(next(results)) == "2"


def test_jobs_are_read_as_far_as_there_is_room():
    taken = []
    source = (taken.append(number) or job(number) for number in range(1000))
    results = run_jobs(source, Here(), act)
    next(results)
    assert len(taken) == 1


def test_no_jobs_give_no_results():
    assert list(run_jobs([], Here(), act)) == []


@pytest.mark.parametrize("pool", [Here, Threads])
def test_a_job_that_raises_costs_no_other_its_result(pool):
    results = list(run_jobs(jobs("works", "raises", "works"), pool(), act))
    assert in_words(results) == ["0 works", "Crashed", "2 works"]
    crashed = results[1].outcome
    assert isinstance(crashed, Crashed)
    assert crashed.error == "ZeroDivisionError: raises"
    assert "in act" in crashed.trace


def test_ctrl_c_in_a_job_ends_the_campaign():
    def struck(_this):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run_jobs(jobs("works"), Here(), struck))


def test_what_goes_wrong_in_a_process_is_told_of_its_job_alone():
    names = ("works", "raises", "leaves", "returns what does not travel", "works")
    with Processes(2) as pool:
        results = list(run_jobs(jobs(*names), pool, act))
    assert in_words(results) == ["0 works", "Crashed", "Crashed", "Crashed", "4 works"]
    assert results[2].outcome.error == "SystemExit: 3"


def test_a_process_that_dies_costs_no_result(tmp_path):
    names = ("works", "dies once", "works", "dies once", "works")
    with Processes(2) as pool:
        assert in_words(run_jobs(jobs(*names, marks=tmp_path), pool, act)) == told(*names)


@pytest.mark.parametrize("pool", [lambda: Processes(2), Shared], ids=["one process each", "shared"])
def test_a_job_that_kills_every_process_is_named_and_costs_no_other_its_result(pool, tmp_path):
    names = ("works", "works", "dies", "works", "dies once", "works", "works")
    with pool() as place:
        results = list(run_jobs(jobs(*names, marks=tmp_path), place, act))
    words = told(*names)
    words[2] = "Refused"
    assert in_words(results) == words
    refused = results[2].outcome
    assert isinstance(refused, Refused)
    assert refused.complaints == (
        "dies (simulate, seed 2): its process died each time it ran, 3 times; out of memory, or killed?",
    )


def test_where_nothing_lives_the_campaign_ends_instead_of_trying_for_ever(monkeypatch):
    monkeypatch.setattr(runner, "HOPELESS", 1)
    with Processes(1) as pool, pytest.raises(CampaignError, match="no process lives long enough"):
        list(run_jobs(jobs("dies", "works"), pool, act))


def test_a_process_that_dies_between_two_jobs_is_replaced():
    with Processes(1) as pool:
        results = run_jobs(jobs("tells its process", "tells its process"), pool, act)
        first = did(next(results))
        (worker,) = multiprocessing.active_children()
        worker.kill()
        worker.join()
        assert did(next(results)) != first


def test_whoever_leaves_in_the_middle_leaves_no_process():
    before = set(multiprocessing.active_children())
    with Processes(2) as pool:
        results = run_jobs(jobs("works", "never ends", "never ends"), pool, act)
        assert did(next(results)) == "0 works"
        assert set(multiprocessing.active_children()) - before
    assert set(multiprocessing.active_children()) == before


def test_an_executor_that_takes_jobs_back_ends_the_campaign():
    class Stopping(Threads):
        def open(self):
            executor = super().open()
            executor.submit = taken_back
            return executor

    def taken_back(*_):
        future = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future

    with pytest.raises(CampaignError, match=r"works \(simulate, seed 0\) was taken back"):
        list(run_jobs(jobs("works"), Stopping(), act))


def test_processes_that_cannot_even_start_are_told(monkeypatch):
    class Broken(Threads):
        def open(self):
            raise_at_once = super().open()
            monkeypatch.setattr(raise_at_once, "submit", broken)
            return raise_at_once

    def broken(*_):
        raise runner.BrokenExecutor

    with pytest.raises(CampaignError, match="die as soon as they are started"):
        list(run_jobs(jobs("works"), Broken(), act))
