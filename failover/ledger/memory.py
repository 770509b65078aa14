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


class _Sums:
    """Of one account."""

    __slots__ = ("reserved_nusd", "spent_nusd")

    def __init__(self) -> None:
        self.reserved_nusd = 0
        self.spent_nusd = 0


_Open = tuple[Reservation, list[_Sums]]


class MemoryLedger:
    """Sums by account, and the reservations that are open. Its memory does not grow with what is charged."""

    trouble = ""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ids = itertools.count(1)
        self._accounts: dict[Account, _Sums] = {}
        self._open: dict[str, _Open] = {}
        self._late: dict[str, _Open] = {}
        self._latest_s = 0.0
        self._sweep_at_s = 0.0

    def now_s(self, as_of_s: float) -> float:
        """Never less than before."""
        if as_of_s > self._latest_s:  # noqa: PLR1730  # a comparison costs a third of a call of max
            self._latest_s = as_of_s
        return self._latest_s

    def reserve(
        self, holds: tuple[Hold, ...], nusd: int, at_s: float, until_s: float
    ) -> Reservation | Refusal:
        """As the port says; it never fails."""
        with self._lock:
            if at_s >= self._sweep_at_s:
                self._sweep(at_s)
            sums = [self._accounts.get(hold.account) or self._begun(hold.account) for hold in holds]
            refusal = _refusal(holds, sums, nusd)
            if refusal is not None:
                self._sweep(at_s)
                refusal = _refusal(holds, sums, nusd)
                if refusal is not None:
                    return refusal
            spent = tuple([each.spent_nusd for each in sums])
            made = Reservation(str(next(self._ids)), nusd, holds, at_s, until_s, spent)
            if holds:
                self._open[made.id] = made, sums
                for each in sums:
                    each.reserved_nusd += nusd
            return made

    def settle(self, reservation: Reservation, charge: Charge) -> None:
        """As the port says. One that timed out is charged all the same."""
        with self._lock:
            for each in self._freed(reservation) or self._late.pop(reservation.id, (None, ()))[1]:
                each.spent_nusd += charge.cost_nusd

    def release(self, reservation: Reservation) -> None:
        """As the port says."""
        with self._lock:
            self._freed(reservation)

    def totals(self, account: Account, at_s: float) -> Totals:
        """As the port says."""
        with self._lock:
            self._sweep(at_s)
            sums = self._accounts.get(account)
            return Totals() if sums is None else Totals(sums.spent_nusd, sums.reserved_nusd)

    def names(self, kind: Spender, begins_s: float, ends_s: float) -> Sequence[str]:
        """As the port says."""
        with self._lock:
            window = (kind, begins_s, ends_s)
            return [each.name for each in self._accounts if (each.kind, each.begins_s, each.ends_s) == window]

    def close(self) -> None:
        """Nothing is kept anywhere."""

    def _begun(self, account: Account) -> _Sums:
        sums = self._accounts[account] = _Sums()
        return sums

    def _freed(self, reservation: Reservation) -> list[_Sums]:
        """The sums of one that is open, with nothing reserved for it any more; of any other none."""
        _, sums = self._open.pop(reservation.id, (None, []))
        for each in sums:
            each.reserved_nusd -= reservation.nusd
        return sums

    def _sweep(self, at_s: float) -> None:
        self._sweep_at_s = at_s + SWEEP_S
        for reservation, _ in [each for each in self._open.values() if each[0].until_s <= at_s]:
            self._late[reservation.id] = reservation, self._freed(reservation)
        for reservation, _ in [each for each in self._late.values() if each[0].until_s + LATE_S <= at_s]:
            del self._late[reservation.id]
        for account in [each for each in self._accounts if each.ends_s + LATE_S <= at_s]:
            del self._accounts[account]


def _refusal(holds: tuple[Hold, ...], sums: list[_Sums], nusd: int) -> Refusal | None:
    for hold, each in zip(holds, sums, strict=True):
        limit_nusd = hold.limit_nusd
        if limit_nusd is not None and each.spent_nusd + each.reserved_nusd + nusd > limit_nusd:
            return refusal_of(hold, limit_nusd, Totals(each.spent_nusd, each.reserved_nusd), nusd)
    return None
