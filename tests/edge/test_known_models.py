"""What litellm's map knows of models reaches the targets, beneath what the config says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from failover.cli import main
from failover.config import config_from_dict
from failover.config.schema import CapabilitiesSection
from failover.core.capabilities import UNKNOWN, Capabilities, Capability
from failover.core.vocabulary import Target
from failover.known_models import KEYS, capabilities_of, with_model_facts
from failover.price_map import bundled_map

ROOT = Path(__file__).parents[2]


def target_of(**facts: Any) -> Target:
    """A target with a model, in force: the config's word, then the map's."""
    mapping = {
        "providers": {"anthropic": {}},
        "targets": {"one": {"provider": "anthropic", "model": "anthropic/claude-sonnet-5", **facts}},
        "routes": {"chat": {"chain": ["one"]}},
    }
    config = with_model_facts(config_from_dict(mapping))
    assert config == with_model_facts(config)
    [in_chain] = config.routes["chat"].targets()
    assert in_chain == config.targets["one"]
    return in_chain


def test_a_target_knows_what_the_map_says_of_its_model() -> None:
    found = target_of()
    assert found.context_window_tokens == bundled_map()["claude-sonnet-5"]["max_input_tokens"]
    assert found.capabilities.output_tokens_max == bundled_map()["claude-sonnet-5"]["max_output_tokens"]
    assert {Capability.TOOLS, Capability.VISION} <= found.capabilities.able
    assert found.capabilities.unable == {Capability.PREFILL}


def test_what_the_map_does_not_say_is_unknown() -> None:
    found = capabilities_of("anthropic/claude-sonnet-5")
    assert not {Capability.AUDIO_INPUT, Capability.AUDIO_OUTPUT} & (found.able | found.unable)
    assert capabilities_of("openai/a-deployment-of-ours") == UNKNOWN


def test_a_list_of_modalities_says_no_to_what_it_leaves_out() -> None:
    assert bundled_map()["gpt-5.6-luna"]["supported_modalities"] == ["text", "image"]
    assert Capability.AUDIO_INPUT in capabilities_of("openai/gpt-5.6-luna").unable
    assert Capability.VISION in capabilities_of("openai/gpt-5.6-luna").able


def test_the_config_goes_before_the_map() -> None:
    found = target_of(
        capabilities={"prefill": True, "vision": False},
        output_tokens_max=10,
        context_window_tokens=20,
        unsupported_parameters=["seed"],
    )
    assert Capability.PREFILL in found.capabilities.able
    assert found.capabilities.unable == {Capability.VISION}
    assert (found.capabilities.output_tokens_max, found.context_window_tokens) == (10, 20)
    assert found.capabilities.unsupported_parameters == {"seed"}


def test_of_a_plain_function_only_its_author_knows_anything() -> None:
    mapping = {
        "targets": {"ours": {"callable": "shop:score", "capabilities": {"tools": False}}},
        "routes": {"scores": {"chain": ["ours"]}},
    }
    [ours] = with_model_facts(config_from_dict(mapping)).routes["scores"].targets()
    assert ours.capabilities == Capabilities(unable=frozenset({Capability.TOOLS}))
    assert ours.context_window_tokens is None


def test_every_capability_has_its_key_in_config_and_map_and_its_reason_in_the_docs() -> None:
    assert list(CapabilitiesSection.model_fields) == list(Capability) == list(KEYS)
    page = (ROOT / "docs" / "substitution.md").read_text("utf-8")
    assert all(f"`no_{capability}`" in page and f"`{key}`" in page for capability, key in KEYS.items())


@pytest.mark.parametrize("key", KEYS.values())
def test_the_map_still_has_the_key(key: str) -> None:
    answers = {entry.get(key) for entry in bundled_map().values()}
    assert answers == {True, False, None}


# `failover decide` asks the same.

CONFIG = """
providers: {openai: {}, anthropic: {}, mistral: {}}
targets:
  gpt: {provider: openai, model: openai/gpt-5.6-luna}
  claude: {provider: anthropic, model: anthropic/claude-sonnet-5}
  mistral: {provider: mistral, model: mistral/mistral-large-2512, unsupported_parameters: [seed]}
routes: {chat: {chain: [gpt, claude, mistral]}}
"""


@pytest.mark.parametrize(
    ("asked", "passed_over"),
    [
        ([], []),
        (["--need", "prefill"], ["claude: no_prefill"]),
        (["--need", "prefill", "--need", "audio_input"], ["gpt: no_audio_input", "claude: no_prefill"]),
        (["--parameter", "seed"], ["mistral: parameter_unsupported"]),
        (["--max-tokens", "200000"], ["gpt: output_too_short", "claude: output_too_short"]),
        (["--tokens-in", "1400000"], ["gpt: window_too_small", "mistral: window_too_small"]),
    ],
)
def test_the_command_says_who_is_passed_over(
    tmp_path: Path, asked: list[str], passed_over: list[str]
) -> None:
    file = tmp_path / "failover.yaml"
    file.write_text(CONFIG, "utf-8")
    result = CliRunner().invoke(main, ["decide", str(file), "chat", *asked])
    assert result.exit_code == 0
    told = [
        line.removeprefix("  passed over: ") for line in result.output.splitlines() if "passed over" in line
    ]
    assert told == passed_over
