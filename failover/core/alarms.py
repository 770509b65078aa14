"""Alarms on the rate of spending: more than so much in the last while, or many times what is usual."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from failover.core.spend import HOUR_S, MINUTE_S, Per, SpendScope

GRAINS = 60
"""The last while is counted in so many pieces: an alarm may end late by one of them."""

USUAL_WINDOWS = 24
"""What is usual is the mean of so many of the windows before the last one, or of as many as were seen."""

USUAL_WINDOWS_LEAST = 3
"""Nothing is usual before that."""

ENDS_SHARE = 0.8
"""An alarm ends when the rate is below that share of what raised it, so that it does not flicker."""

_WEIGHT = 1.0 / (GRAINS * USUAL_WINDOWS)

LENGTHS_S = {Per.MINUTE: MINUTE_S, Per.HOUR: HOUR_S, Per.DAY: 24 * HOUR_S}


@dataclass(frozen=True, slots=True)
class Alarm:
    """More than `limit_nusd` in the last `per`; with `times`, more than so many times the usual too.

    The window is rolling: the last minute, hour or day, whenever that began.
    """

    scope: SpendScope
    limit_nusd: int
    per: Per = Per.HOUR
    times: float | None = None

    @property
    def length_s(self) -> float:
        """Of its window."""
        return LENGTHS_S[self.per]


class Rate:
    """What one account spends, watched by one alarm. Times may be those of any clock that never goes back."""

    __slots__ = ("_alarm", "_first", "_grains", "_mean", "_since_s", "is_raised", "spent_nusd")

    def __init__(self, alarm: Alarm, now: float) -> None:
        self._alarm = alarm
        self._since_s = now
        self._first = int(now // (alarm.length_s / GRAINS))
        self._grains: deque[list[int]] = deque()
        self._mean = 0.0
        self.spent_nusd = 0
        self.is_raised = False

    def charge(self, cost_nusd: int, now: float) -> bool | None:
        """So much more was spent. Whether the alarm was raised by that, or (False) ended; None: neither."""
        grain_s = self._alarm.length_s / GRAINS
        grain = int(now // grain_s)
        self._forget(grain)
        if self._grains and self._grains[-1][0] >= grain:
            self._grains[-1][1] += cost_nusd
        else:
            self._grains.append([grain, cost_nusd])
        self.spent_nusd += cost_nusd
        return self._judge(now)

    def usual_nusd(self, now: float) -> float:
        """What a window usually costs, the last one left out."""
        grain_s = self._alarm.length_s / GRAINS
        seen = int(now // grain_s) - GRAINS + 1 - self._first
        return self._mean / (1.0 - (1.0 - _WEIGHT) ** seen) if seen > 0 else 0.0

    def limit_nusd(self, now: float) -> int:
        """What may be spent in the window now."""
        times = self._alarm.times
        usual_nusd = 0 if times is None else int(self.usual_nusd(now) * times)
        return max(self._alarm.limit_nusd, usual_nusd)

    def _forget(self, grain: int) -> None:
        """What left the window becomes part of what is usual; a quiet while counts as well."""
        grains = self._grains
        while grains and grains[0][0] <= grain - GRAINS:
            left, spent_nusd = grains.popleft()
            self.spent_nusd -= spent_nusd
            until = grains[0][0] if grains and grains[0][0] <= grain - GRAINS else grain - GRAINS + 1
            self._mean += (spent_nusd * GRAINS - self._mean) * _WEIGHT
            self._mean *= (1.0 - _WEIGHT) ** (until - left - 1)

    def _judge(self, now: float) -> bool | None:
        alarm = self._alarm
        known = alarm.times is None or now - self._since_s >= alarm.length_s * (USUAL_WINDOWS_LEAST + 1)
        limit_nusd = self.limit_nusd(now)
        if not self.is_raised and known and self.spent_nusd > limit_nusd:
            self.is_raised = True
            return True
        if self.is_raised and self.spent_nusd < limit_nusd * ENDS_SHARE:
            self.is_raised = False
            return False
        return None
