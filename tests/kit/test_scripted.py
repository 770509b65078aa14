"""Targets that answer as told, beneath the router that ships."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from failover import (
    AllTargetsFailedError,
    ConfigError,
    LocalError,
    RequestRejectedError,
    StreamInterruptedError,
)
from failover.core.failures import FailureKind
from failover.testing import (
    answer,
    error,
    hang,
    raw,
    refused,
    reset,
    run_virtual,
    scripted_router,
    stream,
)
from failover.testing.scripts import WORDED
from failover.testing.virtual import on_virtual_time
from tests.drills.worlds import LITELLM_WARNS

pytestmark = LITELLM_WARNS

HELLO = [{"role": "user", "content": "Hello"}]
MODELS = {
    "gpt": "openai/gpt-5.6-luna",
    "claude": "anthropic/claude-sonnet-5",
    "gemini": "gemini/gemini-3-flash",
    "mistral": "mistral/mistral-large-2512",
    "llama": "ollama_chat/llama4",
    "groq": "groq/llama-4-scout",
}


def config(*chain: str, **policy: Any) -> dict[str, Any]:
    """One route, `chat`; names without a model are plain functions."""
    models = {name: MODELS[name] for name in chain if name in MODELS}
    providers = {model.partition("/")[0] for model in models.values()}
    return {
        "providers": {name: {"credential": f"env:{name.upper()}_KEY"} for name in providers},
        "targets": {
            name: {"provider": models[name].partition("/")[0], "model": models[name]}
            if name in models
            else {}
            for name in chain
        },
        "routes": {"chat": {"chain": list(chain), "policy": {"deadline_s": 30, **policy}}},
    }


async def whole(scripts, *chain, **policy):
    """The text of one answer, and the router that gave it."""
    async with scripted_router(config(*chain, **policy), scripts) as router:
        reply = await router.acompletion("chat", HELLO)
    return reply.choices[0].message.content, router


async def streamed(scripts, *chain, **policy):
    """What came when, the last one with the error that ended it, if one did."""
    came = []
    async with scripted_router(config(*chain, **policy), scripts) as router:
        try:
            async for chunk in await router.acompletion("chat", HELLO, stream=True):
                text = chunk.choices[0].delta.content if chunk.choices else None
                if text:
                    came.append((round(router.now_s, 3), text))
        except StreamInterruptedError as broken:
            came.append((round(router.now_s, 3), broken.partial_text + " |"))
    return came


@pytest.mark.parametrize("target", MODELS)
def test_every_dialect_says_what_it_is_told_after_its_time(target) -> None:
    text, router = run_virtual(whole({target: answer("Oil it.", after_s=0.7)}, target))
    assert text == "Oil it."
    assert [event.at_s for event in router.told("call_ended")] == [0.7]


@pytest.mark.parametrize("target", MODELS)
def test_every_dialect_streams_in_the_parts_that_it_is_told(target) -> None:
    told = stream("Oil ", "it", " now.", after_s=1.0, gap_s=0.5)
    assert run_virtual(streamed({target: told}, target)) == [(1.0, "Oil "), (1.5, "it"), (2.0, " now.")]


@pytest.mark.parametrize("target", MODELS)
def test_every_dialect_breaks_off_where_it_is_told(target) -> None:
    came = run_virtual(streamed({target: stream("Oil ", "it", gap_s=0.5, then="cut")}, target))
    assert came == [(0.0, "Oil "), (0.5, "it"), (0.5, "Oil it |")]


def test_a_stream_that_stalls_is_silent_until_the_policy_gives_it_up() -> None:
    came = run_virtual(streamed({"gpt": stream("Oil", then="stall")}, "gpt", idle_s=4))
    assert came == [(0.0, "Oil"), (4.0, "Oil |")]


def test_a_stream_that_breaks_before_its_first_token_is_answered_by_the_next_target() -> None:
    scripts = {"gpt": stream(then="cut"), "claude": answer("Good day.")}
    assert run_virtual(streamed(scripts, "gpt", "claude")) == [(0.0, "Good day.")]


def test_parts_come_together_where_no_stream_was_asked_for() -> None:
    text, router = run_virtual(whole({"gpt": stream("Oil ", "it.", after_s=1.0, gap_s=0.5)}, "gpt"))
    assert text == "Oil it."
    assert router.told("call_ended")[0].at_s == 1.5


@pytest.mark.parametrize(("line", "failure"), [(stream("a", then="cut"), "connection"), (hang(), "timeout")])
def test_what_breaks_or_is_silent_is_answered_by_the_next_target(line, failure) -> None:
    text, router = run_virtual(
        whole({"gpt": line, "claude": answer("Good day.")}, "gpt", "claude", attempt_s=5)
    )
    assert text == "Good day."
    assert router.told("attempt_ended")[0].failure == failure


def test_lines_are_used_one_after_another_and_the_last_again_and_again() -> None:
    async def asks() -> list[str]:
        scripts = {"gpt": [answer("one"), answer("two")]}
        async with scripted_router(config("gpt"), scripts) as router:
            replies = [await router.acompletion("chat", HELLO) for _ in range(4)]
        return [reply.choices[0].message.content for reply in replies]

    assert run_virtual(asks()) == ["one", "two", "two", "two"]


def test_a_function_of_the_request_is_a_script() -> None:
    def echo(request):
        return answer(request.arguments["messages"][-1]["content"].upper())

    assert run_virtual(whole({"claude": echo}, "claude"))[0] == "HELLO"


def test_what_reached_a_target_is_told_with_its_time_and_its_words_on_the_wire() -> None:
    _, router = run_virtual(whole({"gpt": error(503, after_s=2.0), "claude": answer()}, "gpt", "claude"))
    [to_gpt], [to_claude] = router.requests_to("gpt"), router.requests_to("claude")
    assert (to_gpt.at_s, to_claude.at_s) == (0.0, 2.0)
    assert to_gpt.arguments == to_claude.arguments == {"messages": HELLO}
    assert to_claude.body["model"] == "claude-sonnet-5"
    assert router.requests == [to_gpt, to_claude]
    with pytest.raises(KeyError, match="no target is named 'gtp'"):
        router.requests_to("gtp")


EXPECTED = {
    400: FailureKind.BAD_REQUEST,
    401: FailureKind.UNAUTHORIZED,
    402: FailureKind.QUOTA_EXHAUSTED,
    403: FailureKind.UNAUTHORIZED,
    404: FailureKind.MODEL_GONE,
    413: FailureKind.REQUEST_TOO_LARGE,
    429: FailureKind.RATE_LIMITED,
    500: FailureKind.SERVER_ERROR,
    502: FailureKind.SERVER_ERROR,
    503: FailureKind.OVERLOADED,
    504: FailureKind.SERVER_ERROR,
    529: FailureKind.OVERLOADED,
}


@pytest.mark.parametrize("status", EXPECTED)
@pytest.mark.parametrize("target", ["gpt", "claude", "gemini", "mistral"])
def test_an_error_is_taken_for_what_it_is_in_every_providers_words(target, status) -> None:
    async def asks() -> FailureKind:
        async with scripted_router(config(target, attempts=1), {target: error(status)}) as router:
            with pytest.raises((AllTargetsFailedError, RequestRejectedError)) as raised:
                await router.acompletion("chat", HELLO)
        return raised.value.failures[0][1].kind

    assert run_virtual(asks()) == EXPECTED[status]


def test_every_status_with_words_is_tried_above() -> None:
    assert set(EXPECTED) <= WORDED


def test_a_target_that_says_when_to_come_back_is_left_alone_until_then() -> None:
    async def asks() -> list[float]:
        scripts = {"gpt": error(429, retry_after_s=20), "claude": answer()}
        async with scripted_router(config("gpt", "claude"), scripts) as router:
            for at_s in (0, 10, 30):
                await router.until(at_s)
                await router.acompletion("chat", HELLO)
        return [request.at_s for request in router.requests_to("gpt")]

    assert run_virtual(asks()) == [0, 30]


def test_an_error_may_have_words_and_headers_of_its_own() -> None:
    body = {"error": {"message": "It is too long.", "code": "context_length_exceeded"}}
    line = error(400, body=body, headers={"X-Should-Retry": "false"})
    with pytest.raises(RequestRejectedError) as raised:
        run_virtual(whole({"gpt": line}, "gpt"))
    assert raised.value.failures[0][1].kind is FailureKind.CONTEXT_LENGTH


def test_any_response_can_be_given_in_the_providers_own_json() -> None:
    async def embeds() -> Any:
        data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
        body = {
            "object": "list",
            "model": "m",
            "data": data,
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        }
        async with scripted_router(config("gpt"), {"gpt": raw(body)}) as router:
            return await router.aembedding("chat", input=["Hello"])

    assert run_virtual(embeds()).data[0]["embedding"] == [0.5]


@pytest.mark.parametrize("body", ["<html>maintenance</html>", b"\x00"])
def test_a_response_that_is_no_answer_is_taken_for_none(body) -> None:
    scripts = {"gpt": raw(body), "claude": answer("Good day.")}
    assert run_virtual(whole(scripts, "gpt", "claude"))[0] == "Good day."


@pytest.mark.parametrize(
    "line",
    [answer("from gpt"), refused(), reset(), error(503), ZeroDivisionError("mine")],
    ids=["answer", "refused", "reset", "error", "exception"],
)
def test_the_same_script_serves_a_model_and_a_plain_function(line) -> None:
    """An exception of one's own is our own bug to the router, and nobody else is asked."""

    async def asks(first: str) -> tuple[Any, ...]:
        async with scripted_router(config(first, "backup"), {first: line, "backup": answer(5)}) as router:
            if isinstance(line, ZeroDivisionError) and first == "plain":
                with pytest.raises(LocalError) as raised:
                    await router.acall("chat", text="Hello")
                return (repr(raised.value.__cause__),)
            reply = await router.acall("chat", text="Hello")
        return reply.value, reply.failover.target

    served = run_virtual(asks("plain"))
    if isinstance(line, ZeroDivisionError):
        assert served == ("ZeroDivisionError('mine')",)
    else:
        assert served == (("from gpt", "plain") if line == answer("from gpt") else (5, "backup"))


