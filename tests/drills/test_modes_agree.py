"""Two modes, one scenario: what a simulation says happens is what happens in a replay, to the last byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from failover.adapters.operations import METHODS
from failover.chaos.drill import run_drill
from failover.chaos.finding import find_scenarios
from failover.chaos.scenario import STREAMED_OPERATIONS, load_scenario
from failover.core.policy import Delivery, StreamRecovery
from failover.core.vocabulary import Operation
from tests.drills.two_modes import agreed, told
from tests.drills.worlds import CONFIG, LITELLM_WARNS, SCENARIOS, STORY, hurried, thinned, written

pytestmark = LITELLM_WARNS
REQUESTS = 150
BOTH = [scenario for scenario in find_scenarios([SCENARIOS]) if set(scenario.modes) == {"simulate", "replay"}]


@pytest.fixture(autouse=True)
def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out of images stays in the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "remembered"))


@pytest.mark.parametrize("shortened", [thinned, hurried])
@pytest.mark.parametrize("scenario", BOTH, ids=lambda scenario: scenario.name)
def test_both_modes_tell_the_same_of_every_shipped_scenario(scenario, shortened, tmp_path: Path) -> None:
    found = agreed(shortened(scenario, tmp_path, REQUESTS), tmp_path)
    assert found.verdict.attempts > REQUESTS / 2


PRICED = CONFIG.replace(
    "claude-sonnet-5}", "claude-sonnet-5, prices: {input_usd_per_mtok: 3, output_usd_per_mtok: 15}}"
).replace("gpt-5.6-luna}", "gpt-5.6-luna, prices: {input_usd_per_mtok: 1, output_usd_per_mtok: 4}}")
STORIES = {
    "an outage": STORY,
    "an outage on the stroke of a request": STORY.replace("for_s: 60}", "for_s: 60, arrivals: constant}"),
    "an outage of everything": STORY.replace("provider: openai", 'provider: "*"'),
    "silence": STORY.replace("for_s: 20}", "for_s: 20, as: hang}"),
    "a refused connection": STORY.replace("for_s: 20}", "for_s: 20, as: refused}"),
    "a connection that is reset": STORY.replace("for_s: 20}", "for_s: 20, as: reset}"),
    "rate limits with a wait": STORY.replace(
        "kind: outage", "kind: rate_limit, retry_after_s: 3, share: 0.5"
    ),
    "a model withdrawn": STORY.replace("kind: outage", "kind: deprecation"),
    "a price in fractions": STORY.replace("kind: outage", "kind: price_change, factor: 2").replace(
        "10,", "10.3,"
    ),
    "sizes of its own": STORY.replace("for_s: 60}", "for_s: 60, tokens_in: 300, tokens_out: 40}"),
    "slower than the deadline": STORY.replace("kind: outage", "kind: slowdown, factor: 40"),
    "a slow start": STORY.replace("kind: outage", "kind: slowdown, first_token_extra_s: 7, share: 0.7"),
}


@pytest.mark.parametrize("stream", ["", "stream: true, "], ids=["whole", "streamed"])
@pytest.mark.parametrize("story", STORIES)
def test_both_modes_agree_on(story, stream, tmp_path: Path) -> None:
    found = told(tmp_path, STORIES[story].replace("route: chat, ", f"route: chat, {stream}"), PRICED)
    assert found.verdict.requests > 60


STREAMED = STORY.replace("route: chat,", "route: chat, stream: true,")
SLOW_STREAMS = STREAMED.replace("kind: outage", "kind: slowdown, share: 0.6, factor: 30")
POLICIES = {
    **{
        f"stream_recovery {word.value}": f"stream_recovery: {word.value}, idle_s: 2"
        for word in StreamRecovery
    },
    **{f"delivery {word.value}": f"delivery: {word.value}, idle_s: 2" for word in Delivery},
    "upstream": "stream_upstream: true, idle_s: 2",
    "hedge": "hedge: {after_quantile: 0.5, share: 1.0}, idle_s: 2",
    "attempts": "attempts: 1, first_token_s: 0.5, attempt_s: 3",
    "idle": "idle_s: 0.02",
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_both_modes_agree_on_streams_that_are_slow_under(policy, stream, tmp_path: Path) -> None:
    config = PRICED.replace("deadline_s: 30", f"deadline_s: 30, {POLICIES[policy]}")
    story = SLOW_STREAMS if stream else SLOW_STREAMS.replace("stream: true, ", "")
    found = told(tmp_path, story, config)
    assert found.verdict.requests > 60


def test_both_modes_agree_where_other_routes_share_the_targets(tmp_path: Path) -> None:
    told(tmp_path, STORY, PRICED.replace("  chat:", "  another: {chain: [claude]}\n  chat:"))


def test_both_modes_agree_on_limits(tmp_path: Path) -> None:
    found = told(tmp_path, STORY, PRICED.replace("luna,", "luna, limits: {rpm: 30, concurrency: 2},"))
    assert 15 < found.verdict.targets["gpt"].attempts < 70


MIXED = STORY.replace("for_s: 60}", "for_s: 60, tenants: 5, mix: [{share: 2}, {route: other, stream: true}]}")
TWO_ROUTES = (
    PRICED + "  other: {chain: [claude, gpt], policy: {deadline_s: 9, attempts: 2, first_token_s: 3}}\n"
)


@pytest.mark.parametrize("sticky", ["attempt", "request", "tenant", "account"])
def test_both_modes_agree_on_a_mix_of_routes_that_share_targets_and_tenants(sticky, tmp_path: Path) -> None:
    story = MIXED.replace("provider: openai", f"provider: openai, share: 0.5, sticky: {sticky}")
    found = told(tmp_path, story, TWO_ROUTES)
    requests = {name: route.requests for name, route in found.verdict.routes.items()}
    assert requests["chat"] + requests["other"] == found.verdict.requests
    assert requests["chat"] > requests["other"] > 20
    assert found.verdict.fallbacks


PRICES = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 4}
SERVING = {
    Operation.COMPLETION: ("openai/gpt-5.6-luna", "anthropic/claude-sonnet-5"),
    Operation.RESPONSES: ("openai/gpt-5.6-luna", "xai/grok-4.3"),
    Operation.EMBEDDING: ("together_ai/intfloat/e5", "fireworks_ai/intfloat/e5"),
    Operation.IMAGE_GENERATION: ("openai/gpt-image-1", "xai/grok-2-image"),
    Operation.TRANSCRIPTION: ("openai/whisper-1", "groq/whisper-large-v3"),
    Operation.SPEECH: ("openai/gpt-4o-mini-tts", "openai/tts-1"),
    Operation.RERANK: ("jina_ai/jina-reranker-v2-base-multilingual", "voyage/rerank-2"),
    Operation.MODERATION: ("openai/omni-moderation-latest", "mistral/mistral-moderation-latest"),
}


def of_two(*models: str) -> str:
    """A config of two targets, each with its provider and a price."""
    targets = {
        name: {"provider": model.partition("/")[0], "model": model, "prices": PRICES}
        for name, model in zip(("one", "other"), models, strict=True)
    }
    providers = {target["provider"]: {"credential": "env:ANY_KEY"} for target in targets.values()}
    chat = {"chain": list(targets), "policy": {"deadline_s": 30}}
    return json.dumps({"providers": providers, "targets": targets, "routes": {"chat": chat}})


OPERATIONS = [(operation, stream) for operation in SERVING for stream in (False, True)]


def test_every_operation_that_a_target_can_be_asked_for_is_drilled() -> None:
    assert set(SERVING) == set(METHODS)


@pytest.mark.parametrize(
    ("operation", "stream"),
    [
        pytest.param(operation, stream, id=f"{operation.value}{' streamed' * stream}")
        for operation, stream in OPERATIONS
        if not stream or operation in STREAMED_OPERATIONS
    ],
)
def test_both_modes_agree_on_every_operation(operation, stream, tmp_path: Path) -> None:
    asked = f"route: chat, operation: {operation.value}, stream: {str(stream).lower()},"
    story = STORY.replace("provider: openai", "target: one").replace("route: chat,", asked)
    found = told(tmp_path, story, of_two(*SERVING[operation]))
    assert found.verdict.served == found.verdict.requests
    assert found.verdict.fallbacks
    assert {name for name, target in found.verdict.targets.items() if target.served} == {"one", "other"}


def test_a_replay_gives_the_same_journal_every_time(tmp_path: Path) -> None:
    scenario = load_scenario(written(tmp_path, STORY, PRICED))
    one, again = (run_drill(scenario, seed=1, mode="replay") for _ in range(2))
    assert one.journal_sha256 == again.journal_sha256
