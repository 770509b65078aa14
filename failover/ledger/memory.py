"""A ledger in memory: for one process, for tests, and in virtual time. What was spent ends with it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from threading import Lock

from failover.core.spend import Account, Charge, Hold, Refusal, Reservation, Spender, Totals, refusal_of

SWEEP_S = 10.0
"""How often reservations that timed out and windows that ended are looked for; before any refusal too."""

LATE_S = 3600.0
"""So long after a reservation timed out, or its window ended, an attempt may still be settled."""


class MemoryLedger:
    """Sums by account, and the reservations that are open. Its memory does not grow with what is charged."""

    trouble = ""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ids = itertools.count(1)
        self._open: dict[str, Reservation] = {}
        self._late: dict[str, Reservation] = {}
        self._spent: dict[Account, int] = {}
        self._reserved: dict[Account, int] = {}
        self._latest_s = 0.0
        self._sweep_at_s = 0.0

    def now_s(self, as_of_s: float) -> float:
        """Never less than before."""
        self._latest_s = max(self._latest_s, as_of_s)
        return self._latest_s

    def reserve(
        self, holds: tuple[Hold, ...], nusd: int, at_s: float, until_s: float
    ) -> Reservation | Refusal:
        """As the port says; it never fails."""
        with self._lock:
            if at_s >= self._sweep_at_s:
                self._sweep(at_s)
            refusal = self._refusal(holds, nusd)
            if refusal is not None:
                self._sweep(at_s)
                refusal = self._refusal(holds, nusd)
                if refusal is not None:
                    return refusal
            spent = tuple([self._spent.get(hold.account, 0) for hold in holds])
            made = Reservation(str(next(self._ids)), nusd, holds, at_s, until_s, spent)
            if holds:
                self._open[made.id] = made
            reserved = self._reserved
            for hold in holds:
                reserved[hold.account] = reserved.get(hold.account, 0) + nusd
            return made

    def settle(self, reservation: Reservation, charge: Charge) -> None:
        """As the port says. One that timed out is charged all the same."""
        with self._lock:
            if not self._free(reservation) and self._late.pop(reservation.id, None) is None:
                return  # settled before, or charged to nobody
            for hold in reservation.holds:
                self._spent[hold.account] = self._spent.get(hold.account, 0) + charge.cost_nusd

    def release(self, reservation: Reservation) -> None:
        """As the port says."""
        with self._lock:
            self._free(reservation)

    def totals(self, account: Account, at_s: float) -> Totals:
        """As the port says."""
        with self._lock:
            self._sweep(at_s)
            return Totals(self._spent.get(account, 0), self._reserved.get(account, 0))

    def names(self, kind: Spender, begins_s: float, ends_s: float) -> Sequence[str]:
        """As the port says."""
        with self._lock:
            window = (kind, begins_s, ends_s)
            known = dict.fromkeys([*self._spent, *self._reserved])
            return [each.name for each in known if (each.kind, each.begins_s, each.ends_s) == window]

    def close(self) -> None:
        """Nothing is kept anywhere."""

    def _refusal(self, holds: tuple[Hold, ...], nusd: int) -> Refusal | None:
        for hold in holds:
            if hold.limit_nusd is not None:
                spent, reserved = self._spent.get(hold.account, 0), self._reserved.get(hold.account, 0)
                if spent + reserved + nusd > hold.limit_nusd:
                    return refusal_of(hold, hold.limit_nusd, Totals(spent, reserved), nusd)
        return None

    def _free(self, reservation: Reservation) -> bool:
        if self._open.pop(reservation.id, None) is None:
            return False
        for hold in reservation.holds:
            left = self._reserved.pop(hold.account, 0) - reservation.nusd
            if left > 0:
                self._reserved[hold.account] = left
        return True

    def _sweep(self, at_s: float) -> None:
        self._sweep_at_s = at_s + SWEEP_S
        for reservation in [each for each in self._open.values() if each.until_s <= at_s]:
            self._free(reservation)
            self._late[reservation.id] = reservation
        for late in [each for each in self._late.values() if each.until_s + LATE_S <= at_s]:
            del self._late[late.id]
        for account in [each for each in self._spent if each.ends_s + LATE_S <= at_s]:
            del self._spent[account]
