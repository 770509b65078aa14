"""No secret survives: not in headers, addresses or bodies, whatever its shape and form."""

from __future__ import annotations

import json
import string
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.cassettes.scrub import REDACTED, Scrubber, secret_shapes

ALNUM = string.ascii_letters + string.digits


def made(prefix: str, length: int, alphabet: str = ALNUM) -> st.SearchStrategy[str]:
    """Something of a secret's shape, made at run time so that none stands in a file."""
    return st.text(alphabet, min_size=length, max_size=length + 20).map(lambda rest: prefix + rest)


KEYS = st.one_of(
    made("sk-", 20),
    made("sk-ant-api03-", 40, ALNUM + "-_"),
    made("sk-proj-", 40, ALNUM + "-_"),
    made("AIza", 35, ALNUM + "-_"),
    made("gsk_", 40),
    made("hf_", 30),
    made("xai-1", 40),
    made("pplx-1", 40),
    made("AKIA", 16, string.ascii_uppercase + string.digits),
    made("ya29.", 30),
    made("ghp_", 36),
    made("org-", 24),
    made("proj_", 24),
    made("user-", 24),
    made("arn:aws:bedrock:eu-west-1:123456789012:model/", 4),
    made("eyJ", 20).flatmap(lambda head: made(head + ".", 20)),
    made("Bearer 1", 20),
    st.emails(domains=st.just("example.org")).filter(
        lambda mail: mail[0].isalnum() and not set("'#") & set(mail)
    ),
)
# fmt: off
SECRET_HEADERS = (
    "authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie",
    "set-cookie", "openai-organization", "openai-project", "anthropic-organization-id",
    "x-amz-security-token", "x-amz-date", "x-amzn-requestid", "cf-ray", "x-request-id", "request-id",
    "apim-request-id", "x-ms-client-request-id", "x-forwarded-for",
)
TELLING_HEADERS = (
    "retry-after", "retry-after-ms", "x-ratelimit-remaining-tokens", "x-ratelimit-remaining-project-tokens",
    "anthropic-ratelimit-tokens-reset", "content-type", "date", "server",
)
# fmt: on
PLACES = ("key={}", '{{"message": "wrong key {} given"}}', 'data: {{"delta": "{}"}}\n\n', "[{}]")


def response_with(body: str | bytes, **headers: str) -> dict[str, Any]:
    content = body if isinstance(body, bytes) else body.encode()
    return {
        "status": {"code": 200, "message": "OK"},
        "headers": {name.replace("_", "-"): [value] for name, value in headers.items()},
        "body": {"string": content},
    }


@given(key=KEYS, place=st.sampled_from(PLACES))
def test_what_is_shaped_like_a_secret_goes(key: str, place: str) -> None:
    scrubbed = Scrubber().text(place.format(key))
    assert key not in scrubbed
    assert REDACTED in scrubbed


@given(
    secret=st.text(min_size=4, max_size=60).filter(str.strip), place=st.sampled_from(["<{}>", "{}", "a {} b"])
)
def test_a_credential_in_use_goes_whatever_its_shape(secret: str, place: str) -> None:
    marked = f"\N{LOCK}{secret}\N{KEY}"
    scrubber = Scrubber([marked])
    for form in (marked, quote(marked, safe=""), json.dumps(marked)[1:-1]):
        assert form not in scrubber.text(place.format(form))


@given(secret=st.text(ALNUM, min_size=12))
def test_a_body_that_is_no_text_is_kept_around_its_secrets(secret: str) -> None:
    marked = f"\N{LOCK}{secret}"
    scrubbed = Scrubber([marked]).body(b"\xff\xfe" + marked.encode() + b"\xff")
    assert scrubbed == b"\xff\xfe" + REDACTED.encode() + b"\xff"


@given(text=st.text(max_size=300), key=KEYS)
def test_scrubbing_twice_changes_nothing_more(text: str, key: str) -> None:
    once = Scrubber([key]).text(text + key)
    assert Scrubber([key]).text(once) == once


@pytest.mark.parametrize("name", SECRET_HEADERS)
@pytest.mark.parametrize("spelling", [str.lower, str.title, str.upper])
def test_a_header_that_names_a_secret_or_an_identity_loses_its_value(name: str, spelling: Any) -> None:
    assert Scrubber().headers({spelling(name): ["anything at all"]}) == {spelling(name): [REDACTED]}


@pytest.mark.parametrize("name", TELLING_HEADERS)
def test_what_a_recording_is_made_for_stays(name: str) -> None:
    assert Scrubber().headers({name: ["12"]}) == {name: ["12"]}


def test_a_secret_in_any_other_header_goes() -> None:
    key = "sk-" + "a1" * 12
    assert Scrubber().headers({"x-note": f"by {key}"}) == {"x-note": f"by {REDACTED}"}


@pytest.mark.parametrize(
    "name", ["key", "api_key", "access_token", "sig", "X-Amz-Signature", "code", "password"]
)
def test_a_parameter_that_names_a_secret_loses_its_value(name: str) -> None:
    uri = Scrubber().uri(f"https://host.example/v1/models?alt=sse&{name}=abc")
    assert uri == f"https://host.example/v1/models?alt=sse&{name}={REDACTED}"


def test_user_and_password_of_an_address_go() -> None:
    assert Scrubber().uri("https://me:pass@host.example/v1") == "https://host.example/v1"


@pytest.mark.parametrize("field", ["user_id", "organization", "org_id", "project_id", "account_id", "user"])
def test_a_field_that_names_an_identity_loses_its_value(field: str) -> None:
    assert json.loads(Scrubber().text(json.dumps({field: "someone", "kept": "x"}))) == {
        field: REDACTED,
        "kept": "x",
    }
    assert json.loads(Scrubber().text(json.dumps({field: 4711}))) == {field: 0}


@pytest.mark.parametrize(
    "text",
    [
        '{"role": "user", "content": "Name a task-oriented, risk-based plan"}',
        '{"model": "jina-embeddings-v3", "created": 1795165369, "total_duration": 123456789012}',
        '{"error": {"message": "Basic understanding of bearer authentication is needed", "code": "bad_key"}}',
        '{"id": "chatcmpl-c4ed16fcb3a1400ba9f9fdef", "finish_reason": "stop"}',
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert Scrubber().text(text) == text
    assert secret_shapes(text) == []


def test_a_short_value_is_no_secret() -> None:
    assert Scrubber(["a", "abc", ""]).text("a cab, abc") == "a cab, abc"


def test_a_response_is_scrubbed_in_all_its_parts_and_keeps_what_is_ours() -> None:
    key = "sk-" + "b2" * 12
    response = {
        **response_with(f'{{"a": "{key}"}}', set_cookie="s=1", x_note=key),
        "failover": {"timing": {}},
    }
    scrubbed = Scrubber().response(response)
    assert key not in str(scrubbed)
    assert scrubbed["failover"] == {"timing": {}}
    assert scrubbed["headers"]["set-cookie"] == [REDACTED]


def test_what_was_found_is_told_by_its_shape() -> None:
    mail = "someone@" + "example.org"
    assert secret_shapes(f"write to {mail}") == [mail]
    assert secret_shapes(Scrubber().text(f'{{"user_id": "x", "to": "{mail}"}}')) == []
