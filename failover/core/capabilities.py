"""What a request needs of whoever serves it, and what a target can do: the nouns of substitution."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from failover.core.quick import quick


class Capability(StrEnum):
    """What a model either can do or cannot. A request that needs it is of no use to one that cannot."""

    TOOLS = "tools"
    VISION = "vision"
    AUDIO_INPUT = "audio_input"
    AUDIO_OUTPUT = "audio_output"
    FILES = "files"
    """Documents as parts of a message, such as a PDF."""
    JSON_SCHEMA = "json_schema"
    PREFILL = "prefill"
    """Going on from an answer whose beginning is the last message."""
    REASONING = "reasoning"


@quick
@dataclass(frozen=True, slots=True)
class Needs:
    """What a request asks for beyond a short text for a short text.

    `parameters` are the names that its caller set. `tokens_in` is an estimate of the prompt, as far as one
    context window must hold it; `tokens_out` the longest answer that its caller asked for; 0: not told.
    """

    capabilities: frozenset[Capability] = frozenset()
    parameters: frozenset[str] = frozenset()
    tokens_in: int = 0
    tokens_out: int = 0


NOTHING = Needs()
"""What a request needs that anybody can serve."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What is known of a target. A capability that is neither in `able` nor in `unable` is unknown.

    What is unknown speaks against nobody. `output_tokens_max` is the longest answer that may be asked
    for; `unsupported_parameters` are names that the target refuses.
    """

    able: frozenset[Capability] = frozenset()
    unable: frozenset[Capability] = frozenset()
    output_tokens_max: int | None = None
    unsupported_parameters: frozenset[str] = frozenset()

    def over(self, other: Capabilities) -> Capabilities:
        """These, and where they say nothing what `other` says."""
        return Capabilities(
            self.able | (other.able - self.unable),
            self.unable | (other.unable - self.able),
            other.output_tokens_max if self.output_tokens_max is None else self.output_tokens_max,
            self.unsupported_parameters | other.unsupported_parameters,
        )


UNKNOWN = Capabilities()
"""What is known of a target of which nobody said anything."""

EQUIVALENTS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""Parameters that say the same: OpenAI renamed the first, and others took over either name.

Source: OpenAI's API reference, chat completions, `max_tokens` (deprecated).
"""


def equivalent(parameter: str, given: frozenset[str], unsupported: frozenset[str]) -> str:
    """The name under which `parameter` may be sent instead; empty where there is none.

    Both names `given` at once are left alone: they may differ.
    """
    other = EQUIVALENTS.get(parameter, "")
    return "" if other in given or other in unsupported else other
