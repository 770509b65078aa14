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
from math import isfinite

from pybreaker import (
    STATE_CLOSED,
    STATE_HALF_OPEN,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerListener,
    CircuitBreakerState,
)

from failover.core.breaker_storage import LAST_RESORT_AFTER_S, ClockStorage
from failover.core.counting import Tally
from failover.core.policy import BreakerPolicy
from failover.core.vocabulary import Outcome

CLOSED, OPEN, HALF_OPEN = STATE_CLOSED, STATE_OPEN, STATE_HALF_OPEN


class _FailedAttemptError(Exception):
    """Fed to pybreaker, made anew each time: a long-lived exception object would grow its traceback."""


def _succeed() -> None:
    return None


def _fail() -> None:
    raise _FailedAttemptError


class Permit:
    """A breaker's leave to send, given at `at_s`, settled exactly once; settling again changes nothing.

    `number` counts the permits of a breaker. `trial`: nothing was answered since the target's last cooldown.
    """

    __slots__ = ("_breaker", "at_s", "generation", "number", "probe", "settled", "tally", "trial")

    def __init__(self, breaker: Breaker, generation: int, number: int, at_s: float, *, probe: bool) -> None:
        self.at_s = at_s
        self.number = number
        self._breaker = breaker
        self.generation = generation
        self.probe = probe
        self.trial = False
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
    """One target's breaker. `now` is an argument of every question and every report, in seconds.

    `state` is `closed`, `open` or `half-open`. An open breaker half-opens when it is next asked.
    """

    def __init__(self, policy: BreakerPolicy, changed: Changed | None = None) -> None:
        self.policy = policy
        self.state = CLOSED
        self.generation = 0
        self.probes_running = 0
        self.forced_until_s = 0.0
        self._sent = 0
        self._changed = changed
        self._storage = ClockStorage(policy)
        self._circuit = CircuitBreaker(
            fail_max=policy.failures,
            reset_timeout=0,
            listeners=[self],
            state_storage=self._storage,
            throw_new_error_on_trip=False,
        )

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
        if self.state != CLOSED:
            return 0.0
        return window.failed / max(window.total, self.policy.min_requests)

    def admits(self, now: float) -> bool:
        """Whether `acquire` would give a permit, without taking it."""
        state = self.state
        if state == CLOSED:
            return True
        if state == OPEN:
            return now >= self._storage.open_until_s
        return self.probes_running < self.policy.probes

    def ready_at_s(self, now: float, poll_s: float, *, last_resort: bool) -> float:
        """When to ask again: now, when the open time ends, or `poll_s` later while a probe runs.

        `last_resort`: everybody else is away too, so that an earlier probe has little to lose.
        """
        if self.state == HALF_OPEN and self.probes_running >= self.policy.probes:
            return now + poll_s
        if self.state != OPEN:
            return now
        open_until_s = self._storage.open_until_s
        return max(now, min(open_until_s, self._storage.last_resort_s) if last_resort else open_until_s)

    def acquire(self, now: float) -> Permit:
        """A permit to send; ask only where `admits` or `ready_at_s` says so."""
        self._storage.now = now
        self._sent += 1
        if self.state == CLOSED:
            return Permit(self, self.generation, self._sent, now, probe=False)
        if self.state == OPEN:
            self._circuit.half_open()
        self.probes_running += 1
        return Permit(self, self.generation, self._sent, now, probe=True)

    def settle(self, permit: Permit, outcome: Outcome, now: float, first_token_s: float | None) -> None:
        """Take in the outcome of a permit; called by the permit, once."""
        if permit.generation != self.generation:
            return
        if permit.probe:
            self.probes_running -= 1
        storage = self._storage
        if outcome is Outcome.ABANDONED:
            storage.leave_out(permit.number)
            return
        storage.now, storage.number = now, permit.number
        storage.slow_attempt = first_token_s is not None and first_token_s > self.policy.slow_s
        if outcome is Outcome.FAILURE or (permit.probe and storage.slow_attempt):
            self._feed_failure()
            return
        if self.state == CLOSED:
            # All that pybreaker's closed state does with a success, without its lock and listeners.
            storage.reset_counter()
        else:
            self._circuit.call(_succeed)
        if storage.slow_attempt and storage.too_slow:
            self._circuit.open()

    def trip(self, now: float, open_for_s: float | None, *, counted: bool = False) -> None:
        """Open for `open_for_s` (None: as long as by its own count), whatever was counted here.

        `counted`: failures say so, its siblings' perhaps, and a last resort may doubt them; otherwise
        the scope was told to stay away.
        """
        storage = self._storage
        asked_s = 0.0 if open_for_s is None else open_for_s
        if self.state == OPEN and now + asked_s <= storage.open_until_s:
            return  # a later, shorter hint must not cut an earlier, longer one
        self._open_for(open_for_s, now)
        if counted:
            storage.last_resort_s = now + LAST_RESORT_AFTER_S

    def relent(self, now: float) -> bool:
        """Let an open breaker be probed from `now` on, and say whether that is news.

        Only what was counted is taken back so: who asked to be left alone still is.
        """
        storage = self._storage
        if self.state != OPEN or not storage.last_resort_s < storage.open_until_s > now:
            return False
        storage.open_until_s = now
        return True

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
        if self.state == CLOSED:
            self.generation += 1
        else:
            self._circuit.close()
        storage.forget()

    def _open_for(self, open_for_s: float | None, now: float) -> None:
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
        self.state = new_state.name
        self.generation += 1
        self.probes_running = 0
        if self._changed is not None:
            until_s = self._storage.open_until_s
            known = new_state.name == OPEN and isfinite(until_s)
            self._changed(old_state.name if old_state else CLOSED, new_state.name, until_s if known else None)
