"""The standby that nobody used is not there when it is needed: locked, slow, or refusing so sharp a ramp."""

from __future__ import annotations

from math import inf
from typing import Literal, assert_never

from pydantic import Field

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import ERROR_AFTER_S
from failover.chaos.world.image import Exchange
from failover.chaos.world.refusals import Refused, refusal_image


class ColdStandby(Injection):
    """Whoever it hits is cold after `idle_s` without a request, each target by itself, and at the beginning.

    `locked`: a cold target stays refused, as Bedrock locks legacy models. `slow`: for `warm_s` its first
    tokens come `first_token_extra_s` later. `ramp`: requests are let in at `rate_per_s`, which doubles
    every `double_s`; the rest is refused as too sharp an acceleration, as Anthropic does.
    """

    kind: Literal["cold_standby"]
    shape: Literal["locked", "slow", "ramp"] = Field(default="slow", alias="as")
    idle_s: float = Field(default=900.0, gt=0.0)
    warm_s: float = Field(default=60.0, gt=0.0)
    first_token_extra_s: float = Field(default=10.0, ge=0.0)
    rate_per_s: float = Field(default=1.0, gt=0.0)
    double_s: float = Field(default=60.0, gt=0.0)

    def gate(self) -> ColdGate:
        """Nobody has asked yet."""
        return ColdGate(self)


class _Standby:
    """One target: since when it is used, when it was asked last, and what it may still let in."""

    def __init__(self) -> None:
        self.asked_s = -inf
        self.since_s = 0.0
        self.locked = False
        self.credit = 1.0


class ColdGate:
    """Which targets are warm, in one drill."""

    def __init__(self, cold: ColdStandby) -> None:
        self._cold = cold
        self._standbys: dict[str, _Standby] = {}

    def passed(self, exchange: Exchange, encounter: Encounter, at_s: float) -> Exchange:
        """The exchange as a warm target gives it, or what a cold one does."""
        cold, name = self._cold, encounter.target.name
        standby = self._standbys.setdefault(name, _Standby())
        if cold.share_at(at_s) <= 0.0:
            standby.asked_s = at_s
            return exchange
        before_s, standby.asked_s = standby.asked_s, at_s
        if at_s - before_s > cold.idle_s:
            standby.since_s, standby.credit = at_s, 1.0
            standby.locked = cold.shape == "locked"
            before_s = at_s
        match cold.shape:
            case "locked":
                return _refused(Refused.ACCESS_NARROWED, exchange, encounter) if standby.locked else exchange
            case "slow":
                is_cold = at_s < standby.since_s + cold.warm_s
                return exchange.slowed(1.0, cold.first_token_extra_s) if is_cold else exchange
            case "ramp":
                rate_per_s = cold.rate_per_s * 2.0 ** ((at_s - standby.since_s) / cold.double_s)
                most = max(1.0, rate_per_s)
                standby.credit = min(most, standby.credit + (at_s - before_s) * rate_per_s)
                if standby.credit < 1.0:
                    return _refused(Refused.ACCELERATION, exchange, encounter)
                standby.credit -= 1.0
                return exchange
            case _:
                assert_never(cold.shape)


def _refused(why: Refused, exchange: Exchange, encounter: Encounter) -> Exchange:
    return exchange.replied(refusal_image(encounter.dialect, why), ERROR_AFTER_S)
