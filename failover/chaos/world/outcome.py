"""What a client observes of an image: found out once, since the same image always means the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from failover.adapters.told_usage import grown, usage_in
from failover.attempts import helped_out
from failover.chaos.world.image import Exchange
from failover.core.failures import Failure, Phase
from failover.core.messages import Limits
from failover.core.vocabulary import Usage


@dataclass(frozen=True, slots=True)
class SoFar:
    """What would be known of a stream that broke off between this event and the next one that is listed.

    `usage`: what its provider had told by then, helped out with what had come. `resumable`: all that the
    caller has is text.
    """

    event: int
    usage: Usage | None
    resumable: bool


@dataclass(frozen=True, slots=True)
class Course:
    """How a stream goes: its body comes in `events`, counted from 0, and then closes.

    `pieces` are the events with which the client had a piece of the answer, from the first token on;
    empty: there was none. `ended` is the one with which it knew the end. What is known at the first token:
    `held` (it is part of a tool call), `doubts`. `so_far` begins with the first piece.
    """

    events: int
    pieces: tuple[int, ...]
    ended: int
    held: bool = False
    doubts: tuple[Failure, ...] = ()
    so_far: tuple[SoFar, ...] = ()

    @property
    def resumable(self) -> bool:
        """Whether all that the caller has at its end is text."""
        return bool(self.so_far) and self.so_far[-1].resumable


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt comes to: tokens and doubts of a success, or the failure. Streamed: its course."""

    failure: Failure | None = None
    usage: Usage | None = None
    doubts: tuple[Failure, ...] = ()
    course: Course | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """When the events of a stream come, in seconds from its send.

    All up to the `first` token come at `first_token_s`; the others evenly, after the pause that the
    exchange may make.
    """

    first: int
    first_token_s: float
    rest_from_s: float
    step_s: float

    def at_s(self, event: int) -> float:
        """When `event` comes."""
        if event <= self.first:
            return self.first_token_s
        return self.rest_from_s + (event - self.first) * self.step_s


def pace(exchange: Exchange, course: Course) -> Pace:
    """The times of a stream's events.

    Where there is no answer in it, all come at once; what comes in one event comes when the answer is ready.
    """
    if not course.pieces:
        return Pace(course.events, exchange.first_token_s, exchange.first_token_s, 0.0)
    first = course.pieces[0]
    rest = course.events - 1 - first
    if not rest:
        return Pace(course.events, exchange.total_s, exchange.total_s, 0.0)
    from_s = exchange.first_token_s + exchange.pause_s
    step_s = (exchange.total_s - from_s) / rest if from_s < inf else 0.0
    return Pace(first, exchange.first_token_s, from_s, step_s)


def late(sent_s: float, paced: Pace, course: Course, limits: Limits) -> tuple[float, Phase] | None:
    """When a limit ends a stream that has begun, and which; None: it comes to its own end in time.

    Nobody waits longer than `idle_s` for a piece, nor than `total_s` for all. All is told and added up as
    an attempt does it, in the clock's time, so that its last bit is the same.
    """
    ended_s = paced.at_s(course.ended)
    if ended_s < limits.total_s and ended_s - paced.first_token_s < limits.idle_s:
        return None
    before_s = round(sent_s + paced.first_token_s, 6)
    waited_s = before_s - sent_s
    for event in (*course.pieces[1:], course.ended):
        at_s, left_s = round(sent_s + paced.at_s(event), 6), limits.total_s - waited_s
        due_s = before_s + min(limits.idle_s, left_s)
        if at_s >= round(due_s, 6):
            return due_s, Phase.IDLE if limits.idle_s <= left_s else Phase.TOTAL
        waited_s += at_s - before_s
        before_s = at_s
    return None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a client had with an event: could another go on, and what had its model written by then?"""

    resumable: bool
    came: Usage | None = None


def so_far(events: Sequence[bytes], taken: Mapping[int, Taken]) -> tuple[SoFar, ...]:
    """Where what is known changes; `taken` tells what the client knew from some of the events on."""
    told: Usage | None = None
    by_then = Taken(resumable=False)
    found: list[SoFar] = []
    for index, event in enumerate(events):
        told = grown(told, usage_in(event))
        by_then = taken.get(index, by_then)
        known = SoFar(index, helped_out(told, by_then.came), by_then.resumable)
        if index >= min(taken) and (not found or known != replace(found[-1], event=index)):
            found.append(known)
    return tuple(found)


def known_at(at_s: float, sent_s: float, paced: Pace, course: Course) -> SoFar:
    """What is known at `at_s` of a stream that has begun."""
    came = [each for each in course.so_far if round(sent_s + paced.at_s(each.event), 6) < at_s]
    return came[-1] if came else SoFar(0, None, resumable=False)
