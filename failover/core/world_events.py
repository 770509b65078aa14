"""What happens in a drill's world by itself, in the journal's vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from failover.core.rates import KindRates, LengthTier


@dataclass(frozen=True, slots=True)
class InjectionStarted:
    """The harness began to change the world."""

    event: ClassVar[str] = "injection_started"
    at_s: float
    index: int
    kind: str
    selector: str


@dataclass(frozen=True, slots=True)
class InjectionEnded:
    """The harness stopped changing the world."""

    event: ClassVar[str] = "injection_ended"
    at_s: float
    index: int
    kind: str
    selector: str


@dataclass(frozen=True, slots=True)
class PriceInForce:
    """From now on a target costs so many nano-dollars per million tokens; None: nobody knows any more.

    `kinds` and `tiers` as in a `DatedPrice`: with them its charges can be reckoned from the events alone.
    """

    event: ClassVar[str] = "price_in_force"
    at_s: float
    target: str
    input_nusd_per_mtok: int | None
    output_nusd_per_mtok: int | None
    kinds: KindRates | None = None
    tiers: tuple[LengthTier, ...] = ()


@dataclass(frozen=True, slots=True)
class TermsInForce:
    """From now on a target may not be sent data of the classes in `forbidden`, as far as the config knows.

    `really_forbidden` are those that its terms truly forbid, which somebody may not have told us.
    """

    event: ClassVar[str] = "terms_in_force"
    at_s: float
    target: str
    forbidden: tuple[str, ...]
    really_forbidden: tuple[str, ...]


WorldEvent = InjectionStarted | InjectionEnded | PriceInForce | TermsInForce
