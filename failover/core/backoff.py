"""How long to wait before the same target is asked again: tenacity's wait and stop objects.

They run on the injected clock and rng: tenacity's own random waits use the global `random`, and its
own time-based stops read the wall clock, so neither would be reproducible in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable

from tenacity import RetryCallState, Retrying
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from failover.core.policy import BackoffPolicy

Rng = Callable[[], float]
"""Draws a float in [0, 1)."""


class FullJitter(wait_base):
    """A uniform draw between zero and `initial_s · 2^(attempt - 1)`, capped at `max_s`.

    Source: "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, policy: BackoffPolicy, rng: Rng) -> None:
        self._policy = policy
        self._rng = rng

    def __call__(self, retry_state: RetryCallState) -> float:
        """Seconds after the attempt that tenacity numbers, from 1."""
        exponent = min(retry_state.attempt_number - 1, 32)
        ceiling_s: float = min(self._policy.initial_s * 2.0**exponent, self._policy.max_s)
        return self._rng() * ceiling_s


Wait = wait_base | Callable[[RetryCallState], float]
"""tenacity's wait objects, and whatever else tenacity takes for one."""


class StopAtDeadline(stop_base):
    """Stops when the wait would end after the call's deadline: nobody sleeps past it."""

    def __init__(self, left_s: float) -> None:
        self._left_s = left_s

    def __call__(self, retry_state: RetryCallState) -> bool:
        """Whether the wait that was just computed is too long."""
        return retry_state.upcoming_sleep >= self._left_s


def backoff_s(wait: Wait, *, attempt: int, at_least_s: float = 0.0) -> float:
    """Seconds to wait after the `attempt`-th send (from 1) to a target.

    `at_least_s` is the provider's waiting hint: a floor under the jitter.
    """
    return _state(wait, attempt, at_least_s).upcoming_sleep


def backoff_within_s(wait: Wait, *, attempt: int, left_s: float, at_least_s: float = 0.0) -> float | None:
    """The same, or None when the wait would end after `left_s`, what remains of the deadline."""
    state = _state(wait, attempt, at_least_s)
    return None if StopAtDeadline(left_s)(state) else state.upcoming_sleep


def _state(wait: Wait, attempt: int, at_least_s: float) -> RetryCallState:
    state = RetryCallState(_RETRYING, None, (), {})
    state.attempt_number = attempt
    state.upcoming_sleep = max(at_least_s, float(wait(state)))
    return state


_RETRYING = Retrying()
