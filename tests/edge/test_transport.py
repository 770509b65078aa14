"""What an attempt sees on the wire, beneath whatever client makes sense of it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from contextlib import suppress

import httpx
import pytest

from failover.adapters.clients import ClientKey, ClientPool, Style, style_of
from failover.adapters.terminal import StreamWatch
from failover.adapters.transport import MOST_BODY_BYTES, Exchange, WatchingTransport, watched
from tests.edge.fake_wire import (
    ANTHROPIC_STREAM,
    GEMINI_STREAM,
    OPENAI_STREAM,
    STREAM,
    Body,
    FakeProvider,
    event,
    openai_chunk,
    refusal,
    streamed,
)

URL = "http://provider.invalid/v1/chat/completions"


async def exchanged(answer: httpx.Response | Exception) -> Exchange:
    """The exchange of one request that is answered so, read to its end."""
    exchange = Exchange(connect_s=2.0)
    async with httpx.AsyncClient(transport=WatchingTransport(FakeProvider(lambda _: answer))) as client:
        with watched(exchange), suppress(httpx.HTTPError):
            await client.post(URL)
    return exchange


async def test_an_error_reply_is_kept_whole() -> None:
    exchange = await exchanged(refusal(429, "slow down", retry_after="7"))
    reply = exchange.reply()
    assert reply is not None
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert b"slow down" in reply.body


@pytest.mark.parametrize(
    ("encoding", "squeezed"),
    [("gzip", gzip.compress(b"busy")), ("deflate", zlib.compress(b"busy"))],
    ids=["gzip", "deflate"],
)
async def test_a_compressed_error_is_read_in_clear(encoding: str, squeezed: bytes) -> None:
    response = httpx.Response(503, headers={"content-encoding": encoding}, stream=Body([squeezed]))
    reply = (await exchanged(response)).reply()
    assert reply is not None
    assert reply.body == b"busy"


async def test_an_error_is_read_even_where_its_client_does_not_care() -> None:
    transport = WatchingTransport(FakeProvider(lambda _: httpx.Response(500, stream=Body([b"oh", b" no"]))))
    exchange = Exchange()
    with watched(exchange):
        await transport.handle_async_request(httpx.Request("POST", URL))
    reply = exchange.reply()
    assert reply is not None
    assert reply.body == b"oh no"


async def test_a_body_longer_than_the_bound_is_not_judged() -> None:
    body = Body([b"x" * MOST_BODY_BYTES, b"x"])
    assert (await exchanged(httpx.Response(200, stream=body))).reply() is None


async def test_a_connection_error_is_the_transports_own() -> None:
    refused = httpx.ConnectError("refused")
    exchange = await exchanged(refused)
    assert exchange.error is refused
    assert exchange.reply() is None


async def test_an_attempt_never_sends_again_after_a_connection_error() -> None:
    provider = FakeProvider(lambda _: httpx.ConnectError("refused"))
    transport = WatchingTransport(provider)
    with watched(Exchange()):
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                await transport.handle_async_request(httpx.Request("POST", URL))
    assert len(provider.requests) == 1


async def test_concurrent_attempts_never_mix() -> None:
    async def attempt(transport: WatchingTransport, status: int) -> int | None:
        exchange = Exchange()
        async with httpx.AsyncClient(transport=transport) as client:
            with watched(exchange):
                await asyncio.sleep(0)
                await client.get(f"http://provider.invalid/{status}")
        return exchange.status

    provider = FakeProvider(lambda request: httpx.Response(int(request.url.path[1:])))
    transport = WatchingTransport(provider)
    statuses = [200, 404, 429, 500, 503] * 10
    assert await asyncio.gather(*(attempt(transport, status) for status in statuses)) == statuses


async def test_a_request_outside_any_attempt_passes_unseen() -> None:
    provider = FakeProvider(lambda _: httpx.Response(204))
    response = await WatchingTransport(provider).handle_async_request(httpx.Request("GET", URL))
    assert response.status_code == 204


async def test_connecting_is_limited_beneath_the_client() -> None:
    provider = FakeProvider(lambda _: httpx.Response(200))
    async with httpx.AsyncClient(transport=WatchingTransport(provider), timeout=60.0) as client:
        with watched(Exchange(connect_s=2.0)):
            await client.get(URL)
    timeout = provider.requests[0].extensions["timeout"]
    assert (timeout["connect"], timeout["pool"], timeout["read"]) == (2.0, 2.0, 60.0)


async def test_the_first_byte_is_timed_on_the_loops_clock() -> None:
    exchange = await exchanged(streamed(*OPENAI_STREAM))
    assert exchange.first_byte_s is not None
    assert exchange.first_byte_s >= 0


async def test_closing_an_exchange_closes_the_connection_once() -> None:
    body = Body([b"never", b"read"])
    exchange = Exchange()
    transport = WatchingTransport(FakeProvider(lambda _: httpx.Response(200, headers=STREAM, stream=body)))
    with watched(exchange):
        await transport.handle_async_request(httpx.Request("POST", URL))
    await exchange.aclose()
    await exchange.aclose()
    assert body.closed == 1


async def test_a_stream_that_its_client_leaves_at_the_end_marker_is_read_out() -> None:
    body = Body(OPENAI_STREAM)
    exchange = Exchange()
    transport = WatchingTransport(FakeProvider(lambda _: httpx.Response(200, headers=STREAM, stream=body)))
    with watched(exchange):
        response = await transport.handle_async_request(httpx.Request("POST", URL))
    async for chunk in response.stream:  # type: ignore[union-attr]  # httpx types both kinds of stream
        if b"stop" in chunk:
            break
    await exchange.aclose()
    assert body.finished


@pytest.mark.parametrize("stream", [OPENAI_STREAM, ANTHROPIC_STREAM, GEMINI_STREAM])
def test_every_dialect_shows_its_end(stream: tuple[bytes, ...]) -> None:
    watch = StreamWatch()
    for chunk in stream:
        watch.feed(chunk)
    assert (watch.ended, watch.doubtful) == (True, False)


@pytest.mark.parametrize("stream", [OPENAI_STREAM[:2], ANTHROPIC_STREAM[:4], GEMINI_STREAM[:2]])
def test_a_cut_stream_shows_no_end(stream: tuple[bytes, ...]) -> None:
    watch = StreamWatch()
    for chunk in stream:
        watch.feed(chunk)
    assert not watch.ended


@pytest.mark.parametrize("stream", [OPENAI_STREAM, ANTHROPIC_STREAM, GEMINI_STREAM])
def test_an_end_marker_is_found_however_the_network_splits_it(stream: tuple[bytes, ...]) -> None:
    watch = StreamWatch()
    for byte in b"".join(stream):
        watch.feed(bytes([byte]))
    assert (watch.ended, watch.doubtful) == (True, False)


def test_a_model_that_talks_about_end_markers_ends_nothing() -> None:
    watch = StreamWatch()
    watch.feed(openai_chunk({"content": 'so "finish_reason": "stop" ends it, and "done": true'}))
    assert not watch.ended


@pytest.mark.parametrize(
    "chunk",
    [
        event({"error": {"message": "overloaded"}}),
        event({"type": "error", "error": {"type": "overloaded_error"}}),
        openai_chunk({}, "content_filter"),
        openai_chunk({}, "error"),
        b'data: {"choices": [{"del\n\n',
    ],
)
def test_what_is_no_ordinary_end_is_doubtful(chunk: bytes) -> None:
    watch = StreamWatch()
    watch.feed(chunk)
    assert watch.doubtful


async def test_one_pool_serves_every_client_and_closes_with_the_adapter() -> None:
    provider = FakeProvider(lambda _: httpx.Response(200))
    pool = ClientPool(provider)
    key = ClientKey(Style.OPENAI, "http://provider.invalid/v1", "made-up")
    client = pool.client(key)
    assert pool.client(key) is client
    await client.close()
    assert not provider.shut
    await pool.aclose()
    assert provider.shut


def test_a_client_key_never_prints_its_credential() -> None:
    assert "made-up" not in repr(ClientKey(Style.OPENAI, "http://provider.invalid", "made-up"))


@pytest.mark.parametrize(
    ("provider", "style"),
    [
        ("openai", Style.OPENAI),
        ("azure", Style.AZURE),
        ("anthropic", Style.HANDLER),
        ("unheard", Style.HANDLER),
    ],
)
def test_each_provider_gets_the_client_that_litellm_takes_for_it(provider: str, style: Style) -> None:
    assert style_of(provider) is style
