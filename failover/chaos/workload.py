"""Which requests arrive when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

from failover.adapters.wire import WireReply
from failover.chaos.scenario import Arrivals, Workload
from failover.chaos.world.chance import Chance
from failover.chaos.world.usage_shapes import with_usage
from failover.core.vocabulary import Request
from failover.needs import needs_of
from failover.tokens import CHARACTERS_PER_TOKEN, tokens_in


@dataclass(frozen=True, slots=True)
class Size:
    """Tokens of every request and reply; None leaves the recorded ones."""

    tokens_in: int | None
    tokens_out: int | None

    def applied(self, reply: WireReply) -> WireReply:
        """`reply` with these counts, where both are set."""
        if self.tokens_in is None or self.tokens_out is None:
            return reply
        return with_usage(reply, self.tokens_in, self.tokens_out)


def arrivals(workload: Workload, chance: Chance) -> Iterator[tuple[float, Request]]:
    """Seconds and request, in order of time; request ids count from 1, as a router's do."""
    at_s, number = 0.0, 0
    prompt = {"messages": messages(workload), "max_tokens": workload.tokens_out}
    prompt_tokens = tokens_in(prompt)
    needs = needs_of(prompt, prompt_tokens=prompt_tokens, answer_tokens=workload.tokens_out)
    while True:
        number += 1
        at_s = _next_s(workload, chance, at_s, number)
        if at_s >= workload.for_s:
            return
        yield (
            at_s,
            Request(
                id=str(number),
                tokens_in=prompt_tokens,
                tokens_out=workload.tokens_out,
                stream=workload.stream,
                deadline_s=workload.deadline_s,
                needs=needs,
            ),
        )


def messages(workload: Workload) -> list[dict[str, str]]:
    """The prompt of every request: filler, estimated at the workload's `tokens_in`."""
    role, content = "user", "ping"
    if workload.tokens_in is not None:
        content = "x" * max(1, workload.tokens_in * CHARACTERS_PER_TOKEN - len(role))
    return [{"role": role, "content": content}]


def _next_s(workload: Workload, chance: Chance, at_s: float, number: int) -> float:
    if workload.arrivals is Arrivals.CONSTANT:
        return round(number / workload.rate_per_s, 6)
    gap_s = -log(1.0 - chance.uniform("arrival", number)) / workload.rate_per_s
    return round(at_s + gap_s, 6)
