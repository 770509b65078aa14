"""The sixteen scenarios of failoverbench, over a loopback provider of our own.

The list of scenarios is that of failoverbench/failoverbench (harness MIT, results CC BY 4.0), methodology
v0.1; what plays and judges them here is our own. Seconds are the benchmark's, on a clock that runs
`fast_time.SPEED` times as fast. A scenario is passed when the caller ends with the complete answer exactly
once, or, where the benchmark calls that ideal (S13), with an honest error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from failover import RequestRejectedError, Router, StreamInterruptedError
from failover.adapters.loading import load_litellm
from tests.edge.fast_time import in_fast_time, skip
from tests.edge.loopback_provider import (
    ANSWER,
    TOKENS_IN,
    WORDS,
    Break,
    Conduct,
    Received,
    answers,
    breaks,
    hangs,
    refuses,
    resets,
    served,
    warm_up,
)
from tests.edge.scripted import HELLO, heard, in_flight, named

# pydantic's, on litellm's own types and litellm's own use of them.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*ReadOnly:UserWarning", "ignore:Accessing the 'model_:DeprecationWarning"
)

DOWN = refuses(503)
FORTY = "".join(WORDS[:40])
BUDGET_S = 100.0
TORN = [Break.RESET, Break.CLOSED, Break.ENDED, Break.ERROR]
RESCUES: list[dict[str, str]] = [
    {"delivery": "whole"},
    {"stream_recovery": "restart"},
    {"stream_recovery": "resume"},
]
"""The policies a user would set who wants broken streams to be saved."""
TAKES_PREFILL = {"fallback": {"capabilities": {"prefill": True}}}
OFFERED = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
UNSOUND_CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"of": '}}


@pytest.fixture(scope="module", autouse=True)
def silent_litellm() -> Iterator[None]:
    """litellm does not print, and has loaded whatever it loads late before any clock runs fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_litellm(), "suppress_debug_info", True)
        asyncio.run(warm_up())
        yield


def name_of(value: Any) -> str:
    return value.name.lower() if isinstance(value, Break) else "-".join(value.values())


async def whole(service: Router, **options: Any) -> Any:
    """A reply asked for whole, which must be the complete answer."""
    reply = await service.acompletion("chat", HELLO, **options)
    assert reply.choices[0].message.content == ANSWER
    return reply


async def text_of(stream: Any) -> str:
    """What a caller has in the end who reads as the documentation says: a restart mark means clear."""
    text = ""
    async for chunk in stream:
        if getattr(chunk, "failover", None) is not None:
            text = ""
        elif chunk.choices:
            text += chunk.choices[0].delta.content or ""
    return text


async def streamed(service: Router, **options: Any) -> Any:
    """The same as a stream."""
    stream = await service.acompletion("chat", HELLO, stream=True, **options)
    assert await text_of(stream) == ANSWER
    return stream


ASKED = pytest.mark.parametrize("asked", [whole, streamed], ids=["whole", "streamed"])


def story(reply: Any) -> list[tuple[str, str | None]]:
    """Who was asked, and what came of it."""
    return [(each.target, each.failure) for each in reply.failover.attempts]


def expected_nusd(*requests: Received) -> int:
    """What the provider would bill for what it wrote, at `PRICES`: nano-dollars."""
    return sum(TOKENS_IN * 2000 + each.sent * 10_000 for each in requests if each.sent)


# S01


@ASKED
@in_fast_time
async def test_s01_a_429_is_answered_by_the_fallback_and_its_two_seconds_are_kept(asked):
    script = [refuses(429, Retry_After="2"), answers()]
    async with served({"primary": script, "fallback": answers()}) as both:
        events = heard(both.router)
        assert story(await asked(both.router)) == [("primary", "rate_limited"), ("fallback", None)]
        [cooldown] = named(events, "cooldown_started")
        assert cooldown.until_s - cooldown.at_s == pytest.approx(2.0)
        skip(2.0)
        assert story(await asked(both.router)) == [("primary", None)]


@in_fast_time
async def test_s01_with_nobody_else_the_two_seconds_are_waited():
    async with served({"primary": [refuses(429, Retry_After="2"), answers()]}) as both:
        reply = await whole(both.router)
        first, second = both.provider.received
    assert story(reply) == [("primary", "rate_limited"), ("primary", None)]
    assert second.at_s - first.at_s >= 2.0


# S02


@ASKED
@in_fast_time
async def test_s02_a_lasting_429_costs_one_attempt_and_then_none(asked):
    script = refuses(429, Retry_After="60")
    async with served({"primary": script, "fallback": answers()}) as both:
        assert story(await asked(both.router)) == [("primary", "rate_limited"), ("fallback", None)]
        assert story(await asked(both.router)) == [("fallback", None)]
        assert both.provider.attempts("primary") == 1


