"""What litellm's bundled map says that a model can do, for targets whose config does not say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from failover.config import Config
from failover.core.capabilities import Capabilities, Capability
from failover.core.vocabulary import Target
from failover.price_map import entry_of

KEYS: Mapping[Capability, str] = {
    Capability.TOOLS: "supports_function_calling",
    Capability.VISION: "supports_vision",
    Capability.AUDIO_INPUT: "supports_audio_input",
    Capability.AUDIO_OUTPUT: "supports_audio_output",
    Capability.FILES: "supports_pdf_input",
    Capability.JSON_SCHEMA: "supports_response_schema",
    Capability.PREFILL: "supports_assistant_prefill",
    Capability.REASONING: "supports_reasoning",
}
"""The map's word for each: true, false, or absent, which is no answer."""

_LISTS: Mapping[Capability, tuple[str, str]] = {
    Capability.VISION: ("supported_modalities", "image"),
    Capability.AUDIO_INPUT: ("supported_modalities", "audio"),
    Capability.AUDIO_OUTPUT: ("supported_output_modalities", "audio"),
}
"""Where the map also lists all that a model takes or gives: what such a list leaves out, it cannot."""


def with_model_facts(config: Config) -> Config:
    """The config whose targets also know what the bundled map says of their models.

    What the config says goes before it. A model that the map does not have, and a plain function, stay
    unknown. Doing it twice changes nothing.
    """
    targets = {name: _informed(target) for name, target in config.targets.items()}
    routes = {
        name: replace(route, chain=tuple(tuple(_informed(target) for target in tier) for tier in route.chain))
        for name, route in config.routes.items()
    }
    return replace(config, targets=targets, routes=routes)


def capabilities_of(model: str) -> Capabilities:
    """What the map says of `model`, by litellm's name for it."""
    entry = entry_of(model)
    answers = {capability: _answer(entry, capability) for capability in Capability}
    return Capabilities(
        able=frozenset(capability for capability, can in answers.items() if can is True),
        unable=frozenset(capability for capability, can in answers.items() if can is False),
        output_tokens_max=_count(entry, "max_output_tokens"),
    )


def _answer(entry: Mapping[str, Any], capability: Capability) -> bool | None:
    told = entry.get(KEYS[capability])
    if isinstance(told, bool):
        return told
    key, kind = _LISTS.get(capability, ("", ""))
    listed = entry.get(key)
    return kind in listed if isinstance(listed, list) else None


def _informed(target: Target) -> Target:
    if not target.model:
        return target
    window_tokens = target.context_window_tokens
    if window_tokens is None:
        window_tokens = _count(entry_of(target.model), "max_input_tokens")
    known = capabilities_of(target.model)
    if target.model.startswith("deepseek/") and "/beta" not in target.api_base:
        # Only at its beta address, which litellm does not use by itself.
        known = replace(known, able=known.able - {Capability.PREFILL})
    capabilities = target.capabilities.over(known)
    return replace(target, context_window_tokens=window_tokens, capabilities=capabilities)


def _count(entry: Mapping[str, Any], key: str) -> int | None:
    # Some entries have a zero where nobody knew.
    value = entry.get(key)
    return value if isinstance(value, int) and value > 0 else None