def test_a_plain_function_streams_its_parts_and_breaks_off() -> None:
    came: list[Any] = []

    async def reads() -> None:
        scripts = {"plain": stream("a", "b", after_s=0.5, gap_s=1.0, then="cut")}
        async with scripted_router(config("plain"), scripts) as router:
            async for part in await router.acompletion("chat", HELLO, stream=True):
                came.append((part, router.now_s))  # noqa: PERF401  # what came before the break counts

    with pytest.raises(StreamInterruptedError):
        run_virtual(reads())
    assert came == [("a", 0.5), ("b", 1.5)]


def test_a_plain_function_that_stalls_is_given_up() -> None:
    async def reads() -> float:
        scripts = {"plain": stream("a", then="stall"), "backup": answer()}
        async with scripted_router(config("plain", "backup", idle_s=4), scripts) as router:
            with pytest.raises(StreamInterruptedError):
                await _read(await router.acompletion("chat", HELLO, stream=True))
            return router.now_s

    assert run_virtual(reads()) == 4.0


async def _read(chunks) -> list[Any]:
    return [chunk async for chunk in chunks]


def test_functions_that_are_handed_over_stay_real() -> None:
    async def real(text: str) -> str:
        return text.upper()

    async def asks() -> Any:
        scripts = {"plain": error(503)}
        async with scripted_router(config("plain", "real"), scripts, callables={"real": real}) as router:
            return (await router.acall("chat", text="Hello")).value

    assert run_virtual(asks()) == "HELLO"


