"""How quickly recorded models answered; `python -m benchmarks.fit_latency FOLDER --module` prints the table.

Fitted by maximum likelihood to 1,790 whole answers and 531 first bytes of streams that the test suites
of public client libraries recorded from real providers, 2023 to 2026; docs/scenarios.md shows how well
it fits. The figures of a row: median seconds to the first token, the spread of its logarithm, median
seconds per token, the spread of its logarithm, and how much longer than a log-normal's the tail is.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from failover.chaos.world.latency import LatencyModel

FITTED: tuple[tuple[tuple[str, ...], LatencyModel], ...] = (
    (
        (
            "openai/gpt-3.5-turbo*",
            "azure/gpt-3.5-turbo*",
        ),
        LatencyModel(0.248, 0.53, 0.0091, 0.29, 1.65),
    ),
    (
        (
            "openai/gpt-4o-mini*",
            "azure/gpt-4o-mini*",
        ),
        LatencyModel(0.362, 0.63, 0.0129, 0.53, 2.16),
    ),
    (
        (
            "openai/gpt-4o*",
            "azure/gpt-4o*",
        ),
        LatencyModel(0.421, 0.65, 0.0145, 0.57, 2.87),
    ),
    (
        (
            "openai/gpt-4.1-*",
            "azure/gpt-4.1-*",
        ),
        LatencyModel(0.345, 0.72, 0.0131, 0.64, 1.99),
    ),
    (
        (
            "openai/gpt-4.1",
            "azure/gpt-4.1",
        ),
        LatencyModel(0.887, 0.48, 0.0137, 0.39, 2.04),
    ),
    (
        (
            "openai/gpt-4",
            "openai/gpt-4-*",
            "azure/gpt-4",
            "azure/gpt-4-*",
        ),
        LatencyModel(0.29, 0.52, 0.041, 0.29, 2.86),
    ),
    (
        (
            "openai/gpt-5-mini*",
            "openai/gpt-5-nano*",
            "azure/gpt-5-mini*",
            "azure/gpt-5-nano*",
        ),
        LatencyModel(0.986, 0.52, 0.0144, 0.32, 1.81),
    ),
    (
        (
            "openai/gpt-5",
            "openai/gpt-5-*",
            "azure/gpt-5",
            "azure/gpt-5-*",
        ),
        LatencyModel(1.511, 1.18, 0.016, 0.57, 2.13),
    ),
    (
        (
            "openai/gpt-5.*",
            "azure/gpt-5.*",
        ),
        LatencyModel(0.885, 0.48, 0.0195, 0.3, 3.73),
    ),
    (
        (
            "openai/o[134]*",
            "azure/o[134]*",
        ),
        LatencyModel(1.019, 0.6, 0.0099, 0.39, 2.86),
    ),
    (
        (
            "gemini/gemini-2.0-flash*",
            "vertex_ai/gemini-2.0-flash*",
        ),
        LatencyModel(0.425, 0.34, 0.0099, 0.32, 3.62),
    ),
    (
        (
            "gemini/gemini-2.5-flash*",
            "vertex_ai/gemini-2.5-flash*",
        ),
        LatencyModel(0.877, 0.49, 0.0177, 0.83, 1.6),
    ),
    (
        (
            "gemini/gemini-2.5-pro*",
            "vertex_ai/gemini-2.5-pro*",
        ),
        LatencyModel(2.317, 0.55, 0.0297, 0.36, 1.97),
    ),
    (
        (
            "gemini/gemini-3-flash*",
            "vertex_ai/gemini-3-flash*",
        ),
        LatencyModel(2.101, 0.77, 0.0169, 0.45, 1.38),
    ),
    (
        (
            "gemini/gemini-3-pro*",
            "vertex_ai/gemini-3-pro*",
        ),
        LatencyModel(3.584, 0.4, 0.016, 0.37, 1.78),
    ),
    (("anthropic/claude-sonnet-4*",), LatencyModel(1.52, 0.5, 0.0125, 0.57, 1.11)),
    (("anthropic/*",), LatencyModel(1.176, 0.48, 0.0145, 0.54, 1.64)),
    (("bedrock/*",), LatencyModel(0.725, 0.56, 0.0098, 0.33, 2.84)),
    (
        (
            "gemini/*",
            "vertex_ai/gemini*",
        ),
        LatencyModel(1.229, 0.54, 0.019, 0.89, 2.0),
    ),
    (
        (
            "openai/*",
            "azure/*",
        ),
        LatencyModel(0.432, 0.72, 0.0128, 0.43, 2.25),
    ),
    (("openrouter/*",), LatencyModel(1.146, 0.29, 0.0018, 0.88, 2.31)),
    (("vercel_ai_gateway/*",), LatencyModel(1.21, 0.38, 0.0231, 0.61, 2.62)),
    (("xai/*",), LatencyModel(0.99, 0.77, 0.0531, 0.53, 2.04)),
    (("*",), LatencyModel(0.621, 0.62, 0.0135, 0.56, 2.26)),
)
"""Patterns of litellm names, and the model of those that match; the first row that matches counts."""


def latency_model(model: str) -> LatencyModel:
    """The model for a target's litellm name: its family's, its provider's, or that of everybody."""
    return next(found for patterns, found in FITTED if any(fnmatchcase(model, each) for each in patterns))
