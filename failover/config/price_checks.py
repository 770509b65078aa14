"""What is wrong with prices although each key of them, alone, is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import Protocol

from failover.config.price_section import ForeignPrice, Peak, Price, Tier
from failover.core.peaks import DAY_MINUTES, WEEKDAYS
from failover.documents import Complaints, Document, Place


class Dated(Protocol):
    """Whatever holds in a time."""

    @property
    def valid_from(self) -> float | None:
        """From then on."""
        ...

    @property
    def valid_to(self) -> float | None:
        """Until just before then."""
        ...


def period(dated: Dated) -> tuple[float, float]:
    """From when until when, infinite where it is left open."""
    begins_s = -inf if dated.valid_from is None else dated.valid_from
    return begins_s, inf if dated.valid_to is None else dated.valid_to


def check_period(dated: Dated, place: Place, document: Document, complaints: Complaints) -> bool:
    """Whether it has any time in it; complain where it has none."""
    begins_s, ends_s = period(dated)
    if begins_s >= ends_s:
        complaints.add(document, (*place, "valid_to"), "must be later than valid_from")
    return begins_s < ends_s


def check_entries(
    prices: Price | list[Price] | None, place: Place, document: Document, complaints: Complaints
) -> None:
    """Complain about one price, or each of a list, at `place`."""
    if complaints.blames(document, place):
        return
    one = not isinstance(prices, list)
    entries = [prices] if isinstance(prices, Price) else prices or []
    for position, price in enumerate(entries):
        here = place if one else (*place, position)
        _check_one(price, here, document, complaints)
        if price.state != "cancelled" and check_period(price, here, document, complaints):
            hidden_by = _hidden_by(price, position, entries)
            if hidden_by is not None:
                what = f"is never in force: price {hidden_by} covers its whole period, and the last one "
                what += "listed wins"
                complaints.add(document, here, what)


def _hidden_by(price: Price, position: int, entries: Sequence[Price]) -> int | None:
    begins_s, ends_s = period(price)
    for later in range(position + 1, len(entries)):
        other_begins_s, other_ends_s = period(entries[later])
        covers = other_begins_s <= begins_s and ends_s <= other_ends_s
        if covers and entries[later].state != "cancelled":
            return later
    return None


def _check_one(price: Price, place: Place, document: Document, complaints: Complaints) -> None:
    if price.state == "announced" and price.valid_from is None:
        complaints.add(
            document, (*place, "state"), "is announced for no date: the key 'valid_from' is missing"
        )
    if price.promotion and price.valid_to is None:
        complaints.add(document, (*place, "promotion"), "never ends: the key 'valid_to' is missing")
    if price.usd_per_unit is not None and not isinstance(price, ForeignPrice):
        what = "is for a price in another currency: the key 'currency' is missing"
        complaints.add(document, (*place, "usd_per_unit"), what)
    _check_tiers(price.tiers, (*place, "tiers"), document, complaints)
    for name in ("batch", "flex", "priority"):
        service = getattr(price, name)
        if service is not None:
            _check_tiers(service.tiers, (*place, name, "tiers"), document, complaints)
    _check_peaks(price.peak, (*place, "peak"), document, complaints)


def _check_tiers(tiers: Sequence[Tier], place: Place, document: Document, complaints: Complaints) -> None:
    for position in range(1, len(tiers)):
        if tiers[position].above_tokens <= tiers[position - 1].above_tokens:
            what = f"must be more than {tiers[position - 1].above_tokens}, that of the tier before"
            complaints.add(document, (*place, position, "above_tokens"), what)


def _check_peaks(peaks: Sequence[Peak], place: Place, document: Document, complaints: Complaints) -> None:
    taken: dict[tuple[object, int], tuple[int, int]] = {}
    for position, peak in enumerate(peaks):
        _check_tiers(peak.tiers, (*place, position, "tiers"), document, complaints)
        for which, window in enumerate(peak.hours):
            minutes = list(_minutes(peak, window))
            other = next((taken[minute] for minute in minutes if minute in taken), None)
            if other is not None:
                what = f"overlaps hours {other[1]} of peak {other[0]}: each hour has one price"
                complaints.add(document, (*place, position, "hours", which), what)
            taken.update(dict.fromkeys(minutes, (position, which)))


def _minutes(peak: Peak, window: tuple[int, int]) -> Iterator[tuple[object, int]]:
    """Every minute of the week in that window, by the clock of its zone."""
    begins, ends = window
    lasts = ends - begins if begins < ends else ends + DAY_MINUTES - begins
    for weekday in peak.weekdays:
        first = WEEKDAYS.index(weekday) * DAY_MINUTES + begins
        yield from ((str(peak.zone), minute % (7 * DAY_MINUTES)) for minute in range(first, first + lasts))
