"""One script through the World driver's heap, the event loop and threads: the same calls, step by step.

Times are whole ticks of 1/64 s: sums of them are exact in floating point and in microseconds. The plans and
fates of different calls have different remainders, so that two calls rarely step in the same instant: what
happens then is a matter of order, and a script is compared up to there.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.chaos.modes import simulation
from failover.core.failures import Failure, FailureKind
from failover.core.policy import (
    BackoffPolicy,
    BreakerPolicy,
    Delivery,
    HedgePolicy,
    LastResort,
    OnContentFiltered,
    OnDoubt,
    Policy,
    RetryBudgetPolicy,
    StreamRecovery,
)
from failover.core.prices import DatedPrice, PriceBook
from failover.core.strategies import STRATEGIES
from failover.core.vocabulary import Route, Target, Usage
from tests.edge.scripted import FOR_EVER_S
from tests.edge.three_drivers import (
    TICK_S,
    Journal,
    Met,
    Plan,
    Script,
    through_the_heap,
    through_the_loop,
    through_threads,
)

CALLS_MAX = 7
PIECES_MAX = 4


def two_seconds(*numbers: int) -> st.SearchStrategy[float]:
    """Limits and waits: multiples of two seconds, which keep the remainder of whoever waits."""
    return st.sampled_from([2.0 * number for number in numbers])


def answered(first_s: float, rest_s: float, tokens: int, **how: Any) -> Met:
    """An answer; its parts come a tick later than whole seconds."""
    first_token_s = first_s + TICK_S
    return Met(Usage(tokens, 2 * tokens), first_token_s, first_token_s + rest_s + PIECES_MAX * TICK_S, **how)


def failed(kind: FailureKind, after_s: float, retry_after_s: float | None) -> Met:
    """A failure, a tick later than whole seconds."""
    return Met(Failure(kind, retry_after_s=retry_after_s), after_s + TICK_S, after_s + TICK_S, pieces=0)


def broken(kind: FailureKind, first_s: float, rest_s: float, **how: Any) -> Met:
    """An answer that breaks off after its first pieces."""
    return replace(answered(first_s, rest_s, 0, **how), outcome=Failure(kind))


SILENT = Met(Failure(FailureKind.LOCAL), FOR_EVER_S, FOR_EVER_S, pieces=0)
DOUBTS = st.sampled_from(
    [(), (), (Failure(FailureKind.WRONG_MODEL),), (Failure(FailureKind.MALFORMED_REPLY, code="tool_call"),)]
)
STREAMED: dict[str, st.SearchStrategy[Any]] = {
    "pieces": st.sampled_from([1, 2, PIECES_MAX]),
    "held": st.sampled_from([False, False, True]),
    "early": DOUBTS,
    "late": DOUBTS,
}
ANSWERED = st.builds(
    answered, two_seconds(0, 0, 1, 4), two_seconds(0, 0, 1, 20), st.integers(0, 500), **STREAMED
)
BROKEN = st.builds(
    broken, st.sampled_from(FailureKind), two_seconds(0, 0, 1, 4), two_seconds(0, 1, 20), **STREAMED
)
FAILED = st.builds(
    failed, st.sampled_from(FailureKind), two_seconds(0, 0, 1, 6), st.none() | two_seconds(0, 1, 2, 9)
)
MET = FAILED | ANSWERED | BROKEN | ANSWERED | FAILED | st.just(SILENT)
POLICIES = st.builds(
    Policy,
    deadline_s=two_seconds(1, 4, 20, 60),
    attempt_s=st.none() | two_seconds(2, 6),
    first_token_s=two_seconds(1, 3, 10),
    idle_s=st.sampled_from([FOR_EVER_S, 2.0, 6.0]),
    attempts=st.integers(1, 7),
    backoff=st.just(BackoffPolicy(initial_s=8.0, max_s=32.0)),
    retry_budget=st.builds(
        RetryBudgetPolicy, share=st.sampled_from([0.0, 0.25]), floor_per_s=st.sampled_from([0.0, 0.125])
    ),
    breaker=st.builds(
        BreakerPolicy,
        failures=st.integers(1, 4),
        min_requests=st.integers(2, 5),
        slow_s=two_seconds(1, 5),
        open_s=two_seconds(1, 2, 4),
        open_max_s=st.just(8.0),
        probes=st.integers(1, 2),
        ramp_s=st.sampled_from([0.0, 4.0, 16.0]),
    ),
    on_wrong_model=st.sampled_from(OnDoubt),
    on_unsound_tool_call=st.sampled_from(OnDoubt),
    on_content_filtered=st.sampled_from(OnContentFiltered),
    last_resort=st.sampled_from(LastResort),
    hedge=st.none()
    | st.builds(
        HedgePolicy, after_quantile=st.just(0.5), share=st.just(1.0), usd_share=st.sampled_from([None, 0.5])
    ),
    stream_recovery=st.sampled_from(StreamRecovery),
    delivery=st.sampled_from(Delivery),
    stream_upstream=st.booleans(),
)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """One to five targets that share fault domains, in one or two tiers."""
    targets = [
        Target(
            f"target-{turn}",
            draw(st.sampled_from(["openai", "azure", "anthropic"])),
            draw(st.sampled_from(["gpt", "claude"])),
            "eu",
            draw(st.sampled_from(["key-1", "key-2"])),
            context_window_tokens=draw(st.sampled_from([None, 8_000, 200_000])),
        )
        for turn in range(draw(st.integers(1, 5)))
    ]
    cut = draw(st.integers(0, len(targets)))
    chain = tuple(tuple(tier) for tier in (targets[:cut], targets[cut:]) if tier)
    return Route("chat", chain, draw(st.sampled_from(sorted(STRATEGIES))), draw(POLICIES))


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """A route with prices, up to seven overlapping calls, and what their sends meet."""
    route = draw(routes())
    arrivals = sorted(draw(st.lists(two_seconds(*range(12)), min_size=1, max_size=CALLS_MAX)))
    plans = tuple(
        Plan(
            at_s + 16 * number * TICK_S,
            draw(st.booleans()),
            draw(st.none() | two_seconds(1, 3, 30)),
            draw(st.none() | st.sampled_from(Delivery)),
            draw(st.booleans()),
        )
        for number, at_s in enumerate(arrivals, 1)
    )
    met = tuple(draw(st.lists(MET, min_size=4, max_size=12)))
    usd = st.integers(1, 9).map(lambda figure: (DatedPrice(figure * 10**9, figure * 10**9),))
    book = PriceBook({target.name: draw(usd) for target in route.targets() if draw(st.booleans())})
    return Script(route, plans, met, book, draw(st.integers(0, 1000)), draw(st.booleans()))


def agree(script: Script) -> Journal:
    """All drivers told the same, up to the first tie; returns what they told."""
    heap = through_the_heap(script)
    for other in (through_the_loop(script), through_threads(script)):
        until_s = min(heap.first_tie_s(), other.first_tie_s())
        assert heap.by_call(until_s) == other.by_call(until_s)
        assert heap.before(until_s) == other.before(until_s)
        if until_s == inf:
            assert heap.unserved == other.unserved
    return heap


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(scripts())
def test_all_drivers_obey_the_same_commands_at_the_same_times(script: Script):
    agree(script)


def one_call(*met: Met, at_s: float = 0.0, stream: bool = False, **limits: Any) -> Script:
    """One call on a route of two targets; the first fate is the first target's."""
    targets = (Target("first", "openai"), Target("second", "anthropic"))
    route = Route("chat", (targets,), policy=Policy(**limits))
    return Script(route, (Plan(at_s, stream, None),), met, PriceBook(), seed=0)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_takes_as_long_as_its_limit_is_too_late_for_all(stream):
    script = one_call(Met(Usage(), 2.0, 2.0), stream=stream, attempt_s=2.0, deadline_s=5.0, first_token_s=2.0)
    told = agree(script)
    assert told.unserved == {"1": 1}


def test_an_attempt_that_runs_into_the_deadline_is_the_last_for_all():
    script = one_call(SILENT, at_s=0.1, deadline_s=0.2, attempts=6)
    told = agree(script)
    assert [event.target for event in told.events if event.event == "attempt_started"] == ["first", "second"]
    assert told.events[-1].error == "DeadlineExceededError"


def test_a_deadline_between_two_microseconds_is_a_deadline():
    script = one_call(SILENT, at_s=0.1, deadline_s=0.2, attempts=6)
    assert through_the_heap(script, exact=False).events[-1].error == "DeadlineExceededError"


def test_a_driver_that_forgets_to_report_is_noticed(monkeypatch: pytest.MonkeyPatch):
    script = one_call(failed(FailureKind.CONTENT_FILTERED, 0.0, None))
    monkeypatch.setattr(simulation.Simulation, "_push", lambda *_: None)
    with pytest.raises(AssertionError):
        agree(script)
