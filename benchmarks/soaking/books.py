"""What must hold of a router under whatever load, kept as its events arrive, in memory that does not grow."""

from __future__ import annotations

import faulthandler
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from failover import Router
from failover.core.breaker import HALF_OPEN
from failover.core.events import AttemptEnded, AttemptStarted, CallEnded, CallStarted, Event

TOLD_MOST = 20
"""The first complaints tell it all; a broken rule has thousands more of the same."""

SILENT_S = 300.0
"""Who says nothing for so long hangs: every stack is printed, and the process exits with 1."""

EARLIER_MOST = 100
"""A target that reload after reload changes may remember its earlier selves while an attempt of one runs.

Between two looks there are fewer reloads than this, and in a whole soak far more.
"""


def progress(line: str = "") -> None:
    """Say how far it got, and that it does not hang."""
    if line:
        print(f"  {line}", flush=True)
    faulthandler.dump_traceback_later(SILENT_S, exit=True)


class Complaints:
    """What does not hold, whoever noticed. `count` is of all of them, `told` are the first."""

    def __init__(self) -> None:
        self.count = 0
        self.told: list[str] = []
        self._lock = Lock()

    def add(self, what: str) -> None:
        """One more."""
        with self._lock:
            self.count += 1
            if len(self.told) < TOLD_MOST:
                self.told.append(what)
                print(f"  BROKEN: {what}", flush=True)


@dataclass(slots=True)
class _OpenCall:
    """A call that has begun and not ended: `permits` are its open attempts with the targets they went to."""

    permits: dict[int, str] = field(default_factory=dict)
    sent: int = 0


class Books:
    """A listener that holds a router's events to their rules: permits are settled and calls end, each once.

    Only what is open is kept. `counts` says what happened how often, so that a soak that met nothing shows.
    """

    def __init__(self, name: str, complaints: Complaints) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self._complaints = complaints
        self._open: dict[str, _OpenCall] = {}
        self._last_s = 0.0

    def __call__(self, event: Event) -> None:
        """Take in one event."""
        self.counts[event.event] += 1
        if event.at_s < self._last_s:
            self.complain(f"{event.event} at {event.at_s} was told after {self._last_s}")
        self._last_s = event.at_s
        match event:
            case CallStarted():
                self._started(event)
            case AttemptStarted():
                self._sent(event)
            case AttemptEnded():
                self._settled(event)
            case CallEnded():
                self._ended(event)
            case _:
                pass

    def complain(self, what: str) -> None:
        """Something does not hold."""
        self._complaints.add(f"{self.name}: {what}")

    def require_nothing_open(self) -> None:
        """Between calls: every permit is settled, every call has ended."""
        for number, call in self._open.items():
            self.complain(f"call {number} has not ended; its open permits: {call.permits}")
        self._open.clear()
        for begun, ended in (("call_started", "call_ended"), ("attempt_started", "attempt_ended")):
            if self.counts[begun] != self.counts[ended]:
                self.complain(f"{self.counts[begun]} {begun}, {self.counts[ended]} {ended}")

    def _started(self, event: CallStarted) -> None:
        if event.call in self._open:
            self.complain(f"call {event.call} began twice")
        self._open[event.call] = _OpenCall()

    def _sent(self, event: AttemptStarted) -> None:
        self.counts[f"cause {event.cause}"] += 1
        self.counts["probe"] += event.probe
        call = self._open.get(event.call)
        if call is None:
            self.complain(f"call {event.call} sent attempt {event.attempt} when it was not open")
            return
        call.sent += 1
        if event.attempt != call.sent:
            self.complain(f"call {event.call} sent attempt {event.attempt} as number {call.sent}")
        call.permits[event.attempt] = event.target

    def _settled(self, event: AttemptEnded) -> None:
        self.counts[f"permit {event.permit}"] += 1
        if event.failure is not None:
            self.counts[f"failure {event.failure}"] += 1
        call = self._open.get(event.call)
        if call is None or call.permits.pop(event.attempt, None) != event.target:
            self.complain(f"attempt {event.attempt} of call {event.call} was settled when it was not open")

    def _ended(self, event: CallEnded) -> None:
        self.counts[f"end {event.error or 'served'}"] += 1
        call = self._open.pop(event.call, None)
        if call is None:
            self.complain(f"call {event.call} ended when it was not open")
        elif call.permits:
            self.complain(f"call {event.call} ended with open permits {call.permits}")
        elif call.sent != event.attempts:
            self.complain(f"call {event.call} sent {call.sent} attempts and tells of {event.attempts}")


class States:
    """The states of a router's targets, those that a reload replaced included, until they were looked at."""

    def __init__(self, router: Router, books: Books) -> None:
        self._router = router
        self._books = books
        self._seen: dict[int, Any] = {}

    def note(self) -> None:
        """Remember those of now; to be called before a reload."""
        self._seen.update((id(state), state) for state in self._now())

    def require_rest(self) -> None:
        """Between calls: nothing in flight, no probe, nobody in a queue."""
        self.note()
        for name, target in self._router.snapshot().targets.items():
            if target.in_flight:
                self._books.complain(f"snapshot says that {target.in_flight} are in flight at {name}")
        for state in self._seen.values():
            self._require_rest(state)
        self._seen.clear()

    def _now(self) -> Iterator[Any]:
        # Probes and queues are in no snapshot: they are the router's own.
        yield from self._router._learned.states.values()  # noqa: SLF001  as said above

    def _require_rest(self, state: Any) -> None:
        name, breaker, limiter = state.target.name, state.breaker, state.limiter
        if state.in_flight:
            self._books.complain(f"{name} counts {state.in_flight} in flight")
        if breaker.state == HALF_OPEN and breaker.probes_running:
            self._books.complain(f"{name} counts {breaker.probes_running} probes")
        if limiter is None:
            return
        if limiter._queue:  # noqa: SLF001  nothing else tells of it
            self._books.complain(f"{name} has {len(limiter._queue)} waiting for its limits")  # noqa: SLF001  as above
        earlier = 0
        while limiter is not None and limiter._before is not None:  # noqa: SLF001  as above
            earlier, limiter = earlier + 1, limiter._before.limiter  # noqa: SLF001  as above
        if earlier > EARLIER_MOST:
            self._books.complain(f"{name} still holds what it was under {earlier} earlier configs")
