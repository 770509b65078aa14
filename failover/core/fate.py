"""Shared fate: what fails together is learned once, by parents that watch the breakers of their targets.

A parent stands over the targets that share an endpoint (provider, region and base address), a model or
a credential of one provider, or only the provider. Rules:

- It opens on as many failures in a row as open a breaker, and one more for each of its targets that
  answered within `window_s`: who was well a moment ago takes more to condemn. Any answer of any of its
  targets ends the row, and so does the end of the window. Attempts are ordered by when they began: what
  was under way when an outage began, and is answered nevertheless, says nothing of it.
- The witnesses must have nothing in common but what all its targets have. Two regions of one model blame
  the model, not the provider; two models in one region blame the endpoint, not the other regions. Only a
  kind that blames the endpoint itself (`connection`) needs no second witness.
- It opens the closed breakers of its targets, at most for as long as the last witness's own is open: their
  times are spread over the second half of it, since the first to be answered is news for all. Targets
  that answered within the window are spared; while the parent is open, their first failure opens them.
- The first answer of any of its targets closes it, and all others may be probed at once. Each breaker
  closes by its own probe only.

Edges and clouds have no parents: they reach over providers, and a wrong verdict would empty a chain to
save one fallback. Sources: the failure row is Finagle's failure accrual; that scopes must be told apart is
what published incidents show (one model in all regions, one region, one account).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from math import inf

from failover.core.breaker import CLOSED, Breaker
from failover.core.events import FateShared
from failover.core.failures import Failure, FailureKind, Scope
from failover.core.vocabulary import Target

Tell = Callable[[FateShared], None]


class Member:
    """One target as its parents see it. `answered_s`: when the last attempt that it answered began."""

    __slots__ = ("answered_s", "breaker", "doubted", "parents", "target")

    def __init__(self, target: Target, breaker: Breaker) -> None:
        self.target = target
        self.breaker = breaker
        self.answered_s = -inf
        self.parents: tuple[Parent, ...] = ()
        self.doubted = False
        """Whether one of its parents is open."""

    def was_well(self, now: float) -> bool:
        """Whether it answered within its breaker's window."""
        return now - self.answered_s <= self.breaker.policy.window_s


@dataclass(frozen=True, slots=True)
class _Witness:
    """A failure that a breaker counted. `blames`: its kind alone blames what the parent stands for."""

    began_s: float
    member: Member
    blames: bool


Trait = Callable[[Target], Hashable]


def _model(target: Target) -> Hashable:
    return target.model or target.name  # a plain function has no model to share


def _endpoint(target: Target) -> Hashable:
    return target.region, target.api_base


def _credential(target: Target) -> Hashable:
    return target.credential


def _nothing(_target: Target) -> Hashable:
    return None


_TRAITS: tuple[Trait, ...] = (_model, _endpoint, _credential)
_PARENTS: tuple[tuple[Scope, Trait], ...] = (
    (Scope.PROVIDER_REGION, _endpoint),
    (Scope.MODEL, _model),
    (Scope.CREDENTIAL, _credential),
    (Scope.PROVIDER, _nothing),
)
"""From the narrowest; of two that stand over the same targets the first is kept."""

_NAMES: dict[Scope, Callable[[Target], str]] = {
    Scope.PROVIDER_REGION: lambda target: target.region,
    Scope.MODEL: lambda target: target.model or target.name,
    Scope.CREDENTIAL: lambda target: target.credential,
    Scope.PROVIDER: lambda _target: "",
}
_UNREACHED = (Scope.MODEL, Scope.CREDENTIAL)
"""Who did not get through to the provider says nothing of these."""


