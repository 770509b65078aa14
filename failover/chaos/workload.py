"""Which requests arrive when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from math import log2
from typing import Any

from failover.adapters.wire import WireReply
from failover.attempts import Errand
from failover.chaos import prompts
from failover.chaos.arrivals import Trace
from failover.chaos.sizes import Tokens
from failover.chaos.traces import RecordedTrace, TraceRow
from failover.chaos.workload_section import Part, Workload
from failover.chaos.world.chance import Chance
from failover.chaos.world.usage_shapes import with_usage
from failover.core.quick import quick
from failover.core.vocabulary import Operation, Request
from failover.errands import CallOptions
from failover.needs import request_of

ANSWERED_WITHOUT_TOKENS = frozenset({Operation.EMBEDDING, Operation.RERANK, Operation.MODERATION})
"""What is billed by its prompt alone."""

_TENANT = [field.name for field in fields(Request) if field.name != "id"].index("tenant")

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


Requests = Iterable[tuple[float, Asked]]
"""Seconds and request, in order of time; request ids count from 1, as a router's do."""


def arrivals(workload: Workload, chance: Chance, trace: RecordedTrace | None = None) -> Requests:
    """The requests of a workload. `trace` is the file that it names, where it does."""
    kinds = [_Kind(part) for part in workload.parts()]
    bounds = _bounds(kinds)
    for number, row in enumerate(_rows(workload, chance, trace), start=1):
        kind = kinds[0]
        if len(kinds) > 1:
            drawn = chance.uniform("mix", number)
            kind = next(each for each, bound in zip(kinds, bounds, strict=True) if drawn < bound)
        yield row.at_s, kind.asked(number, row, chance)


def expected(workload: Workload, trace: RecordedTrace | None) -> float:
    """How many requests there will be, about."""
    return (workload.rate_per_s or 0.0) * workload.for_s if trace is None else float(trace.requests)


def _rows(workload: Workload, chance: Chance, trace: RecordedTrace | None) -> Iterator[TraceRow]:
    process = workload.arrivals
    if isinstance(process, Trace):
        assert trace is not None  # noqa: S101  # it was read when the scenario was
        yield from trace.rows(workload.for_s, process.speed)
        return
    assert workload.rate_per_s is not None  # noqa: S101  # only a trace goes without
    for at_s in process.times(workload.rate_per_s, workload.for_s, chance):
        yield TraceRow(at_s)


class _Kind:
    """The requests of one part of the mix."""

    def __init__(self, part: Part) -> None:
        self.share = part.share
        self._part = part
        self._shapes: dict[tuple[int | None, int | None], Shape] = {}
        self._known: dict[tuple[int | str | None, ...], tuple[Shape, tuple[Any, ...]]] = {}

    def asked(self, number: int, row: TraceRow, chance: Chance) -> Asked:
        part = self._part
        tokens_in = _drawn("in", part.tokens_in, row.tokens_in, chance, number)
        tokens_out = _drawn("out", part.tokens_out, row.tokens_out, chance, number)
        told = tokens_in, tokens_out, row.data_class, row.tags
        known = self._known.get(told)
        if known is None:
            known = self._known[told] = self._made(*told)
        shape, facts = known
        tenant = row.tenant or ""
        if part.tenants and not tenant:
            tenant = str(int(chance.uniform("tenant", number) * part.tenants) + 1)
        if tenant:
            facts = (*facts[:_TENANT], tenant, *facts[_TENANT + 1 :])
        return Asked(Request(str(number), *facts), row.route or part.route or "", shape, tenant)

    def _made(
        self, tokens_in: int | None, tokens_out: int | None, data_class: str | None, tags: str | None
    ) -> tuple[Shape, tuple[Any, ...]]:
        part = self._part
        # Of one size, requests share their shape whatever their class.
        fresh = Shape(part.operation, tokens_in, tokens_out)
        shape = self._shapes.setdefault((tokens_in, tokens_out), fresh)
        options = CallOptions(
            part.deadline_s,
            part.stream,
            data_class=data_class or part.data_class or "",
            tags=frozenset(part.tags if tags is None else tags.split()),
        )
        one = request_of(0, shape.errand(), options)
        # All but its id: `replace` would cost more than the rest of a request.
        return shape, tuple(getattr(one, field.name) for field in fields(one) if field.name != "id")


def _drawn(
    which: str, tokens: Tokens | None, recorded: int | None, chance: Chance, number: int
) -> int | None:
    """What a trace tells, on steps of half an octave, so that bodies can be shared; else what is drawn."""
    if recorded is not None:
        return round(2.0 ** (round(2.0 * log2(recorded)) / 2.0)) if recorded else 0
    return None if tokens is None else tokens.draw(chance, which, number)


def _bounds(kinds: list[_Kind]) -> list[float]:
    whole = sum(kind.share for kind in kinds)
    bounds, so_far = [], 0.0
    for kind in kinds:
        so_far += kind.share
        bounds.append(so_far / whole)
    bounds[-1] = 1.0
    return bounds
