"""How long after the last fault the share of requests that are served is back, and stays.

One answer of the preferred target is no recovery: in a metastable failure (Bronson et al., HotOS 2021) the
trigger is gone, a few requests still get through, and retries keep the rest down.
"""

from __future__ import annotations

from math import inf

from failover.chaos.scenario import Scenario
from failover.core.events import CallEnded, CallStarted
from failover.core.world_events import InjectionEnded, InjectionStarted

WINDOW_S = 10.0
"""Requests are counted by when they arrived, in windows of this length."""
AS_GOOD_SHARE = 0.9
"""A window is good that serves this share of what was served before the first injection."""


class Goodput:
    """Listens to calls and injections. Only faults count that end while requests still arrive.

    `recovered_after_s`: seconds from the end of the last such fault to the end of the last whole window that
    was not good; 0 where all were. None: no such fault, no whole window after it, or the last was not good.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._until_s = scenario.workload.for_s
        self._faults = {index for index, each in enumerate(scenario.injections) if each.is_fault}
        self._calm = True
        self._requests = self._served = 0
        self._ended_s = inf
        self._windows: dict[int, _Window] = {}
        self._good_from = 0

    def injection_started(self, _event: InjectionStarted) -> None:
        """The first one ends the steady state: it is known now how many are served."""
        self._calm = False

    def injection_ended(self, event: InjectionEnded) -> None:
        """A fault that ends begins the count, and makes the one before it no longer the last."""
        if event.index in self._faults and event.at_s < self._until_s:
            self._ended_s = event.at_s
            self._windows = {}
            self._good_from = 0

    def call_started(self, event: CallStarted) -> None:
        """A request, in the window in which it arrived."""
        if event.at_s >= self._ended_s:
            self._window(event.at_s).requests += 1

    def call_ended(self, event: CallEnded) -> None:
        """Served or not, in the window in which it arrived, however long ago that is."""
        if self._calm:
            self._requests += 1
            self._served += event.target is not None
        if event.started_s >= self._ended_s:
            window = self._window(event.started_s)
            window.ended += 1
            window.served += event.target is not None
            if window.ended == window.requests:
                self._close_before(event.at_s)

    @property
    def recovered_after_s(self) -> float | None:
        """As the class says, as of now: call it when all calls have ended."""
        self._close_before(inf)
        whole = self._whole
        return self._good_from * WINDOW_S if self._requests and self._good_from < whole else None

    @property
    def _whole(self) -> int:
        """How many whole windows there are until requests stop."""
        return 0 if self._ended_s == inf else int((self._until_s - self._ended_s) // WINDOW_S)

    def _window(self, at_s: float) -> _Window:
        return self._windows.setdefault(int((at_s - self._ended_s) // WINDOW_S), _Window())

    def _close_before(self, at_s: float) -> None:
        """Judge the windows that are past and of which every call has ended: memory stays flat."""
        past = 0 if at_s < self._ended_s else at_s - self._ended_s
        for index in sorted(self._windows):
            window = self._windows[index]
            if (index + 1) * WINDOW_S > past or window.ended < window.requests:
                return
            del self._windows[index]
            if index < self._whole and window.served < AS_GOOD_SHARE * window.requests * self._served / max(
                1, self._requests
            ):
                self._good_from = index + 1


class _Window:
    __slots__ = ("ended", "requests", "served")

    def __init__(self) -> None:
        self.requests = self.ended = self.served = 0
