"""Every form of waiting hint becomes seconds, and nothing else does."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.adapters.waiting import LONGEST_S, duration_s, waiting_s

NOON_S = 1_717_502_400.0  # Tue, 04 Jun 2024 12:00:00 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("8.64s", 8.64),
        ("23m16.298s", 1396.298),
        ("1h2m3s", 3723.0),
        ("1d", 86_400.0),
        (" 3S ", 3.0),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_read_in_its_units(text, seconds):
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "3", "-3s", "3x", "s", "3s later", "1e3s", "999999999999d"])
def test_what_is_no_duration_is_none(text):
    assert duration_s(text) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Tue, 04 Jun 2024 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Tue, 04 Jun 2024 11:59:00 GMT"}, 0.0),
        ({"retry-after": "Tuesday, 04-Jun-24 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Tue Jun  4 12:00:30 2024"}, 30.0),
        ({"retry-after": "2024-06-04T12:00:30Z"}, 30.0),
        ({"retry-after-ms": "660"}, 0.66),
        ({"retry-after": "20", "retry-after-ms": "20000"}, 20.0),
        ({"retry-after": "1", "retry-after-ms": "660"}, 0.66),
        ({"retry-after": "1", "retry-after-ms": "0"}, 1.0),
        ({"retry-after": "30", "retry-after-ms": "100"}, 30.0),
    ],
)
def test_retry_after_is_seconds_a_date_or_milliseconds(headers, seconds):
    assert waiting_s(headers, None, NOON_S) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "garbage", ["", "soon", "-5", "nan", "inf", "1e9", "1" * 400, "32 Foo 2024", "Tue, 04"]
)
def test_garbage_is_no_hint(garbage):
    assert waiting_s({"retry-after": garbage, "retry-after-ms": garbage}, None, NOON_S) is None


def test_a_wait_of_years_is_garbage():
    assert waiting_s({"retry-after": str(int(LONGEST_S) + 1)}, None) is None


def test_without_a_clock_a_date_is_measured_from_the_replys_own():
    headers = {"retry-after": "Tue, 04 Jun 2024 12:00:30 GMT", "date": "Tue, 04 Jun 2024 12:00:10 GMT"}
    assert waiting_s(headers, None) == 20.0


def test_without_any_clock_a_date_says_nothing():
    assert waiting_s({"retry-after": "Tue, 04 Jun 2024 12:00:30 GMT"}, None) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "6m0s"}, None),
        ({"x-ratelimit-reset-requests": "6m0s"}, None),
        ({"anthropic-ratelimit-requests-remaining": "0",
          "anthropic-ratelimit-requests-reset": "2024-06-04T12:00:07Z"}, 7.0),
        ({"anthropic-ratelimit-tokens-remaining": "9",
          "anthropic-ratelimit-tokens-reset": "2024-06-04T12:00:07Z"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1717502426000"}, 26.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1717502426"}, 26.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "59"}, 59.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "later"}, None),
    ],
)  # fmt: skip
def test_a_reset_counts_only_for_a_quota_that_is_used_up(headers, seconds):
    assert waiting_s(headers, None, NOON_S) == (None if seconds is None else pytest.approx(seconds))


def test_of_several_used_up_quotas_the_last_to_return_decides():
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "9s",
    }
    assert waiting_s(headers, None) == 9.0


def test_google_puts_the_hint_into_the_body():
    body = {"error": {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}]}}
    assert waiting_s({}, body) == 3.0
    assert waiting_s({}, [body]) == 3.0


def test_openrouter_quotes_the_upstreams_headers():
    quoted = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1717502426000"}
    assert waiting_s({}, {"error": {"metadata": {"headers": quoted}}}, NOON_S) == 26.0


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 5.52s. Need more tokens?", 5.52),
        ("Please try again in 9m38.016s.", 578.016),
        ("Please try again in 20s. Visit", 20.0),
        ("Please retry after 20 seconds.", 20.0),
        ("Please retry in 33.211s.", 33.211),
        ("wait 2 minutes", 120.0),
        ("Please try again later.", None),
        ("try again in 5 apples", None),
    ],
)
def test_prose_is_the_last_resort(message, seconds):
    expected = None if seconds is None else pytest.approx(seconds)
    assert waiting_s({}, {"error": {"message": message}}) == expected
    assert waiting_s({}, message) == expected


def test_a_header_beats_the_body_and_the_body_beats_prose():
    body = {"error": {"message": "try again in 9s", "details": [{"retryDelay": "3s"}]}}
    assert waiting_s({"retry-after": "6"}, body) == 6.0
    assert waiting_s({}, body) == 3.0


words = st.one_of(st.text(max_size=30), st.from_regex(r"-?\d{1,20}(\.\d+)?(ms|s|m|h)?", fullmatch=True))
names = st.sampled_from([
    "retry-after", "retry-after-ms", "date", "x-ratelimit-remaining", "x-ratelimit-reset",
    "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset",
])  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.floats() | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "retryDelay", "metadata", "headers", "error"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(names, words, max_size=6), values, st.floats())
def test_any_input_gives_a_sane_wait_or_none(headers, body, now_wall_s):
    found = waiting_s(headers, body, now_wall_s)
    assert found is None or (math.isfinite(found) and 0 <= found <= LONGEST_S)


def test_azure_tells_resets_in_milliseconds_beside_its_renewal_period():
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1500",
        "x-ratelimit-renewalperiod-requests": "60",
    }
    assert waiting_s(headers, None) == 1.5
    del headers["x-ratelimit-renewalperiod-requests"]
    assert waiting_s(headers, None) == 1500.0
