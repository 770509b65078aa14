"""What the writers spend: who pays, at which prices, and within which budgets."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import inf

from failover.core.prices import DatedPrice
from failover.core.spend import Account, Charge, Hold, Reservation, Spender
from failover.core.vocabulary import Target, Usage

TARGETS = tuple(
    Target(name, f"{name}-inc", f"{name}/{name}-1", credential=f"{name.upper()}_KEY")
    for name in ("gpt", "claude", "mistral")
)
PRICES = {
    "gpt": DatedPrice(1_250_000_000, 10_000_000_000),
    "claude": DatedPrice(3_000_000_000, 15_000_000_000),
    "mistral": DatedPrice(500_000_000, 1_500_000_000),
}
ROUTES = ("chat", "search")
TENANTS = tuple(f"tenant-{number}" for number in range(8))
FAILURE_SHARE = 0.2
TAKES_MOST_S = 0.03
USUAL_NUSD = 3_700_000
"""About what one request costs."""


@dataclass(frozen=True)
class Asked:
    """One request: what it uses, what it may use at most, and how it will end."""

    number: int
    route: str
    target: Target
    tenant: str
    usage: Usage
    most: Usage
    fails: bool
    takes_s: float

    @property
    def cost_nusd(self) -> int:
        """What its usage costs."""
        return PRICES[self.target.name].charge_nusd(self.usage)

    @property
    def most_nusd(self) -> int:
        """What is reserved for it."""
        return PRICES[self.target.name].charge_nusd(self.most)

    def charge(self, reservation: Reservation) -> Charge:
        """What is settled."""
        whose = self.route, self.target, self.tenant, frozenset({"batch"})
        paid = self.usage, self.cost_nusd, False, reservation.at_s, reservation.at_s
        return Charge(str(self.number), 1, *whose, *paid)


def asked(seed: int, writer: int, number: int) -> Asked:
    """The same request for the same figures, whoever asks and however often it was killed."""
    draws = random.Random(f"{seed} {writer} {number}")  # noqa: S311  # a simulation, not a secret
    most_in, most_out = draws.randint(100, 2000), draws.randint(50, 500)
    usage = Usage(draws.randint(50, most_in), draws.randint(1, most_out))
    return Asked(
        number,
        draws.choice(ROUTES),
        draws.choice(TARGETS),
        draws.choice(TENANTS),
        usage,
        Usage(most_in, most_out),
        draws.random() < FAILURE_SHARE,
        draws.random() * TAKES_MOST_S,
    )


def limits(requests: int) -> dict[Account, int | None]:
    """Budgets of which several run out before the end, and one that is only counted."""
    whole_nusd = requests * USUAL_NUSD
    shares: dict[tuple[Spender, str], float | None] = {(Spender.ALL, ""): None, (Spender.ROUTE, "chat"): 0.3}
    shares[Spender.TARGET, "claude"] = 0.2
    shares.update({(Spender.TENANT, name): 0.02 + 0.02 * n for n, name in enumerate(TENANTS)})
    return {
        Account(kind, name, 0.0, inf): None if share is None else int(whole_nusd * share)
        for (kind, name), share in shares.items()
    }


def holds(one: Asked, limited: dict[Account, int | None]) -> tuple[Hold, ...]:
    """The accounts that it is charged to."""
    names = {
        Spender.ALL: "",
        Spender.ROUTE: one.route,
        Spender.TARGET: one.target.name,
        Spender.TENANT: one.tenant,
    }
    return tuple(Hold(each, limit) for each, limit in limited.items() if names[each.kind] == each.name)
