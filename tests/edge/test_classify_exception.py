"""Any exception of litellm, of the SDKs beneath it or of Python is exactly one kind of failure."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import json
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.adapters.classify import classify_exception
from failover.core.failures import Failure, FailureKind, Phase
from failover.core.vocabulary import Target

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
TARGET = Target("gpt", provider="openai", model="openai/gpt-4o")
REQUEST = httpx.Request("POST", "https://api.example.com/v1/chat/completions")
K = FailureKind


def seen(error, target=TARGET, now_wall_s=0.0):
    return classify_exception(target, error, now_wall_s)


def reply(status, body=b"", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=content, headers=named, request=REQUEST)


def raised(error, *causes):
    """`error` as it arrives when each of `causes` led to the one before it."""
    link = error
    for cause in causes:
        link.__cause__ = cause
        link = cause
    return error


@pytest.fixture(scope="module")
def litellm():
    return pytest.importorskip("litellm").exceptions


@pytest.fixture(scope="module")
def openai():
    return pytest.importorskip("openai")


def test_classifying_does_not_import_litellm():
    """`import failover` must stay light; the classes are known by name."""
    code = (
        "import sys, failover.adapters.classify; sys.exit(not {'litellm', 'openai'}.isdisjoint(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)  # noqa: S603 - our own words
    assert done.returncode == 0


# --- classes ----------------------------------------------------------------------------------------------

FILLED = {
    "message": "x",
    "model": "m",
    "llm_provider": "openai",
    "status_code": 500,
    "response": reply(400),
    "request": REQUEST,
    "body": None,
    "current_cost": 2.0,
    "max_budget": 1.0,
    "entity_type": "e",
    "raw_response": "r",
    "schema": "s",
    "request_data": {},
    "route_to_model": "m",
    "session_id": "s",
    "completion": None,
    "unsent_messages": [],
    "original_exception": ValueError("x"),
    "failures": [],
}


def made(cls):
    """An instance of `cls` from the arguments that it requires."""
    try:
        parameters = inspect.signature(cls).parameters
        required = {name: FILLED[name] for name, each in parameters.items() if each.default is each.empty}
        return cls(**required)
    except Exception:  # noqa: BLE001 - some cannot be made from fillers: the class is what counts here
        return cls.__new__(cls)


def exceptions_of(module, name):
    found = [
        each for each in list(vars(module).values()) if inspect.isclass(each) and issubclass(each, Exception)
    ]
    return [each for each in found if each.__module__.startswith(name)]


LITELLM_KINDS = {
    "APIConnectionError": K.CONNECTION,
    "APIError": K.SERVER_ERROR,
    "APIResponseValidationError": K.MALFORMED_REPLY,
    "AuthenticationError": K.UNAUTHORIZED,
    "BadGatewayError": K.SERVER_ERROR,
    "BadRequestError": K.BAD_REQUEST,
    "BlockedPiiEntityError": K.CONTENT_FILTERED,
    "BudgetExceededError": K.QUOTA_EXHAUSTED,
    "ContentPolicyViolationError": K.CONTENT_FILTERED,
    "ContextWindowExceededError": K.CONTEXT_LENGTH,
    "GuardrailRaisedException": K.CONTENT_FILTERED,
    "ImageFetchError": K.BAD_REQUEST,
    "InternalServerError": K.SERVER_ERROR,
    "InvalidRequestError": K.BAD_REQUEST,
    "JSONSchemaValidationError": K.MALFORMED_REPLY,
    "LiteLLMUnknownProvider": K.LOCAL,
    "MidStreamFallbackError": K.TRUNCATED_STREAM,
    "MockException": K.SERVER_ERROR,
    "ModelNotMappedError": K.LOCAL,
    "ModifyResponseException": K.CONTENT_FILTERED,
    "NotFoundError": K.MODEL_GONE,
    "OpenAIError": K.LOCAL,
    "PaymentRequiredError": K.QUOTA_EXHAUSTED,
    "PermissionDeniedError": K.UNAUTHORIZED,
    "RateLimitError": K.RATE_LIMITED,
    "RejectedRequestError": K.CONTENT_FILTERED,
    "SensitiveDataRouteException": K.CONTENT_FILTERED,
    "ServiceUnavailableError": K.OVERLOADED,
    "Timeout": K.TIMEOUT,
    "UnprocessableEntityError": K.BAD_REQUEST,
    "UnsupportedParamsError": K.UNSUPPORTED_PARAMETER,
    "VectorStoreSearchError": K.BAD_REQUEST,
}


def test_every_exception_of_litellm_has_its_kind(litellm):
    """A new release with a new class fails here, and somebody decides."""
    classes = exceptions_of(litellm, "litellm")
    assert {cls.__name__: seen(made(cls)).kind for cls in classes} == LITELLM_KINDS


def test_every_exception_of_the_openai_sdk_is_classified(openai):
    classes = exceptions_of(openai, "openai")
    kinds = {cls.__name__: seen(made(cls)).kind for cls in classes}
    assert len(kinds) >= 15
    assert kinds["APITimeoutError"] is K.TIMEOUT
    assert kinds["ContentFilterFinishReasonError"] is K.CONTENT_FILTERED
    assert kinds["OAuthError"] is K.UNAUTHORIZED


@pytest.mark.parametrize(
    ("error", "kind", "phase"),
    [
        (httpx.ConnectTimeout("x"), K.TIMEOUT, Phase.CONNECT),
        (httpx.PoolTimeout("x"), K.TIMEOUT, Phase.CONNECT),
        (httpx.ReadTimeout("x"), K.TIMEOUT, Phase.IDLE),
        (httpx.WriteTimeout("x"), K.TIMEOUT, Phase.TOTAL),
        (httpx.ConnectError("refused"), K.CONNECTION, None),
        (httpx.ReadError("reset"), K.CONNECTION, None),
        (httpx.ProxyError("x"), K.CONNECTION, None),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), K.CONNECTION, None),
        (
            httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
            K.TRUNCATED_STREAM,
            None,
        ),
        (httpx.ReadError("Response payload is not completed"), K.TRUNCATED_STREAM, None),
        (httpx.DecodingError("x"), K.MALFORMED_REPLY, None),
        (httpx.TooManyRedirects("x"), K.SERVER_ERROR, None),
        (httpx.UnsupportedProtocol("x"), K.LOCAL, None),
        (httpx.InvalidURL("x"), K.LOCAL, None),
        (TimeoutError(), K.TIMEOUT, Phase.TOTAL),
        (ConnectionResetError(104, "reset"), K.CONNECTION, None),
        (socket.gaierror(-2, "unknown"), K.CONNECTION, None),
        (ssl.SSLCertVerificationError("x"), K.CONNECTION, None),
        (OSError(113, "no route to host"), K.CONNECTION, None),
        (FileNotFoundError("x"), K.LOCAL, None),
        (PermissionError("x"), K.LOCAL, None),
        (json.JSONDecodeError("x", "", 0), K.MALFORMED_REPLY, None),
        (asyncio.CancelledError(), K.CANCELLED, None),
        (concurrent.futures.CancelledError(), K.CANCELLED, None),
        (GeneratorExit(), K.CANCELLED, None),
        (KeyboardInterrupt(), K.CANCELLED, None),
        (ValueError("x"), K.LOCAL, None),
        (TypeError("x"), K.LOCAL, None),
        (Exception("x"), K.LOCAL, None),
        (ExceptionGroup("x", [httpx.ReadTimeout("x")]), K.TIMEOUT, Phase.IDLE),
    ],
)
def test_the_transport_and_python_speak_for_themselves(error, kind, phase):
    found = seen(error)
    assert (found.kind, found.phase) == (kind, phase)


# --- what the provider really sent ------------------------------------------------------------------------


def test_the_providers_own_reply_wins_over_the_class(openai, litellm):
    """litellm shows a 529 of Anthropic as its InternalServerError, 500."""
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    real = openai.InternalServerError("x", response=reply(529, body, retry_after="3"), body=None)
    shown = raised(litellm.InternalServerError("AnthropicError - x", "anthropic", "claude"), real)
    assert seen(shown) == Failure(K.OVERLOADED, status=529, code="overloaded_error", retry_after_s=3.0)


def test_a_http_status_error_holds_the_reply():
    body = {"error": {"message": "x", "code": "insufficient_quota"}}
    found = seen(httpx.HTTPStatusError("x", request=REQUEST, response=reply(429, body)))
    assert (found.kind, found.status, found.code) == (K.QUOTA_EXHAUSTED, 429, "insufficient_quota")


def test_the_body_is_found_in_the_message_too(litellm):
    message = (
        'AnthropicException - {"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}'
    )
    error = litellm.RateLimitError(message, "anthropic", "claude")
    error.litellm_response_headers = httpx.Headers({"Retry-After": "7"})
    assert seen(error) == Failure(K.RATE_LIMITED, status=429, code="rate_limit_error", retry_after_s=7.0)


def test_the_body_is_found_where_the_sdk_parsed_it(litellm):
    told = {"message": "x", "type": "insufficient_quota", "code": "insufficient_quota"}
    error = litellm.RateLimitError("x", "openai", "gpt", body=told)
    assert seen(error).kind is K.QUOTA_EXHAUSTED


def test_litellm_knows_some_phrases_that_a_bare_400_does_not_show(litellm):
    real = httpx.HTTPStatusError("x", request=REQUEST, response=reply(400, {"error": {"message": "no"}}))
    found = seen(raised(litellm.ContextWindowExceededError("x", "m", "openai"), real))
    assert (found.kind, found.status) == (K.CONTEXT_LENGTH, 400)


def test_an_unread_stream_holds_no_body_to_go_by():
    unread = httpx.Response(503, stream=httpx.ByteStream(b""), request=REQUEST)
    assert seen(httpx.HTTPStatusError("x", request=REQUEST, response=unread)).kind is K.LOCAL


def test_the_date_of_a_hint_is_measured_from_the_given_time(litellm):
    error = litellm.RateLimitError("x", "openai", "gpt")
    error.litellm_response_headers = {"retry-after": "Tue, 04 Jun 2024 12:00:30 GMT"}
    assert seen(error, now_wall_s=1_717_502_400.0).retry_after_s == 30.0


def test_a_code_is_read_as_its_provider_means_it(litellm):
    message = 'ZaiException - {"error":{"code":"1305","message":"try again later"}}'
    error = litellm.RateLimitError(message, "zai", "glm")
    assert seen(error, Target("glm", provider="z", model="zai/glm-4.7")).kind is K.OVERLOADED
    assert seen(error, Target("glm", provider="zai", model="openai/glm-4.7")).kind is K.OVERLOADED
    assert seen(error, Target("gpt", provider="openai", model="openai/gpt")).kind is K.RATE_LIMITED


# --- what litellm hides -----------------------------------------------------------------------------------


def test_a_reset_is_no_500(litellm, openai):
    shown = litellm.InternalServerError("OpenAIException - Connection error.", "openai", "gpt")
    middle = openai.APIConnectionError(request=REQUEST)
    reset = ConnectionResetError(104, "Connection reset by peer")
    found = seen(raised(shown, middle, httpx.ConnectError("x"), reset))
    assert found == Failure(K.CONNECTION)


def test_a_timeout_tells_which_limit_it_ran_into(litellm, openai):
    shown = litellm.Timeout("Request timed out.", "gpt", "openai")
    assert (
        seen(raised(shown, openai.APITimeoutError(REQUEST), httpx.ConnectTimeout("x"))).phase is Phase.CONNECT
    )
    assert seen(litellm.Timeout("x", "gpt", "openai")) == Failure(K.TIMEOUT, status=408, phase=Phase.TOTAL)


def test_a_reply_that_does_not_parse_is_no_500(litellm):
    shown = litellm.InternalServerError("OpenAIException - Expecting value: line 1", "openai", "gpt")
    assert seen(raised(shown, json.JSONDecodeError("Expecting value", "", 0))).kind is K.MALFORMED_REPLY


def test_a_bug_is_no_connection_error(litellm):
    """litellm's APIConnectionError is also its catch-all."""
    shown = litellm.APIConnectionError("unsupported operand", "openai", "gpt")
    assert seen(raised(shown, TypeError("unsupported operand"))).kind is K.LOCAL


