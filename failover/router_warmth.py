"""Keeping standbys warm: a tiny request of our own to whoever was not asked for a while."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from failover import errands
from failover.attempts import Errand
from failover.canaries import operation_of, warm_rules
from failover.config import Config
from failover.core.call import Call
from failover.core.decide import Facts
from failover.core.governance import SYNTHETIC
from failover.core.learned import Learned
from failover.core.records import CallRecord
from failover.core.target_state import TargetState
from failover.core.vocabulary import Operation, Request
from failover.core.warmth import WarmRules, Warmth, canary_route, of_canary
from failover.driver import AsyncRun, Driver
from failover.errands import CallOptions
from failover.errors import CallError, Complaint, ConfigError
from failover.needs import request_of
from failover.thread_driver import Background

if TYPE_CHECKING:
    from threading import RLock

ROUND_S = 60.0
"""How often is looked who has become cold."""
HELLO = "Hi"


@dataclass(frozen=True, slots=True)
class Canary:
    """What became of one cold target: `why` is `answered`, a kind of failure, or why it was not asked.

    `cost_nusd`: of its attempt, None: nobody knows the price.
    """

    target: str
    asked: bool
    why: str
    cost_nusd: int | None = 0

    @property
    def answered(self) -> bool:
        """Whether it is warm now."""
        return self.asked and self.why == "answered"


class Force(Protocol):
    """What one config brings with it, as far as a canary needs it."""

    @property
    def config(self) -> Config:
        """It."""
        ...

    @property
    def learned(self) -> Learned:
        """What is known of its targets."""
        ...

    @property
    def facts(self) -> Facts:
        """What is known from outside."""
        ...

    @property
    def driver(self) -> Driver:
        """What its calls share."""
        ...


def canary_errand(operation: Operation) -> Errand:
    """A greeting: public, synthetic, and as short as can be."""
    if operation is Operation.EMBEDDING:
        return errands.embedding(HELLO, {})
    return errands.completion([{"role": "user", "content": HELLO}], {"max_tokens": 1})


def canary_request(number: str, operation: Operation) -> tuple[Request, Errand]:
    """What one canary asks, and how it is decided on: of the class of what the library sends by itself."""
    errand = canary_errand(operation)
    return replace(request_of(0, errand, CallOptions(data_class=SYNTHETIC)), id=number), errand


def _why(story: CallRecord, error: str) -> str:
    """The kind of its failure, or why its target was passed over."""
    kinds = [each.failure for each in story.attempts if each.failure is not None]
    reasons = [each.reason for each in story.passed_over]
    return next((str(each) for each in (*kinds, *reasons)), error)


class RouterWarmth(ABC):
    """The part of a router that keeps its standbys warm, as `keep_warm` of its config says."""

    _clock: Callable[[], float]
    _rng: Callable[[], float]
    _lock: RLock
    _warmth: Warmth
    _warming: asyncio.Task[None] | Future[None] | None = None

    async def keep_warm(self) -> tuple[Canary, ...]:
        """One round: ask every target that nobody was answered by for `every_s`, once and all at a time.

        A canary is an attempt like any other, with the cause `keep_warm`: through the breaker, charged,
        and told as events, but no call. Returns what became of each target that was cold. Raises
        `ConfigError` where the config says nothing of it.
        """
        force = self._force
        rules = warm_rules(force.config)
        if rules is None:
            what = "there is no such key: say how often, and for how much, under 'keep_warm'"
            raise ConfigError([Complaint(str(force.config.source), 0, "keep_warm", what)])
        with self._lock:
            rules = self._warm_among(rules)
            asked, skipped = self._warmth.round(rules, force.learned, force.facts, self._clock())
            numbered = [(self._warmth.next_id(), state) for state in asked]
        rest = tuple(Canary(name, asked=False, why=why.value) for name, why in skipped.items())
        return (*await asyncio.gather(*(self._canary(force, *each) for each in numbered)), *rest)

    def keep_warm_every(self, round_s: float = ROUND_S) -> Callable[[], None]:
        """Look now, and then every `round_s` seconds, who is cold, until the router is closed.

        Returns a function that ends it. Without a running event loop, the thread that sends the sync
        calls does it.
        """
        if not round_s > 0:
            raise ValueError(f"round_s must be more than 0 seconds, not {round_s}")
        self._cool()
        warming: asyncio.Task[None] | Future[None]
        try:
            warming = asyncio.get_running_loop().create_task(self._rounds(round_s))
        except RuntimeError:
            warming = self._sending().submit(self._rounds(round_s))
        self._warming = warming

        def stop() -> None:
            warming.cancel()

        return stop

    def _cool(self) -> None:
        warming, self._warming = self._warming, None
        if warming is not None:
            warming.cancel()

    async def _rounds(self, round_s: float) -> None:
        while True:
            # A config without the key, or of a later reload, has nobody to ask.
            if warm_rules(self._force.config) is not None:
                await self.keep_warm()
            await asyncio.sleep(round_s)

    async def _canary(self, force: Force, number: str, state: TargetState) -> Canary:
        request, errand = canary_request(number, operation_of(state.target) or Operation.COMPLETION)
        learned = force.learned
        route = canary_route(state, learned)
        call = Call(request, route, learned, force.facts, self._rng, of_canary(learned.record))
        why = "answered"
        try:
            await AsyncRun(force.driver, call, errand).whole()
        except CallError as error:
            why = _why(call.story(self._clock()), type(error).__name__)
        told = call.story(self._clock()).attempts
        return Canary(state.target.name, bool(told), why, told[0].cost_nusd if told else 0)

    def _warm_among(self, rules: WarmRules) -> WarmRules:
        """Who of them is kept warm: all, unless a drill plays only some."""
        return rules

    @property
    @abstractmethod
    def _force(self) -> Force:
        """What is in force."""

    @abstractmethod
    def _sending(self) -> Background:
        """Where sync calls are sent."""
