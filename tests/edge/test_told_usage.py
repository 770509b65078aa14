"""What a provider said that a discarded answer used, read from the wire."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.adapters.told_usage import USAGE, grown, usage_in, usage_told
from failover.adapters.usage import usage_of
from failover.core.vocabulary import Usage
from tests.edge.fake_wire import ANTHROPIC_STREAM, event, openai_chunk


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (b"", None),
        (b"<html>bad gateway</html>", None),
        (openai_chunk({"content": "he"}), None),
        (b"".join(ANTHROPIC_STREAM[:3]), Usage(3, 1)),
        (b"".join(ANTHROPIC_STREAM), Usage(3, 2)),
        (event({"usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 2}}), Usage(7, 2)),
        (event({"usageMetadata": {"promptTokenCount": 7}}), Usage(7, 0)),
        (event({"usage": {"prompt_tokens": 3, "completion_tokens": 1}})[:-4], Usage(3, 1)),
    ],
)
def test_the_latest_counts_are_found_in_every_dialect(body, usage):
    assert usage_in(body) == usage


def test_counts_only_grow():
    counted = [event({"usage": {"prompt_tokens": 3, "completion_tokens": said}}) for said in (1, 2, 12)]
    assert usage_in(b"".join(counted)) == Usage(3, 12)


def test_what_a_model_says_is_no_count():
    said = json.dumps({"usage": {"prompt_tokens": 1_000_000}})
    assert usage_in(openai_chunk({"content": said})) is None


def test_a_limit_of_ours_is_raised_from_the_cancellation_that_holds_it():
    cause, limit = Exception(), TimeoutError()
    setattr(cause, USAGE, Usage(3, 1))
    limit.__cause__ = cause
    assert (usage_told(limit), usage_told(cause), usage_told(TimeoutError()), usage_told(None)) == (
        Usage(3, 1),
        Usage(3, 1),
        None,
        None,
    )


CACHED = Usage(3059, 25, tokens_in_cached=2909)
DIALECTS = {
    "OpenAI, cached and thought": (
        {
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 5},
                "completion_tokens_details": {"reasoning_tokens": 40, "audio_tokens": 6},
            }
        },
        Usage(100, 50, 64, 0, 0, 5, 6, 40),
    ),
    "OpenAI's responses": (
        {
            "type": "response.completed",
            "response": {
                "usage": {
                    "input_tokens": 100,
                    "input_tokens_details": {"cached_tokens": 64},
                    "output_tokens": 50,
                    "output_tokens_details": {"reasoning_tokens": 40},
                }
            },
        },
        Usage(100, 50, 64, tokens_out_reasoning=40),
    ),
    "Anthropic leaves out what was cached": (
        {"usage": {"input_tokens": 150, "cache_read_input_tokens": 2909, "output_tokens": 25}},
        CACHED,
    ),
    "Anthropic's first event": (
        {"type": "message_start", "message": {"usage": {"input_tokens": 150, "cache_read_input_tokens": 9}}},
        Usage(159, 0, 9),
    ),
    "Anthropic, written for minutes and for an hour": (
        {
            "usage": {
                "input_tokens": 10,
                "cache_creation_input_tokens": 300,
                "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
                "output_tokens": 1,
            }
        },
        Usage(310, 1, 0, 100, 200),
    ),
    "Amazon": (
        {
            "usage": {
                "inputTokens": 11,
                "outputTokens": 264,
                "cacheWriteInputTokens": 1028,
                "totalTokens": 1303,
            }
        },
        Usage(1039, 264, 0, 1028),
    ),
    "Amazon, for an hour": (
        {
            "usage": {
                "inputTokens": 11,
                "outputTokens": 2,
                "cacheWriteInputTokens": 30,
                "cacheDetails": [{"ttl": "5m", "inputTokens": 10}, {"ttl": "1h", "inputTokens": 20}],
            }
        },
        Usage(41, 2, 0, 10, 20),
    ),
    "Gemini thinks beside its answer": (
        {
            "usageMetadata": {
                "promptTokenCount": 54,
                "candidatesTokenCount": 15,
                "thoughtsTokenCount": 64,
                "cachedContentTokenCount": 20,
                "promptTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 30},
                    {"modality": "TEXT", "tokenCount": 24},
                ],
            }
        },
        Usage(54, 79, 20, 0, 0, 30, 0, 64),
    ),
    "xAI thinks beside its answer": (
        {
            "usage": {
                "prompt_tokens": 213,
                "completion_tokens": 2,
                "total_tokens": 413,
                "completion_tokens_details": {"reasoning_tokens": 198},
            }
        },
        Usage(213, 200, tokens_out_reasoning=198),
    ),
    "DeepSeek": (
        {"usage": {"prompt_tokens": 563, "completion_tokens": 116, "prompt_cache_hit_tokens": 512}},
        Usage(563, 116, 512),
    ),
    "Groq's own place": ({"x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}}, Usage(3, 4)),
    "Cohere bills other counts than it used": (
        {
            "usage": {
                "billed_units": {"input_tokens": 12.0, "output_tokens": 36},
                "tokens": {"input_tokens": 212},
            }
        },
        Usage(12, 36),
    ),
    "Cohere's stream": (
        {"type": "message-end", "delta": {"usage": {"tokens": {"input_tokens": 12, "output_tokens": 3}}}},
        Usage(12, 3),
    ),
    "Ollama": ({"done": True, "prompt_eval_count": 45, "eval_count": 28}, Usage(45, 28)),
    "an embedding": ({"usage": {"total_tokens": 12}}, Usage(12, 0)),
    "seconds of sound": ({"usage": {"type": "duration", "seconds": 3}}, None),
    "a count that is none": ({"usage": {"prompt_tokens": "many"}}, None),
    "an odd holder": ({"usage": {"prompt_tokens": 3}, "delta": "text"}, Usage(3, 0)),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_read_in_full(dialect, streamed):
    told, usage = DIALECTS[dialect]
    assert usage_in(event(told) if streamed else json.dumps(told).encode()) == usage


def test_a_list_of_parts_is_read_to_its_last():
    parts = [{"usageMetadata": {"promptTokenCount": 7}}, {"usageMetadata": {"candidatesTokenCount": 3}}, 1]
    assert usage_in(json.dumps(parts).encode()) == Usage(7, 3)


def test_amazons_binary_stream_is_read_between_its_bytes():
    assert usage_in(b'\x00\x92{"usage":{"inputTokens":28,"outputTokens":22}}\xd0\xff') == Usage(28, 22)


def test_what_a_tool_is_given_is_no_count():
    given = {"content": [{"type": "tool_use", "input": {"usage": {"prompt_tokens": 1_000_000}}}]}
    assert usage_in(json.dumps(given).encode()) is None
    assert usage_in(event({**given, "usage": {"input_tokens": 3, "output_tokens": 1}})) == Usage(3, 1)


def test_litellms_counts_beside_openais_have_all_in_them():
    assert usage_of({"prompt_tokens": 13, "completion_tokens": 21, "cache_read_input_tokens": 1}) == Usage(
        13, 21, 1
    )


def test_a_later_word_goes_before_an_earlier_one_on_what_it_counts():
    assert grown(Usage(150, 1, 20), Usage(0, 38)) == Usage(150, 38, 20)
    assert (grown(None, CACHED), grown(CACHED, None), grown(None, None)) == (CACHED, CACHED, None)


COUNTS = st.integers(-5, 5000) | st.none() | st.floats(0, 50) | st.text(max_size=3)
NAMES = st.sampled_from(
    [
        *(
            "prompt_tokens",
            "input_tokens",
            "completion_tokens",
            "output_tokens",
            "total_tokens",
            "inputTokens",
        ),
        *("cache_read_input_tokens", "cache_creation_input_tokens", "thoughtsTokenCount", "outputTokens"),
        *("cachedContentTokenCount", "promptTokenCount", "candidatesTokenCount", "toolUsePromptTokenCount"),
    ]
)
DETAILS = st.dictionaries(
    st.sampled_from(["cached_tokens", "audio_tokens", "reasoning_tokens", "cache_creation_tokens"]), COUNTS
)
KINDS = st.dictionaries(
    st.sampled_from(["prompt_tokens_details", "completion_tokens_details", "cache_creation"]),
    DETAILS | COUNTS,
)


@given(counts=st.dictionaries(NAMES, COUNTS), kinds=KINDS)
def test_whatever_is_told_no_kind_is_more_than_the_whole(counts, kinds):
    usage = usage_of({**counts, **kinds})
    if usage is not None:
        written = usage.tokens_in_cache_written + usage.tokens_in_cache_written_1h
        assert min(usage.tokens_in, usage.tokens_out, usage.tokens_in_cached, written) >= 0
        assert usage.tokens_in_cached + written <= usage.tokens_in
        assert usage.tokens_in_audio <= usage.tokens_in
        assert max(usage.tokens_out_audio, usage.tokens_out_reasoning) <= usage.tokens_out


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: f'{{"usage": {{{text}'.encode()))
def test_no_body_makes_it_raise(body):
    usage_in(body)