def test_a_bug_while_reading_the_reply_is_the_replys_fault(litellm):
    def transform_response(reply):
        return reply["output"]

    with pytest.raises(KeyError) as caught:
        transform_response({})
    shown = litellm.APIConnectionError("'output'", "bedrock", "nova")
    assert seen(raised(shown, caught.value)).kind is K.MALFORMED_REPLY


def test_a_connection_that_breaks_midway_cuts_the_stream(litellm):
    def broken(*, before):
        reset = httpx.ReadError("reset")
        return litellm.MidStreamFallbackError(
            "x", "gpt", "openai", original_exception=reset, generated_content="a", is_pre_first_chunk=before
        )

    assert seen(broken(before=False)).kind is K.TRUNCATED_STREAM
    assert seen(broken(before=True)).kind is K.CONNECTION


def test_a_midway_error_with_a_cause_keeps_it(litellm):
    cause = litellm.RateLimitError('x - {"error":{"code":"rate_limit_exceeded"}}', "openai", "gpt")
    error = litellm.MidStreamFallbackError("x", "gpt", "openai", original_exception=cause)
    assert seen(error).kind is K.RATE_LIMITED


def test_a_missing_credential_is_the_credentials_fault(openai):
    assert seen(openai.OpenAIError("The api_key client option must be set")).kind is K.UNAUTHORIZED


