"""The catalogue: what each injection comes to in each dialect, whole and streamed, by the real client."""

from __future__ import annotations

from typing import Any

import pytest

from failover.chaos.world.outcome import Outcome
from failover.core.failures import FailureKind, Phase
from tests.drills.meetings import JUDGED_ALONE, MODELS, SHAPE, answer, encounter, injected, met, outcome

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]
K = FailureKind
WAYS = ["whole", "streamed"]
SERVED = "served"
DOUBTED = "served, in doubt of the model"
Meant = tuple[str, str]
"""Whole and streamed: a kind of failure, or one of the two above."""


def both(meant: str) -> Meant:
    return meant, meant


# What is meant by each kind in each of its shapes, by everybody.
EVERYBODY: dict[tuple[str, str], Meant] = {
    ("outage", "500"): both(K.SERVER_ERROR),
    ("outage", "502"): both(K.SERVER_ERROR),
    ("outage", "503"): both(K.OVERLOADED),
    ("outage", "504"): both(K.SERVER_ERROR),
    ("outage", "529"): both(K.OVERLOADED),
    ("outage", "530"): both(K.SERVER_ERROR),
    ("outage", "refused"): both(K.CONNECTION),
    ("outage", "reset"): both(K.CONNECTION),
    ("outage", "hang"): both(K.TIMEOUT),
    ("brownout", "503"): both(K.OVERLOADED),
    ("flap", "502"): both(K.SERVER_ERROR),
    ("slowdown", ""): both(SERVED),
    ("stall", ""): both(SERVED),
    ("rate_limit", ""): both(K.RATE_LIMITED),
    ("quota_exhausted", "quota"): both(K.QUOTA_EXHAUSTED),
    ("quota_exhausted", "spend_cap"): both(K.QUOTA_EXHAUSTED),
    ("auth_revoked", "key"): both(K.UNAUTHORIZED),
    ("auth_revoked", "permission"): both(K.UNAUTHORIZED),
    ("region_block", ""): both(K.REGION_BLOCKED),
    ("content_filter", "answer"): both(K.CONTENT_FILTERED),
    ("content_filter", "prompt"): both(K.CONTENT_FILTERED),
    ("malformed_reply", "html"): both(K.MALFORMED_REPLY),
    # An event that does not parse is a hole in the answer.
    ("malformed_reply", "garbled"): (K.MALFORMED_REPLY, K.TRUNCATED_STREAM),
    ("malformed_reply", "empty"): both(K.MALFORMED_REPLY),
    ("empty_reply", "text"): both(SERVED),
    ("truncated_stream", "closed"): (K.CONNECTION, K.TRUNCATED_STREAM),
    ("truncated_stream", "reset"): (K.CONNECTION, K.TRUNCATED_STREAM),
    ("in_band_error", "429"): both(K.RATE_LIMITED),
    # In a stream an error that says nothing more is a break.
    ("in_band_error", "500"): (K.SERVER_ERROR, K.TRUNCATED_STREAM),
    ("in_band_error", "503"): both(K.OVERLOADED),
    ("in_band_error", "529"): both(K.OVERLOADED),
    ("wrong_model", ""): both(DOUBTED),
    ("deprecation", "hard_error"): both(K.MODEL_GONE),
    ("deprecation", "access_narrowed"): both(K.MODEL_GONE),
    ("deprecation", "parameter_removed"): both(K.UNSUPPORTED_PARAMETER),
    ("deprecation", "redirect"): both(DOUBTED),
    ("deprecation", "alias_moved"): both(DOUBTED),
    ("deprecation", "silent_downgrade"): both(DOUBTED),
    ("tokenizer_change", ""): both(SERVED),
    ("cold_standby", "locked"): both(K.MODEL_GONE),
    ("cold_standby", "slow"): both(SERVED),
}
UNNAMED = {
    ("wrong_model", ""),
    *((("deprecation", each)) for each in ("redirect", "alias_moved", "silent_downgrade")),
}
# A deployment is called as its owner likes; Anthropic does not say that it is the place; Amazon's errors in
# a stream are frames of their own, so that this shape of them tells no more than that something broke.
OTHERWISE: dict[str, dict[tuple[str, str], Meant]] = {
    "azure": dict.fromkeys(UNNAMED, both(SERVED)),
    "bedrock": dict.fromkeys(UNNAMED, both(SERVED))
    | {
        ("in_band_error", shape): (K.MALFORMED_REPLY, K.TRUNCATED_STREAM)
        for shape in ("429", "500", "503", "529")
    },
    "anthropic": {("region_block", ""): both(K.UNAUTHORIZED)},
}
FIELDS: dict[str, dict[str, Any]] = {
    "brownout": {"error_share": 1.0},
    "slowdown": {"factor": 2},
    "tokenizer_change": {"factor": 1.5},
    "wrong_model": {"served": "another-model-9"},
}
SUCCEEDED = {"redirect", "alias_moved", "silent_downgrade"}


def fields(kind: str, shape: str) -> dict[str, Any]:
    """What a scenario file says of it."""
    named = {"shape": shape} if kind == "deprecation" else {"as": shape} if shape else {}
    successor = {"successor": "another-model-9"} if shape in SUCCEEDED else {}
    return {**named, **successor, **FIELDS.get(kind, {})}


def told(found: Outcome) -> str:
    """The kind of failure, or how it was served."""
    if found.failure is not None:
        return found.failure.kind
    doubts = {each.kind for each in (*found.doubts, *(found.course.doubts if found.course else ()))}
    return DOUBTED if doubts == {K.WRONG_MODEL} else f"{SERVED}{sorted(doubts) or ''}"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", MODELS)
