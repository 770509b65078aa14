"""What every invariant has: a name, a count of what was checked, and the violations it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import Event

VIOLATIONS_TOLD = 20
"""A broken rule breaks a million times; the first times tell why."""

NONE = "-"


@dataclass(frozen=True, slots=True)
class InvariantResult:
    """How often the rule applied, and where it was broken: the first times in one line each.

    Where it was broken more often, the last line says how many more.
    """

    name: str
    checked: int
    violations: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether it was never broken."""
        return not self.violations


class Invariant:
    """A rule that must hold in every drill. Subclasses look at an event by a method of its name.

    What a subclass remembers of a call it forgets when the call ends: memory does not grow with the
    length of a drill. `heard` are told of each violation: name, time, call, target.
    """

    name: ClassVar[str]

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        self.scenario = scenario
        self.routes = routes
        self.checked = 0
        self._violations = 0
        self._told: list[str] = []
        self.heard: tuple[Callable[[str, float, str, str], None], ...] = ()

    def see(self, event: Event) -> None:
        """Look at one event. Many invariants together are asked through a dispatch table instead."""
        method = getattr(self, event.event, None)
        if method is not None:
            method(event)

    def end(self, now: float) -> InvariantResult:
        """The drill is over."""
        self.at_end(now)
        more = self._violations - len(self._told)
        told = [*self._told, f"and {more} more"] if more else self._told
        return InvariantResult(self.name, self.checked, tuple(told))

    def at_end(self, now: float) -> None:
        """What can be said only when nothing more will happen."""

    def violated(self, at_s: float, call: str, target: str, what: str) -> None:
        """Write down one violation: when, in which call, at which target, and what."""
        self._violations += 1
        for hear in self.heard:
            hear(self.name, at_s, call, target)
        if self._violations <= VIOLATIONS_TOLD:
            self._told.append(f"at {at_s:.3f} s, call {call}, target {target}: {what}")
