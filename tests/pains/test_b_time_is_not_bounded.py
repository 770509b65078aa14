"""Theme B: time is not bounded.

Every issue of this theme has a test here. 30836 is about a route of a proxy; here it is every operation.
"""

from __future__ import annotations

import asyncio

import httpx
import pytest

from failover import AllTargetsFailedError, CallError, DeadlineExceededError, Router, StreamInterruptedError
from failover.adapters.loading import load_litellm
from failover.core.failures import FailureKind, Phase
from failover.errors import NoEligibleTargetError
from tests.edge.fake_wire import OPENAI_STREAM, STREAM, refusal, whole_answer
from tests.edge.scripted import (
    FOR_EVER_S,
    HELLO,
    ROLE,
    ScriptedAdapter,
    answers,
    config,
    fails,
    hangs,
    heard,
    in_flight,
    in_virtual_time,
    named,
    paced,
    router,
    stop,
    streams,
)
from tests.pains.wire import QUIET, Silence, hosts, wired

pytestmark = QUIET
OPERATIONS = {
    "completion": (HELLO,),
    "embedding": ("a text",),
    "responses": ("a question",),
    "image_generation": ("a picture",),
    "transcription": (b"a recording",),
    "speech": ("a text", "a voice"),
    "rerank": ("a query", ["a document"]),
    "moderation": ("a text",),
}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)


def now_s() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("operation", OPERATIONS)
@in_virtual_time
async def test_a_call_that_hangs_ends_at_its_deadline_whatever_it_asks_for(operation):
    """BerriAI/litellm 7870, 15659, 30836: the limit is held outside of whoever sends."""
    service = router(ScriptedAdapter(gpt=hangs(), claude=hangs()), "gpt", "claude", deadline_s=7)
    with pytest.raises(CallError):
        await getattr(service, f"a{operation}")("chat", *OPERATIONS[operation])
    assert now_s() <= 7.0


@in_virtual_time
async def test_without_any_setting_a_call_ends_within_a_minute():
    """BerriAI/litellm 15659, 1271: there is a default, and it is no hundred minutes."""
    service = router(ScriptedAdapter(gpt=hangs(), claude=hangs()), "gpt", "claude")
    with pytest.raises(CallError):
        await service.acompletion("chat", HELLO)
    assert now_s() <= 60.0


@in_virtual_time
async def test_a_target_that_hangs_leaves_time_for_the_next():
    """BerriAI/litellm 1271, 1583: killed after its limit, then the fallback, all within the deadline."""
    adapter = ScriptedAdapter(gpt=hangs(), claude=answers())
    reply = await router(adapter, "gpt", "claude", attempt_s=3).acompletion("chat", HELLO)
    assert (reply.failover.target, now_s(), adapter.running) == ("claude", 3.0, 0)


@in_virtual_time
async def test_the_limit_in_force_is_the_one_the_route_names_and_is_told():
    """BerriAI/litellm 7001: one place to set it, a call's own deadline above it, and nothing resets it."""
    service = router(ScriptedAdapter(gpt=answers(after_s=1.0)), "gpt", attempt_s=3, deadline_s=9)
    events = heard(service)
    for deadline_s in (None, 2.0, None):
        await service.acompletion("chat", HELLO, deadline_s=deadline_s)
    assert [each.total_limit_s for each in named(events, "attempt_started")] == [3.0, 2.0, 3.0]


@pytest.mark.parametrize("model", ["openai/gpt", "anthropic/claude-sonnet-5", "gemini/gemini-2.5-flash"])
async def test_a_silent_stream_is_given_up_whichever_provider_it_comes_from(model):
    """BerriAI/litellm 7870, 5859, 17991: the first token has a limit of its own, for everybody."""
    # litellm imports much at a provider's first call: the limit is for one that comes after it.
    answers_of = [refusal(400), httpx.Response(200, headers=STREAM, stream=Silence())]
    service, _ = wired({"mute": lambda: answers_of.pop(0)}, {"mute": model}, first_token_s=0.5, attempts=1)
    async with service:
        with pytest.raises(CallError):
            await service.acompletion("chat", HELLO)
        with pytest.raises(AllTargetsFailedError) as raised:
            await service.acompletion("chat", HELLO, stream=True)
    assert [failure.phase for _, failure in raised.value.failures] == [Phase.FIRST_TOKEN]


