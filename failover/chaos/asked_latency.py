"""A scenario's own word on how quickly its targets answer: `latency: {gpt: {first_token_s: 0.4}}`."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

from pydantic import Field

from failover.chaos.world.fitted_latency import latency_model
from failover.chaos.world.latency import LONGEST_S, LatencyModel
from failover.core.vocabulary import Target
from failover.documents import Section, ending, shown


class LatencySection(Section):
    """How quickly one target answers; what is left out stays as fitted to its model.

    `first_token_s` and `token_s` are medians, the spreads are standard deviations of logarithms, and
    `tail_factor` says how far the slowest tenth of first tokens reaches, in multiples of a log-normal's.
    """

    first_token_s: float | None = Field(default=None, gt=0.0, le=LONGEST_S)
    spread: float | None = Field(default=None, ge=0.0, le=3.0)
    token_s: float | None = Field(default=None, ge=0.0, le=60.0)
    token_spread: float | None = Field(default=None, ge=0.0, le=3.0)
    tail_factor: float | None = Field(default=None, ge=0.0, le=10.0)

    def over(self, model: LatencyModel) -> LatencyModel:
        """`model` with the figures that are told here."""
        return replace(model, **self.model_dump(exclude_none=True))


def asked_latencies(
    sections: Mapping[str, LatencySection], targets: Iterable[Target]
) -> dict[str, LatencyModel]:
    """The models that a scenario asks for, by target; names that are no target's are left out."""
    return {
        target.name: sections[target.name].over(latency_model(target.model))
        for target in targets
        if target.name in sections
    }


def idle_latencies(
    sections: Mapping[str, LatencySection], targets: Iterable[Target], timed: Container[str]
) -> dict[str, str]:
    """The names that would change nothing, each with the reason: a drill must not pass by a typing error.

    `timed` are the targets whose recordings tell their own timing.
    """
    known = sorted(target.name for target in targets)
    found = {}
    for name in sections:
        if name not in known:
            found[name] = f"the drill has no target {shown(name)}{ending(name, known)}"
        elif name in timed:
            found[name] = (
                "its recordings tell their own timing, and that counts: slow it down by an injection, "
                "or drill it with other cassettes"
            )
    return found
