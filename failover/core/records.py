"""What happened to a call, as frozen values: carried by its reply and by its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from failover.core.quick import quick
from failover.core.vocabulary import AttemptCause, Outcome, PassedOver, Usage


@quick
@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One send of a call: what happened, when (seconds of the driver's clock), and what it cost.

    `cost_nusd` None: tokens were used, and nobody knows their price. `doubts`: the answer was handed on
    though it is perhaps not what was asked for, such as `wrong_model`. `usage` None: it used nothing that
    anybody knows of.
    """

    target: str
    cause: AttemptCause
    outcome: Outcome
    failure: str | None
    status: int | None
    started_s: float
    duration_s: float
    first_token_s: float | None
    cost_nusd: int | None
    doubts: tuple[str, ...] = ()
    usage: Usage | None = None


def total_nusd(attempts: Sequence[AttemptRecord]) -> int | None:
    """The sum of charges; None as soon as one of them is unknown."""
    known = [attempt.cost_nusd for attempt in attempts if attempt.cost_nusd is not None]
    return sum(known) if len(known) == len(attempts) else None


@quick
@dataclass(frozen=True, slots=True)
class CallRecord:
    """The story of a call, carried by its reply as `reply.failover` and by its error as `error.failover`."""

    call: str
    route: str
    target: str | None
    attempts: tuple[AttemptRecord, ...]
    passed_over: tuple[PassedOver, ...]
    started_s: float
    duration_s: float

    @property
    def cost_nusd(self) -> int | None:
        """The sum of charges, discarded attempts included; None where a price is unknown."""
        return total_nusd(self.attempts)

    @property
    def cost_usd(self) -> float | None:
        """The same in dollars."""
        return None if self.cost_nusd is None else self.cost_nusd / 1_000_000_000
