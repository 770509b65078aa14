"""Recordings played beneath a real client: found by hash, in their order, in their time."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.adapters.litellm import LitellmAdapter
from failover.adapters.wire import WireReply
from failover.cassettes.episodes import Episode, RecordedRequest
from failover.cassettes.player import CassettePlayer, cassette_miss
from failover.cassettes.timing import Timing
from failover.errors import CassetteError
from tests.edge.fake_wire import ENVIRONMENT, KEY_VARIABLE, OPENAI_STREAM, outbound, target

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]
os.environ.setdefault("HF_HUB_OFFLINE", "1")

URL = "https://api.openai.com/v1/chat/completions"
EVENTS = {"content-type": "text/event-stream"}


def asked(model: str = "gpt-5.6-luna", text: str = "hello", *, stream: bool = False) -> dict[str, Any]:
    content: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}]}
    return {**content, "stream": True} if stream else content


def episode(
    reply: bytes | str = "ok",
    status: int = 200,
    *,
    n: int = 0,
    url: str = URL,
    request: dict[str, Any] | None = None,
    timing: Timing | None = None,
    headers: dict[str, str] | None = None,
) -> Episode:
    content = request or asked()
    return Episode(
        file="openai/chat.yaml",
        n=n,
        provider="openai",
        model=content["model"],
        endpoint="chat.completions",
        stream=bool(content.get("stream")),
        request=RecordedRequest("POST", url, {}, json.dumps(content).encode()),
        reply=WireReply(status, headers or {}, reply if isinstance(reply, bytes) else reply.encode()),
        timing=timing,
    )


class Clock:
    """Waits at no cost, and remembers."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def wait(self, seconds: float) -> None:
        self.waits.append(round(seconds, 6))


async def replies(
    episodes: Sequence[Episode], *requests: dict[str, Any], url: str = URL
) -> list[httpx.Response]:
    async with httpx.AsyncClient(transport=CassettePlayer(episodes)) as client:
        return [await client.post(url, json=request) for request in requests]


async def test_a_recorded_request_gets_its_reply() -> None:
    (reply,) = await replies([episode("hi", 201, headers={"x-mark": "1"})], asked())
    assert (reply.status_code, reply.text, reply.headers["x-mark"]) == (201, "hi", "1")


async def test_the_order_of_a_bodys_keys_does_not_matter() -> None:
    turned = dict(reversed(asked().items()))
    (reply,) = await replies([episode("other", request=asked(text="other")), episode("mine", n=1)], turned)
    assert reply.text == "mine"


async def test_a_body_that_was_not_recorded_gets_what_its_model_answers() -> None:
    (reply,) = await replies([episode("hi")], asked(text="never recorded"))
    assert reply.text == "hi"


async def test_a_sequence_plays_in_its_order_and_then_again() -> None:
    sequence = [episode(status=status, n=n) for n, status in enumerate((429, 429, 200))]
    played = await replies(sequence, *[asked()] * 7)
    assert [reply.status_code for reply in played] == [429, 429, 200, 429, 429, 200, 429]


async def test_every_recorded_body_has_a_sequence_of_its_own() -> None:
    one, two = asked(text="one"), asked(text="two")
    recorded = [episode("1a", request=one), episode("2a", request=two), episode("1b", request=one)]
    played = await replies(recorded, one, two, one, two)
    assert [reply.text for reply in played] == ["1a", "2a", "1b", "2a"]


async def test_streamed_and_whole_are_different_requests() -> None:
    recorded = [episode("whole"), episode("streamed", request=asked(stream=True))]
    played = await replies(recorded, asked(text="x", stream=True), asked(text="x"))
    assert [reply.text for reply in played] == ["streamed", "whole"]


async def test_two_providers_of_one_model_keep_their_own() -> None:
    groq = "https://api.groq.com/openai/v1/chat/completions"
    recorded = [episode("openai's"), episode("groq's", url=groq)]
    assert [reply.text for reply in await replies(recorded, asked(text="x"), url=groq)] == ["groq's"]
    assert [reply.text for reply in await replies(recorded, asked(text="x"))] == ["openai's"]


async def test_an_address_of_ones_own_finds_what_any_provider_recorded() -> None:
    (reply,) = await replies([episode("hi")], asked(), url="http://gateway.internal/llm/chat/completions")
    assert reply.text == "hi"


async def test_a_miss_names_the_nearest_recordings() -> None:
    player = CassettePlayer([episode(), episode(request=asked("gpt-5.4-mini"), n=1)])
    async with httpx.AsyncClient(transport=player) as client:
        with pytest.raises(
            CassetteError, match=r"gpt-5.6-luna.*, streamed; nearest: openai/chat.yaml#0"
        ) as raised:
            await client.post(URL, json=asked(text="a private prompt", stream=True))
    assert "private" not in str(raised.value)
    assert player.misses == [str(raised.value)]


