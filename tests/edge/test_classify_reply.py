"""What came over the wire is exactly one kind of failure, or a success."""

from __future__ import annotations

import base64
import binascii
import csv
import json
import struct
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from failover.adapters.classify_reply import classify_reply
from failover.adapters.refusal_rules import REFUSALS
from failover.adapters.wire import WireReply
from failover.cassettes.episodes import load_folder
from failover.core.failures import Failure, FailureKind, Phase

RECORDED = Path(__file__).parents[2].parent / "shared" / "real-cassettes"
REVIEWED = Path(__file__).parent / "data" / "reviewed_kinds.csv"
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}
K = FailureKind


def refusal(status, body, provider="openai", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify_reply(provider, WireReply(status, {**JSON, **named}, content))


def answer(body, headers=JSON, provider="openai"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify_reply(provider, WireReply(200, headers, content))


def stream(*events, end="\n\n", provider="openai"):
    lines = [event if isinstance(event, str) else f"data: {json.dumps(event)}" for event in events]
    return answer("\n\n".join(lines).encode() + end.encode(), SSE, provider)


def error(message="", **fields):
    return {"error": {"message": message, **fields}}


def chunk(content="", finish=None):
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}


def kind(found):
    return None if found is None else found.kind


def frame(payload, **headers):
    """One frame of Amazon's event stream."""
    block = b"".join(
        bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
        for name, value in (
            (f":{key.replace('_', '-')}".encode(), text.encode()) for key, text in headers.items()
        )
    )
    content = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(block) + len(content), len(block))
    start = prelude + struct.pack(">I", binascii.crc32(prelude)) + block + content
    return start + struct.pack(">I", binascii.crc32(start))


# --- recorded exchanges -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded():
    if not RECORDED.is_dir():
        pytest.skip("the recorded exchanges are not beside this repository")
    return load_folder(RECORDED)


def test_every_recorded_exchange_is_seen_as_a_careful_reader_sees_it(recorded):
    with REVIEWED.open(newline="") as file:
        reviewed = {(row["file"], int(row["n"])): row["kind"] for row in csv.DictReader(file)}
    seen = {(each.file, each.n): classify_reply(each.provider, each.reply) for each in recorded}
    assert {key: found.kind.value for key, found in seen.items() if found is not None} == reviewed


def test_no_recorded_refusal_passes_for_a_success(recorded):
    refused = [each for each in recorded if each.reply.status >= 400]
    assert len(refused) == 127
    assert all(classify_reply(each.provider, each.reply) for each in refused)


