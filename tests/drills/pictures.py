"""Pictured drills made of journals by hand, and names that would like to be markup."""

from __future__ import annotations

from typing import Any

from failover.chaos.judging.excerpts import excerpts
from failover.chaos.judging.judge import Judge
from failover.chaos.judging.moments import Moments
from failover.chaos.judging.timeline import Band, Timeline
from failover.chaos.judging.timeline_tally import TimelineTally
from failover.chaos.judging.verdict import compose
from failover.chaos.pictured import Pictured
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.failures import FailureKind
from tests.drills.journals import FACTS, FALLBACK, OUTAGE, Journal, calm, route, scenario

BAND = Band("outage", "target gpt", is_fault=True, share=1.0, starts_s=100.0, ends_s=200.0, hits=("gpt",))
TIGHT = {"latency_p95_max_s": 0.1, "amplification_max": 1.0, "success_ratio_min": 1.0}
HOSTILE = (
    "<img src=x onerror=alert(1)></script><script>alert(2)</script>|`@team` #1 %{x} [a](http://x) $b$ ' \""
)


def tallied(journal: Journal, for_s: float = 600.0) -> Timeline:
    """The timeline of a journal."""
    tally = TimelineTally(for_s)
    judge = Judge(scenario(OUTAGE), Routes.only(route()), [tally])
    for event in journal.events:
        judge.see(event)
    return tally.timeline()


def pictured(
    journal: Journal, where: Scenario | None = None, *bands: Band, oracle: tuple[Any, ...] = ()
) -> Pictured:
    """A journal's verdict with its pictures; `oracle` is what it told of each request."""
    where = where or scenario()
    tally, moments = TimelineTally(where.workload.for_s), Moments()
    judge = Judge(where, Routes.only(route()), [tally, moments])
    for event in journal.events:
        judge.see(event)
    for told in oracle:
        tally.oracle_told(*told)
    verdict = compose(where, judge.finish(journal.now), FACTS)
    return Pictured(verdict, tally.timeline(bands), excerpts(verdict, moments), where.title)


def stormy(fails_for: str = "gpt", other: str = "claude") -> Journal:
    """An outage of one target: a fallback, an unserved call, an open breaker, a cooldown, a retirement."""
    journal = calm().at(100.0).starts()
    call = journal.call().asks(fails_for).fails(FailureKind.SERVER_ERROR, status=503)
    journal.breaker(fails_for, "closed", "open", journal.now + 10.0)
    call.asks(other, FALLBACK).answers(tokens=(10, 20)).ends(other)
    journal.call().asks(other).fails(FailureKind.TIMEOUT).ends(error="AllTargetsFailedError")
    journal.served(other, times=20).cools_down("mistral", journal.now + 30.0).at(200.0).ends()
    journal.breaker(fails_for, "open", "half-open")
    journal.call().asks(fails_for, probe=True).answers().ends(fails_for)
    return journal.breaker(fails_for, "half-open", "closed").served(times=30).retires("mistral").at(600.0)


def failing() -> Pictured:
    """A drill of which too much was expected."""
    return pictured(stormy(), scenario(OUTAGE, name="too-tight", expect=TIGHT), BAND)


def passing() -> Pictured:
    """A drill that held."""
    return pictured(stormy(), scenario(OUTAGE, name="held"), BAND)
