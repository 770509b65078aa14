"""Money made by hand: prices of which sums are easily done, budgets in a line, and a ledger that can fail."""

from __future__ import annotations

import datetime as dt
from typing import Any

from failover.core.prices import DatedPrice, PriceBook
from failover.core.spend import Budget, Per, Reservation, Spender, SpendScope
from failover.errors import LedgerError
from failover.ledger.memory import MemoryLedger
from tests.core.story import Story

NOON_S = dt.datetime(2026, 5, 13, 12, tzinfo=dt.UTC).timestamp()
A_TOKEN = DatedPrice(0, 1_000_000)
"""A nano-dollar for each token out, and nothing for those in: what is asked for is what it costs."""


def budget(scope: str, nusd: int, per: str = "day", **facts: Any) -> Budget:
    """`route:chat` in a line."""
    kind, _, name = scope.partition(":")
    return Budget(SpendScope(Spender(kind), name), nusd, Per(per), **facts)


def priced(*names: str) -> PriceBook:
    """A nano-dollar for each token out, at all of them."""
    return PriceBook(dict.fromkeys(names, (A_TOKEN,)))


def events(story: Story, name: str) -> list[Any]:
    """Those of one name."""
    return [event for event in story.events if event.event == name]


class BrokenLedger(MemoryLedger):
    """One that answers no more from the moment that it is told what is wrong."""

    def reserve(self, holds: Any, nusd: int, at_s: float, until_s: float) -> Any:
        if self.trouble and holds:
            raise LedgerError(self.trouble)
        return super().reserve(holds, nusd, at_s, until_s)

    def totals(self, account: Any, at_s: float) -> Any:
        if self.trouble:
            raise LedgerError(self.trouble)
        return super().totals(account, at_s)


def is_open(ledger: MemoryLedger) -> list[Reservation]:
    """What is reserved and neither settled nor released."""
    return [reservation for reservation, _ in ledger._open.values()]  # noqa: SLF001  # nothing else tells