def test_a_recorded_stream_that_loses_its_end_is_cut(recorded):
    """The same bytes without their last third: only the terminal marker is gone."""
    streams = [
        each
        for each in recorded
        if each.reply.headers.get("content-type", "").startswith("text/event-stream")
        and classify_reply(each.provider, each.reply) is None
    ]
    assert len(streams) > 25
    for each in streams:
        cut = WireReply(200, each.reply.headers, each.reply.body[: len(each.reply.body) * 2 // 5])
        assert kind(classify_reply(each.provider, cut)) is K.TRUNCATED_STREAM, each.file


# --- refusals ---------------------------------------------------------------------------------------------

MEANINGS_OF_429 = [
    ("a rate", error("Rate limit reached", type="requests", code="rate_limit_exceeded"), K.RATE_LIMITED),
    (
        "tokens used",
        error("on tokens per minute (TPM): Limit 6000, Used 5843, Requested 709."),
        K.RATE_LIMITED,
    ),
    ("a ramp", error("would exceed your organization's maximum usage increase rate"), K.ACCELERATION_LIMITED),
    ("a gradual ramp", error("stay within the acceleration limit"), K.ACCELERATION_LIMITED),
    ("spent", error("You exceeded your current quota", code="insufficient_quota"), K.QUOTA_EXHAUSTED),
    ("a trial month", {"message": "limited to 1000 API calls / month"}, K.QUOTA_EXHAUSTED),
    ("never fits", error("on tokens per min (TPM): Limit 200000, Requested 2500013."), K.REQUEST_TOO_LARGE),
    ("too large", error("Request too large for gpt-4o"), K.REQUEST_TOO_LARGE),
    (
        "no capacity",
        error(
            "x",
            status="RESOURCE_EXHAUSTED",
            details=[
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "MODEL_CAPACITY_EXHAUSTED"}
            ],
        ),
        K.OVERLOADED,
    ),
    ("Mistral's tier", {"code": "3505", "type": "service_tier_capacity_exceeded"}, K.OVERLOADED),
    (
        "a quota per minute",
        error(
            "You exceeded your current quota",
            details=[
                {
                    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
                }
            ],
        ),
        K.RATE_LIMITED,
    ),
    (
        "a quota per day",
        error(
            "Quota exceeded",
            details=[
                {
                    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
                }
            ],
        ),
        K.QUOTA_EXHAUSTED,
    ),
    (
        "xAI's tokens",
        error("Too many tokens for team x. Tokens per Minute (actual/limit): 65605/16000"),
        K.RATE_LIMITED,
    ),
    ("OpenRouter's upstream", error("Provider returned error", code=429), K.RATE_LIMITED),
    (
        "a busy route",
        error("High demand for m on OpenRouter - limited to 1 requests per minute"),
        K.RATE_LIMITED,
    ),
    ("an oversized prompt", error("This model's maximum context length is 8192 tokens"), K.CONTEXT_LENGTH),
    ("nothing", b"", K.RATE_LIMITED),
]


@pytest.mark.parametrize(
    ("body", "expected"), [row[1:] for row in MEANINGS_OF_429], ids=[r[0] for r in MEANINGS_OF_429]
)
def test_429_has_many_meanings(body, expected):
    assert kind(refusal(429, body)) is expected


def test_the_same_code_means_different_things_at_different_providers():
    assert kind(refusal(429, error("x", code="1305"), "zai")) is K.OVERLOADED
    assert kind(refusal(429, error("x", code="1305"), "mistral")) is K.RATE_LIMITED
    assert (
        kind(refusal(500, {"code": "1000", "message": "Service unavailable."}, "mistral")) is K.SERVER_ERROR
    )
    assert kind(refusal(400, error("x", code="1211"), "zai")) is K.MODEL_GONE


def test_anthropic_with_a_full_budget_and_no_retry_means_that_the_request_is_too_large():
    budget = {
        "anthropic_ratelimit_input_tokens_limit": "50000",
        "anthropic_ratelimit_input_tokens_remaining": "50000",
        "x_should_retry": "false",
    }
    body = {"type": "error", **error("exceeds the limit", type="rate_limit_error")}
    assert kind(refusal(429, body, "anthropic", **budget)) is K.REQUEST_TOO_LARGE
    assert kind(refusal(429, body, "anthropic", **{**budget, "x_should_retry": "true"})) is K.RATE_LIMITED


REFUSED = [
    (
        400,
        error("API key not valid. Please pass a valid API key.", status="INVALID_ARGUMENT"),
        K.UNAUTHORIZED,
    ),
    (
        400,
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: x"},
        K.UNAUTHORIZED,
    ),
    (
        400,
        error("Your credit balance is too low to access the API", type="invalid_request_error"),
        K.QUOTA_EXHAUSTED,
    ),
    (400, error("You have reached your specified API usage limits."), K.QUOTA_EXHAUSTED),
    (402, error("Insufficient Balance", code="invalid_request_error"), K.QUOTA_EXHAUSTED),
    (402, b"", K.QUOTA_EXHAUSTED),
    (401, b"<html><head><title>401 Authorization Required</title></head></html>", K.UNAUTHORIZED),
    (401, {"detail": "Unauthorized"}, K.UNAUTHORIZED),
    (403, {"message": "The security token included in the request is expired"}, K.UNAUTHORIZED),
    (403, error("You are not allowed to sample from this model"), K.UNAUTHORIZED),
    (403, error("Your input was flagged", metadata={"reasons": ["violence"]}), K.CONTENT_FILTERED),
    (403, error("not supported", code="unsupported_country_region_territory"), K.REGION_BLOCKED),
    (403, b"error code: 1009", K.REGION_BLOCKED),
    (
        400,
        error("User location is not supported for the API use.", status="FAILED_PRECONDITION"),
        K.REGION_BLOCKED,
    ),
    (451, b"", K.REGION_BLOCKED),
    (400, error("x", code="context_length_exceeded", param="input"), K.CONTEXT_LENGTH),
    (
        400,
        error("This model's maximum context length is 128000 tokens. However, your messages"),
        K.CONTEXT_LENGTH,
    ),
    (400, error("prompt is too long: 210000 tokens > 200000 maximum"), K.CONTEXT_LENGTH),
    (400, error("input length and `max_tokens` exceed context limit: 1 + 2 > 3"), K.CONTEXT_LENGTH),
    (400, {"message": "too many total text bytes: 12 > 9"}, K.CONTEXT_LENGTH),
    (400, {"message": "Input is too long for requested model."}, K.CONTEXT_LENGTH),
    (
        400,
        error("The input token count (1100000) exceeds the maximum number of tokens allowed"),
        K.CONTEXT_LENGTH,
    ),
    (400, {"message": "too many tokens: size limit exceeded by 19296 tokens."}, K.CONTEXT_LENGTH),
    (
        400,
        error("Please reduce the length of the messages or completion.", param="messages"),
        K.CONTEXT_LENGTH,
    ),
    (408, b"the prompt exceeds the context window", K.CONTEXT_LENGTH),
    (413, error("Please reduce the length of the messages"), K.CONTEXT_LENGTH),
    (500, error("exceeds the model's context size"), K.CONTEXT_LENGTH),
    (
        413,
        error(
            "Request too large for model x on tokens per minute (TPM): Limit 6000, Requested 12328",
            code="rate_limit_exceeded",
        ),
        K.REQUEST_TOO_LARGE,
    ),
    (
        413,
        {"type": "error", **error("Request exceeds the maximum size", type="request_too_large")},
        K.REQUEST_TOO_LARGE,
    ),
    (413, b"Payload Too Large", K.REQUEST_TOO_LARGE),
    (404, error("The model `x` has been deprecated", code="model_not_found"), K.MODEL_GONE),
    (404, {"type": "error", **error("model: claude-2", type="not_found_error")}, K.MODEL_GONE),
    (404, {"message": "model 'command-r' was removed on September 15, 2025."}, K.MODEL_GONE),
    (404, error("No endpoints found for google/gemini-2.5-flash:free.", code=404), K.MODEL_GONE),
    (404, error("x", code="DeploymentNotFound"), K.MODEL_GONE),
    (404, b"404 page not found", K.MODEL_GONE),
    (404, b"", K.MODEL_GONE),
    (410, error("gone"), K.MODEL_GONE),
    (400, error("x", code="model_decommissioned"), K.MODEL_GONE),
    (400, error("The model `m` has been decommissioned and is no longer supported."), K.MODEL_GONE),
    (400, {"message": "The provided model identifier is invalid."}, K.MODEL_GONE),
    (
        400,
        {"message": "Invocation of model ID x with on-demand throughput isn\u2019t supported."},
        K.MODEL_GONE,
    ),
    (400, error("Invalid model 'sonar-small'.", type="invalid_model"), K.MODEL_GONE),
    (400, {"detail": "Model nonexistent is not supported. Supported models are ['a']"}, K.MODEL_GONE),
    (400, error("x", code="previous_response_not_found"), K.BAD_REQUEST),
    (404, error("Item with id 'rs_1' not found."), K.BAD_REQUEST),
    (404, error("No endpoints found that support tool use."), K.UNSUPPORTED_PARAMETER),
    (
        400,
        error("The response was filtered by our content management policy", code="content_filter"),
        K.CONTENT_FILTERED,
    ),
    (400, error("Content Exists Risk"), K.CONTENT_FILTERED),
    (400, error("Output blocked by content filtering policy"), K.CONTENT_FILTERED),
    (400, error("Please use a valid role: user, model.", status="INVALID_ARGUMENT"), K.BAD_REQUEST),
    (
        400,
        error(
            "'max_tokens' must be greater than 'thinking.budget_tokens'. See "
            "https://docs.example.com/extended-thinking#max-tokens-and-context-window-size"
        ),
        K.BAD_REQUEST,
    ),
    (
        422,
        {"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required"}]},
        K.BAD_REQUEST,
    ),
    (400, b"<html><center><h1>400 Bad Request</h1></center>cloudflare</html>", K.SERVER_ERROR),
    (400, error("Tool choice is required", code="tool_use_failed"), K.MALFORMED_REPLY),
    (500, error("Overloaded", type="api_error"), K.OVERLOADED),
    (500, error("Internal server error", type="api_error"), K.SERVER_ERROR),
    (503, error("The model is overloaded. Please try again later.", status="UNAVAILABLE"), K.OVERLOADED),
    (503, b"upstream connect error or disconnect/reset before headers", K.OVERLOADED),
    (503, error("Slow down", code="slow_down"), K.ACCELERATION_LIMITED),
    (502, b"<html><head><title>502 Bad Gateway</title></head></html>", K.SERVER_ERROR),
    (504, error("Deadline expired", status="DEADLINE_EXCEEDED"), K.SERVER_ERROR),
    (520, b"Web server is returning an unknown error", K.SERVER_ERROR),
    (530, b"error code: 1016", K.SERVER_ERROR),
    (529, {"type": "error", **error("Overloaded", type="overloaded_error")}, K.OVERLOADED),
    (424, {"message": "The model had an error", "originalStatusCode": 500}, K.SERVER_ERROR),
    (498, b"", K.OVERLOADED),
    (409, error("conflict"), K.SERVER_ERROR),
    (408, b"", K.TIMEOUT),
    (407, b"", K.CONNECTION),
    (302, b"", K.SERVER_ERROR),
]


