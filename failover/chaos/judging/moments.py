"""The moments of a drill that may have to be explained later: whole calls, and what followed the faults.

What is kept is bounded by how many calls run at once and by the moments below, never by the drill's length.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from failover.chaos.judging.listening import EVENTS
from failover.core.events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallEvent,
    CallStarted,
    Event,
    FirstTokenReceived,
    ReplyDoubted,
    WaitStarted,
)
from failover.core.world_events import InjectionEnded, InjectionStarted

LATELY = 200
"""So many events that belong to no call are remembered, and so many calls that have ended."""

BEFORE, AFTER = 4, 30
"""How many notable events around the beginning or end of an injection are kept."""

BEFORE_S = 10.0
"""What happened longer ago has nothing to do with it."""

NONE = "-"

Story = tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """The first time that an invariant was broken, and the call's story, or what happened around then."""

    at_s: float
    call: str
    target: str
    story: Story


class _Best:
    """The call for which a figure was highest."""

    __slots__ = ("figure", "story")

    def __init__(self) -> None:
        self.figure = 0.0
        self.story: Story = ()


class Moments:
    """Listens to everything. A story is what happened in a call, and to breakers meanwhile.

    `slowest`, `slowest_first_token` (served calls), `dearest`, `most_attempts`: the call that is it.
    `first_unserved`: the first call without a reply. `first_failure` and `first_served`: by target the
    first call in which its attempt failed, and the first it served. `fault_began`: around the start of
    the first injection; `fault_ended`: around the end of the last one that ended. `violations` by invariant.
    """

    def __init__(self) -> None:
        self.slowest, self.slowest_first_token = _Best(), _Best()
        self.dearest, self.most_attempts = _Best(), _Best()
        self.first_unserved: Story = ()
        self.first_failure: dict[str, Story] = {}
        self.first_served: dict[str, Story] = {}
        self.fault_began: list[Event] = []
        self.fault_ended: list[Event] = []
        self._running: dict[str, list[Event]] = {}
        self._ended: deque[tuple[str, Story]] = deque(maxlen=LATELY)
        self._notable: deque[Event] = deque(maxlen=LATELY)
        self._broken: dict[str, tuple[float, str, str]] = {}
        self._violations: dict[str, Violation] = {}
        for event in EVENTS:
            # What has no method of its own belongs to no call: breakers, cooldowns, prices, operators.
            if not hasattr(self, event.event):
                setattr(self, event.event, self._note)

    def call_started(self, event: CallStarted) -> None:
        """Its story begins."""
        self._running[event.call] = [event]

    def attempt_started(self, event: AttemptStarted) -> None:
        """Probes are notable."""
        self._tell(event)
        if event.probe:
            self._note(event)

    def attempt_ended(self, event: AttemptEnded) -> None:
        """So are failures."""
        self._tell(event)
        if event.failure is not None:
            self._note(event)

    def first_token_received(self, event: FirstTokenReceived) -> None:
        """A part of the story."""
        self._tell(event)

    def reply_doubted(self, event: ReplyDoubted) -> None:
        """A part of the story."""
        self._tell(event)

    def wait_started(self, event: WaitStarted) -> None:
        """A part of the story."""
        self._tell(event)

    def injection_started(self, event: InjectionStarted) -> None:
        """The first one is where it all begins."""
        first = not self.fault_began
        self._note(event)
        if first:
            self.fault_began = self._lately()

    def injection_ended(self, event: InjectionEnded) -> None:
        """The last one is where it should all be well again."""
        self._note(event)
        self.fault_ended = self._lately()

    def call_ended(self, event: CallEnded) -> None:
        """Is it one to be remembered?"""
        self._tell(event)
        events = self._running.pop(event.call)
        self._ended.append((event.call, tuple(events)))
        if event.target is None:
            self._note(event)
            self.first_unserved = self.first_unserved or self._story(events)
        else:
            self._served(event, event.target, events)
        if event.attempts > self.most_attempts.figure:
            self._is_best(self.most_attempts, event.attempts, events)
        if (event.cost_nusd or 0) > self.dearest.figure:
            self._is_best(self.dearest, event.cost_nusd or 0, events)
        if event.attempts > 1 or event.target is None:
            self._failed(events)

    def invariant_violated(self, name: str, at_s: float, call: str, target: str) -> None:
        """An invariant was broken, told before the event itself: only its first time is kept."""
        if name not in self._broken:
            self._broken[name] = at_s, call, target
            if call not in self._running:
                told = dict(self._ended).get(call) or tuple(self._notable)[-AFTER:]
                self._violations[name] = Violation(at_s, call, target, told)

    def violations(self) -> dict[str, Violation]:
        """By invariant; the story of a call that still runs as far as it went."""
        found = dict(self._violations)
        for name, (at_s, call, target) in self._broken.items():
            if name not in found:
                found[name] = Violation(at_s, call, target, self._story(self._running.get(call, [])))
        return found

    def _served(self, event: CallEnded, target: str, events: list[Event]) -> None:
        if event.at_s - event.started_s > self.slowest.figure:
            self._is_best(self.slowest, event.at_s - event.started_s, events)
        if target not in self.first_served:
            self.first_served[target] = self._story(events)
        for each in events:
            if type(each) is FirstTokenReceived:
                if each.at_s - event.started_s > self.slowest_first_token.figure:
                    self._is_best(self.slowest_first_token, each.at_s - event.started_s, events)
                break

    def _failed(self, events: list[Event]) -> None:
        for each in events:
            if type(each) is AttemptEnded and each.failure and each.target not in self.first_failure:
                self.first_failure[each.target] = self._story(events)

    def _is_best(self, best: _Best, figure: float, events: list[Event]) -> None:
        best.figure, best.story = figure, self._story(events)

    def _story(self, events: list[Event]) -> Story:
        """With what happened to breakers, cooldowns and the world meanwhile."""
        if not events:
            return ()
        from_s, to_s = events[0].at_s, events[-1].at_s
        seen = set(map(id, events))
        meanwhile = [each for each in self._notable if from_s <= each.at_s <= to_s and id(each) not in seen]
        others = [each for each in meanwhile if getattr(each, "call", None) is None]
        return tuple(sorted([*events, *others], key=lambda each: each.at_s))

    def _tell(self, event: CallEvent) -> None:
        story = self._running.get(event.call)
        if story is None:
            story = self._running[event.call] = []
        story.append(event)
        if self._broken:
            self._close(event)

    def _close(self, event: CallEvent) -> None:
        """A broken call that ends is told whole."""
        for name, (at_s, call, target) in self._broken.items():
            if call == event.call and name not in self._violations and type(event) is CallEnded:
                story = self._story(self._running[call])
                self._violations[name] = Violation(at_s, call, target, story)

    def _note(self, event: Event) -> None:
        self._notable.append(event)
        for around in (self.fault_began, self.fault_ended):
            if around and len(around) < BEFORE + 1 + AFTER:
                around.append(event)

    def _lately(self) -> list[Event]:
        latest = list(self._notable)[-BEFORE - 1 :]
        return [each for each in latest if each.at_s >= latest[-1].at_s - BEFORE_S]
