"""A scenario's workload, as its file words it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, model_validator

from failover.chaos.arrivals import AnyArrivals, Poisson, Trace
from failover.chaos.sizes import AnyTokens
from failover.core.vocabulary import Operation
from failover.documents import Section

FOR_MAX_S = 3600.0 * 24.0 * 366.0
"""A year: who wants more means something else."""
STREAMED_OPERATIONS = frozenset({Operation.COMPLETION, Operation.RESPONSES})
NO_OPERATIONS: Mapping[str, Operation] = MappingProxyType({})


OperationAsked = Literal[
    Operation.COMPLETION,
    Operation.RESPONSES,
    Operation.EMBEDDING,
    Operation.IMAGE_GENERATION,
    Operation.TRANSCRIPTION,
    Operation.SPEECH,
    Operation.RERANK,
    Operation.MODERATION,
]
"""What a workload may ask for: a plain function has no wire to be drilled on."""


class Kind(Section):
    """What a request is: which route and operation it asks for, how large, for whom.

    Without a `route` every route of the config is called alike, and without an `operation` for what it is
    for. `tokens_in` and `tokens_out` set the sizes
    of requests and replies; left out, the recorded ones count. `stream` asks for streamed replies.
    `tenants` is how many customers share the requests. `data_class` and `tags` are those of the requests:
    `tags` say what they are for, as budgets do.
    """

    route: str | None = None
    operation: OperationAsked = Operation.COMPLETION
    tokens_in: AnyTokens | None = None
    tokens_out: AnyTokens | None = None
    stream: bool = False
    deadline_s: float | None = Field(default=None, gt=0.0)
    tenants: int | None = Field(default=None, ge=1)
    data_class: str | None = Field(default=None, min_length=1)
    tags: tuple[Annotated[str, Field(min_length=1)], ...] = ()


class Part(Kind):
    """A part of the requests, of its own kind; what it leaves out is as of the whole workload."""

    share: float = Field(default=1.0, gt=0.0)


class Workload(Kind):
    """Which requests arrive when: `rate_per_s` of them for `for_s` seconds of virtual time.

    A trace has a rate of its own. `mix` has requests of several kinds, drawn in proportion to their shares.
    """

    rate_per_s: float | None = Field(default=None, gt=0.0, le=10_000.0)
    for_s: float = Field(gt=0.0, le=FOR_MAX_S)
    arrivals: AnyArrivals = Poisson()
    mix: tuple[Part, ...] = ()

    @model_validator(mode="after")
    def _one_rate(self) -> Workload:
        is_trace = isinstance(self.arrivals, Trace)
        if is_trace and self.rate_per_s is not None:
            raise ValueError("plays a trace, which has a rate of its own: leave out rate_per_s")
        if not is_trace and self.rate_per_s is None:
            raise ValueError("says how many requests come: rate_per_s is missing")
        return self

    def kinds(self) -> set[tuple[Operation, bool]]:
        """The operations that are asked for, each with whether its reply is streamed."""
        return {(part.operation, part.stream) for part in self.parts()}

    def on(self, routes: Sequence[str], operations: Mapping[str, Operation] = NO_OPERATIONS) -> Workload:
        """The same workload, with those of its requests that name no route spread evenly over `routes`.

        Each route is asked for its own of the `operations`, where the file says none.
        """
        mix = []
        for written, part in zip(self.mix or (Part(),), self.parts(), strict=True):
            told = "operation" in self.model_fields_set | written.model_fields_set
            called = [part.route] if part.route else routes
            for route in called:
                operation = part.operation if told else operations.get(route, part.operation)
                facts = {"route": route, "operation": operation, "share": part.share / len(called)}
                stream = part.stream and operation in STREAMED_OPERATIONS
                mix.append(part.model_copy(update={**facts, "stream": stream}))
        return self.model_copy(update={"mix": tuple(mix)})

    def parts(self) -> tuple[Part, ...]:
        """The kinds of requests, each complete; one of all requests where there is no mix."""
        ours = {name: getattr(self, name) for name in Kind.model_fields}
        parts = self.mix or (Part(),)
        return tuple(
            part.model_copy(update={name: ours[name] for name in ours if name not in part.model_fields_set})
            for part in parts
        )