@pytest.mark.parametrize(("status", "body", "expected"), REFUSED)
def test_a_refusal_is_known_by_status_code_and_words(status, body, expected):
    assert kind(refusal(status, body)) is expected


UNSUPPORTED = [
    (
        error("Unsupported parameter: 'temperature' is not supported with this model.", param="temperature"),
        "temperature",
    ),
    (
        error("Unsupported value: 'none'", param="reasoning.effort", code="unsupported_value"),
        "reasoning.effort",
    ),
    (error("`reasoning.mode` is not supported with this model."), "reasoning.mode"),
    (error("Unrecognized request argument supplied: functions"), "functions"),
    (error("This model does not support effort level 'xhigh'."), "effort"),
    (error("thinking.mode: Extra inputs are not permitted"), "thinking.mode"),
    ({"message": "Malformed input request: #: extraneous key [max_tokens] is not permitted"}, "max_tokens"),
    (
        error("Invalid JSON payload received. Unknown name \"mediaResolution\" at 'x': Cannot find field."),
        "mediaResolution",
    ),
    (error("max_tokens: 99999 > 8192, which is the maximum allowed number of output tokens"), "max_tokens"),
]


@pytest.mark.parametrize(("body", "parameter"), UNSUPPORTED)
def test_an_unsupported_parameter_is_named(body, parameter):
    found = refusal(400, body)
    assert (found.kind, found.parameter) == (K.UNSUPPORTED_PARAMETER, parameter)


