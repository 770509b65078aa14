"""A stream's bytes mean the same however the network cuts them into chunks."""

from __future__ import annotations

import binascii
import struct
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from failover.adapters.event_stream import BrokenFrameError, frames
from failover.adapters.terminal import StreamWatch

MARKERS = [
    b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n',
    b'data: {"choices":[{"finish_reason":"content_filter"}]}\n\n',
    b'data: {"choices":[{"delta":{},"finish_reason":"stop","stop_reason":null}]}\n\n',
    b'data: {"choices": [{"delta": {}, "finish_reason": "length", "native_finish_reason": null}]}\n\n',
    b'data: {"candidates": [{"finishReason" :  "MAX_TOKENS"}]}\n\n',
    b'data: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}\n\n',
    b'data: {"type": "message_stop"}\n\n',
    b'data: {"type": "response.incomplete", "response": {}}\n\n',
    b'data: {"type":"message-end"}\n\n',
    b'{"event_type": "stream-end"}\n',
    b'{"is_finished": true}\n',
    b'{"message": {}, "done":                true}\n',
    b"data: [DONE]\n\n",
]
FRAGMENTS = [
    *MARKERS,
    b'data: {"choices": [{"delta": {"content": "\\"finish_reason\\": \\"stop\\""}}]}\n\n',
    b'data: {"error": {"message": "x"}}\n\n',
    b"event: error\n",
    b'data: {"choices": [{"del\n',
    b'data: {"finish_reason": null}\n\n',
    b": comment\n\n",
    b'"finish_reason": "',
    b'"',
    b" " * 60,
    b"\r\n",
    'data: {"a": "\u2019"}\n\n'.encode(),
]
streams = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=40), max_size=12).map(b"".join)


def verdict(chunks):
    watch = StreamWatch()
    for chunk in chunks:
        watch.feed(chunk)
    return watch.ended, watch.broken, watch.doubtful


def cut(stream, places):
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@given(streams, st.lists(st.integers(0, 2000), max_size=20))
@example(b"data: [DONE]\n\n" + MARKERS[1], [14])
@example(b'{"finish_reason":' + b" " * 120 + b'"stop"}\n', [60])
@example(b'{"finish_reason":"' + b"a" * 120 + b'"}\n', [60])
def test_the_verdict_is_the_same_however_a_stream_is_cut(stream, places):
    assert verdict(cut(stream, places)) == verdict([stream])


@given(streams)
def test_the_verdict_is_the_same_byte_by_byte(stream):
    assert verdict([bytes([byte]) for byte in stream]) == verdict([stream])


@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_that_is_split_anywhere_is_found(marker):
    for place in range(len(marker) + 1):
        assert verdict([marker[:place], marker[place:]])[0], place


@given(st.binary(max_size=400))
def test_any_bytes_are_frames_or_a_broken_frame(body):
    with suppress(BrokenFrameError):
        assert all(isinstance(payload, bytes) for _, payload in frames(body))


def frame(name, value, payload):
    header = bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
    prelude = struct.pack(">II", 16 + len(header) + len(payload), len(header))
    start = prelude + struct.pack(">I", binascii.crc32(prelude)) + header + payload
    return start + struct.pack(">I", binascii.crc32(start))


words = st.text("abcdefgh:-", min_size=1, max_size=20).map(str.encode)


@given(st.lists(st.tuples(words, words, st.binary(max_size=50)), min_size=1, max_size=5), st.data())
def test_frames_come_back_as_they_were_sent_and_a_cut_one_is_called_cut(sent, data):
    body = b"".join(frame(*each) for each in sent)
    assert list(frames(body)) == [({name.decode(): value.decode()}, payload) for name, value, payload in sent]
    whole = {sum(len(frame(*each)) for each in sent[:number]) for number in range(len(sent) + 1)}
    place = data.draw(st.integers(0, len(body)).filter(lambda at: at not in whole))
    with pytest.raises(BrokenFrameError) as caught:
        list(frames(body[:place]))
    assert caught.value.cut
