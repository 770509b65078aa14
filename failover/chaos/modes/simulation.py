"""The World driver: a heap of virtual events in place of an event loop. It runs the very same calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from http import HTTPStatus
from itertools import chain
from math import inf
from typing import assert_never

from failover.adapters.quota import headroom_of
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.modes.warming import Canaries
from failover.chaos.workload import Asked, Requests
from failover.chaos.world.chance import Draws
from failover.chaos.world.image import Exchange
from failover.chaos.world.outcome import Course, Outcome, known_at, late, pace
from failover.chaos.world.world import World
from failover.core.call import Call, Commands
from failover.core.decide import Facts
from failover.core.events import Event
from failover.core.failures import Failure, FailureKind, Phase
from failover.core.headroom import Headroom
from failover.core.learned import Learned
from failover.core.messages import (
    Cancel,
    Commit,
    Failed,
    FirstToken,
    Limits,
    Message,
    Raise,
    Return,
    Send,
    Succeeded,
    Wake,
    Woken,
)
from failover.core.policy import OnDoubt
from failover.core.vocabulary import Route
from failover.core.warmth import Warmth, canary_route, of_canary
from failover.lifecycles import put_into_force

Arrived = Callable[[Asked, float], None]


class Simulation:
    """Runs a workload against a world in virtual time; `now` is its clock, in seconds from zero.

    `routes` are all of the config: what is `learned` of their targets is learned together.
    """

    def __init__(
        self,
        world: World,
        outcomes: Outcomes,
        routes: Iterable[Route],
        facts: Facts,
        record: Callable[[Event], None],
        canaries: Canaries | None = None,
    ) -> None:
        self.now = 0.0
        self._canaries = canaries
        self._warmth = Warmth()
        self._world = world
        self._outcomes = outcomes
        self._facts = facts
        self._record = record
        self.learned = Learned(routes, record)
        put_into_force(facts.calendar, self.learned)
        self._heap: list[tuple[float, int, _Running, Message]] = []
        self._pushed = 0

    def run(self, requests: Requests, at: list[tuple[float, Event]], arrived: Arrived) -> None:
        """Run to the end of the last call.

        `at` are the world's own events by time, told as their time comes. `arrived` hears of every
        request, and when it came.
        """
        world_events = sorted(at, key=lambda timed: timed[0])[::-1]
        rounds_s = iter(()) if self._canaries is None else self._canaries.rounds_s()
        round_s = next(rounds_s, inf)
        for arrived_s, asked in requests:
            while round_s <= arrived_s:
                self._until(round_s, world_events)
                self._keep_warm(round_s)
                round_s = next(rounds_s, inf)
            self._until(arrived_s, world_events)
            arrived(asked, arrived_s)
            running = _Running(self._call(asked), asked)
            self._obey(running, running.call.start(arrived_s))
        for last_s in chain([round_s] if round_s < inf else [], rounds_s):
            self._until(last_s, world_events)
            self._keep_warm(last_s)
        self._until(float("inf"), world_events)

    def _keep_warm(self, now: float) -> None:
        """One round, as the router's own."""
        canaries = self._canaries
        if canaries is None or canaries.rules is None:
            return
        states, _ = self._warmth.round(canaries.rules, self.learned, self._facts, now)
        record = of_canary(self._record)
        for state in states:
            asked = canaries.asked(self._warmth.next_id(), state.target)
            draws = Draws(self._world.chance, "call", asked.request.id)
            route = canary_route(state, self.learned)
            running = _Running(Call(asked.request, route, self.learned, self._facts, draws, record), asked)
            self._obey(running, running.call.start(now))

    def _call(self, asked: Asked) -> Call:
        draws = Draws(self._world.chance, "call", asked.request.id)
        route = self.learned.routes[asked.route]
        return Call(asked.request, route, self.learned, self._facts, draws, self._record)

    def _until(self, limit_s: float, world_events: list[tuple[float, Event]]) -> None:
        """Let everything happen that happens before `limit_s`; then it is `limit_s`."""
        heap = self._heap
        while heap and heap[0][0] <= limit_s:
            at_s, _, running, message = heappop(heap)
            while world_events and world_events[-1][0] <= at_s:
                self._record(world_events.pop()[1])
            self.now = at_s
            self._obey(running, running.call.handle(message, at_s))
        while world_events and world_events[-1][0] <= limit_s:
            at_s, event = world_events.pop()
            self._record(event)
        if limit_s < float("inf"):
            self.now = limit_s

    def _obey(self, running: _Running, commands: Commands) -> None:
        for command in commands:
            match command:
                case Send():
                    self._send(running, command)
                case Wake(at_s):
                    self._push(at_s, running, Woken())
                case Commit() | Return() | Raise() | Cancel():
                    pass  # what a cancelled attempt would have reported means nothing to its call
                case _:
                    assert_never(command)

    def _push(self, at_s: float, running: _Running, message: Message) -> None:
        self._pushed += 1
        heappush(self._heap, (at_s, self._pushed, running, message))

    def _send(self, running: _Running, send: Send) -> None:
        now, target = self.now, send.target
        ask = running.asks[target.name] = running.asks.get(target.name, 0) + 1
        exchange = self._world.meet(target, running.asked, ask, now, stream=send.stream)
        messages = self._streamed if send.stream else self._whole
        for at_s, message in messages(running, send, exchange):
            self._push(at_s, running, message)

    def _whole(self, running: _Running, send: Send, exchange: Exchange) -> list[tuple[float, Message]]:
        """What the attempt will report, and when."""
        number, limit_s = send.attempt, send.limits.total_s
        if exchange.total_s >= limit_s:
            return [(self.now + limit_s, _timeout(number, Phase.TOTAL))]
        outcome = self._outcomes.of(send.target, running.asked.shape, exchange.image, stream=False)
        return [(self._in_s(exchange.total_s), self._ended(number, exchange, outcome, headed=True))]

    def _streamed(self, running: _Running, send: Send, exchange: Exchange) -> list[tuple[float, Message]]:
        number, limits = send.attempt, send.limits
        if exchange.first_token_s == inf:
            return [self._silent(number, limits)]
        outcome = self._outcomes.of(send.target, running.asked.shape, exchange.image, stream=True)
        course = outcome.course or _NO_COURSE
        paced = pace(exchange, course)
        if paced.first_token_s >= min(limits.first_token_s, limits.total_s):
            return [self._silent(number, limits)]
        if not course.pieces:
            begun_s = self._in_s(paced.first_token_s)
            return [(begun_s, self._ended(number, exchange, outcome, headed=True))]
        told = self._headroom(exchange, refused=False)
        # As the drivers: only under this policy is a tool call held until it is whole.
        holds = running.call.route.policy.on_unsound_tool_call is OnDoubt.FAIL
        first = FirstToken(number, course.held and holds, course.doubts, told)
        begun = self._in_s(paced.first_token_s), first
        broken = late(self.now, paced, course, limits)
        if broken is None:
            ended = self._ended(number, exchange, outcome, headed=False)
            return [begun, (self._in_s(paced.at_s(course.ended)), ended)]
        at_s, phase = broken
        failure = Failure(FailureKind.TIMEOUT, phase=phase)
        known = known_at(at_s, self.now, paced, course)
        return [begun, (at_s, Failed(number, failure, known.usage, resumable=known.resumable))]

    def _in_s(self, after_s: float) -> float:
        """When that is, to the microsecond; limits are not rounded: nobody draws them."""
        return round(self.now + after_s, 6)

    def _silent(self, number: int, limits: Limits) -> tuple[float, Message]:
        """Nothing came in time: the limit of the first token runs out, or that of all."""
        first_s, total_s = limits.first_token_s, limits.total_s
        phase = Phase.FIRST_TOKEN if first_s <= total_s else Phase.TOTAL
        return self.now + min(first_s, total_s), _timeout(number, phase)

    def _ended(self, number: int, exchange: Exchange, outcome: Outcome, *, headed: bool) -> Message:
        """How it ends; `headed`: its headers have not been told of before."""
        failure, course = outcome.failure, outcome.course
        told = self._headroom(exchange, refused=failure is not None) if headed else None
        if failure is None:
            return Succeeded(number, outcome.usage, outcome.doubts, told)
        resumable = course is not None and course.resumable
        return Failed(number, failure, outcome.usage, resumable=resumable, headroom=told)

    def _headroom(self, exchange: Exchange, *, refused: bool) -> Headroom | None:
        """What the headers say is left; a broken answer is no refusal, and not listened to."""
        reply = exchange.image.reply
        if reply is None or (refused and reply.status < HTTPStatus.BAD_REQUEST):
            return None
        return headroom_of(reply.headers, self._world.start_epoch_s + self.now)


_NO_COURSE = Course(0, (), 0)
"""Of what is no reply at all."""


class _Running:
    """A call in the simulation, and how often it asked each target."""

    __slots__ = ("asked", "asks", "call")

    def __init__(self, call: Call, asked: Asked) -> None:
        self.call = call
        self.asked = asked
        self.asks: dict[str, int] = {}


def _timeout(number: int, phase: Phase) -> Failed:
    return Failed(number, Failure(FailureKind.TIMEOUT, phase=phase))
