"""Which ledger a config wants, and what it spends against."""

from __future__ import annotations

import asyncio

from failover.config import Config
from failover.core.spend import Ledger, OnLedgerFailure
from failover.core.spending import Spending
from failover.ledger.memory import MemoryLedger


class Ledgers:
    """The ledgers of one router, whatever its config becomes: what was spent stays.

    `own` is one that was handed over, which no config replaces, and which its owner closes.
    """

    def __init__(self, own: Ledger | None = None) -> None:
        self._own = own
        self._memory: Ledger = MemoryLedger() if own is None else own
        self._files: dict[str, Ledger] = {}

    def spending(self, config: Config, before: Spending | None = None) -> Spending | None:
        """Its budgets and alarms, held against its ledger; None: it has none of them.

        `before` is that of the config before it. Raises `LedgerError` for a file that cannot be used.
        """
        if self._own is None and not _is_counted(config):
            return None
        on_failure = OnLedgerFailure.REFUSE if config.ledger is None else config.ledger.on_failure
        spending = Spending(self._ledger(config), config.budgets, config.alarms, on_failure)
        if before is not None:
            spending.follow(before)
        return spending

    def close(self) -> None:
        """Write down what is kept, and let go of every file."""
        for ledger in self._files.values():
            ledger.close()

    async def aclose(self) -> None:
        """The same, without holding up an event loop."""
        if self._files:
            await asyncio.to_thread(self.close)

    def _ledger(self, config: Config) -> Ledger:
        if self._own is not None or config.ledger is None:
            return self._memory
        path = str(config.ledger.path.absolute())
        if path not in self._files:
            # sqlite3 loads for who has a file.
            from failover.ledger.sqlite import SqliteLedger

            # Files of configs before stay open: calls that began under them are settled there.
            self._files[path] = SqliteLedger(config.ledger.path, config.ledger.wait_s)
        return self._files[path]


def ledger_of_a_drill(config: Config) -> Ledger | None:
    """One in memory, whatever file the config names; None: nothing that is spent is counted."""
    return MemoryLedger() if _is_counted(config) else None


def _is_counted(config: Config) -> bool:
    return bool(config.budgets or config.alarms or config.ledger)
