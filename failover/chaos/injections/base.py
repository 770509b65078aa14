"""What every injection has: a selector, a time, a share. Each kind adds how it changes an exchange."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import inf
from typing import ClassVar

from pydantic import Field, model_validator

from failover.chaos.world.image import Exchange
from failover.core.prices import DatedPrice
from failover.core.vocabulary import FaultDomain, Target
from failover.documents import Section


@dataclass(frozen=True, slots=True)
class Encounter:
    """Which attempt meets the injection: its target, and whether a stream was asked for."""

    target: Target
    stream: bool


class Injection(Section):
    """A change of the world. Subclasses name their `kind` and override what they change.

    Exactly one selector names what is hit, by a fault domain, with `*` as a wildcard. It begins at
    `at_s`, lasts `for_s` (left out: for ever), and hits `share` of the attempts; with `ramp_s` the
    share grows evenly from nothing over that time.
    """

    is_fault: ClassVar[bool] = True

    kind: str
    provider: str | None = None
    target: str | None = None
    model: str | None = None
    region: str | None = None
    cloud: str | None = None
    edge: str | None = None
    credential: str | None = None
    at_s: float = Field(default=0.0, ge=0.0)
    for_s: float | None = Field(default=None, gt=0.0)
    share: float = Field(default=1.0, gt=0.0, le=1.0)
    ramp_s: float = Field(default=0.0, ge=0.0)

    @model_validator(mode="after")
    def _one_selector(self) -> Injection:
        if len(self._selectors()) != 1:
            names = ", ".join(FaultDomain)
            message = f"names what it hits by exactly one of: {names}"
            raise ValueError(message)
        return self

    def _selectors(self) -> list[tuple[FaultDomain, str]]:
        found = [(domain, getattr(self, domain.value)) for domain in FaultDomain]
        return [(domain, pattern) for domain, pattern in found if pattern is not None]

    @property
    def selector(self) -> str:
        """What it hits, in one word pair: `provider openai`."""
        ((domain, pattern),) = self._selectors()
        return f"{domain} {pattern}"

    @property
    def ends_s(self) -> float:
        """When it is over; `inf`: never."""
        return inf if self.for_s is None else self.at_s + self.for_s

    def hits(self, target: Target) -> bool:
        """Whether `target` lies in what the selector names.

        A target is also known by its model and as `provider/name`, so `openai/*` hits all of OpenAI's.
        """
        ((domain, pattern),) = self._selectors()
        names = [target.domain(domain)]
        if domain is FaultDomain.TARGET:
            names += [f"{target.provider}/{target.name}", target.model]
        if domain is FaultDomain.MODEL:
            names.append(target.model.partition("/")[2])
        return any(name and fnmatchcase(name, pattern) for name in names)

    def share_at(self, at_s: float) -> float:
        """The share of attempts hit at `at_s`; 0 outside of its time."""
        if not self.at_s <= at_s < self.ends_s:
            return 0.0
        ramped = 1.0 if self.ramp_s == 0.0 else min(1.0, (at_s - self.at_s) / self.ramp_s)
        return self.share * ramped

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """What the attempt meets instead."""
        return exchange

    def reprice(self, price: DatedPrice) -> DatedPrice:
        """The price in force while it lasts, made of the one before; dates are set by the world."""
        return price
