"""What a refusal for size asks of whoever comes next: more than the one that refused has."""

from __future__ import annotations

from collections.abc import Callable

from failover.core.failures import NextTarget
from failover.core.vocabulary import Target

_SIZES: dict[NextTarget, Callable[[Target], int | None]] = {
    NextTarget.LARGER_WINDOW: lambda target: target.context_window_tokens,
    NextTarget.LARGER_LIMIT: lambda target: target.tokens_per_minute,
}
"""What a target must have more of than the one that refused."""


class Floors:
    """The sizes that refused one call."""

    __slots__ = ("_floors",)

    def __init__(self) -> None:
        self._floors: dict[NextTarget, int | None] = {}

    def refused_by(self, target: Target, rule: NextTarget) -> None:
        """`target` was too small, where that is what the rule is about."""
        if rule in _SIZES:
            self._floors[rule] = _SIZES[rule](target)

    def is_too_small(self, target: Target) -> bool:
        """Whether `target` is, as far as is known, no larger than one that refused."""
        for rule, size in self._floors.items():
            has = _SIZES[rule](target)
            if size is None or has is None or has <= size:
                return True
        return False
