"""Parameters that a target refused: requests with one of them stay away from it for a while."""

from __future__ import annotations

REFUSED_S = 300.0
"""As long as a refused key rests: no model learns a parameter in seconds, and one refusal costs little."""

REMEMBERED = 32
"""A provider may echo anything as a parameter's name: no more of them are kept at a time."""


class Refusals(dict[str, float]):
    """Until when, in seconds of the driver's clock, each refused parameter is believed to be refused.

    Empty for nearly every target nearly always, which every decision asks.
    """

    def learn(self, parameter: str, now: float) -> None:
        """The target refused `parameter`; empty: it did not say which."""
        if parameter:
            self.pop(parameter, None)
            if len(self) >= REMEMBERED:
                del self[next(iter(self))]  # the one that was learned first
            self[parameter] = now + REFUSED_S

    def until_s(self, parameters: frozenset[str], now: float) -> float | None:
        """Until when a request with these parameters would be refused; None: it is not known to be."""
        until_s = max((self[each] for each in parameters & self.keys()), default=0.0)
        return until_s if until_s > now else None