def test_what_a_gateway_passes_on_is_looked_into():
    raw = json.dumps(error("Unsupported value", param="reasoning.effort", code="unsupported_value"))
    found = refusal(400, error("Provider returned error", code=400, metadata={"raw": raw}), "openrouter")
    assert (found.kind, found.code, found.parameter) == (
        K.UNSUPPORTED_PARAMETER,
        "unsupported_value",
        "reasoning.effort",
    )


CODES = [
    (error("x", code="rate_limit_exceeded", type="requests"), {}, "rate_limit_exceeded"),
    (error("x", type="rate_limit_error"), {}, "rate_limit_error"),
    (error("x", code=429, status="RESOURCE_EXHAUSTED"), {}, "RESOURCE_EXHAUSTED"),
    ({"message": "x", "code": "3505", "object": "error"}, {}, "3505"),
    ({"__type": "com.amazonaws#ThrottlingException"}, {}, "ThrottlingException"),
    ({"message": "x"}, {"x_amzn_errortype": "ThrottlingException:http://x"}, "ThrottlingException"),
    (error("x", code=429), {}, "429"),
    ({"error": "plain"}, {}, ""),
    (b"text", {}, ""),
]


@pytest.mark.parametrize(("body", "headers", "code"), CODES)
def test_the_code_is_the_providers_own(body, headers, code):
    assert refusal(429, body, **headers).code == code