# --- totality ---------------------------------------------------------------------------------------------


def test_a_ring_of_causes_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert seen(first).kind is K.LOCAL


def test_an_exception_that_cannot_even_be_read_is_local():
    class HostileError(Exception):
        @property
        def response(self):
            raise RuntimeError("no")

        def __str__(self):
            raise RuntimeError("no")

    assert seen(HostileError()) == Failure(K.LOCAL)


class Shaped(Exception):  # noqa: N818 - it stands for any class
    """An exception with whatever attributes a client may give it."""


attributes = st.dictionaries(
    st.sampled_from(
        [
            "status_code",
            "code",
            "status",
            "body",
            "message",
            "headers",
            "litellm_response_headers",
            "response",
        ]
    ),
    st.none()
    | st.integers()
    | st.text(max_size=20)
    | st.binary(max_size=9)
    | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)
    | st.sampled_from(["429", '{"error": {"code": "x"}}', reply(429, b"{}"), reply(200, b"x"), reply(503)]),
    max_size=5,
)
names = st.sampled_from(
    ["Timeout", "APIConnectionError", "RateLimitError", "Odd", "BadRequestError", "ReadError"]
)


@given(st.lists(st.tuples(names, attributes), min_size=1, max_size=4))
def test_any_exception_is_exactly_one_failure(links):
    chain = []
    for name, given_attributes in links:
        error = type(name, (Shaped,), {})("x")
        for attribute, value in given_attributes.items():
            setattr(error, attribute, value)
        chain.append(error)
    assert isinstance(seen(raised(*chain)), Failure)
