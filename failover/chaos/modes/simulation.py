"""The World driver: a heap of virtual events in place of an event loop. It runs the very same calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from http import HTTPStatus
from typing import assert_never

from failover.adapters.quota import headroom_of
from failover.adapters.wire import ConnectionFault
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.scenario import Workload
from failover.chaos.workload import arrivals
from failover.chaos.world.chance import Draws
from failover.chaos.world.image import Exchange
from failover.chaos.world.world import START_EPOCH_S, World
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
    Message,
    Raise,
    Return,
    Send,
    Succeeded,
    Wake,
    Woken,
)
from failover.core.vocabulary import Request, Route, Usage

Unserved = Callable[[Request, float], None]


class Simulation:
    """Runs a workload against a world in virtual time; `now` is its clock, in seconds from zero.

    `routes` are the others of the config: what is `learned` of their targets is learned together.
    """

    def __init__(
        self,
        world: World,
        outcomes: Outcomes,
        route: Route,
        facts: Facts,
        record: Callable[[Event], None],
        routes: Iterable[Route] = (),
    ) -> None:
        self.now = 0.0
        self._world = world
        self._outcomes = outcomes
        self._route = route
        self._facts = facts
        self._record = record
        self.learned = Learned([route, *routes], record)
        self._heap: list[tuple[float, int, _Running, Message]] = []
        self._pushed = 0

    def run(self, workload: Workload, at: list[tuple[float, Event]], unserved: Unserved) -> None:
        """Run to the end of the last call.

        `at` are the world's own events by time, told as their time comes. `unserved` hears of every
        request that ended without a reply, with its arrival.
        """
        self._unserved = unserved
        world_events = sorted(at, key=lambda timed: timed[0])[::-1]
        for arrived_s, request in arrivals(workload, self._world.chance):
            self._until(arrived_s, world_events)
            running = _Running(self._call(request), arrived_s)
            self._obey(running, running.call.start(arrived_s))
        self._until(float("inf"), world_events)

    def _call(self, request: Request) -> Call:
        draws = Draws(self._world.chance, "call", request.id)
        return Call(request, self._route, self.learned, self._facts, draws, self._record)

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
                case Raise():
                    self._unserved(running.call.request, running.arrived_s)
                case Commit() | Return() | Cancel():
                    pass  # what a cancelled attempt would have reported means nothing to its call
                case _:
                    assert_never(command)

    def _push(self, at_s: float, running: _Running, message: Message) -> None:
        self._pushed += 1
        heappush(self._heap, (at_s, self._pushed, running, message))

    def _send(self, running: _Running, send: Send) -> None:
        now, request, target = self.now, running.call.request, send.target
        ask = running.asks[target.name] = running.asks.get(target.name, 0) + 1
        exchange = self._world.exchange(target, request.id, ask, now, stream=send.stream)
        for after_s, message in self._messages(send, exchange, stream=send.stream):
            self._push(round(now + after_s, 6), running, message)

    def _messages(self, send: Send, exchange: Exchange, *, stream: bool) -> list[tuple[float, Message]]:
        """What the attempt will report, and how long after the send."""
        number, limits = send.attempt, send.limits
        if stream and exchange.first_token_s >= limits.first_token_s:
            return [(limits.first_token_s, _timeout(number, Phase.FIRST_TOKEN))]
        late = exchange.total_s >= limits.total_s
        if exchange.image.fault is ConnectionFault.HANG or (late and not stream):
            return [(limits.total_s, _timeout(number, Phase.TOTAL))]
        outcome = self._outcomes.of(send.target, exchange.image)
        if isinstance(outcome, Failure):
            told = self._headroom(exchange, refused=True)
            return [(exchange.total_s, Failed(number, outcome, headroom=told))]
        told = self._headroom(exchange, refused=False)
        if not stream:
            return [self._ended(number, exchange, outcome, limits.total_s, told)]
        whole = self._ended(number, exchange, outcome, limits.total_s, None)
        return [(exchange.first_token_s, FirstToken(number, headroom=told)), whole]

    def _headroom(self, exchange: Exchange, *, refused: bool) -> Headroom | None:
        """What the headers say is left; a broken answer is no refusal, and not listened to."""
        reply = exchange.image.reply
        if reply is None or (refused and reply.status < HTTPStatus.BAD_REQUEST):
            return None
        return headroom_of(reply.headers, START_EPOCH_S + self.now)

    def _ended(
        self, number: int, exchange: Exchange, usage: Usage, total_limit_s: float, told: Headroom | None
    ) -> tuple[float, Message]:
        if exchange.total_s >= total_limit_s:
            return total_limit_s, _timeout(number, Phase.TOTAL)
        return exchange.total_s, Succeeded(number, usage, headroom=told)


class _Running:
    """A call in the simulation, and how often it asked each target."""

    __slots__ = ("arrived_s", "asks", "call")

    def __init__(self, call: Call, arrived_s: float) -> None:
        self.call = call
        self.arrived_s = arrived_s
        self.asks: dict[str, int] = {}


def _timeout(number: int, phase: Phase) -> Failed:
    return Failed(number, Failure(FailureKind.TIMEOUT, phase=phase))
