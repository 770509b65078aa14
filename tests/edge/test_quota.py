"""What rate-limit headers say is left, in every dialect; and how that comes up to the router."""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover import Router
from failover.adapters.litellm import LitellmAdapter
from failover.adapters.quota import headroom_of
from failover.adapters.seam import told_by
from failover.cassettes.episodes import load_folder
from failover.core.headroom import Counted, QuotaWindow
from tests.edge.fake_wire import (
    ENVIRONMENT,
    OPENAI_STREAM,
    FakeProvider,
    outbound,
    refusal,
    streamed,
    target,
    whole_answer,
)

if TYPE_CHECKING:
    import httpx

RECORDED = Path(__file__).parents[3] / "shared" / "real-cassettes"
NOW_S = 1_754_667_634.0
LATER = "2025-08-08T15:40:44Z"
REQUESTS, TOKENS = Counted.REQUESTS, Counted.TOKENS
INPUT, OUTPUT = Counted.INPUT_TOKENS, Counted.OUTPUT_TOKENS

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]


def read(headers: dict[str, str], now_s: float = NOW_S) -> set[tuple[Counted, int, int | None, float | None]]:
    headroom = headroom_of(headers, now_s)
    return {
        (each.counted, each.remaining, each.limit, each.resets_in_s)
        for each in (headroom.windows if headroom else ())
    }


def in_openais_words(**more: str) -> dict[str, str]:
    names = ("limit", "remaining", "reset")
    requests = dict(
        zip((f"x-ratelimit-{name}-requests" for name in names), ("200", "196", "6m0s"), strict=True)
    )
    tokens = dict(
        zip((f"x-ratelimit-{name}-tokens" for name in names), ("40000", "39923", "120ms"), strict=True)
    )
    return {"date": formatdate(NOW_S, usegmt=True), **requests, **tokens, **more}


def in_anthropics_words(what: str, limit: str, remaining: str) -> dict[str, str]:
    start = f"anthropic-ratelimit-{what}"
    return {f"{start}-limit": limit, f"{start}-remaining": remaining, f"{start}-reset": LATER}


DIALECTS: dict[str, tuple[dict[str, str], set[tuple[Any, ...]]]] = {
    "openai": (in_openais_words(), {(REQUESTS, 196, 200, 360.0), (TOKENS, 39923, 40000, 0.12)}),
    "anthropic": (
        {
            **in_anthropics_words("requests", "50", "49"),
            **in_anthropics_words("input-tokens", "30000", "29000"),
            **in_anthropics_words("output-tokens", "8000", "7000"),
            "anthropic-ratelimit-unified-status": "allowed",
        },
        {(REQUESTS, 49, 50, 10.0), (INPUT, 29000, 30000, 10.0), (OUTPUT, 7000, 8000, 10.0)},
    ),
    "azure, with limits: resets in milliseconds": (
        {
            "x-ratelimit-limit-requests": "120",
            "x-ratelimit-remaining-requests": "119",
            "x-ratelimit-renewalperiod-requests": "60",
            "x-ratelimit-reset-requests": "500",
            "x-ratelimit-abusepenalty-active": "False",
            "x-ratelimit-key": "gpt",
        },
        {(REQUESTS, 119, 120, 0.5)},
    ),
    "azure, without": (
        {"x-ratelimit-remaining-requests": "119", "x-ratelimit-remaining-tokens": "119991"},
        {(REQUESTS, 119, None, None), (TOKENS, 119991, None, None)},
    ),
    "azure: no reset is later than the renewal": (
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-renewalperiod-requests": "60",
            "x-ratelimit-reset-requests": "2h",
        },
        {(REQUESTS, 0, None, 60.0)},
    ),
    "mistral": (
        {
            "x-ratelimit-limit-req-minute": "5",
            "x-ratelimit-remaining-req-minute": "4",
            "x-ratelimit-limit-tokens-minute": "75000",
            "x-ratelimit-remaining-tokens-minute": "74932",
            "x-ratelimit-tokens-query-cost": "68",
        },
        {(REQUESTS, 4, 5, 60.0), (TOKENS, 74932, 75000, 60.0)},
    ),
    "mistral, by size": (
        {
            "ratelimitbysize-limit": "500000",
            "ratelimitbysize-remaining": "499900",
            "ratelimitbysize-reset": "24",
            "ratelimitbysize-query-cost": "100",
            "x-ratelimitbysize-limit-month": "1000000000",
            "x-ratelimitbysize-remaining-month": "999999000",
        },
        {(TOKENS, 499900, 500000, 24.0), (TOKENS, 999999000, 1000000000, 2_678_400.0)},
    ),
    "cohere": (
        {
            "x-endpoint-monthly-call-limit": "1000",
            "x-trial-endpoint-call-limit": "20",
            "x-trial-endpoint-call-remaining": "17",
        },
        {(REQUESTS, 17, 20, 60.0)},
    ),
    "openrouter": (
        {"x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1754667660000"},
        {(REQUESTS, 0, 1, 26.0)},
    ),
    "cerebras": (
        {
            "x-ratelimit-limit-requests-day": "14400",
            "x-ratelimit-remaining-requests-day": "14399",
            "x-ratelimit-reset-requests-day": "3600.5",
            "x-ratelimit-limit-tokens-minute": "60000",
            "x-ratelimit-remaining-tokens-minute": "59000",
            "x-ratelimit-reset-tokens-minute": "12",
        },
        {(REQUESTS, 14399, 14400, 3600.5), (TOKENS, 59000, 60000, 12.0)},
    ),
    "together": (
        {
            "x-ratelimit-limit": "2",
            "x-ratelimit-remaining": "1",
            "x-ratelimit-reset": "2",
            "x-tokenlimit-limit": "3000",
            "x-tokenlimit-remaining": "2900",
        },
        {(REQUESTS, 1, 2, 2.0), (TOKENS, 2900, 3000, None)},
    ),
    "fireworks": (
        {
            "x-ratelimit-limit-tokens-prompt": "60000",
            "x-ratelimit-remaining-tokens-prompt": "59000",
            "x-ratelimit-limit-tokens-generated": "6000",
            "x-ratelimit-remaining-tokens-generated": "5900",
            "x-ratelimit-over-limit": "no",
        },
        {(INPUT, 59000, 60000, None), (OUTPUT, 5900, 6000, None)},
    ),
    "a project's own quota": (
        {
            "x-ratelimit-limit-project-tokens": "100",
            "x-ratelimit-remaining-project-tokens": "9",
            **in_openais_words(),
        },
        {(TOKENS, 9, 100, None), (REQUESTS, 196, 200, 360.0), (TOKENS, 39923, 40000, 0.12)},
    ),
    "the ietf's three headers": (
        {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "50", "ratelimit-reset": "30"},
        {(REQUESTS, 50, 100, 30.0)},
    ),
    "the ietf's old draft": (
        {"ratelimit": "limit=100, remaining=50, reset=30", "ratelimit-policy": "100;w=60"},
        {(REQUESTS, 50, 100, 30.0)},
    ),
    "the ietf's new draft": (
        {
            "ratelimit": '"burst";r=5;t=1, "day";r=400;t=300',
            "ratelimit-policy": '"burst";q=10;w=1, "day";q=500;w=86400',
        },
        {(REQUESTS, 5, 10, 1.0), (REQUESTS, 400, 500, 300.0)},
    ),
}


