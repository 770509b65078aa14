"""Which models a transport of ours can stand beneath."""

from __future__ import annotations

UNPLAYABLE = frozenset(
    {
        "aiohttp_openai",
        "anthropic_text",
        "cloudflare",
        "cohere",
        "cohere_chat",
        "replicate",
        "sagemaker",
        "sagemaker_chat",
    }
)
"""The providers whose code in litellm 1.106.2 ignores the client it is given: they work, unobserved, and
nothing can be played to them.
"""


def is_playable(model: str) -> bool:
    """Whether requests for litellm's `model` go through a transport of ours, so that none leaves a drill."""
    return model.partition("/")[0] not in UNPLAYABLE