@pytest.mark.parametrize(("kind", "shape"), EVERYBODY, ids="-".join)
def test_an_injection_is_taken_for_what_it_is_meant(kind, shape, provider, way) -> None:
    stream = way == "streamed"
    meant = OTHERWISE.get(provider, {}).get((kind, shape), EVERYBODY[kind, shape])[stream]
    exchange = met(injected(kind, **fields(kind, shape)), provider, stream=stream)
    assert told(outcome(exchange, provider, stream=stream)) == meant


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", MODELS)
def test_a_good_answer_is_served_whole_with_the_tokens_of_the_workload(provider, way) -> None:
    """Else the table above would show nothing."""
    stream = way == "streamed"
    found = outcome(answer(provider, stream=stream), provider, stream=stream)
    assert told(found) == SERVED
    assert found.usage is not None
    assert (found.usage.tokens_in, found.usage.tokens_out) == (SHAPE.tokens_in, SHAPE.tokens_out)
    assert found.course is None or len(found.course.pieces) > 2


@pytest.mark.parametrize(
    ("provider", "whole", "streamed"),
    [
        ("openai", K.MALFORMED_REPLY, None),
        ("gemini", K.MALFORMED_REPLY, K.TRUNCATED_STREAM),
        # Anthropic's content is a list, and an empty one is what its models sometimes say.
        ("anthropic", SERVED, SERVED),
        ("mistral", K.MALFORMED_REPLY, None),
    ],
)
def test_an_answer_without_choices_is_malformed(provider, whole, streamed) -> None:
    empty = injected("empty_reply", **{"as": "choices"})
    assert told(outcome(met(empty, provider, stream=False), provider, stream=False)) == whole
    if streamed is not None:
        assert told(outcome(met(empty, provider, stream=True), provider, stream=True)) == streamed


@pytest.mark.parametrize("provider", MODELS)
def test_a_stream_without_a_single_event_is_malformed(provider) -> None:
    nothing = met(injected("truncated_stream", after_share=0), provider, stream=True)
    assert told(outcome(nothing, provider, stream=True)) == K.MALFORMED_REPLY


@pytest.mark.parametrize("kind", ["truncated_stream", "in_band_error"])
@pytest.mark.parametrize("provider", sorted(MODELS.keys() - JUDGED_ALONE))
def test_a_stream_breaks_after_its_caller_had_some_of_it(provider, kind) -> None:
    """Before the first token a router may fall back and nobody sees it: this is the other case."""
    found = outcome(met(injected(kind), provider, stream=True), provider, stream=True)
    assert found.course is not None
    good = outcome(answer(provider, stream=True), provider, stream=True).course
    assert good is not None
    assert 0 < len(found.course.pieces) < len(good.pieces)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", MODELS)
def test_a_tokenizer_that_counts_more_bills_more(provider, way) -> None:
    stream = way == "streamed"
    counted = met(injected("tokenizer_change", factor=1.5), provider, stream=stream)
    usage = outcome(counted, provider, stream=stream).usage
    assert usage is not None
    assert (usage.tokens_in, usage.tokens_out) == (150, 75)


@pytest.mark.parametrize(
    ("provider", "kind"),
    [
        ("openai", K.ACCELERATION_LIMITED),
        ("anthropic", K.ACCELERATION_LIMITED),
        ("azure", K.ACCELERATION_LIMITED),
        # Google and Amazon say no more than that it was too much.
        ("gemini", K.RATE_LIMITED),
        ("vertex_ai", K.RATE_LIMITED),
        ("bedrock", K.RATE_LIMITED),
    ],
)
def test_too_steep_a_ramp_is_told_from_too_much_where_the_provider_says_so(provider, kind) -> None:
    gate = injected("cold_standby", rate_per_s=0.001, **{"as": "ramp"}).gate()
    assert gate is not None
    at = encounter(provider, stream=False)
    good = answer(provider, stream=False)
    assert gate.passed(good, at, 0.0) is good
    assert told(outcome(gate.passed(good, at, 1.0), provider, stream=False)) == kind


@pytest.mark.parametrize(
    ("shape", "kind"), [("429", K.RATE_LIMITED), ("503", K.OVERLOADED), ("529", K.OVERLOADED)]
)
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "mistral"])
def test_who_comes_too_many_is_refused_in_the_shape_that_was_asked_for(provider, shape, kind) -> None:
    gate = injected("capacity", rpm=1, retry_after_s=7, **{"as": shape}).gate()
    assert gate is not None
    at, good = encounter(provider, stream=False), answer(provider, stream=False)
    assert gate.passed(good, at, 0.0) is good
    failure = outcome(gate.passed(good, at, 0.1), provider, stream=False).failure
    assert failure is not None
    assert (failure.kind, failure.retry_after_s) == (kind, 7.0)


def test_silence_times_out_at_the_limit_of_all() -> None:
    failure = outcome(
        met(injected("outage", **{"as": "hang"}), "openai", stream=False), "openai", stream=False
    )
    assert failure.failure is not None
    assert failure.failure.phase is Phase.TOTAL


def test_a_parameter_is_refused_only_where_it_is_sent() -> None:
    removed = injected("deprecation", shape="parameter_removed", parameter="logit_bias")
    good = answer("openai", stream=False)
    assert removed.change(good, encounter("openai", stream=False)) is good