@in_virtual_time
async def test_a_first_token_that_is_late_falls_back():
    """BerriAI/litellm 5859, 17991: the role chunk that comes at once is no token."""
    late = paced((0.0, ROLE), (FOR_EVER_S, "he"))
    adapter = ScriptedAdapter(gpt=late, claude=streams("hi", stop()))
    service = router(adapter, "gpt", "claude", first_token_s=2)
    stream = await service.acompletion("chat", HELLO, stream=True)
    assert [chunk async for chunk in stream][-1] == "stop"
    assert (stream.failover.target, now_s()) == ("claude", 2.0)


async def test_a_stream_that_stalls_does_not_end_as_if_it_were_whole():
    """BerriAI/litellm 39898: over the real litellm, too, it is an error that holds what came."""
    stalled = lambda: httpx.Response(200, headers=STREAM, stream=Silence(OPENAI_STREAM[0]))  # noqa: E731  a server
    service, _ = wired({"gpt": stalled}, idle_s=0.3)
    async with service:
        stream = await service.acompletion("chat", HELLO, stream=True)
        with pytest.raises(StreamInterruptedError) as raised:
            _ = [chunk async for chunk in stream]
    assert raised.value.partial_text == "he"
    assert raised.value.failures[0][1].phase is Phase.IDLE


async def test_no_sdk_sleeps_before_the_fallback():
    """BerriAI/litellm 3274: a limit with a hint of 47 s is answered by the next target, not by a nap."""
    service, provider = wired(
        {"groq": lambda: refusal(429, retry_after="47"), "gpt": whole_answer}, deadline_s=30
    )
    async with service:
        assert (await service.acompletion("chat", HELLO)).failover.target == "gpt"
    assert hosts(provider) == ["groq", "gpt"]


@in_virtual_time
async def test_nobody_sleeps_past_the_deadline():
    """BerriAI/litellm 3274, 1583: where no target is back in time, that is said at once."""
    adapter = ScriptedAdapter(gpt=fails(FailureKind.RATE_LIMITED, retry_after_s=47.0))
    service = router(adapter, "gpt", deadline_s=30)
    for error in (AllTargetsFailedError, NoEligibleTargetError):
        with pytest.raises(error) as raised:
            await service.acompletion("chat", HELLO)
        assert raised.value.retry_after_s == 47.0
    assert now_s() == 0.0


@in_virtual_time
async def test_a_timeout_of_two_seconds_is_two_seconds_and_the_next_call_is_sound():
    """Agent-Field/agentfield 384: neither the limit nor a cancelled call leaves anything that blocks."""
    adapter = ScriptedAdapter(gpt=[hangs(), hangs(), answers()])
    service = router(adapter, "gpt")
    with pytest.raises(DeadlineExceededError):
        await service.acompletion("chat", HELLO, deadline_s=2)
    assert now_s() == 2.0
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(service.acompletion("chat", HELLO), 1)
    assert (await service.acompletion("chat", HELLO)).text == "hello"
    assert (now_s(), adapter.running, in_flight(service)) == (3.0, 0, {})


@in_virtual_time
async def test_a_route_that_was_silent_is_not_asked_again():
    """openai/openai-python 3828: a read timeout costs its limit once, not three times."""
    adapter = ScriptedAdapter(gpt=hangs())
    with pytest.raises(AllTargetsFailedError):
        await router(adapter, "gpt", attempt_s=5).acompletion("chat", HELLO)
    assert (len(adapter.sent), now_s()) == (1, 5.0)


@in_virtual_time
async def test_a_plain_function_that_hangs_is_limited_as_well():
    """BerriAI/litellm 7870: the limits know no providers."""

    async def search() -> None:
        await asyncio.sleep(FOR_EVER_S)

    service = Router.from_dict(
        config("search", callables=["search"], deadline_s=4), callables={"search": search}, clock=now_s
    )
    with pytest.raises(CallError):
        await service.acall("chat")
    assert now_s() == 4.0
