"""Which requests arrive when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import log

from failover.adapters.wire import WireReply
from failover.attempts import Errand
from failover.chaos import prompts
from failover.chaos.workload_section import Arrivals, Part, Workload
from failover.chaos.world.chance import Chance
from failover.chaos.world.usage_shapes import with_usage
from failover.core.quick import quick
from failover.core.vocabulary import Operation, Request
from failover.errands import options
from failover.needs import request_of

ANSWERED_WITHOUT_TOKENS = frozenset({Operation.EMBEDDING, Operation.RERANK, Operation.MODERATION})
"""What is billed by its prompt alone."""

TOKENS_OUT_NOMINAL = 100
"""How long answers are, for their duration, where a workload does not say."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What is asked for, and how large. Compared by identity: the requests of one kind share theirs.

    `tokens_in` and `tokens_out` of every request and reply; None leaves the recorded ones.
    """

    operation: Operation = Operation.COMPLETION
    tokens_in: int | None = None
    tokens_out: int | None = None

    def applied(self, reply: WireReply) -> WireReply:
        """`reply` with these counts, where both are set."""
        if self.tokens_in is None or self.tokens_out is None:
            return reply
        tokens_out = 0 if self.operation in ANSWERED_WITHOUT_TOKENS else self.tokens_out
        return with_usage(reply, self.tokens_in, tokens_out)

    def errand(self) -> Errand:
        """What is sent."""
        return prompts.errand(self.operation, self.tokens_in, self.tokens_out)


@quick
@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the world sees it: on which route, of which shape, and for whom."""

    request: Request
    route: str
    shape: Shape
    tenant: str = ""


def arrivals(workload: Workload, chance: Chance) -> Iterator[tuple[float, Asked]]:
    """Seconds and request, in order of time; request ids count from 1, as a router's do."""
    kinds = [_Kind(part) for part in workload.parts()]
    bounds = _bounds(kinds)
    at_s, number = 0.0, 0
    while True:
        number += 1
        at_s = _next_s(workload, chance, at_s, number)
        if at_s >= workload.for_s:
            return
        kind = kinds[0]
        if len(kinds) > 1:
            drawn = chance.uniform("mix", number)
            kind = next(each for each, bound in zip(kinds, bounds, strict=True) if drawn < bound)
        yield at_s, kind.asked(number, chance)


class _Kind:
    """The requests of one part of the mix."""

    def __init__(self, part: Part) -> None:
        self.share = part.share
        self._route = part.route or ""
        self._tenants = part.tenants or 0
        self._shape = Shape(part.operation, part.tokens_in, part.tokens_out)
        one = request_of(0, self._shape.errand(), options(part.deadline_s, stream=part.stream))
        # All but its id: `replace` would cost more than the rest of a request.
        self._facts = tuple(getattr(one, field.name) for field in fields(one) if field.name != "id")

    def asked(self, number: int, chance: Chance) -> Asked:
        tenant = ""
        if self._tenants:
            tenant = str(int(chance.uniform("tenant", number) * self._tenants) + 1)
        return Asked(Request(str(number), *self._facts), self._route, self._shape, tenant)


def _bounds(kinds: list[_Kind]) -> list[float]:
    whole = sum(kind.share for kind in kinds)
    bounds, so_far = [], 0.0
    for kind in kinds:
        so_far += kind.share
        bounds.append(so_far / whole)
    bounds[-1] = 1.0
    return bounds


def _next_s(workload: Workload, chance: Chance, at_s: float, number: int) -> float:
    if workload.arrivals is Arrivals.CONSTANT:
        return round(number / workload.rate_per_s, 6)
    gap_s = -log(1.0 - chance.uniform("arrival", number)) / workload.rate_per_s
    return round(at_s + gap_s, 6)
