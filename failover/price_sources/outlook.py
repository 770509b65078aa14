"""What a target's price is, since when, until when, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from failover.core.prices import DatedPrice, PriceBook
from failover.price_sources.book import PriceRecord

DAY_S = 86_400
HOURS_SEEN_S = 8 * DAY_S
"""Hours of the week come round within it."""


@dataclass(frozen=True, slots=True)
class Change:
    """From `at_s` on another price: None is one that nobody knows. `kind`: how certain it is.

    `dated`, `announced`, `cancelled` (it does not come), or `promotion ends`.
    """

    at_s: float
    before: DatedPrice | None
    after: DatedPrice | None
    kind: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """The price of a target as of an instant. `since_s` and `until_s` None: not told, or without end.

    `until_s` may be only the next hour of the week with another price. `changes`: those to come by date, and
    what was cancelled.
    """

    record: PriceRecord
    price: DatedPrice | None
    since_s: float | None
    until_s: float | None
    changes: tuple[Change, ...]
    why_unknown: str = ""


def outlook(record: PriceRecord, as_of_s: float) -> Outlook:
    """What is known of `record` as of `as_of_s` (epoch seconds)."""
    book = PriceBook({"": record.in_book()})
    price = book.in_force("", as_of_s)
    before = book.turns_s("", as_of_s - HOURS_SEEN_S, as_of_s)
    after = book.turns_s("", as_of_s, as_of_s + HOURS_SEEN_S)
    changes = tuple(_changes(book, as_of_s))
    cancelled = tuple(_cancelled(record, book, as_of_s))
    later = after[:1] or [change.at_s for change in changes[:1]]
    return Outlook(
        record,
        price,
        before[-1] if before else None if price is None else price.valid_from_s,
        later[0] if later else None,
        tuple(sorted((*changes, *cancelled), key=lambda change: change.at_s)),
        _why_unknown(record, as_of_s) if price is None else "",
    )


def _changes(book: PriceBook, as_of_s: float) -> Iterator[Change]:
    """What changes by date. Beside a price of certain hours stands the one that they lie over."""
    marks = {at_s for price in book.prices[""] for at_s in (price.valid_from_s, price.valid_to_s)}
    before = _by_date(book.prices[""], as_of_s)
    for at_s in sorted(mark for mark in marks if mark is not None and mark > as_of_s):
        after = _by_date(book.prices[""], at_s)
        if after[:1] == before[:1] and len(after) == len(before):
            continue
        yield from _steps(at_s, before, after)
        before = after


def _steps(at_s: float, before: Sequence[DatedPrice], after: Sequence[DatedPrice]) -> Iterator[Change]:
    """One change for the plain price, and one for each of certain hours, which lies over the plain one."""
    for place in range(max(len(before), len(after), 1)):
        old, new = (of[place] if place < len(of) else of[0] if of else None for of in (before, after))
        yield Change(at_s, old, new, _kind(old, new))


def _kind(old: DatedPrice | None, new: DatedPrice | None) -> str:
    if new is not None and new.origin.announced:
        return "announced"
    return "promotion ends" if old is not None and old.origin.promotion else "dated"


def _by_date(prices: Sequence[DatedPrice], at_s: float) -> list[DatedPrice]:
    """Those that can be in force then at some hour, the plain one first."""
    found: list[DatedPrice] = []
    for price in reversed(prices):
        if price.lies_in(at_s):
            found.insert(0, price)
            if price.hours is None:
                break
    return found


def _cancelled(record: PriceRecord, book: PriceBook, as_of_s: float) -> Iterator[Change]:
    for entry in record.entries:
        if entry.origin.cancelled:
            at_s = as_of_s if entry.valid_from_s is None else entry.valid_from_s
            yield Change(at_s, book.in_force("", at_s), entry, "cancelled")


def _why_unknown(record: PriceRecord, as_of_s: float) -> str:
    for entry in reversed(record.entries):
        if entry.origin.unknown and entry.lies_in(as_of_s):
            return entry.origin.unknown
    if not record.entries:
        return "no source tells one" if record.target.model else "a function has one only where you tell it"
    return "none of those that are told is in force then"
