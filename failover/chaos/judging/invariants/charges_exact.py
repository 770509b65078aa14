"""Every attempt costs its tokens at the price in force when it ends, and a call what its attempts cost."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import NONE, Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.events import AttemptEnded, CallEnded, CallStarted
from failover.core.prices import DatedPrice
from failover.core.vocabulary import Operation, Outcome
from failover.core.world_events import PriceInForce

_FREE_UNTOLD = (Operation.COMPLETION, Operation.CALL)


class ChargesExact(Invariant):
    """To the nano-dollar. Where no price was told, nothing may be charged.

    An answer that tells no tokens is free if it is a chat; of any other operation nobody knows its cost.
    """

    name = "charges_exact"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._prices: dict[str, DatedPrice] = {}
        self._spent: dict[str, int | None] = {}
        self._untold: set[str] = set()

    def call_started(self, event: CallStarted) -> None:
        """May an answer that tells no tokens cost something?"""
        if event.operation not in _FREE_UNTOLD:
            self._untold.add(event.call)

    def price_in_force(self, event: PriceInForce) -> None:
        """From now on."""
        if event.input_nusd_per_mtok is None or event.output_nusd_per_mtok is None:
            self._prices.pop(event.target, None)
            return
        rates = event.input_nusd_per_mtok, event.output_nusd_per_mtok
        self._prices[event.target] = DatedPrice(*rates, kinds=event.kinds, tiers=event.tiers)

    def attempt_ended(self, event: AttemptEnded) -> None:
        """Is the charge right?"""
        self.checked += 1
        price = self._prices.get(event.target)
        used = event.tokens_in or event.tokens_out
        owed = 0 if not used else None if price is None else price.charge_nusd(event.used())
        if event.cost_nusd != owed and not self._is_unknown(event):
            what = f"attempt {event.attempt} was charged {event.cost_nusd} nano-dollars, {owed} were owed"
            what += "" if price else " (no price is known)"
            self.violated(event.at_s, event.call, event.target, what)
        before, cost_nusd = self._spent.get(event.call, 0), event.cost_nusd
        self._spent[event.call] = None if before is None or cost_nusd is None else before + cost_nusd

    def _is_unknown(self, event: AttemptEnded) -> bool:
        untold = event.outcome == Outcome.SUCCESS and not (event.tokens_in or event.tokens_out)
        return untold and event.cost_nusd is None and event.call in self._untold

    def call_ended(self, event: CallEnded) -> None:
        """Is the sum right?"""
        spent = self._spent.pop(event.call, 0)
        self._untold.discard(event.call)
        if event.cost_nusd != spent:
            what = f"says it cost {event.cost_nusd} nano-dollars, its attempts cost {spent}"
            self.violated(event.at_s, event.call, event.target or NONE, what)
