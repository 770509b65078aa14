"""What targets can answer: recordings, borrowed or synthetic answers, with the tokens a workload sets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from failover.adapters.operations import METHODS
from failover.adapters.wire import WireReply
from failover.cassettes.episodes import Episode, RecordedRequest
from failover.cassettes.timing import Timing
from failover.chaos.scenario import STREAMED_OPERATIONS
from failover.chaos.workload import ANSWERED_WITHOUT_TOKENS, Shape
from failover.chaos.world.chance import Chance
from failover.chaos.world.image import Image
from failover.chaos.world.repertoire import CHATS, ENDPOINTS, WITHOUT_RESPONSES, Repertoire
from failover.chaos.world.successes import Source, Success, Successes
from failover.chaos.world.synthetic import synthetic_success
from failover.chaos.world.usage_shapes import with_usage
from failover.chaos.world.world import World
from failover.core.prices import PriceBook
from failover.core.vocabulary import Operation, Usage
from tests.drills.worlds import AS_RECORDED, GPT, LITELLM_WARNS, ByHand, asked, outcomes, target
from tests.edge.fake_wire import ANTHROPIC_STREAM, OPENAI_STREAM, STREAM, gemini_chunk, openai_chunk

pytestmark = LITELLM_WARNS


ASKED = Usage(321, 45)
SIZED = Shape(Operation.COMPLETION, ASKED.tokens_in, ASKED.tokens_out)


def episode(model: str = "gpt-5.6-luna", provider: str = "openai", **changes: Any) -> Episode:
    """A recorded success of a chat."""
    recorded = Episode(
        file="here.yaml",
        n=0,
        provider=provider,
        model=model,
        endpoint="chat.completions",
        stream=False,
        request=RecordedRequest("POST", "https://provider.invalid", {}, b""),
        reply=synthetic_success(f"{provider}/{model}"),
        timing=Timing(0.5, 2.0),
    )
    return replace(recorded, **changes)


def of_gpt(*episodes: Episode, shape: Shape = AS_RECORDED, stream: bool = False) -> Successes:
    return Repertoire(episodes).of(GPT, shape, stream=stream)


def test_a_target_answers_with_its_own_models_recordings() -> None:
    found = of_gpt(episode(), episode("gpt-5.6-sol"), episode(n=7))
    assert found.source is Source.RECORDED
    assert [answer.image.origin for answer in found.answers] == ["here.yaml#0", "here.yaml#7"]


def test_else_with_its_providers() -> None:
    found = of_gpt(episode("gpt-5.6-sol"), episode("claude-sonnet-5", "anthropic"))
    assert (found.source, len(found.answers)) == (Source.BORROWED, 1)


def test_else_with_a_synthetic_one() -> None:
    found = of_gpt(episode("claude-sonnet-5", "anthropic"))
    assert found.source is Source.SYNTHETIC
    assert [(answer.image.origin, answer.timing) for answer in found.answers] == [("synthetic", None)]


@pytest.mark.parametrize(
    "unusable",
    [
        {"stream": True},
        {"endpoint": "embeddings"},
        {"reply": WireReply(503, {}, b"{}")},
        {"reply": WireReply(200, {"content-type": "application/json"}, b"{")},
    ],
)
def test_what_is_no_whole_success_of_a_completion_is_not_used(unusable) -> None:
    assert of_gpt(episode(**unusable)).source is Source.SYNTHETIC


@pytest.mark.parametrize(
    ("model", "recorded_as", "endpoint"),
    [("gemini/g", "google-gemini", "generateContent"), ("azure/g", "azure-openai", "chat.completions")],
)
def test_a_provider_is_found_by_the_cassettes_name_for_it(model, recorded_as, endpoint) -> None:
    chat = episode("g", recorded_as, endpoint=endpoint)
    found = Repertoire([chat]).of(target("asked", model), AS_RECORDED, stream=False)
    assert found.source is Source.RECORDED


@pytest.mark.parametrize(
    ("model", "recorded_as"),
    [("anthropic/g", "anthropic"), ("gemini/g", "google-gemini"), ("ollama_chat/g", "ollama")],
)
def test_what_an_openai_style_endpoint_answered_is_none_of_litellms_own_dialect(model, recorded_as) -> None:
    """It could not be read, and the target would be down by itself."""
    found = Repertoire([episode("g", recorded_as)]).of(target("asked", model), AS_RECORDED, stream=False)
    assert found.source is Source.SYNTHETIC


def test_a_list_of_json_is_no_stream_that_litellm_asks_for() -> None:
    body = b'[{"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]}]'
    reply = WireReply(200, {"content-type": "application/json"}, body)
    streamed = episode("g", "google-gemini", endpoint="streamGenerateContent", stream=True, reply=reply)
    found = Repertoire([streamed]).of(target("asked", "gemini/g"), AS_RECORDED, stream=True)
    assert found.source is Source.SYNTHETIC


def takes(success: Success) -> tuple[float, float]:
    answers = ByHand({"gpt": Successes(Source.RECORDED, (success,))})
    found = World(Chance(1), [GPT], answers, (), PriceBook()).exchange(GPT, asked(), 1, 0.0, stream=False)
    return found.first_token_s, found.total_s


def test_an_answer_takes_as_long_as_its_recording() -> None:
    (answer,) = of_gpt(episode()).answers
    assert takes(answer) == (0.5, 2.0)


def test_a_recording_without_a_first_byte_arrives_all_at_once() -> None:
    (answer,) = of_gpt(episode(timing=Timing(total_s=3.0))).answers
    assert takes(answer) == (3.0, 3.0)


def test_the_timing_of_a_mock_server_is_nobodys() -> None:
    (answer,) = of_gpt(episode(recorded_from="llmock 0.2.2 (local mock server)")).answers
    drawn = takes(answer)
    assert drawn != (0.5, 2.0)
    assert drawn == takes(Success(answer.image))


# Every operation.

PLAYABLE = [
    pytest.param(operation, f"{provider}/{model}", stream, id=f"{operation}-{provider}{'-streamed' * stream}")
    for operation, providers in {
        **{operation: method.styles for operation, method in METHODS.items()},
        Operation.COMPLETION: ("openai", "anthropic", "gemini", "mistral", "azure", "groq", "ollama_chat"),
    }.items()
    for provider in providers
    for stream in ((False, True) if operation in STREAMED_OPERATIONS else (False,))
    # litellm streams a response only of models that it knows to: of others it makes a stream itself.
    for model in ("grok-4.3" if provider == "xai" else "gpt-5.6-luna",)
]


@pytest.mark.parametrize(("operation", "model", "stream"), PLAYABLE)
def test_whom_no_cassette_knows_answers_every_operation_that_it_may_be_asked_for(
    operation: Operation, model: str, *, stream: bool
) -> None:
    shape = Shape(operation, ASKED.tokens_in, ASKED.tokens_out)
    of = target("asked", model, api_base="https://drilled.invalid")
    (answer,) = Repertoire([]).of(of, shape, stream=stream).answers
    found = outcomes().of(of, shape, answer.image, stream=stream)
    assert (found.failure, found.doubts) == (None, ())
    assert not stream or found.course.pieces
    if found.usage is not None:
        billed = 0 if operation in ANSWERED_WITHOUT_TOKENS else ASKED.tokens_out
        assert found.usage == Usage(ASKED.tokens_in, billed)


@pytest.mark.parametrize("operation", ENDPOINTS)
def test_only_recordings_of_the_operation_answer_it(operation: Operation) -> None:
    endpoints = {endpoint for each in ENDPOINTS.values() for endpoint in each}
    made = {
        endpoint: of_gpt(episode(endpoint=endpoint), shape=Shape(operation)).source for endpoint in endpoints
    }
    recorded = {endpoint for endpoint, source in made.items() if source is Source.RECORDED}
    assert recorded == ENDPOINTS[operation]


@pytest.mark.parametrize("provider", WITHOUT_RESPONSES)
def test_a_response_that_litellm_makes_of_a_chat_is_answered_with_one(provider: str) -> None:
    (endpoint, *_) = sorted(CHATS.get(provider, ENDPOINTS[Operation.COMPLETION]))
    chat = episode("g", provider, endpoint=endpoint)
    of = target("asked", f"{provider}/g")
    assert Repertoire([chat]).of(of, Shape(Operation.RESPONSES), stream=False).source is Source.RECORDED


# Tokens, on the wire and as litellm reads them.

DETAILED = {
    "prompt_tokens": 9,
    "completion_tokens": 9,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 7},
}


def read_back(model: str, reply: WireReply, *, stream: bool = False) -> Any:
    image = Image("sized", reply=with_usage(reply, ASKED.tokens_in, ASKED.tokens_out))
    return outcomes().of(target("read", model), AS_RECORDED, image, stream=stream).usage


USAGE_CHUNK = openai_chunk({}, None, usage=DETAILED)
GOOGLE_USAGE = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
STREAMS = {
    "openai/gpt-5.6-luna": (*OPENAI_STREAM[:-1], USAGE_CHUNK, OPENAI_STREAM[-1]),
    "mistral/mistral-large-2512": (*OPENAI_STREAM[:-1], USAGE_CHUNK, OPENAI_STREAM[-1]),
    "anthropic/claude-sonnet-5": ANTHROPIC_STREAM,
    "gemini/gemini-2.5-flash": (
        gemini_chunk("hi"),
        gemini_chunk("", "STOP").replace(
            b'"modelVersion"', b'"usageMetadata": ' + json.dumps(GOOGLE_USAGE).encode() + b', "modelVersion"'
        ),
    ),
}


@pytest.mark.parametrize("model", [*STREAMS, "groq/openai/gpt-oss-120b", "perplexity/sonar"])
def test_litellm_reads_the_tokens_that_were_set(model) -> None:
    assert read_back(model, synthetic_success(model)) == ASKED


@pytest.mark.parametrize("model", ["openai/gpt-5.6-luna", "mistral/mistral-large-2512", "perplexity/sonar"])
def test_a_stream_that_tells_no_usage_is_given_the_tokens_that_were_set(model) -> None:
    """Else the client would make an estimate of its own, and the bill with it."""
    untold = WireReply(200, {"content-type": "text/event-stream"}, b"".join(OPENAI_STREAM))
    assert read_back(model, untold, stream=True) == ASKED


def test_cohere_tells_its_tokens_one_level_deeper() -> None:
    """litellm reaches Cohere by a client of its own, so that only the wire can be looked at."""
    body = b'{"usage": {"tokens": {"input_tokens": 0, "output_tokens": 0}}}'
    sized = with_usage(WireReply(200, {}, body), 321, 45)
    assert json.loads(sized.body)["usage"] == {"tokens": {"input_tokens": 321, "output_tokens": 45}}


def test_detailed_counts_that_would_contradict_the_sum_are_dropped() -> None:
    body = json.loads(synthetic_success("openai/m").body)
    reply = WireReply(200, {"content-length": "5"}, json.dumps({**body, "usage": DETAILED}).encode())
    sized = with_usage(reply, 321, 45)
    assert json.loads(sized.body)["usage"] == {
        "prompt_tokens": 321,
        "completion_tokens": 45,
        "total_tokens": 366,
    }
    assert "content-length" not in sized.headers


@pytest.mark.parametrize("model", STREAMS)
def test_litellm_reads_the_tokens_that_were_set_in_a_stream(model) -> None:
    reply = WireReply(200, STREAM, b"".join(STREAMS[model]))
    assert read_back(model, reply, stream=True) == ASKED


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"data: {cut", b"\xff\xfe", b"data: [DONE]"])
def test_a_body_that_tells_no_tokens_stays_as_it_is(body) -> None:
    assert with_usage(WireReply(200, {}, body), 1, 2).body == body


@pytest.mark.parametrize("model", [*STREAMS, "groq/openai/gpt-oss-120b", "perplexity/sonar"])
def test_who_is_in_no_cassette_is_billed_in_streams_too(model) -> None:
    of = target("asked", model)
    made_up = Repertoire([]).of(of, SIZED, stream=True)
    assert outcomes().of(of, SIZED, made_up.answers[0].image, stream=True).usage == ASKED