@pytest.mark.parametrize(("headers", "windows"), DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_is_understood(headers: dict[str, str], windows: set[tuple[Any, ...]]) -> None:
    assert read(headers) == windows


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/json"},
        {"x-ratelimit-limit-requests": "200", "x-ratelimit-reset-requests": "1s"},
        {"x-ratelimit-remaining-requests": "many"},
        {"x-ratelimit-remaining-requests": "-1"},
        {"x-ratelimit-remaining-requests": "1.5"},
        {"x-ratelimit-remaining-images": "5"},
        {"x-ratelimit-remaining-limit": "5"},
        {"x-rate-limiter": "on"},
        {"ratelimit": "remaining=soon"},
        {"ratelimit-policy": '"burst";q=10;w=1'},
    ],
)
def test_what_says_nothing_of_what_is_left_is_no_reading(headers: dict[str, str]) -> None:
    assert headroom_of(headers, NOW_S) is None


def test_a_limit_of_nothing_is_no_limit() -> None:
    assert read({"x-ratelimit-limit": "0", "x-ratelimit-remaining": "7"}) == {(REQUESTS, 7, None, None)}


def test_without_a_clock_the_replys_own_date_stands_in() -> None:
    headers = in_anthropics_words("requests", "50", "49") | {"date": formatdate(NOW_S, usegmt=True)}
    assert read(headers, 0.0) == {(REQUESTS, 49, 50, 10.0)}


NAMES = st.sampled_from(
    [name for headers, _ in DIALECTS.values() for name in headers] + ["ratelimit", "ratelimit-policy", "date"]
) | st.text("abcdefghijklmnopqrstuvwxyz-0123456789", max_size=40).map("x-ratelimit-remaining-".__add__)
VALUES = (
    st.text(max_size=60)
    | st.from_regex(r"\A[-+]?[0-9.]{1,40}(ms|s|m|h|d)?\Z")
    | st.sampled_from(
        [
            LATER,
            "9" * 400,
            "1e999",
            "nan",
            "inf",
            "٣",
            "²",
            '"a";r=1;t=' + "9" * 40,
            "0001-01-01T00:00:00+23:59",
        ]
    )
)


@given(
    st.dictionaries(NAMES, VALUES, max_size=12),
    st.sampled_from([0.0, NOW_S, -1.0, float("nan"), float("inf")]),
)
def test_no_header_raises_and_every_figure_is_sound(headers: dict[str, str], now_s: float) -> None:
    for _, remaining, limit, resets_in_s in read(headers, now_s):
        assert remaining >= 0
        assert limit is None or limit > 0
        assert resets_in_s is None or 0.0 <= resets_in_s < float("inf")