class Parent:
    """What some targets of one provider share, and the failures since one of them last answered."""

    __slots__ = ("_differ", "_opened_s", "_row", "domain", "is_open", "members", "scope")

    def __init__(self, scope: Scope, members: tuple[Member, ...]) -> None:
        first = members[0].target
        self.scope = scope
        self.domain = f"{first.provider} {_NAMES[scope](first)}".strip()
        self.members = members
        self.is_open = False
        self._opened_s = 0.0
        self._differ = tuple(trait for trait in _TRAITS if _vary(trait, members))
        most = max(member.breaker.policy.failures for member in members)
        self._row: deque[_Witness] = deque(maxlen=most + len(members))

    def count(self, member: Member, failure: Failure, began_s: float, now: float, tell: Tell) -> None:
        """The breaker of `member` counted the failure of an attempt that began at `began_s`."""
        if failure.kind is FailureKind.CONNECTION and self.scope in _UNREACHED:
            return
        if self.is_open:
            if member.breaker.state == CLOSED:
                member.breaker.trip(now, None, counted=True)
            return
        answered_s = max(each.answered_s for each in self.members)
        window_began_s = now - member.breaker.policy.window_s
        self._row.append(_Witness(began_s, member, failure.scope is self.scope))
        self._forget_before(answered_s, window_began_s)
        if self._is_convicted(member.breaker.policy.failures, now):
            self._open(member, now, tell)

    def is_refuted(self, began_s: float) -> bool:
        """Whether an answer to an attempt that began then closes it."""
        return self.is_open and began_s >= self._opened_s

    def answered(self, member: Member, now: float, tell: Tell) -> None:
        """`member` answered: an open parent closes, and lets the others be probed."""
        self.is_open = False
        self._row.clear()
        relieved = [each for each in self.members if each is not member and each.breaker.relent(now)]
        if relieved:
            names = tuple(each.target.name for each in relieved)
            tell(FateShared(now, self.scope, self.domain, names, now))

    def forget(self, member: Member) -> None:
        """What `member` failed speaks against nobody any more."""
        self.is_open = False
        kept = [witness for witness in self._row if witness.member is not member]
        self._row.clear()
        self._row.extend(kept)

    def inherit(self, before: Parent) -> None:
        """Take over what was learned under another config, as far as its members are still here."""
        self.is_open = before.is_open
        self._opened_s = before._opened_s
        self._row.extend(witness for witness in before._row if witness.member in self.members)

    def _forget_before(self, answered_s: float, window_began_s: float) -> None:
        row = self._row
        kept = [each for each in row if each.began_s > answered_s and each.began_s >= window_began_s]
        row.clear()
        row.extend(kept)

    def _is_convicted(self, failures: int, now: float) -> bool:
        needed = failures + sum(each.was_well(now) for each in self.members)
        if len(self._row) < needed:
            return False
        if sum(witness.blames for witness in self._row) >= needed:
            return True
        witnesses = [witness.member for witness in self._row]
        return all(_vary(trait, witnesses) for trait in self._differ)

    def _open(self, last: Member, now: float, tell: Tell) -> None:
        if last.breaker.state == CLOSED:
            last.breaker.trip(now, None, counted=True)
        until_s = last.breaker.open_until_s
        witnesses = [witness.member for witness in self._row]
        self.is_open, self._opened_s = True, now
        for each in self.members:
            each.doubted = True
        opened = [
            each
            for each in self.members
            if each.breaker.state == CLOSED and (each in witnesses or not each.was_well(now))
        ]
        half_s = (until_s - now) / 2
        for number, each in enumerate(opened, 1):
            each.breaker.trip(now, half_s + half_s * number / len(opened), counted=True)
        if opened:
            names = tuple(each.target.name for each in opened)
            tell(FateShared(now, self.scope, self.domain, names, until_s))


def bind(members: Iterable[Member]) -> None:
    """Give each member its parents, which take over from those it had. Who shares nothing has none."""
    all_members = tuple(members)
    parents: dict[frozenset[str], Parent] = {}
    for scope, trait in _PARENTS:
        groups: dict[Hashable, list[Member]] = {}
        for member in all_members:
            groups.setdefault((member.target.provider, trait(member.target)), []).append(member)
        for group in groups.values():
            names = frozenset(member.target.name for member in group)
            if len(group) > 1 and names not in parents:
                parents[names] = Parent(scope, tuple(group))
    for parent in parents.values():
        _hand_over(parent)
    for member in all_members:
        member.parents = tuple(parent for parent in parents.values() if member in parent.members)
        member.doubted = any(parent.is_open for parent in member.parents)


def failed(member: Member, failure: Failure, began_s: float, now: float, tell: Tell) -> None:
    """The breaker of `member` counted a failure: perhaps it is not alone."""
    for parent in member.parents:
        parent.count(member, failure, began_s, now, tell)


def answered(member: Member, began_s: float, now: float, tell: Tell) -> None:
    """`member` answered an attempt that began then, if only with a rejection."""
    member.answered_s = max(member.answered_s, began_s)
    if member.doubted:
        recovered(member, began_s, now, tell)


def recovered(member: Member, began_s: float, now: float, tell: Tell) -> None:
    """A doubted member answered: whatever it shared with others when the attempt began works again."""
    open_parents = [parent for parent in member.parents if parent.is_refuted(began_s)]
    for parent in open_parents:
        parent.answered(member, now, tell)
    for each in {each for parent in open_parents for each in parent.members}:
        each.doubted = any(parent.is_open for parent in each.parents)


def forgive(member: Member) -> None:
    """An operator said: forget what speaks against this target."""
    for parent in member.parents:
        parent.forget(member)


def _hand_over(parent: Parent) -> None:
    olds = (old for member in parent.members for old in member.parents)
    before = next((old for old in olds if (old.scope, old.domain) == (parent.scope, parent.domain)), None)
    if before is not None:
        parent.inherit(before)


def _vary(trait: Trait, members: Iterable[Member]) -> bool:
    return len({trait(member.target) for member in members}) > 1