def test_a_failure_keeps_no_prose():
    """What a provider says may quote the prompt, even in the place of a code."""
    secret = "my diagnosis is a secret"
    body = {"error": {"message": secret, "code": secret, "type": secret, "param": secret}, "detail": secret}
    assert secret not in repr(refusal(400, body))


def test_vertex_answers_with_a_list_and_a_comma_too_many():
    body = (
        b'[\n {"error": {"code": 400, "message": "Please use a valid role", "status": "INVALID_ARGUMENT",}}]'
    )
    found = refusal(400, body, "google-vertex")
    assert (found.kind, found.code) == (K.BAD_REQUEST, "INVALID_ARGUMENT")


def test_a_waiting_hint_goes_into_the_failure():
    assert refusal(429, error("x"), retry_after="7").retry_after_s == 7.0
    assert refusal(500, error("x"), retry_after="1").retry_after_s == 1.0


def test_a_waiting_hint_alone_makes_no_failure_and_no_other_kind():
    """Seen: `retry-after` beside a plain 400, and beside answers."""
    assert kind(refusal(400, error("Please use a valid role"), retry_after="2")) is K.BAD_REQUEST
    assert answer({"choices": [{"finish_reason": "stop"}]}, {**JSON, "retry-after": "2"}) is None


@pytest.mark.parametrize("should_retry", ["true", "false"])
def test_advice_to_retry_changes_no_kind_where_the_status_is_clear(should_retry):
    """Seen: `false` beside a 500, `true` beside a 529."""
    body = {"type": "error", **error("x", type="api_error")}
    assert kind(refusal(500, body, "anthropic", x_should_retry=should_retry)) is K.SERVER_ERROR
    assert kind(refusal(529, body, "anthropic", x_should_retry=should_retry)) is K.OVERLOADED


def test_a_providers_timeout_says_which_limit():
    assert refusal(408, b"").phase is Phase.TOTAL


# --- answers ----------------------------------------------------------------------------------------------

GEMINI = {
    "candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}],
    "modelVersion": "g",
}
SUCCESSES = [
    (
        "chat",
        {"object": "chat.completion", "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]},
    ),
    ("messages", {"type": "message", "content": [], "stop_reason": "end_turn"}),
    ("generateContent", GEMINI),
    ("generateContent as a list", [GEMINI]),
    ("countTokens", {"totalTokens": 3}),
    ("converse", {"output": {"message": {}}, "stopReason": "end_turn"}),
    ("embeddings", {"object": "list", "data": [{"embedding": [0.1]}]}),
    ("a list of vectors", [[0.1, 0.2]]),
    ("responses", {"object": "response", "status": "completed", "error": None}),
    ("responses in the background", {"object": "response", "status": "in_progress", "error": None}),
    ("an unknown API", {"score": 0.3}),
    ("chat cut by length", {"choices": [{"message": {"content": "a"}, "finish_reason": "length"}]}),
]


@pytest.mark.parametrize("body", [row[1] for row in SUCCESSES], ids=[row[0] for row in SUCCESSES])
def test_an_answer_of_any_endpoint_is_a_success(body):
    assert answer(body) is None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"\x00\x01", "audio/mpeg"), (b"WEBVTT\n\n00:01", "text/plain"), (b"1\n00:01", "text/vtt")],
)
def test_speech_and_transcripts_are_successes(body, content_type):
    assert answer(body, {"content-type": content_type}) is None


