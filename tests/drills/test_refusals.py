"""Refusals: each provider's own words, in its own shape, without anything that identifies anybody."""

from __future__ import annotations

import json

import pytest

from failover.adapters.classify_reply import classify_reply
from failover.chaos.world.refusals import WORDINGS, Refused, refusal_image
from failover.core.failures import FailureKind
from tests.drills.meetings import MODELS

K = FailureKind
MEANT = {
    Refused.QUOTA: {K.QUOTA_EXHAUSTED},
    Refused.SPEND_CAP: {K.QUOTA_EXHAUSTED},
    Refused.KEY: {K.UNAUTHORIZED},
    Refused.PERMISSION: {K.UNAUTHORIZED},
    # Anthropic forbids, and does not say that it is the place.
    Refused.REGION: {K.REGION_BLOCKED, K.UNAUTHORIZED},
    Refused.RETIRED: {K.MODEL_GONE},
    Refused.ACCESS_NARROWED: {K.MODEL_GONE},
    Refused.ACCELERATION: {K.ACCELERATION_LIMITED, K.RATE_LIMITED},
    Refused.FILTERED: {K.CONTENT_FILTERED},
}
EVERYBODY = sorted({*MODELS, *(name for wordings in WORDINGS.values() for name in wordings if name), "xai"})
SHAPES = {
    "openai": {"error": {"message", "type", "param", "code"}},
    "groq": {"error": {"message", "type", "param", "code"}},
    "gemini": {"error": {"code", "message", "status"}},
    "anthropic": {"error": {"type", "message"}},
}


@pytest.mark.parametrize("provider", EVERYBODY)
@pytest.mark.parametrize("why", Refused)
def test_a_refusal_is_taken_for_what_it_is(why, provider) -> None:
    reply = refusal_image(provider, why).reply
    assert reply is not None
    failure = classify_reply(provider, reply)
    assert failure is not None
    assert failure.kind in MEANT[why]


@pytest.mark.parametrize("why", Refused)
def test_who_is_not_listed_words_it_as_openai_does(why) -> None:
    assert refusal_image("xai", why).reply == refusal_image("openai", why).reply


@pytest.mark.parametrize("provider", SHAPES)
@pytest.mark.parametrize("why", Refused)
def test_a_refusal_has_the_shape_of_its_dialect(why, provider) -> None:
    reply = refusal_image(provider, why).reply
    assert reply is not None
    body = json.loads(reply.body)
    if reply.status != 200:
        assert SHAPES[provider]["error"] <= body["error"].keys()
    else:
        assert (provider, why) == ("gemini", Refused.FILTERED)


@pytest.mark.parametrize("why", Refused)
def test_the_same_arguments_give_the_very_same_image(why) -> None:
    assert refusal_image("openai", why, 3.0) is refusal_image("openai", why, 3.0)
    assert refusal_image("openai", why) is not refusal_image("anthropic", why)


def test_a_hint_to_wait_is_in_whole_seconds_rounded_up() -> None:
    reply = refusal_image("anthropic", Refused.SPEND_CAP, 2.1).reply
    assert reply is not None
    assert reply.headers["retry-after"] == "3"
    bare = refusal_image("anthropic", Refused.SPEND_CAP).reply
    assert bare is not None
    assert "retry-after" not in bare.headers


def test_what_is_refused_under_a_200_comes_to_a_stream_as_an_event() -> None:
    whole, streamed = (
        refusal_image("gemini", Refused.FILTERED, stream=stream).reply for stream in (False, True)
    )
    assert whole is not None
    assert streamed is not None
    assert streamed.headers["content-type"] == "text/event-stream"
    assert streamed.body == b"data: " + whole.body + b"\n\n"
