"""A story: calls driven by hand through a world whose time moves only when told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from failover.core.call import Call
from failover.core.decide import Facts
from failover.core.events import Event
from failover.core.failures import Failure, FailureKind
from failover.core.headroom import Headroom
from failover.core.learned import Learned
from failover.core.messages import (
    CallerLeft,
    Cancel,
    Command,
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
from failover.core.policy import Policy
from failover.core.prices import PriceBook
from failover.core.spending import Spending
from failover.core.target_state import TargetState
from failover.core.vocabulary import Request, Route, Target, Usage
from failover.errors import CallError

BAD_REQUEST = FailureKind.BAD_REQUEST
CONNECTION = FailureKind.CONNECTION
CONTENT_FILTERED = FailureKind.CONTENT_FILTERED
CONTEXT_LENGTH = FailureKind.CONTEXT_LENGTH
LOCAL = FailureKind.LOCAL
MODEL_GONE = FailureKind.MODEL_GONE
OVERLOADED = FailureKind.OVERLOADED
QUOTA_EXHAUSTED = FailureKind.QUOTA_EXHAUSTED
RATE_LIMITED = FailureKind.RATE_LIMITED
REGION_BLOCKED = FailureKind.REGION_BLOCKED
REQUEST_TOO_LARGE = FailureKind.REQUEST_TOO_LARGE
SERVER_ERROR = FailureKind.SERVER_ERROR
TIMEOUT = FailureKind.TIMEOUT
TRUNCATED_STREAM = FailureKind.TRUNCATED_STREAM
UNAUTHORIZED = FailureKind.UNAUTHORIZED


def in_the_middle() -> float:
    """The draw of a story in which chance plays no part."""
    return 0.5


def target(name: str, **facts: Any) -> Target:
    """A target that shares no fault domain with others, unless `facts` say so."""
    alone = {"provider": f"{name}-inc", "model": f"{name}-1", "region": "eu", "credential": f"{name}-key"}
    return Target(name, **{**alone, **facts})


def chain_of(*chain: str | Target | list[str | Target]) -> tuple[tuple[Target, ...], ...]:
    """Tiers of targets: a list is a tier, anything else a tier of its own."""
    tiers = [each if isinstance(each, list) else [each] for each in chain]
    return tuple(tuple(target(one) if isinstance(one, str) else one for one in tier) for tier in tiers)


class Story:
    """A route, what was learned of its targets, and a clock moved by hand."""

    def __init__(
        self,
        *chain: str | Target | list[str | Target],
        strategy: str = "priority",
        prices: PriceBook | None = None,
        rng: Callable[[], float] = in_the_middle,
        listening: bool = True,
        epoch_s: float = 0.0,
        spending: Spending | None = None,
        **limits: Any,
    ) -> None:
        self.now = 0.0
        self.events: list[Event] = []
        self.route = Route("chat", chain_of(*chain), strategy, Policy(**limits))
        self.record = self.events.append if listening else None
        self.learned = Learned([self.route], self.record)
        self.facts = Facts(prices or PriceBook(), epoch_s, spending=spending)
        self.rng = rng
        self.calls = 0

    def after(self, seconds: float) -> Self:
        """Time passes."""
        self.now += seconds
        return self

    def call(self, **asked: Any) -> CallStory:
        """A request arrives now."""
        self.calls += 1
        return CallStory(self, Request(f"call-{self.calls}", **asked))

    def state(self, name: str) -> TargetState:
        """What is known of a target."""
        return self.learned.states[name]

    def cools_down(self, name: str, for_s: float) -> Self:
        """A target was asked to be left alone."""
        self.state(name).cooldown_until_s = self.now + for_s
        return self

    def opens_the_breaker_of(self, name: str, for_s: float) -> Self:
        """A target's breaker opens."""
        self.state(name).breaker.trip(self.now, for_s)
        return self

    def usually_takes(self, name: str, first_token_s: float) -> Self:
        """A target's first tokens were seen to take so long."""
        self.state(name).first_token.observe(first_token_s, self.now)
        return self

    def spends_the_retry_budget(self, *, but: int = 0) -> Self:
        """Other calls used up the allowance of retries, `but` some."""
        budget = self.learned.budgets["chat"]
        while budget.try_withdraw(self.now):
            pass
        budget.balance += but
        return self

    def told(self) -> list[str]:
        """The names of the events so far."""
        return [event.event for event in self.events]


class CallStory:
    """One call: each method says what happens to it, or checks what it wants done."""

    def __init__(self, story: Story, request: Request) -> None:
        self.story = story
        self.call = Call(request, story.route, story.learned, story.facts, story.rng, story.record)
        self.wanted: tuple[Command, ...] = self.call.start(story.now)
        self.send: Send
        self.first: Send
        self.wake_at_s = 0.0

    def _wants(self, kind: type[Command]) -> Any:
        assert [type(command) for command in self.wanted] == [kind], self.wanted
        [command] = self.wanted
        return command

    def sends_and_wakes(self, name: str, after_s: float) -> Self:
        """It wants to ask this target, and to look again then."""
        self.send, wake = self.wanted
        assert self.send.target.name == name
        self.wake_at_s = wake.at_s
        assert abs(self.wake_at_s - self.story.now - after_s) < 1e-9, self.wake_at_s
        return self

    def hears(self, message: Message) -> Self:
        """The driver reports."""
        self.wanted = self.call.handle(message, self.story.now)
        return self

    def sends_to(self, name: str) -> Self:
        """It wants to ask this target, and nothing else."""
        self.send = self._wants(Send)
        assert self.send.target.name == name
        return self

    def after(self, seconds: float) -> Self:
        """Time passes."""
        self.story.after(seconds)
        return self

    def fails(
        self, kind: FailureKind, *, usage: Usage | None = None, headroom: Headroom | None = None, **facts: Any
    ) -> Self:
        """The attempt under way failed."""
        return self.hears(Failed(self.send.attempt, Failure(kind, **facts), usage, headroom=headroom))

    def streams(self) -> Self:
        """The first token came, and is handed on."""
        self.hears(FirstToken(self.send.attempt))
        assert self._wants(Commit).attempt == self.send.attempt
        return self

    def succeeds(self, usage: Usage | None = None) -> Self:
        """The attempt under way was answered whole, and that is the reply."""
        self.hears(Succeeded(self.send.attempt, usage))
        assert self._wants(Return).attempt == self.send.attempt
        assert self.call.done
        return self

    def waits_until(self, at_s: float) -> Self:
        """It wants to be woken then."""
        self.wake_at_s = self._wants(Wake).at_s
        assert abs(self.wake_at_s - at_s) < 1e-9, self.wake_at_s
        return self

    def wakes(self) -> Self:
        """The time it waited for came."""
        self.story.now = max(self.story.now, self.wake_at_s)
        return self.hears(Woken())

    def hears_the_clock(self) -> Self:
        """It is woken now, asked for or not."""
        return self.hears(Woken())

    def leaves(self) -> Self:
        """The caller leaves."""
        return self.hears(CallerLeft())

    def cancels(self) -> Self:
        """It wants the attempt under way stopped."""
        assert self._wants(Cancel).attempt == self.send.attempt
        return self

    def does_nothing(self) -> Self:
        """It wants nothing done."""
        assert self.wanted == ()
        return self

    def raises(self, kind: type[CallError]) -> Any:
        """It ended with this error."""
        error = self._wants(Raise).error
        assert type(error) is kind, repr(error)
        assert self.call.done
        return error
