"""Limits of your own on what a target is sent: requests and tokens in any minute, attempts at once.

A log of what was sent in the last minute, in flat memory: sends within a second of each other are one
entry, which leaves the minute when its last one does. So no stretch of 60 seconds holds more than the
limit, a burst may use a whole minute's at once, and a minute that is used up frees at most a second late.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Protocol

MINUTE_S = 60.0
GRAIN_S = 1.0
"""Sends this close to each other are counted as one entry."""

ROOM_POLL_S = 0.25
"""How often a call that waits for another attempt to end looks again: when that is, nobody knows."""

LATE_S = 0.25
"""A call that was told when to come back keeps its place in the queue so much longer than that."""


class Load:
    """What one call sends: tokens in, and the expected tokens out. Each call is one, also of equal size."""

    __slots__ = ("tokens_in", "tokens_out")

    def __init__(self, tokens_in: int = 0, tokens_out: int = 0) -> None:
        self.tokens_in = tokens_in
        self.tokens_out = tokens_out

    @property
    def tokens(self) -> int:
        """Both together."""
        return self.tokens_in + self.tokens_out


class Entry:
    """The sends of a moment."""

    __slots__ = ("first_s", "is_counted", "last_s", "requests", "tokens")

    def __init__(self, now: float) -> None:
        self.first_s = self.last_s = now
        self.requests = self.tokens = 0
        self.is_counted = True


class SendLog:
    """What a target was sent in the last minute."""

    __slots__ = ("entries", "requests", "tokens")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.requests = self.tokens = 0

    def forget(self, now: float) -> None:
        """What is older than a minute no longer counts."""
        entries = self.entries
        while entries and entries[0].last_s + MINUTE_S <= now:
            gone = entries.popleft()
            gone.is_counted = False
            self.requests -= gone.requests
            self.tokens -= gone.tokens

    def add(self, tokens: int, now: float) -> Entry:
        """One more send."""
        self.forget(now)
        if not self.entries or now - self.entries[-1].first_s >= GRAIN_S:
            self.entries.append(Entry(now))
        entry = self.entries[-1]
        entry.last_s = now
        entry.requests += 1
        self.requests += 1
        self.correct(entry, tokens)
        return entry

    def correct(self, entry: Entry, more_tokens: int) -> None:
        """A send of that entry turned out to have so many tokens more (or, below 0, fewer)."""
        if entry.is_counted:
            entry.tokens += more_tokens
            self.tokens += more_tokens


class Sender(Protocol):
    """Whose attempts are counted."""

    in_flight: int
    limiter: Limiter | None


class Limiter:
    """The limits of one target, and what counts against them. None: without limit.

    Who has to wait for it stands in a queue: those who came later, and new requests, leave room for
    those before them. A place is given up when its owner leaves or is sent elsewhere; at the latest a
    moment after the time its owner was told, so that whoever was forgotten holds up nobody for long.
    """

    __slots__ = ("_before", "_queue", "concurrency", "log", "requests_per_minute", "tokens_per_minute")

    def __init__(
        self,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        concurrency: int | None = None,
    ) -> None:
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.concurrency = concurrency
        self.log = SendLog()
        self._queue: dict[Load, float] = {}
        self._before: Sender | None = None

    def take_over(self, before: Sender) -> None:
        """Count on where the target had another config: what it was sent under that counts too."""
        if before.limiter is not None:
            self.log = before.limiter.log
            # It lets go of the configs before it under which nothing runs: they would pile up.
            before.limiter.running(before.in_flight)
        self._before = before

    def ready_at_s(self, now: float, in_flight: int, load: Load | None = None) -> float:
        """When one more attempt may start: `now`, later, or inf where its prompt alone is too large.

        `in_flight` attempts run. While too many do, that is a moment later: ask again then.
        """
        requests_ahead, tokens_ahead = self._ahead_of(load, now) if self._queue else (0, 0)
        at_s = self.rate_ready_at_s(now, load, requests_ahead, tokens_ahead)
        most = self.concurrency
        if most is not None and self.running(in_flight) + requests_ahead >= most:
            # The further behind, the less often: the one who is next looks often enough for all.
            return max(at_s, now + ROOM_POLL_S * (1 + requests_ahead // most))
        return at_s

    def rate_ready_at_s(
        self, now: float, load: Load | None = None, requests_ahead: int = 0, tokens_ahead: int = 0
    ) -> float:
        """When the last minute has room for one more attempt, behind so many others."""
        self.log.forget(now)
        requests_over = tokens_over = 0
        if self.requests_per_minute is not None:
            requests_over = self.log.requests + requests_ahead + 1 - self.requests_per_minute
        if self.tokens_per_minute is not None:
            tokens = 1
            if load is not None:
                if load.tokens_in > self.tokens_per_minute:
                    return inf
                # The answer's length is a guess: it alone must not keep a request away for ever.
                tokens = min(load.tokens, self.tokens_per_minute)
            tokens_over = self.log.tokens + tokens_ahead + tokens - self.tokens_per_minute
        return self._freed_at_s(now, requests_over, tokens_over)

    def _freed_at_s(self, now: float, requests_over: int, tokens_over: int) -> float:
        at_s = now
        for entry in self.log.entries:
            if requests_over <= 0 and tokens_over <= 0:
                return at_s
            requests_over -= entry.requests
            tokens_over -= entry.tokens
            at_s = entry.last_s + MINUTE_S
        # More are ahead than a minute takes: nobody can say more than that it will be later than that.
        return at_s if requests_over <= 0 and tokens_over <= 0 else max(at_s, now + MINUTE_S)

    def queue_up(self, load: Load, at_s: float, now: float, in_flight: int) -> None:
        """The owner of `load` waits until `at_s`; one who waits already keeps the place it has.

        Who waits for something else, such as a backoff, takes no place from anybody.
        """
        if self.ready_at_s(now, in_flight, load) <= now:
            return
        for other, until_s in tuple(self._queue.items()):
            if until_s < now and other is not load:
                del self._queue[other]
        self._queue[load] = at_s + LATE_S

    def leave(self, load: Load) -> None:
        """The owner of `load` no longer waits."""
        self._queue.pop(load, None)

    def take(self, load: Load, now: float) -> Entry:
        """An attempt starts."""
        self._queue.pop(load, None)
        return self.log.add(load.tokens, now)

    def log_at(self, now: float) -> SendLog:
        """What counts now."""
        self.log.forget(now)
        return self.log

    def running(self, in_flight: int) -> int:
        """Attempts under way, those that began under another config included."""
        before = self._before
        if before is None:
            return in_flight
        old = before.in_flight if before.limiter is None else before.limiter.running(before.in_flight)
        if not old:
            self._before = None
        return in_flight + old

    def _ahead_of(self, load: Load | None, now: float) -> tuple[int, int]:
        requests = tokens = 0
        for other, until_s in self._queue.items():
            if other is load:
                break
            if until_s >= now:
                requests += 1
                tokens += other.tokens
        return requests, tokens
