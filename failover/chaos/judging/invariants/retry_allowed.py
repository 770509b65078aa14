"""The same target is asked again only after a failure that allows it, and only once more."""

from __future__ import annotations

from failover.chaos.judging.invariants.base import Invariant
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.core.asked import MAY_MEAN_THE_PREFILL
from failover.core.events import AttemptEnded, AttemptStarted, CallEnded, CallStarted
from failover.core.failures import DISPOSITIONS, FailureKind, SameTarget
from failover.core.policy import StreamRecovery

ASKS_MAX = 2


class _Asked:
    __slots__ = ("asks", "failure", "running")

    def __init__(self) -> None:
        self.asks = 1
        self.failure: FailureKind | None = None
        self.running = True


class RetryAllowed(Invariant):
    """What the table of failures says of the same target, checked at every ask after the first."""

    name = "retry_allowed"

    def __init__(self, scenario: Scenario, routes: Routes) -> None:
        super().__init__(scenario, routes)
        self._calls: dict[str, dict[str, _Asked]] = {}
        self._resuming = {
            route.name for route in routes.called if route.policy.stream_recovery is StreamRecovery.RESUME
        }
        self._resumed: set[str] = set()

    def call_started(self, event: CallStarted) -> None:
        """May it go on where a stream broke?"""
        if event.route in self._resuming:
            self._resumed.add(event.call)

    def attempt_started(self, event: AttemptStarted) -> None:
        """Was this target asked in this call before?"""
        call = self._calls.get(event.call)
        if call is None:
            self._calls[event.call] = {event.target: _Asked()}
            return
        asked = call.get(event.target)
        if asked is None:
            call[event.target] = _Asked()
            return
        self.checked += 1
        # What was asked to go on with a broken stream may refuse that, and be asked from the beginning.
        excused = MAY_MEAN_THE_PREFILL if event.call in self._resumed else frozenset()
        objection = _objection(asked, excused)
        if objection:
            what = f"attempt {event.attempt} asks again {objection}"
            self.violated(event.at_s, event.call, event.target, what)
        asked.asks += 1
        asked.running = True

    def attempt_ended(self, event: AttemptEnded) -> None:
        """What does this failure allow?"""
        asked = self._calls.get(event.call, {}).get(event.target)
        if asked is not None:
            asked.failure = event.failure
            asked.running = False

    def call_ended(self, event: CallEnded) -> None:
        """Its story is over."""
        self._calls.pop(event.call, None)
        self._resumed.discard(event.call)


def _objection(asked: _Asked, excused: frozenset[FailureKind]) -> str:
    if asked.running:
        return "while the attempt before it still runs"
    if asked.failure is None:
        return "after an attempt that did not fail"
    never = DISPOSITIONS[asked.failure].same_target is SameTarget.NEVER
    if never and asked.failure not in excused:
        return f"after {asked.failure}, which is never retried"
    if asked.asks >= ASKS_MAX:
        return f"though it was asked {asked.asks} times"
    return ""
