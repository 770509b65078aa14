"""Theme C: streaming.

Every issue of this theme has a test here. 28216 is tested as far as it applies: a streamed answer of the
Responses API is not offered, and says so, instead of being offered without failover.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from failover import AllTargetsFailedError, Router, StreamInterruptedError
from failover.adapters.loading import load_litellm
from failover.core.failures import FailureKind
from failover.core.vocabulary import Usage
from tests.edge.fake_wire import OPENAI_STREAM, STREAM, event, refusal, streamed
from tests.edge.scripted import (
    CUT,
    HELLO,
    Piece,
    Said,
    ScriptedAdapter,
    answers,
    config,
    fails,
    heard,
    in_virtual_time,
    router,
    stop,
    streams,
)
from tests.pains.wire import QUIET, Silence, hosts, wired

pytestmark = QUIET
WHOLE = streams("hi", stop(Usage(1000, 100)))
RESET = httpx.ReadError("connection reset")
FIRST = OPENAI_STREAM[0]
BREAKS = {
    "cut": lambda: streamed(FIRST, RESET),
    "ended early": lambda: streamed(FIRST),
    "stalled": lambda: httpx.Response(200, headers=STREAM, stream=Silence(FIRST)),
    "one bad chunk": lambda: streamed(FIRST, event(b'{"choices": [{"del'), *OPENAI_STREAM[1:]),
    "an error in the stream": lambda: streamed(FIRST, event({"error": {"message": "no", "code": 500}})),
}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch) -> None:
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)


async def texts(service: Router, **options: Any) -> tuple[list[str], Any]:
    """The texts of a stream over the real litellm, a restart as `clear`, and the story."""
    stream = await service.acompletion("chat", HELLO, stream=True, **options)
    said = [
        "clear" if hasattr(chunk, "failover") else chunk.choices[0].delta.content or ""
        async for chunk in stream
    ]
    return [text for text in said if text], stream.failover


async def read_reasons(stream: Any, reasons: set[Any]) -> None:
    """Read to the end, and note why each chunk says that the answer ended."""
    async for chunk in stream:
        reasons.add(chunk.choices[0].finish_reason)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: refusal(503),
        lambda: streamed(RESET),
        streamed,
        lambda: httpx.ConnectError("refused"),
    ],
    ids=["refused", "cut before the first chunk", "empty", "no connection"],
)
async def test_a_stream_that_fails_before_its_first_word_is_served_by_the_next(broken):
    """BerriAI/litellm 1226, 5512, 6532, 6957: nobody has anything to lose yet."""
    service, _ = wired({"gpt": broken, "claude": lambda: streamed(*OPENAI_STREAM)})
    async with service:
        said, story = await texts(service)
    assert (said, story.target) == (["he", "llo"], "claude")


async def test_a_provider_that_litellm_asks_only_for_the_first_chunk_falls_back_too():
    """BerriAI/litellm 26067: for Gemini litellm sends when the stream is first read."""
    models = {"gemini": "gemini/gemini-2.5-flash"}
    service, provider = wired(
        {"gemini": lambda: refusal(503), "gpt": lambda: streamed(*OPENAI_STREAM)}, models
    )
    async with service:
        assert (await texts(service))[0] == ["he", "llo"]
    assert hosts(provider)[-1] == "gpt"


@pytest.mark.parametrize("broken", BREAKS)
async def test_a_stream_that_breaks_in_the_middle_reaches_the_fallback(broken):
    """BerriAI/litellm 40404: with `restart` the caller is told to clear, and gets a whole answer."""
    served = {"gpt": BREAKS[broken], "claude": lambda: streamed(*OPENAI_STREAM)}
    service, provider = wired(served, stream_recovery="restart", idle_s=0.3)
    async with service:
        said, story = await texts(service)
    assert (said, story.target) == (["he", "clear", "he", "llo"], "claude")
    assert hosts(provider) == ["gpt", "claude"]


@pytest.mark.parametrize("broken", BREAKS)
async def test_a_stream_that_breaks_in_the_middle_never_passes_for_whole(broken):
    """BerriAI/litellm 40404, 39462: without recovery an error with the text so far, and no made-up "stop"."""
    service, _ = wired({"gpt": BREAKS[broken]}, idle_s=0.3)
    reasons: set[Any] = set()
    async with service:
        stream = await service.acompletion("chat", HELLO, stream=True)
        with pytest.raises(StreamInterruptedError) as raised:
            await read_reasons(stream, reasons)
    assert raised.value.partial_text == "he"
    assert reasons == {None}


@pytest.mark.parametrize("recovery", ["restart", "resume", "fail"])
@in_virtual_time
async def test_who_allows_one_attempt_gets_one_also_in_the_middle_of_a_stream(recovery):
    """BerriAI/litellm 19077, 19078: fallbacks that are switched off stay off after the first token."""
    adapter = ScriptedAdapter(gpt=streams("he", CUT), claude=WHOLE)
    service = router(adapter, "gpt", "claude", attempts=1, stream_recovery=recovery)
    stream = await service.acompletion("chat", HELLO, stream=True)
    with pytest.raises(StreamInterruptedError):
        _ = [chunk async for chunk in stream]
    assert adapter.asked() == ["gpt"]


@pytest.mark.parametrize("kind", sorted(set(FailureKind) - {FailureKind.CANCELLED}))
@in_virtual_time
async def test_a_stream_falls_back_exactly_where_a_whole_reply_does(kind):
    """BerriAI/litellm 25843, 19077: one set of rules, for every kind of failure."""
    asked, errors = [], []
    for stream in (False, True):
        adapter = ScriptedAdapter(gpt=fails(kind), claude=fails(kind))
        with pytest.raises(Exception) as raised:  # noqa: PT011  which one is what is compared
            await router(adapter, "gpt", "claude").acompletion("chat", HELLO, stream=stream)
        asked.append(adapter.asked())
        errors.append(type(raised.value))
    assert asked[0] == asked[1]
    assert errors[0] is errors[1]


@in_virtual_time
async def test_the_responses_api_fails_over_whole_and_streamed():
    """BerriAI/litellm 28216: no way of asking goes past the loop."""
    adapter = ScriptedAdapter(
        gpt=fails(FailureKind.OVERLOADED), claude=[answers("hi"), streams("he", "llo", stop())]
    )
    service = router(adapter, "gpt", "claude")
    assert (await service.aresponses("chat", "hello")).failover.target == "claude"
    stream = await service.aresponses("chat", "hello", stream=True)
    assert [getattr(chunk, "text", chunk) async for chunk in stream] == ["he", "llo", "stop"]
    assert stream.failover.target == "claude"


@in_virtual_time
async def test_a_provider_of_ones_own_falls_back_while_streaming():
    """BerriAI/litellm 10972: a plain function that streams is a target like any other."""

    async def broken(**_: Any) -> AsyncIterator[str]:
        raise ConnectionResetError
        yield ""

    async def sound(**_: Any) -> AsyncIterator[str]:
        for word in ("he", "llo"):
            yield word

    functions = {"broken": broken, "sound": sound}
    service = Router.from_dict(config(*functions, callables=list(functions)), callables=functions)
    stream = await service.acompletion("chat", HELLO, stream=True)
    assert [chunk async for chunk in stream] == ["he", "llo"]
    assert stream.failover.attempts[0].failure == "connection"


@in_virtual_time
async def test_tokens_of_a_broken_stream_are_billed():
    """BerriAI/litellm 39462: what came before the break was used, and is in the story's cost."""
    counted = Piece(Said("he"), has_token=True, text="he", usage=Usage(1000, 50))
    adapter = ScriptedAdapter(gpt=streams(counted, CUT), claude=WHOLE)
    service = router(adapter, "gpt", "claude", stream_recovery="restart")
    stream = await service.acompletion("chat", HELLO, stream=True)
    _ = [chunk async for chunk in stream]
    broken, whole = stream.failover.attempts
    assert (broken.cost_nusd, whole.cost_nusd) == (2_500_000, 3_000_000)
    assert stream.failover.cost_usd == pytest.approx(0.0055)


