"""What was sent although the terms, as they really were, forbade it: nobody had told us."""

from __future__ import annotations

from failover.core.events import AttemptStarted, CallEnded, CallStarted
from failover.core.world_events import TermsInForce


class Unwitting:
    """Counts such attempts in `attempts`. Whatever our config knew to be forbidden is no such thing."""

    def __init__(self) -> None:
        self.attempts = 0
        self._hidden: dict[str, frozenset[str]] = {}
        self._classes: dict[str, str] = {}

    def terms_in_force(self, event: TermsInForce) -> None:
        """From now on."""
        self._hidden[event.target] = frozenset(event.really_forbidden) - frozenset(event.forbidden)

    def call_started(self, event: CallStarted) -> None:
        """Of which class is it?"""
        if self._hidden:
            self._classes[event.call] = event.data_class

    def attempt_started(self, event: AttemptStarted) -> None:
        """Did it go where it should not have?"""
        hidden = self._hidden.get(event.target)
        if hidden and self._classes.get(event.call, "") in hidden:
            self.attempts += 1

    def call_ended(self, event: CallEnded) -> None:
        """Its story is over."""
        self._classes.pop(event.call, None)