# S03


@ASKED
@in_fast_time
async def test_s03_one_500_is_answered_by_the_fallback_and_held_against_nobody(asked):
    async with served({"primary": [refuses(500), answers()], "fallback": answers()}) as both:
        assert story(await asked(both.router)) == [("primary", "server_error"), ("fallback", None)]
        assert story(await asked(both.router)) == [("primary", None)]


@in_fast_time
async def test_s03_with_nobody_else_one_500_is_asked_again():
    async with served({"primary": [refuses(500), answers()]}) as both:
        assert story(await whole(both.router)) == [("primary", "server_error"), ("primary", None)]


# S04


@ASKED
@in_fast_time
async def test_s04_a_lasting_503_is_answered_by_the_fallback(asked):
    async with served({"primary": DOWN, "fallback": answers()}) as both:
        assert story(await asked(both.router)) == [("primary", "overloaded"), ("fallback", None)]
        assert both.provider.attempts("primary") == 1


# S05


@ASKED
@in_fast_time
async def test_s05_one_reset_is_cured_by_a_new_connection(asked):
    async with served({"primary": [resets(), answers()], "fallback": answers()}) as both:
        assert story(await asked(both.router)) == [("primary", "connection"), ("primary", None)]


@ASKED
@in_fast_time
async def test_s05_a_lasting_reset_is_answered_by_the_fallback(asked):
    async with served({"primary": resets(), "fallback": answers()}) as both:
        reply = await asked(both.router)
        assert story(reply) == [("primary", "connection")] * 2 + [("fallback", None)]


# S06


@in_fast_time
async def test_s06_silence_is_left_at_half_the_deadline_where_no_limit_is_set():
    async with served({"primary": hangs(), "fallback": answers()}, deadline_s=60) as both:
        reply = await whole(both.router)
        await left_by_the_client(both.provider.received[0])
    assert story(reply) == [("primary", "timeout"), ("fallback", None)]
    assert reply.failover.attempts[0].duration_s == pytest.approx(30.0, abs=15.0)
    assert reply.failover.duration_s < BUDGET_S


@pytest.mark.parametrize("policy", [{"attempt_s": 15}, {"first_token_s": 15, "stream_upstream": True}])
@in_fast_time
async def test_s06_silence_is_left_at_the_limit_that_is_set(policy):
    async with served({"primary": hangs(), "fallback": answers()}, deadline_s=BUDGET_S, **policy) as both:
        reply = await whole(both.router)
        await left_by_the_client(both.provider.received[0])
    assert story(reply) == [("primary", "timeout"), ("fallback", None)]


async def left_by_the_client(received: Received) -> None:
    """The provider learns that its client left, though nobody closed the router."""
    async with asyncio.timeout(300):
        while not received.left:  # noqa: ASYNC110  the provider tells it by this fact alone
            await asyncio.sleep(0.03)


# S07


@pytest.mark.parametrize("policy", [{}, {"delivery": "whole"}], ids=["live", "whole"])
@in_fast_time
async def test_s07_who_begins_after_its_limit_for_the_first_token_is_left(policy):
    late = answers(after_s=20)
    async with served(
        {"primary": late, "fallback": answers()}, deadline_s=BUDGET_S, first_token_s=15, **policy
    ) as both:
        stream = await streamed(both.router)
        await left_by_the_client(both.provider.received[0])
    assert story(stream) == [("primary", "timeout"), ("fallback", None)]


@in_fast_time
async def test_s07_the_limit_holds_beneath_a_whole_reply():
    late = answers(after_s=20)
    async with served(
        {"primary": late, "fallback": answers()}, first_token_s=15, stream_upstream=True
    ) as both:
        assert story(await whole(both.router)) == [("primary", "timeout"), ("fallback", None)]


# S08


@pytest.mark.parametrize("policy", RESCUES, ids=name_of)
@pytest.mark.parametrize("how", TORN, ids=name_of)
@in_fast_time
async def test_s08_a_stream_cut_in_the_middle_is_rescued_whole(how, policy):
    async with served({"primary": breaks(how), "fallback": answers()}, facts=TAKES_PREFILL, **policy) as both:
        stream = await streamed(both.router)
    assert story(stream) == [("primary", "truncated_stream"), ("fallback", None)]


