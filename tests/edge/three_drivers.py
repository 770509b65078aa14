"""The three drivers side by side: one script through the World's heap, the event loop and threads."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, cast

import pytest

from failover.adapters.seam import Answer, Outbound, Piece
from failover.chaos.modes import simulation
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.modes.simulation import Simulation
from failover.chaos.modes.virtual_loop import run_virtual
from failover.chaos.workload import Asked, Shape
from failover.chaos.world.chance import Chance, Draws
from failover.chaos.world.image import Exchange, Image
from failover.chaos.world.outcome import Course, Outcome, SoFar
from failover.chaos.world.world import World
from failover.config import Config
from failover.core.decide import Facts
from failover.core.events import CallEnded, Event
from failover.core.failures import Failure
from failover.core.learned import Learned
from failover.core.policy import Delivery
from failover.core.prices import PriceBook
from failover.core.stats import Recent
from failover.core.vocabulary import Request, Route, Target, Usage
from failover.errors import CallError
from failover.router import Router
from failover.thread_driver import Sending
from failover.tokens import Prompt, tokens_in, written
from tests.edge.lockstep import in_lockstep
from tests.edge.scripted import HELLO, Fate, Said, ScriptedAdapter, paced, stop

TICK_S = 1 / 64
USUAL_S = 2.0 + 11 * TICK_S
"""What practised targets take: nothing that is met ends so many ticks after a whole second."""


@dataclass(frozen=True)
class Met:
    """What one send meets: an answer or a failure after `total_s`.

    A stream has `pieces` before that, evenly from `first_token_s` on, all of a tool call if it is `held`;
    doubts are told `early`, with the first of them, or `late`, at the end.
    """

    outcome: Usage | Failure
    first_token_s: float
    total_s: float
    pieces: int = 1
    held: bool = False
    early: tuple[Failure, ...] = ()
    late: tuple[Failure, ...] = ()

    def streamed(self) -> Fate:
        """As a stream."""
        told = (
            self.outcome
            if isinstance(self.outcome, Failure)
            else replace(stop(self.outcome), doubts=self.late)
        )
        if not self.pieces:
            return Fate(((self.total_s, told),))
        text = "" if self.held else "token"
        piece = Piece(Said("token"), has_token=True, text=text, tool_call=self.held)
        gap_s = (self.total_s - self.first_token_s) / self.pieces
        later = [(gap_s, piece)] * (self.pieces - 1)
        return paced((self.first_token_s, replace(piece, doubts=self.early)), *later, (gap_s, told))

    def whole(self) -> Fate:
        """In one piece."""
        if isinstance(self.outcome, Failure):
            return Fate(((self.total_s, self.outcome),))
        return Fate(((self.total_s, Answer(Said("whole"), self.outcome, self.early + self.late)),))

    def course(self, model: str) -> Course:
        """The same stream, as it would have been found out."""
        if not self.pieces:
            return Course(1, (), 0)
        known = [
            SoFar(event, self.came(event + 1, model), resumable=not self.held) for event in range(self.pieces)
        ]
        events = tuple(range(self.pieces))
        return Course(self.pieces + 1, events, self.pieces, self.held, self.early, tuple(known))

    def came(self, pieces: int, model: str) -> Usage | None:
        """What its client counts of so many pieces; a tool call's have no arguments."""
        return None if self.held else written(model, ["token"] * pieces)


@dataclass(frozen=True)
class Plan:
    """One call: when it arrives and what it asks."""

    at_s: float
    stream: bool
    deadline_s: float | None
    delivery: Delivery | None = None
    replay_safe: bool = True

    def options(self) -> dict[str, Any]:
        """What the caller says beside the messages."""
        return {
            "stream": self.stream,
            "deadline_s": self.deadline_s,
            "delivery": self.delivery,
            "replay_safe": self.replay_safe,
        }


@dataclass(frozen=True)
class Script:
    """Everything that does not depend on what the machine decides."""

    route: Route
    plans: tuple[Plan, ...]
    met: tuple[Met, ...]
    prices: PriceBook
    seed: int
    practised: bool = False

    def of(self, target: Target, request: str, ask: int) -> Met:
        """What the `ask`-th send of a call to a target meets, whenever it is."""
        return self.met[int(Chance(self.seed).uniform("met", target.name, request, ask) * len(self.met))]

    def request(self, number: int) -> Request:
        """The request of a plan, counted from 1."""
        plan, payload = self.plans[number - 1], {"messages": HELLO}
        tokens = tokens_in(payload)
        return Request(str(number), tokens, **plan.options(), count=Prompt(payload, tokens))

    def practise(self, learned: Learned) -> None:
        """So many answers were seen before that there are quantiles to hedge after."""
        for state in learned.states.values() if self.practised else ():
            for _ in range(Recent.LEAST):
                state.observe(USUAL_S, USUAL_S, 0.0)
                learned.deposit(self.route.name)


@dataclass
class Journal:
    """What a driver told: events, and how each call ended for its caller."""

    events: list[Event] = field(default_factory=list)
    unserved: Counter[str] = field(default_factory=Counter)

    def before(self, limit_s: float) -> list[Event]:
        """The events up to an instant, without it."""
        return [event for event in self.events if event.at_s < limit_s]

    def by_call(self, limit_s: float) -> dict[str, list[Event]]:
        """The same, per call."""
        calls: dict[str, list[Event]] = {}
        for event in self.before(limit_s):
            calls.setdefault(getattr(event, "call", "learned"), []).append(event)
        return calls

    def first_tie_s(self) -> float:
        """The first instant at which two calls step, `inf` where there is none."""
        calls: dict[float, set[str]] = {}
        for event in self.events:
            if hasattr(event, "call"):
                calls.setdefault(event.at_s, set()).add(event.call)
        return min((at_s for at_s, met in calls.items() if len(met) > 1), default=inf)


