"""Parameters that a target refused: requests with one of them stay away from it for a while."""

from __future__ import annotations

REFUSED_S = 300.0
"""As long as a refused key rests: no model learns a parameter in seconds, and one refusal costs little."""

REMEMBERED = 32
"""A provider may echo anything as a parameter's name: no more of them are kept at a time."""


class Refusals:
    """Until when, in seconds of the driver's clock, each refused parameter is believed to be refused."""

    __slots__ = ("_until_s",)

    def __init__(self) -> None:
        self._until_s: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._until_s)

    def learn(self, parameter: str, now: float) -> None:
        """The target refused `parameter`; empty: it did not say which."""
        if parameter:
            self._until_s.pop(parameter, None)
            if len(self._until_s) >= REMEMBERED:
                del self._until_s[next(iter(self._until_s))]  # the one that was learned first
            self._until_s[parameter] = now + REFUSED_S

    def until_s(self, parameters: frozenset[str], now: float) -> float | None:
        """Until when a request with these parameters would be refused; None: it is not known to be."""
        until_s = max((self._until_s[each] for each in parameters & self._until_s.keys()), default=0.0)
        return until_s if until_s > now else None

    def forget(self) -> None:
        """Whatever was refused may be tried again."""
        self._until_s.clear()