@in_fast_time
async def test_s08_who_takes_a_prefill_goes_on_and_says_nothing_twice():
    async with served(
        {"primary": breaks(Break.CLOSED), "fallback": answers()},
        facts=TAKES_PREFILL,
        stream_recovery="resume",
    ) as both:
        await streamed(both.router)
        _, second = both.provider.received
    assert (second.prefill, second.sent) == (FORTY.rstrip(), 1 + 20)  # a space, and the rest


@pytest.mark.parametrize("how", TORN, ids=name_of)
@in_fast_time
async def test_s08_without_recovery_the_caller_is_told_that_it_is_a_part(how):
    async with served({"primary": breaks(how), "fallback": answers()}) as both:
        stream = await both.router.acompletion("chat", HELLO, stream=True)
        with pytest.raises(StreamInterruptedError) as raised:
            await text_of(stream)
        assert both.provider.attempts("fallback") == 0
    partial = raised.value.partial_text
    # A reset also destroys what was on its way.
    assert ANSWER.startswith(partial) if how is Break.RESET else partial == FORTY


@in_fast_time
async def test_s08_a_cut_beneath_a_whole_reply_is_rescued():
    async with served({"primary": breaks(Break.CLOSED), "fallback": answers()}, stream_upstream=True) as both:
        assert story(await whole(both.router)) == [("primary", "truncated_stream"), ("fallback", None)]


# S09


@pytest.mark.parametrize("policy", RESCUES, ids=name_of)
@in_fast_time
async def test_s09_a_stream_that_stalls_is_rescued_at_its_idle_limit(policy):
    async with served(
        {"primary": breaks(Break.STALLED), "fallback": answers()}, facts=TAKES_PREFILL, idle_s=15, **policy
    ) as both:
        stream = await streamed(both.router)
        await left_by_the_client(both.provider.received[0])
    assert story(stream) == [("primary", "timeout"), ("fallback", None)]


@in_fast_time
async def test_s09_without_recovery_a_stall_is_told():
    async with served({"primary": breaks(Break.STALLED), "fallback": answers()}, idle_s=15) as both:
        stream = await both.router.acompletion("chat", HELLO, stream=True)
        with pytest.raises(StreamInterruptedError) as raised:
            await text_of(stream)
    assert raised.value.partial_text == FORTY


# S10


@pytest.mark.parametrize("policy", RESCUES, ids=name_of)
@in_fast_time
async def test_s10_a_chunk_that_is_no_json_never_becomes_a_hole_in_the_answer(policy):
    async with served(
        {"primary": breaks(Break.GARBLED, 20), "fallback": answers()}, facts=TAKES_PREFILL, **policy
    ) as both:
        stream = await streamed(both.router)
    assert story(stream) == [("primary", "truncated_stream"), ("fallback", None)]


# S11


@ASKED
@in_fast_time
async def test_s11_an_answer_that_said_why_it_ended_needs_no_done(asked):
    async with served({"primary": answers(done=False), "fallback": answers()}, stream_upstream=True) as both:
        assert story(await asked(both.router)) == [("primary", None)]


# S12

TOO_LONG = refuses(400, "context_length_exceeded", "maximum context length is 8000 tokens")
WINDOWS = {
    "primary": {"context_window_tokens": 8000},
    "same": {"context_window_tokens": 8000},
    "smaller": {"context_window_tokens": 4000},
    "larger": {"context_window_tokens": 32000},
}


@ASKED
@in_fast_time
async def test_s12_a_prompt_too_long_goes_only_to_a_larger_window(asked):
    scripts = {"primary": TOO_LONG, "same": answers(), "smaller": answers(), "larger": answers()}
    async with served(scripts, facts=WINDOWS) as both:
        assert story(await asked(both.router)) == [("primary", "context_length"), ("larger", None)]
        assert [each.model for each in both.provider.received] == ["primary", "larger"]


@in_fast_time
async def test_s12_with_no_larger_window_the_caller_hears_it_after_one_attempt():
    scripts = {"primary": TOO_LONG, "same": answers(), "smaller": answers()}
    async with served(scripts, facts=WINDOWS) as both:
        with pytest.raises(RequestRejectedError):
            await whole(both.router)
        assert [each.model for each in both.provider.received] == ["primary"]


# S13

REFUSALS = pytest.mark.parametrize(
    "refusal",
    [refuses(400, "content_filter"), answers(words=(), finish_reason="content_filter")],
    ids=["status-400", "finish-reason"],
)


@REFUSALS
@ASKED
@in_fast_time
async def test_s13_a_safety_refusal_is_told_and_not_shopped_around(asked, refusal):
    async with served({"primary": refusal, "fallback": answers()}) as both:
        with pytest.raises(RequestRejectedError, match="content_filter"):
            await asked(both.router)
        assert [each.model for each in both.provider.received] == ["primary"]


