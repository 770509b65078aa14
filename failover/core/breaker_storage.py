"""What a breaker remembers, as pybreaker's storage port: counts and times on the driver's clock."""

from __future__ import annotations

from datetime import UTC, datetime

from pybreaker import STATE_CLOSED, CircuitBreakerStorage

from failover.core.policy import BreakerPolicy
from failover.core.stats import Window

LAST_RESORT_AFTER_S = 1.0
"""How soon after opening a breaker may be probed when every other target is away as well."""

_STILL_OPEN = datetime(9000, 1, 1, tzinfo=UTC)


class ClockStorage(CircuitBreakerStorage):
    """pybreaker's storage port, answering from virtual or real time alike.

    Failures are in a row in the order in which they were *sent*, `number` by `number`: an answer that was
    under way when the trouble began says nothing of what was sent since, however late it comes.
    """

    def __init__(self, policy: BreakerPolicy) -> None:
        super().__init__("injected-clock")
        self.policy = policy
        self.now = 0.0
        self.window = Window(policy.window_s)
        self.consecutive = 0
        self.number = self._failed_last = 0
        self.slow_attempt = False
        self.open_until_s = 0.0
        self.open_for_s: float | None = None
        self.last_resort_s = 0.0
        self.openings = 0
        self.closed_at_s: float | None = None
        self._state: str = STATE_CLOSED
        self._successes = 0

    def forget(self) -> None:
        """Nothing was counted, and it never opened."""
        self.window.clear(self.now)
        self.consecutive = 0
        self.openings = 0
        self.closed_at_s = None

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        self._state = state
        if state == STATE_CLOSED:
            self.window.clear(self.now)
            self.closed_at_s = self.now

    @property
    def opened_at(self) -> datetime | None:
        """What pybreaker compares with its own clock: for ever while open, then never."""
        return _STILL_OPEN if self.now < self.open_until_s else None

    @opened_at.setter
    def opened_at(self, _wall: datetime) -> None:
        lasted_s = None if self.closed_at_s is None else self.now - self.closed_at_s
        held = self._state == STATE_CLOSED and (lasted_s is None or lasted_s > self.policy.window_s)
        self.openings = 1 if held else self.openings + 1
        grown_s = self.policy.open_s * 2.0 ** min(self.openings - 1, 32)
        open_for_s = min(grown_s, self.policy.open_max_s) if self.open_for_s is None else self.open_for_s
        self.open_until_s = self.now + open_for_s
        # Who was told to stay away for long stays away: only what was counted may be doubted sooner.
        asked_away = self.open_for_s is not None
        self.last_resort_s = self.open_until_s if asked_away else self.now + LAST_RESORT_AFTER_S

    def increment_counter(self) -> None:
        """A failure."""
        if self.number > self._failed_last:
            self.consecutive = self.consecutive + 1 if self.number == self._failed_last + 1 else 1
            self._failed_last = self.number
        self.window.add(self.now, failed=True, slow=self.slow_attempt)

    def leave_out(self, number: int) -> None:
        """An attempt was abandoned: it neither belongs to a row of failures nor ends it."""
        if number == self._failed_last + 1:
            self._failed_last = number

    def reset_counter(self) -> None:
        """A success: it ends the row of failures that were sent before it."""
        if self.number > self._failed_last:
            self.consecutive = 0
        self.window.add(self.now, failed=False, slow=self.slow_attempt)

    @property
    def counter(self) -> int:
        """Failures in a row; as many as open the breaker where their share alone is reason to."""
        policy, window = self.policy, self.window
        if self.consecutive >= policy.failures:
            return policy.failures
        by_share = (
            window.total >= policy.min_requests and window.failed >= policy.failure_share * window.total
        )
        return policy.failures if by_share else 0

    @property
    def too_slow(self) -> bool:
        """Whether the share of slow attempts alone is reason to open."""
        policy, window = self.policy, self.window
        return window.total >= policy.min_requests and window.slow >= policy.slow_share * window.total

    def increment_success_counter(self) -> None:
        """A probe was answered."""
        self._successes += 1

    def reset_success_counter(self) -> None:
        """Probes are counted anew."""
        self._successes = 0

    @property
    def success_counter(self) -> int:
        """Probes answered in a row."""
        return self._successes
