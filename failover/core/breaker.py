"""The breaker of one target: pybreaker's states on an injected clock, permits of our own on top.

pybreaker brings the state machine, listeners and the storage port. Three things it lacks are added
through its public extension points: a clock (its open state asks the storage whether the open time
has elapsed, so the storage answers from the time it was last told), opening by share in a window
(the storage answers `counter`), and admission: two-step permits with generations, so that at most
`probes` attempts pass a half-open breaker and the outcome of an older generation changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from math import isfinite

from pybreaker import (
    STATE_CLOSED,
    STATE_HALF_OPEN,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerListener,
    CircuitBreakerState,
    CircuitBreakerStorage,
)

from failover.core.counting import Tally
from failover.core.policy import BreakerPolicy
from failover.core.stats import Window
from failover.core.vocabulary import Outcome

CLOSED, OPEN, HALF_OPEN = STATE_CLOSED, STATE_OPEN, STATE_HALF_OPEN
LAST_RESORT_AFTER_S = 1.0
"""How soon after opening a breaker may be probed when every other target is away as well."""

_STILL_OPEN = datetime(9000, 1, 1, tzinfo=UTC)


class _FailedAttemptError(Exception):
    """Fed to pybreaker, made anew each time: a long-lived exception object would grow its traceback."""


def _succeed() -> None:
    return None


def _fail() -> None:
    raise _FailedAttemptError


class _ClockStorage(CircuitBreakerStorage):
    """pybreaker's storage port, answering from virtual or real time alike."""

    def __init__(self, policy: BreakerPolicy) -> None:
        super().__init__("injected-clock")
        self.policy = policy
        self.now = 0.0
        self.window = Window(policy.window_s)
        self.consecutive = 0
        self.slow_attempt = False
        self.open_until_s = 0.0
        self.open_for_s: float | None = None
        self.last_resort_s = 0.0
        self.openings = 0
        self.closed_at_s: float | None = None
        self._state = CLOSED
        self._successes = 0

    def forget(self) -> None:
        """Nothing was counted, and it never opened."""
        self.window.clear(self.now)
        self.consecutive = 0
        self.openings = 0
        self.closed_at_s = None

    @property
    def state(self) -> str:
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        self._state = state
        if state == CLOSED:
            self.window.clear(self.now)
            self.closed_at_s = self.now

    @property
    def opened_at(self) -> datetime | None:
        return _STILL_OPEN if self.now < self.open_until_s else None

    @opened_at.setter
    def opened_at(self, _wall: datetime) -> None:
        lasted_s = None if self.closed_at_s is None else self.now - self.closed_at_s
        held = self._state == CLOSED and (lasted_s is None or lasted_s > self.policy.window_s)
        self.openings = 1 if held else self.openings + 1
        grown_s = self.policy.open_s * 2.0 ** min(self.openings - 1, 32)
        open_for_s = min(grown_s, self.policy.open_max_s) if self.open_for_s is None else self.open_for_s
        self.open_until_s = self.now + open_for_s
        # Who was told to stay away for long stays away: only what was counted may be doubted sooner.
        asked_away = self.open_for_s is not None
        self.last_resort_s = self.open_until_s if asked_away else self.now + LAST_RESORT_AFTER_S

    def increment_counter(self) -> None:
        self.consecutive += 1
        self.window.add(self.now, failed=True, slow=self.slow_attempt)

    def reset_counter(self) -> None:
        self.consecutive = 0
        self.window.add(self.now, failed=False, slow=self.slow_attempt)

    @property
    def counter(self) -> int:
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
        self._successes += 1

    def reset_success_counter(self) -> None:
        self._successes = 0

    @property
    def success_counter(self) -> int:
        return self._successes


class Permit:
    """A breaker's leave to send, settled exactly once; settling again changes nothing."""

    __slots__ = ("_breaker", "generation", "probe", "settled", "tally")

    def __init__(self, breaker: Breaker, generation: int, *, probe: bool) -> None:
        self._breaker = breaker
        self.generation = generation
        self.probe = probe
        self.settled: Outcome | None = None
        self.tally: Tally | None = None

    def settle(self, outcome: Outcome, now: float, *, first_token_s: float | None = None) -> None:
        """Report how the attempt ended; `first_token_s` seconds after its start."""
        if self.settled is None:
            self.settled = outcome
            self._breaker.settle(self, outcome, now, first_token_s)


Changed = Callable[[str, str, float | None], None]
"""Called with the state left, the state entered, and until when it is open (None: until it is reset)."""


