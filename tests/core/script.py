"""Scripts: several calls at once, what becomes of each of their attempts, and a driver that plays them."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from hypothesis import strategies as st

from failover.core.call import Call
from failover.core.decide import Facts
from failover.core.events import Event
from failover.core.failures import Failure, FailureKind, Phase
from failover.core.learned import Learned
from failover.core.messages import (
    CallerLeft,
    Cancel,
    Commit,
    Failed,
    FirstToken,
    Message,
    Raise,
    Return,
    Send,
    Succeeded,
    Wake,
    Woken,
)
from failover.core.policy import (
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
from failover.core.stats import Recent
from failover.core.strategies import STRATEGIES
from failover.core.vocabulary import Request, Route, Target, Usage


@dataclass(frozen=True)
class Fate:
    """What becomes of an attempt: `kind` None is an answer; without an end it is silent."""

    kind: FailureKind | None
    retry_after_s: float | None
    first_token_s: float | None
    ends_s: float
    held: bool = False
    doubts: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Plan:
    """One call: when it arrives, what it asks, and when its caller loses patience."""

    at_s: float
    stream: bool
    deadline_s: float | None
    leaves_after_s: float | None
    delivery: Delivery | None = None
    replay_safe: bool = True


@dataclass(frozen=True)
class Script:
    """All that happens, but for what the machine decides. Attempts meet their fates in turn."""

    route: Route
    plans: tuple[Plan, ...]
    fates: tuple[Fate, ...]
    seed: int
    retries_left: float = 10.0
    practised: bool = False


@dataclass
class Played:
    """What came of a script."""

    script: Script
    learned: Learned
    events: list[Event] = field(default_factory=list)
    steps: int = 0
    ended: list[int] = field(default_factory=list)

    def named(self, name: str) -> list[Event]:
        """The events of one kind."""
        return [event for event in self.events if event.event == name]

    def by_call(self, name: str) -> dict[str, list[Event]]:
        """The events of one kind, per call."""
        calls = {f"call-{number}": [] for number in range(len(self.script.plans))}
        for event in self.named(name):
            calls[event.call].append(event)
        return calls


class Driver:
    """Obeys calls in virtual time, as drivers do: limits are enforced, the unwanted is not sent."""

    STEPS_MAX = 20_000

    def __init__(self, script: Script) -> None:
        self._played = Played(script, Learned([script.route]))
        self._played.learned.record = self._played.events.append
        self._rng = Random(script.seed).random  # noqa: S311  jitter is no secret
        self._heap: list[tuple[float, int, int, Message | None]] = []
        self._cancelled: set[tuple[int, int]] = set()
        self._usual_s(script)
        self._played.learned.budgets["chat"].balance = script.retries_left
        self._sent = 0
        self._turn = 0
        self._calls = [self._call(number, plan) for number, plan in enumerate(script.plans)]

    def _usual_s(self, script: Script) -> None:
        """So many answers were seen that there are quantiles to hedge after."""
        for state in self._played.learned.states.values() if script.practised else ():
            for _ in range(Recent.LEAST):
                state.observe(0.2, 0.2, 0.0)
                self._played.learned.deposit("chat")

    def _call(self, number: int, plan: Plan) -> Call:
        script, learned = self._played.script, self._played.learned
        request = Request(
            f"call-{number}",
            stream=plan.stream,
            deadline_s=plan.deadline_s,
            delivery=plan.delivery,
            replay_safe=plan.replay_safe,
        )
        self._later(plan.at_s, number, None)
        if plan.leaves_after_s is not None:
            self._later(plan.at_s + plan.leaves_after_s, number, CallerLeft())
        return Call(request, script.route, learned, Facts(), self._rng, learned.record)

    def _later(self, at_s: float, number: int, message: Message | None) -> None:
        self._turn += 1
        heappush(self._heap, (at_s, self._turn, number, message))

    def play(self) -> Played:
        """Play to the end."""
        while self._heap and self._played.steps < self.STEPS_MAX:
            now, _, number, message = heappop(self._heap)
            call = self._calls[number]
            if (number, getattr(message, "attempt", 0)) in self._cancelled:
                continue  # a driver hears nothing more of what it stopped
            self._played.steps += 1
            for command in call.start(now) if message is None else call.handle(message, now):
                self._obey(command, number, now)
        return self._played

    def _obey(self, command: object, number: int, now: float) -> None:
        if isinstance(command, Send):
            fate = self._played.script.fates[self._sent % len(self._played.script.fates)]
            self._sent += 1
            self._meet(fate, command, number, now)
        elif isinstance(command, Wake):
            self._later(command.at_s, number, Woken())
        elif isinstance(command, Return | Raise):
            self._played.ended.append(number)
        elif isinstance(command, Cancel):
            self._cancelled.add((number, command.attempt))
        else:
            assert isinstance(command, Commit)
            assert self._played.script.plans[number].stream

    def _meet(self, fate: Fate, send: Send, number: int, now: float) -> None:
        limits, number_sent = send.limits, send.attempt
        stream = send.stream
        ends_s, message = fate.ends_s, Succeeded(number_sent, Usage(10, 10), fate.doubts)
        if fate.kind is not None:
            message = Failed(number_sent, Failure(fate.kind, retry_after_s=fate.retry_after_s))
        if (
            stream
            and fate.first_token_s is not None
            and fate.first_token_s < min(ends_s, limits.first_token_s)
        ):
            self._later(now + fate.first_token_s, number, FirstToken(number_sent, fate.held, fate.doubts))
        if ends_s > limits.total_s:
            ends_s = limits.total_s
            message = Failed(number_sent, Failure(FailureKind.TIMEOUT, phase=Phase.TOTAL))
        self._later(now + ends_s, number, message)


PROVIDERS = st.sampled_from(["openai", "azure", "anthropic"])
MODELS = st.sampled_from(["gpt", "claude"])
KEYS = st.sampled_from(["key-1", "key-2"])
WINDOWS = st.sampled_from([None, 8_000, 200_000])
POLICIES = st.builds(
    Policy,
    deadline_s=st.sampled_from([1.0, 6.0, 40.0]),
    attempt_s=st.sampled_from([None, 2.0]),
    attempts=st.integers(1, 6),
    retry_budget=st.builds(
        RetryBudgetPolicy, share=st.sampled_from([0.0, 0.2]), floor_per_s=st.sampled_from([0.0, 0.2])
    ),
    breaker=st.builds(
        BreakerPolicy,
        failures=st.integers(1, 4),
        min_requests=st.integers(2, 5),
        open_s=st.sampled_from([0.5, 2.0]),
        open_max_s=st.just(4.0),
        slow_s=st.just(1.0),
        probes=st.integers(1, 2),
        ramp_s=st.sampled_from([0.0, 3.0, 60.0]),
    ),
    on_content_filtered=st.sampled_from(OnContentFiltered),
    last_resort=st.sampled_from(LastResort),
    hedge=st.none()
    | st.builds(
        HedgePolicy,
        after_quantile=st.just(0.9),
        share=st.sampled_from([0.3, 1.0]),
        usd_share=st.sampled_from([None, 0.5]),
    ),
    stream_recovery=st.sampled_from(StreamRecovery),
    delivery=st.sampled_from(Delivery),
    stream_upstream=st.booleans(),
    on_wrong_model=st.sampled_from(OnDoubt),
    on_unsound_tool_call=st.sampled_from(OnDoubt),
)
DOUBTS = st.sampled_from(
    [(), (), (Failure(FailureKind.WRONG_MODEL),), (Failure(FailureKind.MALFORMED_REPLY),)]
)
FATES = st.builds(
    Fate,
    kind=st.none() | st.sampled_from(FailureKind),
    retry_after_s=st.sampled_from([None, 0.0, 0.5, 3.0, 60.0]),
    first_token_s=st.sampled_from([None, 0.1, 1.5]),
    ends_s=st.sampled_from([0.0, 0.25, 1.0, 2.5, 100.0]),
    held=st.booleans(),
    doubts=DOUBTS,
)
PLANS = st.builds(
    Plan,
    at_s=st.sampled_from([0.0, 0.0, 0.5, 2.0, 5.0, 70.0, 140.0, 400.0]),
    stream=st.booleans(),
    deadline_s=st.sampled_from([None, None, 3.0, 90.0]),
    leaves_after_s=st.sampled_from([None, None, None, 0.3, 1.0]),
    delivery=st.none() | st.sampled_from(Delivery),
    replay_safe=st.booleans(),
)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """One to five targets that share fault domains, in tiers."""
    targets = [
        Target(
            f"target-{turn}",
            draw(PROVIDERS),
            draw(MODELS),
            "eu",
            draw(KEYS),
            context_window_tokens=draw(WINDOWS),
        )
        for turn in range(draw(st.integers(1, 5)))
    ]
    cut = draw(st.integers(0, len(targets)))
    chain = tuple(tuple(tier) for tier in (targets[:cut], targets[cut:]) if tier)
    return Route("chat", chain, draw(st.sampled_from(sorted(STRATEGIES))), draw(POLICIES))


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """A route, up to eight calls on it, and fates for their attempts."""
    plans = draw(st.lists(PLANS, min_size=1, max_size=8))
    fates = draw(st.lists(FATES, min_size=1, max_size=12))
    retries_left = draw(st.sampled_from([0.0, 1.0, 10.0]))
    return Script(
        draw(routes()),
        tuple(plans),
        tuple(fates),
        draw(st.integers(0, 1000)),
        retries_left,
        draw(st.booleans()),
    )