DISGUISED = [
    ({"error": {"message": "x", "code": 502}}, K.SERVER_ERROR),
    ({"error": {"message": "Rate limit exceeded", "code": 429}}, K.RATE_LIMITED),
    ({"error": "model is overloaded"}, K.OVERLOADED),
    ({"object": "response", "status": "failed", "error": {"code": "insufficient_quota"}}, K.QUOTA_EXHAUSTED),
    ({"object": "error", "message": "x", "code": "3505"}, K.OVERLOADED),
    ([{"error": {"code": 503, "status": "UNAVAILABLE"}}], K.OVERLOADED),
    ({"choices": [{"finish_reason": "content_filter", "message": {}}]}, K.CONTENT_FILTERED),
    ({"type": "message", "content": [], "stop_reason": "refusal"}, K.CONTENT_FILTERED),
    ({"candidates": [{"finishReason": "SAFETY"}]}, K.CONTENT_FILTERED),
    ({"candidates": [{"finishReason": 3}]}, K.CONTENT_FILTERED),
    ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": "g"}, K.CONTENT_FILTERED),
    ({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}, K.MALFORMED_REPLY),
    ({"object": "response", "incomplete_details": {"reason": "content_filter"}}, K.CONTENT_FILTERED),
    ({"stopReason": "guardrail_intervened", "output": {}}, K.CONTENT_FILTERED),
    ({"object": "chat.completion", "choices": []}, K.MALFORMED_REPLY),
    ({"usageMetadata": {"totalTokenCount": 9}, "modelVersion": "g"}, K.MALFORMED_REPLY),
]


@pytest.mark.parametrize(("body", "expected"), DISGUISED)
def test_a_200_may_hold_no_answer(body, expected):
    assert kind(answer(body)) is expected


def test_a_guardrail_that_only_masks_lets_the_answer_through():
    masked = {"stopReason": "guardrail_intervened", "trace": {"action": "ANONYMIZED"}}
    assert answer(masked) is None
    assert kind(answer({**masked, "other": {"action": "BLOCKED"}})) is K.CONTENT_FILTERED


@pytest.mark.parametrize("body", [b"", b"  \n", b"not json", b'{"choices": [', b"<html>hello</html>", b"17"])
def test_a_200_that_does_not_parse_is_malformed(body):
    assert kind(answer(body)) is K.MALFORMED_REPLY


def test_no_content_is_what_204_promises():
    assert classify_reply("x", WireReply(204, {}, b"")) is None


# --- streams ----------------------------------------------------------------------------------------------

ANTHROPIC = [
    {"type": "message_start", "message": {}},
    {"type": "content_block_delta", "delta": {"text": "a"}},
]
ENDED = [
    ("chat", [chunk("a"), chunk("", "stop"), "data: [DONE]"]),
    ("chat without [DONE]", [chunk("a"), chunk("", "stop")]),
    ("chat with [DONE] only", [chunk("a"), "data: [DONE]"]),
    ("OpenRouter's comments", [": OPENROUTER PROCESSING", chunk("a", "stop"), "data: [DONE]"]),
    (
        "messages",
        [
            *ANTHROPIC,
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        ],
    ),
    ("Cohere", [{"type": "message-start"}, {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}]),
    (
        "Cohere v1",
        [{"event_type": "stream-start"}, {"event_type": "stream-end", "finish_reason": "COMPLETE"}],
    ),
    (
        "responses",
        [{"type": "response.created"}, {"type": "response.completed", "response": {"error": None}}],
    ),
    ("Gemini", [GEMINI]),
    ("an unknown dialect", [{"token": "a"}]),
    (
        "a complaint after the end",
        [chunk("a", "length"), {**chunk(), "error": {"code": 400, "message": "Token limit"}}],
    ),
    ("a stray byte", [chunk("a"), f'data: {json.dumps(chunk("", "stop"))}"']),
]