async def test_a_player_without_recordings_says_so() -> None:
    with pytest.raises(CassetteError, match="nothing at all"):
        await replies([], asked())


def test_a_miss_is_found_beneath_what_a_client_made_of_it() -> None:
    miss = CassetteError("nothing is recorded")
    between, wrapped = ConnectionError(), RuntimeError()
    between.__cause__, wrapped.__context__ = miss, between
    assert cassette_miss(wrapped) is miss
    assert cassette_miss(ValueError()) is None


def test_a_circle_of_causes_ends() -> None:
    one, two = ValueError(), ValueError()
    one.__cause__, two.__cause__ = two, one
    assert cassette_miss(one) is None


async def test_a_miss_comes_through_litellm_unchanged() -> None:
    adapter = LitellmAdapter(CassettePlayer([]), ENVIRONMENT)
    for model in ("openai/gpt-5.6-luna", "anthropic/claude-sonnet-5", "mistral/mistral-large-2512"):
        with pytest.raises(CassetteError, match="nothing is recorded"):
            await adapter.send(outbound(target(model, KEY_VARIABLE)))


async def test_plays_are_counted_by_episode() -> None:
    player = CassettePlayer([episode(), episode(n=1)])
    async with httpx.AsyncClient(transport=player) as client:
        for _ in range(3):
            await client.post(URL, json=asked())
    assert player.plays == {"openai/chat.yaml#0": 2, "openai/chat.yaml#1": 1}


async def test_a_stream_takes_the_time_it_took() -> None:
    clock = Clock()
    timing = Timing(first_byte_s=1.0, total_s=2.0, chunk_offsets_s=(1.0, 1.25, 1.75, 2.0))
    request = asked(stream=True)
    recorded = episode(b"".join(OPENAI_STREAM), request=request, timing=timing, headers=EVENTS)
    player = CassettePlayer([recorded], clock.wait)
    async with (
        httpx.AsyncClient(transport=player) as client,
        client.stream("POST", URL, json=request) as reply,
    ):
        chunks = [chunk async for chunk in reply.aiter_raw()]
    assert tuple(chunks) == OPENAI_STREAM
    assert clock.waits == [1.0, 0.25, 0.5, 0.25]


async def test_a_whole_answer_is_complete_when_it_was() -> None:
    clock = Clock()
    player = CassettePlayer([episode(timing=Timing(first_byte_s=0.5, total_s=2.0))], clock.wait)
    async with httpx.AsyncClient(transport=player) as client:
        await client.post(URL, json=asked())
    assert clock.waits == [0.5, 1.5]


async def test_without_timing_nobody_waits() -> None:
    clock = Clock()
    async with httpx.AsyncClient(transport=CassettePlayer([episode()], clock.wait)) as client:
        await client.post(URL, json=asked())
    assert clock.waits == []


async def test_a_client_that_waits_less_than_was_recorded_gives_up_as_it_would() -> None:
    clock = Clock()
    player = CassettePlayer([episode(timing=Timing(first_byte_s=60.0))], clock.wait)
    async with httpx.AsyncClient(transport=player, timeout=5.0) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(URL, json=asked())
    assert clock.waits == [5.0]


async def test_the_default_pace_is_the_running_loops_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    start_s, skipped_s = loop.time(), [0.0]
    monkeypatch.setattr(loop, "time", lambda: start_s + skipped_s[0])
    player = CassettePlayer([episode(timing=Timing(first_byte_s=3600.0))])
    async with httpx.AsyncClient(transport=player, timeout=None) as client:  # noqa: S113 - an hour, at no cost
        asking = asyncio.create_task(client.post(URL, json=asked()))
        await asyncio.sleep(0)
        skipped_s[0] = 3601.0
        assert (await asking).status_code == 200


@given(body=st.binary(max_size=400), offsets=st.lists(st.floats(0, 100), max_size=8))
def test_a_stream_is_played_whole_whatever_its_events_and_offsets(body: bytes, offsets: list[float]) -> None:
    clock = Clock()
    timing = Timing(0.0, 100.0, tuple(sorted(offsets)))
    player = CassettePlayer([episode(body, timing=timing, headers=EVENTS)], clock.wait)

    async def played() -> bytes:
        async with httpx.AsyncClient(transport=player, timeout=None) as client:  # noqa: S113 - no time passes
            return (await client.post(URL, json=asked())).content

    assert asyncio.run(played()) == body
    assert all(wait > 0 for wait in clock.waits)
