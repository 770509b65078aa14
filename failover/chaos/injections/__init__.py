"""The catalogue: one small file each, and one registration here."""

from typing import Annotated

from pydantic import Field

from failover.chaos.injections.base import Encounter, Gate, Images, Injection
from failover.chaos.injections.deprecation import Deprecation
from failover.chaos.injections.outage import Outage
from failover.chaos.injections.price_change import PriceChange
from failover.chaos.injections.rate_limit import RateLimit
from failover.chaos.injections.slowdown import Slowdown

AnyInjection = Annotated[
    Outage | Slowdown | RateLimit | Deprecation | PriceChange, Field(discriminator="kind")
]

__all__ = ["AnyInjection", "Encounter", "Gate", "Images", "Injection"]
