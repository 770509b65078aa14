"""What a call may do, whoever is well: whose terms let them have its data, and what it may spend."""

from __future__ import annotations

from math import inf

from failover.core.decide import Facts, forbidden
from failover.core.purse import Purse
from failover.core.vocabulary import PassedOver, Request, Route, Target


class Leave:
    """Asked of each target before it is sent to. `purse` None: nothing limits what this call may cost."""

    __slots__ = ("_deadline_s", "_facts", "_purse", "_request", "_route")

    def __init__(
        self, request: Request, route: Route, facts: Facts, purse: Purse | None, deadline_s: float
    ) -> None:
        self._request = request
        self._route = route
        self._facts = facts
        self._purse = purse
        self._deadline_s = deadline_s

    def forbidden(self, target: Target, now: float) -> PassedOver | None:
        """Why `target` may not have this data as of now; None: it may."""
        governed = self._facts.oversight.newest.is_on or self._request.data_class
        return forbidden(target, self._request, self._route, self._facts, now) if governed else None

    def free_at_s(self, target: Target, now: float, poll_s: float) -> float:
        """From when on the terms let it have this data, as far as they are known: now, later, or never."""
        bar = self.forbidden(target, now)
        if bar is None:
            return now
        return inf if bar.until_s is None else max(bar.until_s, now + poll_s)

    def unpaid(self, target: Target, now: float) -> PassedOver | None:
        """Keep free what an attempt may cost, or say why it must not be made."""
        return None if self._purse is None else self._purse.reserve(target, now, self._deadline_s)

    def put_back(self) -> None:
        """The attempt that was to be paid for is not made."""
        if self._purse is not None:
            self._purse.put_back()
