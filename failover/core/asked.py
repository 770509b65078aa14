"""What came of asking one target in one call, and whether it may be asked once more."""

from __future__ import annotations

from math import inf

from failover.core.failures import FailureKind

MAY_MEAN_THE_PREFILL = frozenset({FailureKind.BAD_REQUEST, FailureKind.UNSUPPORTED_PARAMETER})
"""As what a target that was said to take a prefill, and does not, refuses it."""


class Asked:
    """`asks` counts; `retry_at_s`: when it may be asked again, inf: never; `at_once`: before all others."""

    __slots__ = ("asks", "at_once", "retry_at_s")

    def __init__(self) -> None:
        self.asks = 0
        self.at_once = False
        self.retry_at_s = inf

    def may_start_over(self, kind: FailureKind, now: float) -> bool:
        """Whether a target that was to go on with a text refused perhaps just that.

        It is asked once more without it, unless it was asked twice, and it stops nobody else.
        """
        if kind not in MAY_MEAN_THE_PREFILL:
            return False
        if self.asks == 1:
            self.at_once = True
            self.retry_at_s = now
        return True
