"""Terms change: what a provider may do with data, from one moment to the next. An injection, and no fault."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from failover.chaos.injections.base import Injection
from failover.config.terms_section import TermsSection


class TermsChange(Injection):
    """What `terms` says holds of whoever is hit while it lasts; what it leaves out stays as it was.

    Our config knows of it `known_after_s` seconds later, as if it had been told in time at 0; with
    `known: false` nobody tells us, and what is sent meanwhile is counted as sent unwittingly.
    """

    is_fault: ClassVar[bool] = False
    changes_terms: ClassVar[bool] = True

    kind: Literal["terms_change"]
    terms: TermsSection
    known: bool = True
    known_after_s: float = Field(default=0.0, ge=0.0)

    @model_validator(mode="after")
    def _for_everybody_at_once(self) -> TermsChange:
        if self.share != 1.0 or self.ramp_s != 0.0 or self.sticky != "attempt":
            raise ValueError("changes terms for everybody at once: leave out share, ramp_s and sticky")
        if self.terms.valid_from is not None or self.terms.valid_to is not None:
            raise ValueError("holds from at_s for for_s: leave valid_from and valid_to out of terms")
        if not self.terms.model_fields_set:
            raise ValueError("says nothing: name in terms what changes, such as {retention_days: 30}")
        if not self.known and self.known_after_s:
            raise ValueError("is never known with known: false: leave out known_after_s")
        return self
