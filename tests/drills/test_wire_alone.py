"""Providers that nothing can be played to: what an image means is for our classifier alone to say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.adapters.playable import UNPLAYABLE, why_unplayable
from failover.adapters.wire import ConnectionFault, WireReply
from failover.chaos.injections.outage import FAULTS
from failover.chaos.modes.wire_alone import judged_alone
from failover.chaos.world.image import Image
from failover.chaos.world.synthetic import synthetic_success
from failover.chaos.world.usage_shapes import with_usage
from failover.chaos.world.wire_shapes import MESSAGES, error_image
from failover.core.failures import FailureKind
from failover.core.vocabulary import Target, Usage
from tests.drills.worlds import MEANT, target
from tests.edge.test_provider_refusals import ROWS

MODELS = {
    "bedrock": "bedrock/anthropic.claude-sonnet-5",
    "vertex_ai": "vertex_ai/gemini-2.5-flash",
    "cohere": "cohere/command-a-03-2025",
}
ALONE = [target(name, model) for name, model in MODELS.items()]
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
OF_EACH = pytest.mark.parametrize("of", ALONE, ids=lambda of: of.name)


def test_these_are_the_providers_that_cannot_be_played() -> None:
    assert {why_unplayable(of.model) for of in ALONE} == set(UNPLAYABLE.values())


@BOTH
@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=f"{number} {row['provider']} {row['status']}")
        for number, row in enumerate(ROWS, 1)
        if row["provider"] in MODELS
    ],
)
def test_a_refusal_in_its_providers_words_is_of_its_kind(row, *, stream: bool) -> None:
    body = row["body"]
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    image = Image("seen", WireReply(row["status"], {"content-type": "application/json"}, content))
    found = judged_alone(target("asked", MODELS[row["provider"]]), image, stream=stream)
    assert found.failure is not None
    assert found.failure.kind == row["kind"]
    assert not stream or (found.course is not None and not found.course.pieces)


@BOTH
@OF_EACH
@pytest.mark.parametrize("status", MESSAGES)
def test_an_injected_error_is_the_failure_that_was_meant(of: Target, status, *, stream: bool) -> None:
    found = judged_alone(of, error_image(of.provider, status), stream=stream)
    assert found.failure is not None
    assert (found.failure.kind, found.failure.status) == (MEANT[status], status)


@BOTH
@OF_EACH
@pytest.mark.parametrize("fault", [ConnectionFault.REFUSED, ConnectionFault.RESET])
def test_a_broken_connection_is_one(of: Target, fault, *, stream: bool) -> None:
    found = judged_alone(of, FAULTS[fault], stream=stream)
    assert found.failure is not None
    assert found.failure.kind is FailureKind.CONNECTION


@BOTH
@OF_EACH
def test_a_success_is_one_and_tells_what_it_used(of: Target, *, stream: bool) -> None:
    reply = with_usage(synthetic_success(of.model, stream=stream), 321, 45)
    found = judged_alone(of, Image("made up", reply), stream=stream)
    assert (found.failure, found.usage) == (None, Usage(321, 45))
    if stream:
        assert found.course is not None
        assert found.course.pieces == tuple(range(found.course.events))
        assert found.course.ended == found.course.events - 1


@OF_EACH
def test_a_success_whose_connection_breaks_is_none(of: Target) -> None:
    whole = Image("cut", synthetic_success(of.model), ConnectionFault.RESET)
    streamed = Image("cut", synthetic_success(of.model, stream=True), ConnectionFault.RESET)
    broken = [judged_alone(of, whole, stream=False), judged_alone(of, streamed, stream=True)]
    kinds = [found.failure and found.failure.kind for found in broken]
    assert kinds == [FailureKind.CONNECTION, FailureKind.TRUNCATED_STREAM]
    assert broken[1].course is not None
    assert broken[1].course.pieces


MEDIA = st.sampled_from(["application/json", "text/event-stream", "application/vnd.amazon.eventstream", ""])


@given(
    of=st.sampled_from(ALONE),
    status=st.integers(200, 599),
    media=MEDIA,
    body=st.binary(max_size=60) | st.just(b"") | st.just(b"data: [DONE]\n\n"),
    fault=st.none() | st.just(ConnectionFault.RESET),
    stream=st.booleans(),
)
def test_whatever_is_answered_something_can_be_said_of_it(of, status, media, body, fault, *, stream) -> None:
    found = judged_alone(
        of, Image("any", WireReply(status, {"content-type": media}, body), fault), stream=stream
    )
    assert (found.course is not None) is stream
    assert found.failure is not None or (status < 300 and fault is None)