def test_every_recorded_reply_that_tells_is_read() -> None:
    if not RECORDED.is_dir():
        pytest.skip("the recorded exchanges are not beside this repository")
    telling = read_ones = 0
    for episode in load_folder(RECORDED):
        headers = {name.lower(): value for name, value in episode.reply.headers.items()}
        telling += any(("ratelimit" in name or "-call-" in name) and "remaining" in name for name in headers)
        read_ones += headroom_of(headers) is not None
    assert telling == read_ones == 49


# Up to the router.

OPENAI_LEFT = QuotaWindow("ratelimit-requests", REQUESTS, 196, 200, 360.0)


async def test_an_answer_tells_what_is_left() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        reply = whole_answer()
        reply.headers.update(in_openais_words())
        return reply

    adapter = LitellmAdapter(FakeProvider(answer), ENVIRONMENT)
    told = await adapter.send(outbound(target()))
    assert told.headroom is not None
    assert OPENAI_LEFT in told.headroom.windows


async def test_a_stream_tells_with_its_first_piece_and_only_then() -> None:
    adapter = LitellmAdapter(
        FakeProvider(lambda _: streamed(*OPENAI_STREAM, **in_openais_words())), ENVIRONMENT
    )
    first, *others = [piece async for piece in adapter.stream(outbound(target()))]
    assert first.headroom is not None
    assert OPENAI_LEFT in first.headroom.windows
    assert all(piece.headroom is None for piece in others)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_tells_what_is_left(stream: bool) -> None:  # noqa: FBT001  a parameter of the test
    provider = FakeProvider(lambda _: refusal(429, **{"x-ratelimit-remaining-requests": "0"}))
    adapter = LitellmAdapter(provider, ENVIRONMENT)
    with pytest.raises(Exception) as raised:  # noqa: PT011  litellm's class is what must not matter
        await (anext(adapter.stream(outbound(target()))) if stream else adapter.send(outbound(target())))
    headroom = told_by(raised.value)
    assert headroom is not None
    assert [window.remaining for window in headroom.windows] == [0]


def test_any_other_error_tells_nothing() -> None:
    assert told_by(None) is None
    assert told_by(ValueError()) is None


CONFIG: dict[str, Any] = {
    "providers": {"openai": {"credential": "env:FAKE_KEY"}},
    "targets": {
        "first": {"provider": "openai", "model": "openai/one", "api_base": "http://one.invalid/v1"},
        "second": {"provider": "openai", "model": "openai/two", "api_base": "http://two.invalid/v1"},
    },
    "routes": {"chat": {"chain": [["first", "second"]], "strategy": "headroom"}},
}


def provider(left: dict[str, int]) -> FakeProvider:
    """Each answer tells one less; who has nothing left refuses."""

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.host.partition(".")[0]
        if not left[name]:
            return refusal(429)
        left[name] -= 1
        told = {"limit": "20", "remaining": str(left[name]), "reset": "50s"}
        streams = b'"stream":true' in request.content.replace(b" ", b"")
        reply = streamed(*OPENAI_STREAM) if streams else whole_answer()
        reply.headers.update({f"x-ratelimit-{key}-requests": value for key, value in told.items()})
        return reply

    return FakeProvider(answer)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_router_spreads_by_what_is_left_and_meets_no_refusal(stream: bool) -> None:  # noqa: FBT001  as above
    left = {"one": 20, "two": 10}
    async with Router.from_dict(CONFIG, adapter=LitellmAdapter(provider(left), ENVIRONMENT)) as router:
        for _ in range(28):
            reply: Any = await router.acompletion(
                "chat", messages=[{"role": "user", "content": "hello"}], stream=stream
            )
            if stream:
                assert [chunk async for chunk in reply]
            assert [attempt.failure for attempt in reply.failover.attempts] == [None]
        shares = {name: each.headroom_share for name, each in router.snapshot().targets.items()}
    assert shares == {"first": left["one"] / 20, "second": left["two"] / 20}


async def test_a_snapshot_shows_limits_and_what_counts_against_them() -> None:
    config = {
        "targets": {"a": {"limits": {"rpm": 5, "tpm": 9000, "concurrency": 2}}, "b": {}},
        "routes": {"r": {"chain": ["a", "b"]}},
    }

    async def answers(**_: Any) -> int:
        return 1

    async with Router.from_dict(config, callables={"a": answers, "b": answers}) as router:
        await router.acall("r")
        seen = router.snapshot().targets
    assert (seen["a"].requests_per_minute, seen["a"].tokens_per_minute, seen["a"].concurrency) == (5, 9000, 2)
    assert seen["a"].requests_last_minute == 1
    assert (seen["b"].requests_last_minute, seen["b"].headroom_share) == (None, None)