@REFUSALS
@ASKED
@in_fast_time
async def test_s13_it_goes_to_the_fallback_where_the_route_says_so(asked, refusal):
    async with served({"primary": refusal, "fallback": answers()}, on_content_filtered="fallback") as both:
        assert story(await asked(both.router)) == [("primary", "content_filtered"), ("fallback", None)]


# S14


@pytest.mark.parametrize("policy", RESCUES, ids=name_of)
@pytest.mark.parametrize("known", [{}, {"capabilities": {"prefill": False}}], ids=["unknown", "known"])
@in_fast_time
async def test_s14_a_fallback_that_refuses_a_prefill_is_not_sent_one(known, policy):
    scripts = {"primary": breaks(Break.CLOSED), "fallback": answers(takes_prefill=False)}
    async with served(scripts, facts={"fallback": known}, **policy) as both:
        stream = await streamed(both.router)
    assert story(stream) == [("primary", "truncated_stream"), ("fallback", None)]


@in_fast_time
async def test_s14_one_that_was_said_to_take_it_and_refuses_is_asked_again_without():
    scripts = {"primary": breaks(Break.CLOSED), "fallback": answers(takes_prefill=False)}
    async with served(scripts, facts=TAKES_PREFILL, stream_recovery="resume") as both:
        await streamed(both.router)
        assert [bool(each.prefill) for each in both.provider.received] == [False, True, False]


# S15


@pytest.mark.parametrize("failures", [1, 2])
@in_fast_time
async def test_s15_twenty_requests_over_a_minutes_outage_meet_the_dead_primary_four_times_at_most(failures):
    """A request every four seconds. With so few of them only a breaker for few failures can see much."""
    began_s = asyncio.get_running_loop().time()

    def flapping(received: Received) -> Conduct:
        return DOWN if received.at_s - began_s < 60.0 else answers()

    async with served(
        {"primary": flapping, "fallback": answers()},
        breaker={"failures": failures, "open_s": 10, "ramp_s": 0},
    ) as both:
        events, servers = heard(both.router), []
        for number in range(20):
            skip(max(0.0, began_s + 4.0 * number - asyncio.get_running_loop().time()))
            servers.append((await whole(both.router)).failover.target)
        dead = [each for each in both.provider.received if each.model == "primary" and each.conduct is DOWN]
        well = [
            each for each in both.provider.received if each.model == "primary" and each.conduct is not DOWN
        ]
    assert len(dead) <= 4
    # The first request after the last open time is served by the primary, and so is every one since.
    [*_, last_opening] = [each for each in named(events, "breaker_changed") if each.state_to == "open"]
    assert last_opening.open_until_s - began_s < 60.0 + 30.0
    assert well[0].at_s - last_opening.open_until_s < 4.0 + 1.0
    assert servers[-len(well) :] == ["primary"] * len(well)


# S16


@in_fast_time
async def test_s16_discarded_attempts_are_in_the_sum():
    unsound = answers(
        message={"content": None, "tool_calls": [UNSOUND_CALL]}, finish_reason="tool_calls", words=WORDS[:25]
    )
    scripts = {"primary": unsound, "second": DOWN, "third": answers()}
    async with served(scripts) as both:
        events = heard(both.router)
        reply = await whole(both.router, tools=[OFFERED])
        assert in_flight(both.router) == {}
        received = both.provider.received
    ended = named(events, "attempt_ended")
    assert [(each.tokens_in, each.tokens_out) for each in ended] == [(10, 25), (0, 0), (10, 60)]
    assert [each.cost_nusd for each in reply.failover.attempts] == [expected_nusd(each) for each in received]
    assert reply.failover.cost_nusd == expected_nusd(*received)


@pytest.mark.parametrize("how", [Break.CLOSED, Break.ENDED, Break.STALLED], ids=name_of)
@in_fast_time
async def test_s16_what_a_broken_stream_said_it_used_is_in_the_sum(how):
    scripts = {"primary": breaks(how, running_usage=True), "fallback": answers()}
    async with served(scripts, stream_recovery="restart", idle_s=15) as both:
        stream = await streamed(both.router)
        received = both.provider.received
    assert [each.sent for each in received] == [40, 60]
    assert stream.failover.cost_nusd == expected_nusd(*received)


@in_fast_time
async def test_s16_what_a_refused_answer_used_is_in_the_sum():
    filtered = answers(finish_reason="content_filter")
    async with served({"primary": filtered, "fallback": answers()}, on_content_filtered="fallback") as both:
        reply = await whole(both.router)
        received = both.provider.received
    assert reply.failover.cost_nusd == expected_nusd(*received)
