"""Why a verdict is not `passed`, in sentences for who reads a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from failover.chaos.judging.expectations import ExpectationResult
from failover.chaos.judging.invariants import InvariantResult
from failover.chaos.judging.judge import Judgement
from failover.chaos.scenario import Scenario


def failures_of(
    expectations: Iterable[ExpectationResult], invariants: Iterable[InvariantResult]
) -> tuple[str, ...]:
    """What does not hold: a sentence for each."""
    broken = [
        f"invariant {each.name} is violated: {each.violations[0]}" for each in invariants if not each.kept
    ]
    unmet = [_unmet(each) for each in expectations if not each.ok]
    return (*broken, *unmet)


def gaps_of(scenario: Scenario, judgement: Judgement) -> tuple[str, ...]:
    """Why nothing was shown: a sentence for each reason."""
    return (*_no_steady_state(scenario, judgement), *_nothing_exercised(judgement))


def _unmet(result: ExpectationResult) -> str:
    if result.name.startswith("sometimes."):
        return f"expectation {result.name}: it never happened"
    if result.name.startswith("never."):
        return f"expectation {result.name}: it happened {result.measured:g} times"
    if result.measured is None:
        return f"expectation {result.name}: {result.limit:g} was asked, and nothing could be measured"
    return f"expectation {result.name}: {result.limit:g} was asked, {result.measured:.6g} was measured"


def _no_steady_state(scenario: Scenario, judgement: Judgement) -> Iterator[str]:
    steady, asked = judgement.measures.steady, scenario.steady_state
    when = "ended before the first injection" if scenario.injections else "ended"
    if steady.requests < asked.requests_min:
        yield f"no steady state: {steady.requests} requests {when}, {asked.requests_min} are needed"
    elif steady.success_ratio is not None and steady.success_ratio < asked.success_ratio_min:
        yield (
            f"no steady state: {steady.success_ratio:.6g} of the requests that {when} were served, "
            f"{asked.success_ratio_min:g} are needed"
        )


def _nothing_exercised(judgement: Judgement) -> Iterator[str]:
    injections = judgement.coverage.injections
    if not judgement.measures.requests:
        yield "nothing was exercised: no request arrived"
    elif injections and not any(each.exercised for each in injections):
        named = ", ".join(f"{each.kind} of {each.selector}" for each in injections)
        yield f"nothing was exercised: no attempt met an injection while it was active ({named})"
