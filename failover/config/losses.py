"""What a route survives: every single fault domain taken away in turn, and the targets left."""

from __future__ import annotations

from dataclasses import dataclass

from failover.core.vocabulary import FaultDomain, Route


@dataclass(frozen=True, slots=True)
class Loss:
    """One fault domain lost, and the names of the route's targets that lie outside it."""

    domain: FaultDomain
    name: str
    left: tuple[str, ...]

    @property
    def survived(self) -> bool:
        """Whether any target is left."""
        return bool(self.left)


def single_losses(route: Route) -> tuple[Loss, ...]:
    """The loss of each fault domain that a target of `route` names, in the order of `FaultDomain`.

    A domain that no target names cannot be taken away: see `unnamed_domains`.
    """
    targets = route.targets()
    losses = []
    for domain in FaultDomain:
        names = dict.fromkeys(target.domain(domain) for target in targets)
        for name in filter(None, names):
            left = tuple(target.name for target in targets if target.domain(domain) != name)
            losses.append(Loss(domain, name, left))
    return tuple(losses)


def unnamed_domains(route: Route) -> dict[FaultDomain, tuple[str, ...]]:
    """Per kind of fault domain, the targets of `route` that do not say which they lie in.

    What they share is unknown, so that no loss of that kind was shown to be survived by them.
    """
    unnamed = {
        domain: tuple(target.name for target in route.targets() if not target.domain(domain))
        for domain in FaultDomain
    }
    return {domain: names for domain, names in unnamed.items() if names}