@pytest.mark.parametrize("events", [row[1] for row in ENDED], ids=[row[0] for row in ENDED])
def test_a_stream_that_ended_is_a_success(events):
    assert stream(*events) is None


CUT = [
    ("chat", [chunk("a"), chunk("b")]),
    ("chat inside a chunk", [chunk("a"), 'data: {"choices": [{"del']),
    ("messages", ANTHROPIC),
    ("Cohere", [{"type": "message-start"}, {"type": "content-delta", "delta": {}}]),
    ("responses", [{"type": "response.created", "response": {}}, {"type": "response.in_progress"}]),
    ("Gemini", [{"candidates": [{"content": {"parts": [{"text": "a"}]}}]}]),
    ("comments alone", [": OPENROUTER PROCESSING"]),
]


@pytest.mark.parametrize("events", [row[1] for row in CUT], ids=[row[0] for row in CUT])
def test_a_stream_without_its_dialects_end_was_cut(events):
    assert kind(stream(*events, end="")) is K.TRUNCATED_STREAM


GROQ = "event: error\ndata: " + json.dumps(error("Tool call failed", code="tool_use_failed", status_code=400))
IN_BAND = [
    (
        "Anthropic",
        ["event: error\ndata: " + json.dumps({"type": "error", **error("x", type="overloaded_error")})],
        K.OVERLOADED,
        "overloaded_error",
    ),
    (
        "Anthropic midway",
        [*ANTHROPIC, {"type": "error", **error("x", type="overloaded_error")}],
        K.OVERLOADED,
        "overloaded_error",
    ),
    ("Groq", [chunk("a"), GROQ], K.MALFORMED_REPLY, "tool_use_failed"),
    (
        "OpenAI",
        [chunk("a"), error("The server had an error", type="server_error")],
        K.TRUNCATED_STREAM,
        "server_error",
    ),
    (
        "responses",
        [
            {"type": "response.created", "response": {}},
            {
                "type": "response.failed",
                "response": {"status": "failed", "error": {"code": "insufficient_quota"}},
            },
        ],
        K.QUOTA_EXHAUSTED,
        "insufficient_quota",
    ),
    (
        "Azure's responses",
        [{"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded"}}}],
        K.RATE_LIMITED,
        "rate_limit_exceeded",
    ),
    (
        "OpenRouter",
        [chunk("a"), {**chunk("", "error"), **error("Provider disconnected", code=502)}],
        K.TRUNCATED_STREAM,
        "502",
    ),
    (
        "a filter",
        [chunk("a"), chunk("", "content_filter"), "data: [DONE]"],
        K.CONTENT_FILTERED,
        "content_filter",
    ),
    ("words", ["event: error\ndata: oops"], K.TRUNCATED_STREAM, ""),
]


@pytest.mark.parametrize(
    ("events", "expected", "code"), [row[1:] for row in IN_BAND], ids=[row[0] for row in IN_BAND]
)
def test_an_error_inside_a_stream_is_found(events, expected, code):
    found = stream(*events)
    assert (found.kind, found.code, found.status) == (expected, code, 200)


def test_a_list_that_is_cut_is_a_cut_stream():
    assert kind(answer(b'[{"candidates": [{"content": {}}]},\n{"candi')) is K.TRUNCATED_STREAM
    assert kind(answer([{"candidates": [{"content": {}}]}])) is K.TRUNCATED_STREAM


def test_ollama_ends_with_done():
    lines = b'{"message": {"content": "a"}, "done": false}\n'
    headers = {"content-type": "application/x-ndjson"}
    assert answer(lines + b'{"done": true, "done_reason": "stop"}\n', headers) is None
    assert kind(answer(lines * 2, headers)) is K.TRUNCATED_STREAM
    assert kind(answer(lines + b'{"error": "model is overloaded"}', headers)) is K.OVERLOADED


