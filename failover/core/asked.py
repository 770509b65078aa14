"""Whom a call asks next, what came of asking one target, and whether it may be asked once more."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from failover.core.failures import FailureKind
from failover.core.quick import quick
from failover.core.target_state import TargetState
from failover.core.vocabulary import AttemptCause

MAY_MEAN_THE_PREFILL = frozenset({FailureKind.BAD_REQUEST, FailureKind.UNSUPPORTED_PARAMETER})
"""As what a target that was said to take a prefill, and does not, refuses it."""


@quick
@dataclass(frozen=True, slots=True)
class Pick:
    """Ask this target now."""

    state: TargetState
    cause: AttemptCause


@quick
@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nobody may be asked now; somebody may be at `at_s`."""

    at_s: float


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
