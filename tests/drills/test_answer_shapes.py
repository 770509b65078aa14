"""Answers spoilt in the shape of their dialect; what is in no known shape stays as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.adapters.terminal import StreamWatch
from failover.adapters.wire import WireReply
from failover.chaos.world.answer_shapes import (
    broken_off,
    cut,
    emptied,
    filtered,
    garbled,
    without_choices,
)
from failover.chaos.world.events import events_of
from failover.chaos.world.model_shapes import naming_itself
from failover.chaos.world.synthetic import TEXT, synthetic_success
from failover.core.vocabulary import Operation
from tests.drills.meetings import MODELS, answer

EVERYBODY = [*MODELS, "ollama_chat"]
SHARES = st.floats(0.0, 1.0, exclude_max=True)


def good(provider: str, *, stream: bool) -> WireReply:
    if provider == "ollama_chat":
        return synthetic_success("ollama_chat/llama3", stream=stream)
    reply = answer(provider, stream=stream).image.reply
    assert reply is not None
    return reply


def ended(reply: WireReply) -> bool:
    watch = StreamWatch()
    watch.feed(reply.body)
    return watch.ended


@pytest.mark.parametrize("provider", EVERYBODY)
@given(share=SHARES, other=SHARES)
def test_a_cut_stream_is_a_beginning_without_the_end(provider, share, other) -> None:
    whole = good(provider, stream=True)
    less, more = (cut(whole, each) for each in sorted((share, other)))
    assert whole.body.startswith(more.body)
    assert more.body.startswith(less.body)
    assert not ended(more)
    assert ended(whole)


@pytest.mark.parametrize("provider", EVERYBODY)
@given(share=SHARES)
def test_a_broken_stream_is_a_cut_one_with_the_error_after_it(provider, share) -> None:
    whole = good(provider, stream=True)
    assert broken_off(whole, share, b"data: broken\n\n").body == cut(whole, share).body + b"data: broken\n\n"


@pytest.mark.parametrize("provider", EVERYBODY)
def test_of_the_smallest_share_above_nothing_an_event_comes(provider) -> None:
    assert cut(good(provider, stream=True), 0.0).body == b""
    assert len(events_of(cut(good(provider, stream=True), 1e-9).body)) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", EVERYBODY)
def test_a_garbled_answer_has_a_part_that_does_not_parse(provider, stream) -> None:
    whole = good(provider, stream=stream)
    spoilt = garbled(whole)
    assert len(spoilt.body) < len(whole.body)
    assert len(events_of(spoilt.body)) == len(events_of(whole.body))
    contents = [
        line.removeprefix(b"data: ")
        for line in spoilt.body.splitlines()
        if line.startswith((b"data: {", b"{"))
    ]
    assert sum(not _parses(content) for content in contents) == 1


def _parses(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", sorted(MODELS))
def test_an_emptied_answer_says_nothing_and_is_well_formed(provider, stream) -> None:
    whole = good(provider, stream=stream)
    spoilt = emptied(whole)
    assert all(word not in spoilt.body for word in (b"hello", b"synthetic."))
    assert len(events_of(spoilt.body)) == len(events_of(whole.body))
    assert ended(spoilt) == ended(whole)


@pytest.mark.parametrize("provider", sorted(MODELS))
def test_a_filtered_answer_keeps_its_words_and_changes_its_reason(provider) -> None:
    whole = good(provider, stream=False)
    spoilt = filtered(whole)
    assert spoilt.body != whole.body
    assert any(word in spoilt.body for word in (b'"content_filter"', b'"refusal"', b'"SAFETY"'))


def test_a_stream_of_anthropic_without_choices_has_no_block_of_content() -> None:
    spoilt = without_choices(good("anthropic", stream=True))
    assert [line for line in spoilt.body.splitlines() if line.startswith(b"event:")] == [
        b"event: message_start",
        b"event: ping",
        b"event: message_delta",
        b"event: message_stop",
    ]


def test_responses_are_emptied_too() -> None:
    whole = synthetic_success("openai/gpt-5", Operation.RESPONSES)
    streamed = synthetic_success("openai/gpt-5", Operation.RESPONSES, stream=True)
    assert json.loads(without_choices(whole).body)["output"] == []
    for change in (emptied, without_choices):
        assert TEXT.encode() not in change(whole).body
        assert TEXT.encode() not in change(streamed).body


@pytest.mark.parametrize("change", [filtered, emptied, without_choices, garbled])
@pytest.mark.parametrize("body", [b"", b"RIFF....WAVE", b"plain words"])
def test_what_is_no_answer_in_a_known_shape_does_no_harm(change, body) -> None:
    assert len(change(WireReply(200, {}, body)).body) <= len(body)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"model": "a/b", "choices": []}', b'{"model": "new-one", "choices": []}'),
        (b'{"choices": []}', b'{"model": "new-one", "choices": []}'),
        (b'{"candidates": []}', b'{"modelVersion": "new-one", "candidates": []}'),
        (b"data: 1", b"data: 1"),
    ],
)
def test_an_answer_names_itself_where_it_named_nobody(body, named) -> None:
    assert naming_itself("new-one", WireReply(200, {}, body)).body == named