class CoarseChance:
    """Chance in quarters, so that jittered waits are whole ticks too."""

    def __init__(self, seed: int) -> None:
        self._chance = Chance(seed)

    def uniform(self, *key: str | int) -> float:
        return int(self._chance.uniform(*key) * 4) / 4


class ScriptedWorld:
    """In place of the world: what an attempt meets stands in the script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.chance = CoarseChance(script.seed)
        self.start_epoch_s = 0.0

    def meet(self, target: Target, asked: Asked, ask: int, at_s: float, *, stream: bool) -> Exchange:
        met = self._script.of(target, asked.request.id, ask)
        return Exchange(cast("Image", SawIt(met)), met.first_token_s, met.total_s)


@dataclass(frozen=True)
class SawIt:
    """In place of a wire image: nothing has to be found out."""

    met: Met
    fault: None = None
    reply: None = None


class ScriptedOutcomes:
    """In place of litellm and the classifier."""

    def of(self, target: Target, shape: Shape, image: Any, *, stream: bool) -> Outcome:
        met = image.met
        course = met.course(target.model) if stream else None
        if isinstance(met.outcome, Failure):
            return Outcome(met.outcome, met.came(met.pieces, target.model) if stream else None, course=course)
        return Outcome(None, met.outcome, met.late if stream else met.early + met.late, course)


def through_the_heap(script: Script, *, exact: bool = True) -> Journal:
    """The World driver; only the requests, the world and the outcomes are the script's.

    The World rounds to microseconds. Halves of halves of what is left are finer: `exact` leaves them so.
    """
    journal = Journal()

    requests = [
        (plan.at_s, Asked(script.request(number), script.route.name, Shape()))
        for number, plan in enumerate(script.plans, 1)
    ]

    def record(event: Event) -> None:
        journal.events.append(event)
        if isinstance(event, CallEnded) and event.target is None:
            journal.unserved[event.call] += 1

    world, outcomes = cast("World", ScriptedWorld(script)), cast("Outcomes", ScriptedOutcomes())
    heap = Simulation(world, outcomes, [script.route], Facts(script.prices), record)
    script.practise(heap.learned)
    with pytest.MonkeyPatch.context() as patch:
        if exact:
            patch.setattr(simulation, "round", lambda at_s, _digits: at_s, raising=False)
        heap.run(requests, [], lambda _asked, _arrived_s: None)
    return journal


def through_the_loop(script: Script) -> Journal:
    """The asyncio driver, behind the facade that services use."""
    journal = Journal()
    run_virtual(_play(script, journal, _call))
    return journal


def through_threads(script: Script) -> Journal:
    """The thread driver, behind the same facade: one thread for each call, in lockstep."""
    journal = Journal()
    run_virtual(_play(script, journal, _call_in_a_thread))
    return journal


_request: ContextVar[tuple[str, Callable[[], float], Counter[str]]] = ContextVar("_request")


def _draw() -> float:
    """The next draw of the call that the running task belongs to."""
    return _request.get()[1]()


Caller = Callable[[Router, Script, int, Journal], Coroutine[Any, Any, None]]


async def _play(script: Script, journal: Journal, call: Caller) -> None:
    loop = asyncio.get_running_loop()
    targets = {target.name: target for target in script.route.targets()}
    router = Router(
        Config(targets, {script.route.name: script.route}, {}),
        adapter=ScriptedAdapter(lambda outbound: _fate(script, outbound)),
        clock=loop.time,
        wall=loop.time,
        rng=_draw,
        prices=script.prices,
    )
    script.practise(vars(router)["_in_force"].learned)
    router.subscribe(journal.events.append)
    async with asyncio.TaskGroup() as calls:
        for number, plan in enumerate(script.plans, 1):
            await asyncio.sleep(plan.at_s - loop.time())
            calls.create_task(call(router, script, number, journal))


def _begin(script: Script, number: int) -> Plan:
    draws = Draws(cast("Chance", CoarseChance(script.seed)), "call", str(number))
    _request.set((str(number), draws, Counter()))
    return script.plans[number - 1]


async def _call(router: Router, script: Script, number: int, journal: Journal) -> None:
    plan = _begin(script, number)
    try:
        reply = await router.acompletion("chat", HELLO, **plan.options())
        if plan.stream:
            assert [chunk async for chunk in reply]
    except CallError:
        journal.unserved[str(number)] += 1


async def _call_in_a_thread(router: Router, script: Script, number: int, journal: Journal) -> None:
    plan = _begin(script, number)

    def call(sending: Sending) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(router, "_sending", lambda: sending)
            run = router.completion
            try:
                reply = run("chat", HELLO, **plan.options())
                if plan.stream:
                    assert list(reply)
            except CallError:
                journal.unserved[str(number)] += 1

    await in_lockstep(call)


def _fate(script: Script, outbound: Outbound) -> Fate:
    request, _, asks = _request.get()
    asks[outbound.target.name] += 1
    met = script.of(outbound.target, request, asks[outbound.target.name])
    streamed = script.plans[int(request) - 1].stream or (
        script.route.policy.stream_upstream and not outbound.target.callable
    )
    return met.streamed() if streamed else met.whole()
