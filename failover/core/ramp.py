"""The recovery ramp of one target: who just came back takes its share of the requests little by little.

A provider that was away returns with cold caches, and often limits how fast its traffic may grow. A
ramp says of a request whether the target may be asked first; nobody draws a lot for it, so that the
same story has the same end: every request that would have asked it first adds the share of that moment
to a credit, and one that does ask takes a whole one from it.
"""

from __future__ import annotations

RAMP_FLOOR = 0.1
"""The share at the very start: enough to learn from, little enough to do no harm."""


class Ramp:
    """The share of requests one target may take, growing evenly to 1 in `ramp_s` (0: there is no ramp).

    Questions change nothing. `take` and `hold_back` report what became of a request.
    """

    __slots__ = ("_credit", "_from_s", "ramp_s")

    def __init__(self, ramp_s: float) -> None:
        self.ramp_s = ramp_s
        self._from_s: float | None = None
        self._credit = 0.0

    def begin(self, now: float) -> None:
        """A probe closed the breaker."""
        self._from_s = now if self.ramp_s > 0.0 else None
        self._credit = 0.0

    def end(self) -> None:
        """The breaker opened again, or an operator said that all is well."""
        self._from_s = None

    def share(self, now: float) -> float:
        """Which part of the requests may ask the target first."""
        if self._from_s is None:
            return 1.0
        grown = (now - self._from_s) / self.ramp_s
        return min(1.0, RAMP_FLOOR + (1.0 - RAMP_FLOOR) * grown)

    def admits(self, now: float) -> bool:
        """Whether the next request may ask the target first."""
        return self._from_s is None or self._credit + self.share(now) >= 1.0

    def take(self, now: float) -> None:
        """The target is asked. More than it should: what comes next does not suffer for it."""
        self._credit = max(0.0, self._credit + self.share(now) - 1.0)

    def hold_back(self, now: float) -> None:
        """A request that would have asked it first asks somebody else."""
        self._credit = min(1.0, self._credit + self.share(now))
