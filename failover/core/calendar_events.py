"""The part of the journal's vocabulary that a date brings: `events.py` has the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from failover.core.vocabulary import ByDate, RetirementShape


@dataclass(frozen=True, slots=True)
class RetirementAhead:
    """The end of a target's model is so many days ahead, a begun one counted, as `source` says.

    `successor`: a target, or the model that its provider recommends; empty: nobody named one.
    """

    event: ClassVar[str] = "retirement_ahead"
    at_s: float
    target: str
    days_left: int
    shape: RetirementShape
    successor: str
    source: str


@dataclass(frozen=True, slots=True)
class RetirementReached:
    """The date of the end of a target's model has come, as `source` says; `by_date`: what follows."""

    event: ClassVar[str] = "retirement_reached"
    at_s: float
    target: str
    by_date: ByDate
    shape: RetirementShape
    successor: str
    source: str

    @property
    def keeps_away(self) -> bool:
        """Whether the date alone keeps calls away, as far as anybody else is left."""
        return self.shape.ends and self.by_date is not ByDate.IGNORE

    @property
    def bars(self) -> bool:
        """Whether it is not asked any more, whoever is left."""
        return self.shape.ends and self.by_date is ByDate.BAR