class Breaker(CircuitBreakerListener):
    """One target's breaker. `now` is an argument of every question and every report, in seconds."""

    def __init__(self, policy: BreakerPolicy, changed: Changed | None = None) -> None:
        self.policy = policy
        self.generation = 0
        self.probes_running = 0
        self.forced_until_s = 0.0
        self._changed = changed
        self._storage = _ClockStorage(policy)
        self._circuit = CircuitBreaker(
            fail_max=policy.failures,
            reset_timeout=0,
            listeners=[self],
            state_storage=self._storage,
            throw_new_error_on_trip=False,
        )

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`. An open breaker half-opens when it is next asked."""
        return self._storage.state

    @property
    def open_until_s(self) -> float:
        """When an open breaker lets the next probe through; inf: when it is reset."""
        return self._storage.open_until_s

    @property
    def failure_share(self) -> float:
        """The share of failures in the window, as of the attempt that ended last; 0 while not closed.

        It is a share of at least `min_requests` attempts: as with opening, few of them say little.
        What made a breaker open has had its consequence: from then on a probe decides.
        """
        window = self._storage.window
        if self._storage.state != CLOSED:
            return 0.0
        return window.failed / max(window.total, self.policy.min_requests)

    def admits(self, now: float) -> bool:
        """Whether `acquire` would give a permit, without taking it."""
        state = self._storage.state
        if state == CLOSED:
            return True
        if state == OPEN:
            return now >= self._storage.open_until_s
        return self.probes_running < self.policy.probes

    def ready_at_s(self, now: float, poll_s: float, *, last_resort: bool) -> float:
        """When to ask again: now, when the open time ends, or `poll_s` later while a probe runs.

        `last_resort`: everybody else is away too, so that an earlier probe has little to lose.
        """
        if self._storage.state == HALF_OPEN and self.probes_running >= self.policy.probes:
            return now + poll_s
        if self._storage.state != OPEN:
            return now
        open_until_s = self._storage.open_until_s
        return max(now, min(open_until_s, self._storage.last_resort_s) if last_resort else open_until_s)

    def acquire(self, now: float) -> Permit:
        """A permit to send; ask only where `admits` or `ready_at_s` says so."""
        self._storage.now = now
        if self._storage.state == CLOSED:
            return Permit(self, self.generation, probe=False)
        if self._storage.state == OPEN:
            self._circuit.half_open()
        self.probes_running += 1
        return Permit(self, self.generation, probe=True)

    def settle(self, permit: Permit, outcome: Outcome, now: float, first_token_s: float | None) -> None:
        """Take in the outcome of a permit; called by the permit, once."""
        if permit.generation != self.generation:
            return
        if permit.probe:
            self.probes_running -= 1
        if outcome is Outcome.ABANDONED:
            return
        storage = self._storage
        storage.now = now
        storage.slow_attempt = first_token_s is not None and first_token_s > self.policy.slow_s
        if outcome is Outcome.FAILURE or (permit.probe and storage.slow_attempt):
            self._feed_failure()
            return
        if storage.state == CLOSED:
            # All that pybreaker's closed state does with a success, without its lock and listeners.
            storage.reset_counter()
        else:
            self._circuit.call(_succeed)
        if storage.slow_attempt and storage.too_slow:
            self._circuit.open()

    def trip(self, now: float, open_for_s: float) -> None:
        """Open for `open_for_s`, whatever was counted: the scope was told to stay away for long."""
        storage = self._storage
        if storage.state == OPEN and now + open_for_s <= storage.open_until_s:
            return  # a later, shorter hint must not cut an earlier, longer one
        self._open_for(open_for_s, now)

    def force_open(self, now: float, open_for_s: float) -> None:
        """Open for `open_for_s` (inf: until `reset`) by an operator's word, which replaces any before it.

        Not even a last resort asks sooner.
        """
        self.forced_until_s = now + open_for_s
        self._open_for(open_for_s, now)

    def reset(self, now: float) -> None:
        """Closed, with nothing counted; what is under way belongs to an older generation."""
        storage = self._storage
        storage.now = now
        self.forced_until_s = 0.0
        if storage.state == CLOSED:
            self.generation += 1
        else:
            self._circuit.close()
        storage.forget()

    def _open_for(self, open_for_s: float, now: float) -> None:
        storage = self._storage
        storage.now = now
        storage.open_for_s = open_for_s
        self._circuit.open()
        storage.open_for_s = None

    def _feed_failure(self) -> None:
        with suppress(_FailedAttemptError):
            self._circuit.call(_fail)

    def state_change(
        self, cb: CircuitBreaker, old_state: CircuitBreakerState | None, new_state: CircuitBreakerState
    ) -> None:
        """pybreaker's listener: a new state begins a new generation of permits."""
        self.generation += 1
        self.probes_running = 0
        if self._changed is not None:
            until_s = self._storage.open_until_s
            known = new_state.name == OPEN and isfinite(until_s)
            self._changed(old_state.name if old_state else CLOSED, new_state.name, until_s if known else None)
