"""What every injection has: a selector, a time, a share. Each kind adds how it changes an exchange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import inf
from typing import Any, ClassVar, Literal, Protocol

from pydantic import Field, model_validator

from failover.adapters.wire import WireReply
from failover.chaos.workload import Asked
from failover.chaos.world.image import Exchange, Image
from failover.chaos.world.wire_shapes import dialect_of
from failover.core.prices import DatedPrice
from failover.core.vocabulary import FaultDomain, Target
from failover.documents import Section


class Images:
    """Images made of others: the same of the same, since outcomes are found out once per image."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], tuple[Image, Image]] = {}

    def made(self, image: Image, key: tuple[Any, ...], make: Callable[[Image], Image]) -> Image:
        """What `make` makes of `image`; `key` tells what else it depends on."""
        # The identity of an image is its address: it is kept alive beside what was made of it.
        found = self._made.get((id(image), *key))
        if found is None:
            found = self._made[id(image), *key] = (image, make(image))
        return found[1]


@dataclass(frozen=True, slots=True)
class Encounter:
    """Which attempt meets the injection: its target, what is asked, and whether a stream.

    `at_s` is when it was sent, `ask` how often its call has asked this target, from 1.
    """

    target: Target
    asked: Asked
    stream: bool
    images: Images
    at_s: float = 0.0
    ask: int = 1
    draws: Callable[[str], float] | None = None

    @property
    def dialect(self) -> str:
        """Whose words the target's provider uses."""
        return dialect_of(self.target)

    def drawn(self, what: str) -> float:
        """A draw in [0, 1) of this attempt's own, for whatever else an injection leaves to chance."""
        return 0.0 if self.draws is None else self.draws(what)

    def remade(self, exchange: Exchange, make: Callable[[WireReply], WireReply], *key: Any) -> Exchange:
        """The same exchange at the same pace, with another reply in its image; without one, untouched.

        `key` names the change and what it depends on beside the reply.
        """
        if exchange.image.reply is None:
            return exchange
        return exchange.showing(
            self.images.made(exchange.image, key, lambda image: _remade(image, make, key))
        )


def _remade(image: Image, make: Callable[[WireReply], WireReply], key: tuple[Any, ...]) -> Image:
    assert image.reply is not None  # noqa: S101  # asked only of an image with a reply
    return Image(f"{image.origin}, {key[0]}", make(image.reply), image.fault)


class Gate(Protocol):
    """What lets in only so many. It remembers: one for each injection and drill."""

    def passed(self, exchange: Exchange, encounter: Encounter, at_s: float) -> Exchange:
        """The exchange, or what who comes too many meets."""
        ...


class Injection(Section):
    """A change of the world. Subclasses name their `kind` and override what they change.

    Exactly one selector names what is hit, by a fault domain, with `*` as a wildcard. It begins at
    `at_s`, lasts `for_s` (left out: for ever), and hits `share` of the attempts; with `ramp_s` the
    share grows evenly from nothing over that time. `sticky` says what shares one draw of the share:
    each attempt has its own, or all of a request at a target, of a tenant, or of an account.
    """

    is_fault: ClassVar[bool] = True
    changes_prices: ClassVar[bool] = False
    changes_terms: ClassVar[bool] = False

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
    sticky: Literal["attempt", "request", "tenant", "account"] = "attempt"

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

    def turns_s(self, since_s: float, until_s: float) -> tuple[float, ...]:
        """When, between the two, an attempt may begin to fare better than before, for the oracle to look.

        That is at its end, if nowhere else.
        """
        return (self.ends_s,) if since_s < self.ends_s < until_s else ()

    def stuck_to(self, target: Target, asked: Asked, ask: int) -> tuple[str | int, ...]:
        """Whose draw decides whether this attempt is hit."""
        match self.sticky:
            case "attempt":
                return target.name, asked.request.id, ask
            case "request":
                return target.name, asked.request.id
            case "tenant":
                return "tenant", target.name, asked.tenant
            case "account":
                return "account", target.provider, target.credential

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """What the attempt meets instead."""
        return exchange

    def gate(self) -> Gate | None:
        """A new gate, where it lets in only so many."""
        return None

    def reprice(self, price: DatedPrice) -> DatedPrice:
        """The price in force while it lasts, made of the one before; dates are set by the world."""
        return price
