"""When a refusal says more of who refused than of what was asked: status codes lie in incidents.

`unauthorized`: a key that served within the last minute is not believed to be revoked by one refusal.
The refused target alone is left for its short open time, and probed. Three refusals on the key without an
answer between them, over more than a moment, are believed; three of one target, while others are served
with the same key, are believed of that target.

`bad_request`: three calls within a minute, rejected alike by a target that served within the minute
before, and not outnumbered by what it served since, are suspicious. A suspicious rejection says nothing
of its target, and its call goes on to the next one, which is the proof:

- Another target serves the same request: a wave. From then on such rejections count as failures. Where the
  target serves more than it rejects they do so no more, and yet each is suspicious at once for five minutes
  after the last proof: what fails in part fails on.
- A target of another provider rejects it as well: the request is bad, and its call ends. Each such
  contradiction doubles what it takes to become suspicious again, until a minute passes without any.

So a client that sends what nobody takes opens no breaker, whatever it is mixed with, and few of its
requests are sent twice. Source: false 401 and 400 waves in published incidents of 2026.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple, Protocol

from failover.core.events import OutageSuspected
from failover.core.failures import Failure, FailureKind, Scope
from failover.core.vocabulary import Outcome, Target

RECENT_S = 60.0
"""Who served within this time worked."""

Tell = Callable[[OutageSuspected], None]

REFUSALS = 3
"""One refusal is no proof: three of them, over `REFUSALS_SPAN_S`, are."""

REFUSALS_SPAN_S = 5.0
"""A hiccup of a second refuses everything under way at once: that is one refusal."""

REJECTIONS = 3
PROVEN_S = 300.0
"""So long a proof is remembered after the target serves more than it rejects: who is asked seldom, too,
meets the rest of the wave."""
PROOFS_MOST, CONTRADICTIONS_MOST = 3, 5
CODES_MOST = 8
"""Of so many error codes the rejections are remembered, per target."""


class _Rejection(NamedTuple):
    """A rejected call: when, and what its target had served until then."""

    at_s: float
    served: int
    served_s: float


class Rejections:
    """What one target rejected with one error code. `score`: proofs of a wave against contradictions."""

    __slots__ = ("_added_s", "_latest", "_proved_s", "score")

    def __init__(self) -> None:
        self.score = 0
        self._added_s = self._proved_s = -inf
        self._latest: deque[_Rejection] = deque(maxlen=REJECTIONS * 2**CONTRADICTIONS_MOST)

    def __len__(self) -> int:
        return len(self._latest)

    @property
    def since_s(self) -> float:
        """When the first of those that count was rejected."""
        return self._latest[0].at_s

    def add(self, history: History, now: float) -> Outcome:
        """One more: how the permit of the rejected attempt is to be settled."""
        if now - self._added_s > RECENT_S:
            self.score = max(self.score, 0)
        self._added_s = now
        self._latest.append(_Rejection(now, history.served, history.served_s))
        self._forget_what_is_over(history, now)
        if self.score > 0:
            return Outcome.FAILURE
        return Outcome.ABANDONED if self._is_suspicious(now) else Outcome.SUCCESS

    def prove(self, now: float) -> bool:
        """Another target served what was rejected here. Returns whether that began a wave."""
        began = self.score <= 0 and now - self._proved_s > PROVEN_S
        self.score = min(max(self.score, 0) + 1, PROOFS_MOST)
        self._proved_s = now
        return began

    def contradict(self) -> None:
        """Another provider rejected it too."""
        self.score = max(self.score - 1, -CONTRADICTIONS_MOST)
        if self.score < 0:
            self._latest.clear()
            self._proved_s = -inf

    @property
    def _needed(self) -> int:
        return REJECTIONS * int(2 ** max(0, -self.score))

    def _forget_what_is_over(self, history: History, now: float) -> None:
        latest, last = self._latest, self._latest[-1]
        if self.score <= 0:
            while now - latest[0].at_s > RECENT_S:
                latest.popleft()
        first = latest[-min(len(latest), self._needed)]
        if history.served - first.served >= self._needed:
            # It serves again, and more than it rejects.
            self.score = min(self.score, 0)
            latest.clear()
            latest.append(last)

    def _is_suspicious(self, now: float) -> bool:
        if now - self._proved_s <= PROVEN_S:
            return True
        if len(self._latest) < self._needed:
            return False
        first = self._latest[-self._needed]
        return first.at_s - first.served_s <= RECENT_S


class History:
    """What one target served and refused of late. Times are seconds of the driver's clock.

    `served_s`: when the last attempt that it served began. `served` counts those that began after the
    rejections did (`rejecting_since_s`): what was under way then, and is served nevertheless, says nothing
    of them.
    """

    __slots__ = ("refused_s", "rejecting_since_s", "rejections", "served", "served_s")

    def __init__(self) -> None:
        self.served = 0
        self.served_s = -inf
        self.forget()

    def forget(self) -> None:
        """Nothing speaks against it."""
        self.refused_s: list[float] = []
        self.rejections: dict[str, Rejections] = {}
        self.rejecting_since_s = inf

    def rejects(self, code: str, now: float) -> Outcome:
        """A call was rejected with `code`: how its permit is to be settled."""
        if code not in self.rejections:
            while len(self.rejections) >= CODES_MOST:
                del self.rejections[next(iter(self.rejections))]
            self.rejections[code] = Rejections()
        settled = self.rejections[code].add(self, now)
        self.rejecting_since_s = self.rejections[code].since_s
        return settled

    def refuses(self, sharing: Sequence[History], now: float) -> Scope | None:
        """The credential was refused; `sharing`: the histories of all its targets, this one's included.

        Returns who is blamed for long: the credential, this target, or for now nobody (None).
        """
        served_s = max(history.served_s for history in sharing)
        still = [at_s for at_s in self.refused_s if at_s > self.served_s]
        self.refused_s = [*still[: REFUSALS - 1], now]
        on_the_key = [at_s for each in sharing for at_s in each.refused_s]
        if now - served_s > RECENT_S or _convince(on_the_key, served_s, now):
            return Scope.CREDENTIAL
        return Scope.TARGET if _convince(self.refused_s, self.served_s, now) else None


def _convince(refused_s: Iterable[float], served_s: float, now: float) -> bool:
    in_a_row = [at_s for at_s in refused_s if at_s > served_s]
    return len(in_a_row) >= REFUSALS and now - min(in_a_row) >= REFUSALS_SPAN_S


class _Known(Protocol):
    target: Target
    history: History


Failures = Sequence[tuple[str, Failure]]
"""What failed in one call so far: targets' names and failures, in order."""