async def stream_of(chunks: int) -> tuple[int, int]:
    """How many functions are called, and how many events told, for a stream of so many chunks."""
    service = router(ScriptedAdapter(gpt=streams(*["he"] * chunks, stop())), "gpt")
    events, calls = heard(service), 0

    def count(_frame: Any, what: str, _argument: Any) -> None:
        nonlocal calls
        calls += what == "call"

    stream = await service.acompletion("chat", HELLO, stream=True)
    sys.setprofile(count)
    try:
        _ = [chunk async for chunk in stream]
    finally:
        sys.setprofile(None)
    return calls, len(events)


@in_virtual_time
async def test_a_chunk_costs_a_handful_of_function_calls_and_no_event():
    """BerriAI/litellm 13505, onyx 14937: the work of a stream is that of its provider's client."""
    (few, told), (many, told_of_many) = await stream_of(100), await stream_of(600)
    assert (many - few) / 500 <= 40
    assert told == told_of_many


@in_virtual_time
async def test_when_nobody_can_begin_a_stream_that_is_an_error_at_once():
    """BerriAI/litellm 1226, 6532: it is raised where the stream is asked for, before any chunk."""
    service = router(ScriptedAdapter(gpt=fails(FailureKind.OVERLOADED)), "gpt")
    with pytest.raises(AllTargetsFailedError):
        await service.acompletion("chat", HELLO, stream=True)
