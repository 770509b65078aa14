"""What is left of a provider's quotas, as its rate-limit headers tell it: one `Quota` per key and model.

A reading is old the moment it arrives. What was sent after the answer that carried it counts against it,
and it ends: with the window's reset, after which the window is full again, or when nobody should believe
it any longer.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from weakref import WeakValueDictionary

BELIEVED_S = 300.0
"""No reading counts for longer. A header may be wrong by a day; then it is wrong for five minutes."""

UNTOLD_RESET_S = 60.0
"""A window without a reset is taken for one of a minute, which most providers' are."""

Sent = tuple[int, int, int]
"""Requests, tokens in, tokens out: what was sent in all, as far as it is counted."""

NOTHING_SENT: Sent = (0, 0, 0)


class Counted(StrEnum):
    """What a window counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"


@dataclass(frozen=True, slots=True)
class QuotaWindow:
    """One window of a reading. `name` tells it from the provider's others, say those of another length.

    `limit` None: not told. `resets_in_s`: seconds from when the reading is taken in, None where not told.
    """

    name: str
    counted: Counted
    remaining: int
    limit: int | None = None
    resets_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Headroom:
    """What one answer's headers say is left, a window at a time."""

    windows: tuple[QuotaWindow, ...]


class _Known:
    """A window as it was told, and `base`: what had been sent when the provider counted."""

    __slots__ = ("base", "counted", "is_told", "limit", "remaining", "renews", "until_s")

    def __init__(self, told: QuotaWindow, base: Sent, limit: int, now: float) -> None:
        resets_in_s = told.resets_in_s
        self.counted = told.counted
        self.limit = limit
        self.remaining = told.remaining
        self.base = base
        self.is_told = resets_in_s is not None
        self.renews = resets_in_s is not None and resets_in_s <= BELIEVED_S
        self.until_s = now + min(UNTOLD_RESET_S if resets_in_s is None else resets_in_s, BELIEVED_S)

    def left(self, sent: Sent) -> int:
        since = _used(self.counted, sent) - _used(self.counted, self.base)
        return self.remaining - max(0, since)

    def is_spent(self, sent: Sent) -> bool:
        """Only requests are counted down by us: of tokens we know no more than an estimate."""
        if not self.is_told:
            return False
        return (self.left(sent) if self.counted is Counted.REQUESTS else self.remaining) <= 0

    def begin_anew(self, sent: Sent, now: float) -> None:
        """The reset came: full again, for at least as long as it is likely to be."""
        self.remaining, self.base = self.limit, sent
        self.is_told = False
        self.until_s = now + UNTOLD_RESET_S


class Quota:
    """What is known to be left for all targets that share a provider, a credential and a model.

    `spent_until_s`: until then nothing is left of some window, as its provider told (0: all have room).
    """

    __slots__ = ("__weakref__", "_sent", "_windows", "spent_until_s")

    def __init__(self) -> None:
        self._windows: dict[str, _Known] = {}
        self._sent = NOTHING_SENT
        self.spent_until_s = 0.0

    def count(self, tokens_in: int, tokens_out: int, now: float) -> Sent:
        """One more request is sent, with so many tokens as far as they can be told beforehand.

        Returns the mark to hand to `take_in` with the headers of its answer.
        """
        for name, window in tuple(self._windows.items()):
            if window.until_s <= now:
                if window.renews:
                    window.begin_anew(self._sent, now)
                else:
                    del self._windows[name]
        requests, before_in, before_out = self._sent
        self._sent = (requests + 1, before_in + tokens_in, before_out + tokens_out)
        self._look(now)
        return self._sent

    def take_in(self, headroom: Headroom, mark: Sent, now: float) -> None:
        """What the answer to the request of that `mark` says; one older than the last changes nothing."""
        for told in headroom.windows:
            known = self._windows.get(told.name)
            if known is not None and known.is_told and mark < known.base:
                continue
            limit = told.limit
            if limit is None:
                # The most that was ever left is the best guess of what there is.
                limit = max(told.remaining, 0 if known is None else known.limit)
            self._windows[told.name] = _Known(told, mark, limit, now)
        self._look(now)

    def share(self, now: float) -> float | None:
        """The smallest part of a window that is left, from 0 to 1; None where nothing is known."""
        shares = [
            1.0
            if window.until_s <= now
            else max(0.0, min(1.0, window.left(self._sent) / window.limit))
            if window.limit
            else 0.0
            for window in self._windows.values()
            if window.until_s > now or window.renews
        ]
        return min(shares, default=None)

    def forget(self) -> None:
        """Nothing was told."""
        self._windows.clear()
        self.spent_until_s = 0.0

    def _look(self, now: float) -> None:
        self.spent_until_s = max(
            (
                window.until_s
                for window in self._windows.values()
                if window.until_s > now and window.is_spent(self._sent)
            ),
            default=0.0,
        )


class Quotas:
    """The quotas that are in use, by what their targets share.

    `told`: some provider told of one. `spent_until_s`: after that no quota at all is spent.
    """

    __slots__ = ("_quotas", "spent_until_s", "told")

    def __init__(self) -> None:
        self._quotas: WeakValueDictionary[Hashable, Quota] = WeakValueDictionary()
        self.told = False
        self.spent_until_s = 0.0

    def of(self, key: Hashable) -> Quota:
        """The one of all targets with this key."""
        quota = self._quotas.get(key)
        if quota is None:
            quota = self._quotas[key] = Quota()
        return quota

    def count(self, quota: Quota, tokens_in: int, tokens_out: int, now: float) -> Sent:
        """As `Quota.count`, noting whether that spent it."""
        mark = quota.count(tokens_in, tokens_out, now)
        self.spent_until_s = max(self.spent_until_s, quota.spent_until_s)
        return mark

    def take_in(self, quota: Quota, headroom: Headroom, mark: Sent, now: float) -> None:
        """As `Quota.take_in`, noting whether it is spent."""
        self.told = True
        quota.take_in(headroom, mark, now)
        self.spent_until_s = max(self.spent_until_s, quota.spent_until_s)


def _used(counted: Counted, sent: Sent) -> int:
    requests, tokens_in, tokens_out = sent
    if counted is Counted.REQUESTS:
        return requests
    if counted is Counted.TOKENS:
        return tokens_in + tokens_out
    return tokens_in if counted is Counted.INPUT_TOKENS else tokens_out