def goes_on(states: Mapping[str, _Known], failures: Failures, permit: Outcome) -> bool:
    """Whether a call goes on although its last failure, whose permit was settled so, would end it.

    It does after a suspicious rejection, until a target of another provider rejects the request too.
    """
    name, failure = failures[-1]
    if failure.kind is not FailureKind.BAD_REQUEST:
        return False
    provider = states[name].target.provider
    earlier = [each for each in _rejected(failures[:-1]) if each[0] != name]
    if any(states[other].target.provider != provider for other, _ in earlier):
        _contradict(states, _rejected(failures))
        return False
    return bool(earlier) or permit is not Outcome.SUCCESS


def served(states: Mapping[str, _Known], failures: Failures, now: float, tell: Tell) -> None:
    """A call was served after `failures`: whoever rejected it was wrong."""
    for name, code in _rejected(failures):
        rejections = states[name].history.rejections.get(code)
        if rejections is not None and rejections.prove(now):
            tell(OutageSuspected(now, name, FailureKind.BAD_REQUEST, len(rejections)))


def unserved(states: Mapping[str, _Known], failures: Failures) -> None:
    """A call found nobody else to ask. Several rejections and nothing else contradict a wave."""
    rejected = _rejected(failures)
    if len(rejected) == len(failures) > 1:
        _contradict(states, rejected)


def _rejected(failures: Failures) -> list[tuple[str, str]]:
    return [(name, failure.code) for name, failure in failures if failure.kind is FailureKind.BAD_REQUEST]


def _contradict(states: Mapping[str, _Known], rejected: list[tuple[str, str]]) -> None:
    for name, code in rejected:
        rejections = states[name].history.rejections.get(code)
        if rejections is not None:
            rejections.contradict()
