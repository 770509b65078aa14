"""A scenario's workload, as its file words it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from failover.core.vocabulary import Operation
from failover.documents import Section

TOKENS_MAX = 100_000_000
FOR_MAX_S = 3600.0 * 24.0 * 366.0
"""A year: who wants more means something else."""


class Arrivals(StrEnum):
    """When requests come."""

    CONSTANT = "constant"
    POISSON = "poisson"


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

    `tokens_in` and `tokens_out` set the size of every request and reply; left out, the recorded ones
    count. `stream` asks for streamed replies. `tenants` is how many customers share the requests.
    """

    route: str | None = None
    operation: OperationAsked = Operation.COMPLETION
    tokens_in: int | None = Field(default=None, ge=0, le=TOKENS_MAX)
    tokens_out: int | None = Field(default=None, ge=0, le=TOKENS_MAX)
    stream: bool = False
    deadline_s: float | None = Field(default=None, gt=0.0)
    tenants: int | None = Field(default=None, ge=1)


class Part(Kind):
    """A part of the requests, of its own kind; what it leaves out is as of the whole workload."""

    share: float = Field(default=1.0, gt=0.0)


class Workload(Kind):
    """Which requests arrive when: `rate_per_s` of them for `for_s` seconds of virtual time.

    `mix` has requests of several kinds, drawn in proportion to their shares.
    """

    rate_per_s: float = Field(gt=0.0, le=10_000.0)
    for_s: float = Field(gt=0.0, le=FOR_MAX_S)
    arrivals: Arrivals = Arrivals.POISSON
    mix: tuple[Part, ...] = ()

    def parts(self) -> tuple[Part, ...]:
        """The kinds of requests, each complete; one of all requests where there is no mix."""
        ours = {name: getattr(self, name) for name in Kind.model_fields}
        parts = self.mix or (Part(),)
        return tuple(
            part.model_copy(update={name: ours[name] for name in ours if name not in part.model_fields_set})
            for part in parts
        )