@pytest.mark.parametrize("target", ["gpt", "plain"])
def test_who_is_asked_without_a_script_says_so(target) -> None:
    async def asks() -> None:
        async with scripted_router(config(target), {}) as router:
            await (router.acompletion("chat", HELLO) if target == "gpt" else router.acall("chat", text="x"))

    with pytest.raises(LocalError) as raised:
        run_virtual(asks())
    assert f"target {target} was asked, and has no script" in str(raised.value.__cause__)


def test_a_chat_line_for_another_operation_says_what_to_use() -> None:
    async def embeds() -> None:
        async with scripted_router(config("gpt"), {"gpt": answer()}) as router:
            await router.aembedding("chat", input=["Hello"])

    with pytest.raises(LocalError) as raised:
        run_virtual(embeds())
    assert "use raw(…)" in str(raised.value.__cause__)


def test_a_script_of_nobody_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="gtp: no target is named so; did you mean 'gpt'"):
        scripted_router(config("gpt"), {"gtp": answer()})


def test_what_cannot_be_played_to_is_refused() -> None:
    plain = {
        "providers": {"bedrock": {}},
        "targets": {"nova": {"provider": "bedrock", "model": "bedrock/nova"}},
        "routes": {"chat": {"chain": ["nova"]}},
    }
    with pytest.raises(ConfigError, match="cannot be played to"):
        scripted_router(plain, {"nova": answer()})


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda: error(200),
        lambda: error(418),
        lambda: stream("a", then="later"),
        lambda: scripted_router(config("gpt"), {"gpt": []}),
    ],
    ids=["no error", "no words", "no such end", "an empty script"],
)
def test_nonsense_is_refused_where_it_is_written(nonsense) -> None:
    with pytest.raises(ValueError, match=r"no error|no provider's words|a stream can|empty"):
        nonsense()


def test_threads_use_a_scripted_router_in_real_time() -> None:
    with scripted_router(config("gpt"), {"gpt": answer("Good day.")}) as router:
        assert router.completion("chat", HELLO).choices[0].message.content == "Good day."
    assert router.requests_to("gpt")[0].at_s >= 0.0


def test_real_time_is_not_waited_for_by_mistake() -> None:
    async def waits() -> None:
        assert not on_virtual_time()
        async with scripted_router(config("plain"), {"plain": answer()}) as router:
            await router.until(3600)

    with pytest.raises(RuntimeError, match="needs virtual time"):
        asyncio.run(waits())
