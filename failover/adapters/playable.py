"""Which models a drill can play to: requests must pass through a transport of ours, and need no real key."""

from __future__ import annotations

_OWN_CLIENT = "litellm reaches this provider by a client of its own, past the one it is handed"
_SIGNED = "litellm signs requests to this provider with real cloud credentials before anything is sent"

UNPLAYABLE = {
    **dict.fromkeys(
        ("aiohttp_openai", "anthropic_text", "cloudflare", "cohere", "cohere_chat", "replicate"), _OWN_CLIENT
    ),
    **dict.fromkeys(
        ("bedrock", "bedrock_converse", "sagemaker", "sagemaker_chat", "vertex_ai", "vertex_ai_beta"), _SIGNED
    ),
}
"""Why nothing can be played to a provider, by litellm's name of it; measured with litellm 1.106.2. A router
serves them all the same.
"""


def why_unplayable(model: str) -> str | None:
    """Why a drill cannot play to litellm's `model`, None when it can."""
    return UNPLAYABLE.get(model.partition("/")[0])
