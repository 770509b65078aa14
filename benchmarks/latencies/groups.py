"""Which models answer alike enough, and often enough in the recordings, to have a row of their own."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.latencies.fitting import fitted
from benchmarks.latencies.recorded import Recorded
from failover.chaos.world.latency import LatencyModel

# The first that matches counts, so what is special comes before what is general.
# A deployment at Azure is often called like its model, and Gemini answers at two addresses.
FAMILIES: tuple[tuple[str, ...], ...] = (
    ("openai/gpt-3.5-turbo*", "azure/gpt-3.5-turbo*"),
    ("openai/gpt-4o-mini*", "azure/gpt-4o-mini*"),
    ("openai/gpt-4o*", "azure/gpt-4o*"),
    ("openai/gpt-4.1-*", "azure/gpt-4.1-*"),
    ("openai/gpt-4.1", "azure/gpt-4.1"),
    ("openai/gpt-4", "openai/gpt-4-*", "azure/gpt-4", "azure/gpt-4-*"),
    ("openai/gpt-5-mini*", "openai/gpt-5-nano*", "azure/gpt-5-mini*", "azure/gpt-5-nano*"),
    ("openai/gpt-5", "openai/gpt-5-*", "azure/gpt-5", "azure/gpt-5-*"),
    ("openai/gpt-5.*", "azure/gpt-5.*"),
    ("openai/o[134]*", "azure/o[134]*"),
    ("gemini/gemini-2.0-flash*", "vertex_ai/gemini-2.0-flash*"),
    ("gemini/gemini-2.5-flash*", "vertex_ai/gemini-2.5-flash*"),
    ("gemini/gemini-2.5-pro*", "vertex_ai/gemini-2.5-pro*"),
    ("gemini/gemini-3-flash*", "vertex_ai/gemini-3-flash*"),
    ("gemini/gemini-3-pro*", "vertex_ai/gemini-3-pro*"),
    ("anthropic/claude-sonnet-4*",),
)
# Cohere is missing: it cannot be drilled, since litellm reaches it by a client of its own.
PROVIDERS: tuple[tuple[str, ...], ...] = (
    ("anthropic/*",),
    ("bedrock/*",),
    ("gemini/*", "vertex_ai/gemini*"),
    ("openai/*", "azure/*"),
    ("openrouter/*",),
    ("vercel_ai_gateway/*",),
    ("xai/*",),
    ("*",),
)


@dataclass(frozen=True, slots=True)
class Group:
    """A row of the table: patterns of litellm names, the model of them, and what it was fitted to."""

    patterns: tuple[str, ...]
    model: LatencyModel
    of: Recorded


def groups(of: Recorded) -> list[Group]:
    """Every row, each fitted around what all models together show.

    A provider's row is fitted to all its models, those with a row of their own included: it stands for
    the models that nobody recorded.
    """
    everybody = fitted(of).model
    found, left = [], of
    for patterns in FAMILIES:
        mine = left.of(*patterns)
        left = left.without(*patterns)
        found.append(Group(patterns, fitted(mine, everybody).model, mine))
    for patterns in PROVIDERS:
        mine = of.of(*patterns)
        found.append(Group(patterns, everybody if mine == of else fitted(mine, everybody).model, mine))
    return found