BINARY = {"content-type": "application/vnd.amazon.eventstream"}
START = frame({"role": "assistant"}, event_type="messageStart", message_type="event")
STOP = frame({"stopReason": "end_turn"}, event_type="messageStop", message_type="event")


def test_amazons_stream_ends_with_message_stop():
    assert answer(START + STOP, BINARY) is None
    assert kind(answer(START, BINARY)) is K.TRUNCATED_STREAM
    assert kind(answer((START + STOP)[:-9], BINARY)) is K.TRUNCATED_STREAM
    assert kind(answer(b"not frames at all", BINARY)) is K.MALFORMED_REPLY


def test_amazons_exceptions_are_frames_of_their_own():
    thrown = frame({"message": "slow"}, exception_type="throttlingException", message_type="exception")
    found = answer(START + thrown, BINARY)
    assert (found.kind, found.code) == (K.RATE_LIMITED, "throttlingException")


def test_amazons_throttling_that_speaks_of_tokens_is_no_full_window():
    told = {"message": "Too many tokens, please wait before trying again."}
    thrown = frame(told, exception_type="throttlingException", message_type="exception")
    assert kind(answer(START + thrown, BINARY)) is K.RATE_LIMITED


def test_an_invoked_models_stream_has_no_end_of_its_own():
    chunked = frame({"bytes": base64.b64encode(b"{}").decode()}, event_type="chunk", message_type="event")
    assert answer(chunked, BINARY) is None


# --- totality ---------------------------------------------------------------------------------------------

headers = st.dictionaries(
    st.sampled_from(["content-type", "retry-after", "x-amzn-errortype", "x-should-retry", "date"]),
    st.text(max_size=40)
    | st.sampled_from(
        ["text/event-stream", "application/vnd.amazon.eventstream", "application/json", "text/html"]
    ),
)
keys = st.sampled_from(
    [
        "error",
        "message",
        "code",
        "type",
        "status",
        "detail",
        "details",
        "choices",
        "delta",
        "response",
        "metadata",
        "raw",
        "candidates",
        "finishReason",
        "finish_reason",
        "stop_reason",
        "done",
        "param",
        "violations",
        "output",
        "promptFeedback",
        "incomplete_details",
        "headers",
        "object",
        "@type",
        "status_code",
    ]
)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)
bodies = st.one_of(
    st.binary(max_size=300),
    trees.map(lambda tree: json.dumps(tree).encode()),
    st.lists(trees, max_size=4).map(
        lambda parts: b"".join(b"data: " + json.dumps(p).encode() + b"\n\n" for p in parts)
    ),
    st.lists(trees, max_size=3).map(lambda parts: b"".join(frame(part, event_type="x") for part in parts)),
)


@given(st.integers(-5, 1200), headers, bodies, st.sampled_from(["openai", "zai", "mistral", ""]), st.floats())
@example(200, {}, b"[" * 100_000, "openai", 0.0)
@example(400, {}, b'{"a":' * 100_000, "openai", 0.0)
def test_any_reply_is_a_success_or_exactly_one_failure(status, named, body, provider, now_wall_s):
    found = classify_reply(provider, WireReply(status, named, body), now_wall_s)
    assert found is None or isinstance(found, Failure)
    assert found is not None or 200 <= status < 300


def test_every_row_of_the_table_can_decide():
    """A row with neither status nor evidence would swallow all that follow it."""
    assert all(rule.statuses or rule.codes or rule.says or rule.shows for rule in REFUSALS)


@pytest.mark.parametrize(
    ("told", "may_retry"), [("false", False), ("true", True), ("", True), ("junk", True)]
)
def test_who_says_not_to_send_again_is_heard(told: str, *, may_retry: bool) -> None:
    """OpenAI and Anthropic send the header with some refusals; their SDKs obey it."""
    reply = WireReply(503, {"x-should-retry": told}, b"{}")
    failure = classify_reply("openai", reply)
    assert failure is not None
    assert failure.may_retry is may_retry
