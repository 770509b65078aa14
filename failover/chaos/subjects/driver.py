"""Drives a subject through a workload in replay mode, and tells what it did as a router's events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.modes.playing import litellm_drilled
from failover.chaos.routes import Routes
from failover.chaos.subjects.clocks import run_dated
from failover.chaos.subjects.setting import Making, Subject, SubjectRequest, setting_of
from failover.chaos.subjects.wire import Made, Wire
from failover.chaos.workload import Asked, Requests
from failover.chaos.world.world import World
from failover.core.events import CallEnded, CallStarted, Event
from failover.core.vocabulary import Route

UNSOUND = "UnsoundReply"
"""A reply that is none: the subject returned, and nothing that it was answered with was whole."""


class SubjectDrive:
    """Runs a workload through somebody else's client; `now` is the virtual clock when it ended.

    A call ends when the subject returns or raises, or at its deadline, whichever is first. Who serves it
    is the target that answered last, as far as the wire shows.
    """

    def __init__(
        self,
        world: World,
        outcomes: Outcomes,
        routes: Routes,
        record: Callable[[Event], None],
        making: Making,
    ) -> None:
        self.now = 0.0
        self._world = world
        self._routes: Mapping[str, Route] = {route.name: route for route in routes.called}
        self._setting = setting_of(routes.called)
        self._record = record
        self._making = making
        targets = {target.name: target for target in routes.targets()}
        self.wire = Wire(world, outcomes, targets, record)

    def gaps(self) -> tuple[str, ...]:
        """Why nothing was shown: requests that nothing was recorded for, and what is nearest to them."""
        if not self.wire.lost:
            return ()
        told = [target for route in self._setting.routes.values() for target in route]
        keys = ", ".join(dict.fromkeys(f"{target.name} {target.key}" for target in told))
        first, count = self.wire.lost[0], len(self.wire.lost)
        why = "a request says by its key whom it is for"
        return (f"{count} requests reached no target, the first: {first}; {why}: {keys}",)

    def run(
        self, requests: Requests, at: list[tuple[float, Event]], arrived: Callable[[Asked, float], None]
    ) -> None:
        """Run to the end of the last call; arguments as in `Simulation.run`."""
        with litellm_drilled(), self.wire.installed():
            run_dated(lambda: self._run(requests, at, arrived), self._world.start_epoch_s)

    async def _run(
        self, requests: Requests, at: list[tuple[float, Event]], arrived: Callable[[Asked, float], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        for at_s, event in at:
            loop.call_at(at_s, self._record, event)
        async with self._making(self._setting) as subject, asyncio.TaskGroup() as calls:
            for arrived_s, asked in requests:
                await asyncio.sleep(arrived_s - loop.time())
                arrived(asked, arrived_s)
                calls.create_task(self._call(subject, asked))
        self.now = loop.time()
        # What the world does when the last call is over is told as well.
        await asyncio.sleep(max((at_s for at_s, _ in at), default=0.0) - self.now)

    async def _call(self, subject: Subject, asked: Asked) -> None:
        loop, request = asyncio.get_running_loop(), asked.request
        started_s, route = loop.time(), self._routes[asked.route]
        within_s = route.policy.deadline_s if request.deadline_s is None else request.deadline_s
        order = tuple(target.name for target in route.targets())
        data_class = self._world.governance.class_of(request.data_class, asked.route)
        facts = started_s + within_s, order, (), (), request.operation, data_class
        self._record(CallStarted(started_s, request.id, asked.route, *facts))
        made = Made(asked, started_s + within_s)
        self.wire.call.set(made)
        arguments = asked.shape.errand().payload
        error: str | None = None
        try:
            async with asyncio.timeout(within_s):
                await subject(
                    SubjectRequest(asked.route, request.operation, arguments, request.stream, within_s)
                )
        except TimeoutError:
            error = "DeadlineExceededError"
        except Exception as raised:  # noqa: BLE001  # whatever a client raises is how its call ended
            error = type(raised).__name__
        if error is None and not made.answered_by:
            error = UNSOUND
        served_by = made.answered_by if error is None else None
        told = started_s, served_by, error, made.attempts, made.cost_nusd
        self._record(CallEnded(loop.time(), request.id, asked.route, *told))
