"""The facade: replies with their story, events after the fact, errors that say whose fault it is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from failover import (
    AllTargetsFailedError,
    ConfigError,
    DeadlineExceededError,
    NoEligibleTargetError,
    Reply,
    RequestRejectedError,
    Router,
)
from failover.adapters.loading import load_litellm
from failover.core.failures import FailureKind
from failover.core.vocabulary import Usage
from failover.errors import LocalError
from failover.reply import with_record
from tests.edge.scripted import (
    HELLO,
    ScriptedAdapter,
    ScriptedError,
    answers,
    causes,
    config,
    fails,
    hangs,
    heard,
    in_virtual_time,
    router,
)

OVERLOADED = FailureKind.OVERLOADED
SECRET = "tell nobody that the launch is on friday"


@in_virtual_time
async def test_a_reply_tells_its_target_its_attempts_and_its_cost():
    adapter = ScriptedAdapter(
        gpt=fails(OVERLOADED, 1.0, status=503), claude=answers("hi", 2.0, Usage(1000, 100))
    )
    reply = await router(adapter, "gpt", "claude").acompletion("chat", HELLO)
    assert reply.text == "hi"
    story = reply.failover
    assert story.target == "claude"
    assert [(each.target, each.failure, each.duration_s) for each in story.attempts] == [
        ("gpt", "overloaded", 1.0),
        ("claude", None, 2.0),
    ]
    assert story.attempts[0].status == 503
    assert story.cost_usd == pytest.approx(0.003)
    assert story.duration_s == 3.0


@in_virtual_time
async def test_the_callers_arguments_reach_the_target_as_they_came():
    adapter = ScriptedAdapter(gpt=answers())
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    await router(adapter, "gpt").acompletion("chat", HELLO, tools=tools, temperature=0)
    assert adapter.sent[0].payload == {"messages": HELLO, "tools": tools, "temperature": 0}
    assert adapter.sent[0].operation == "completion"


@pytest.mark.filterwarnings("ignore:.*ReadOnly:UserWarning")  # pydantic's, on litellm's own types
def test_a_litellm_reply_dumps_the_same_with_and_without_its_record():
    litellm = load_litellm()
    choices = [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}]
    facts = {"id": "1", "created": 1, "model": "m", "choices": choices, "usage": {"prompt_tokens": 3}}
    bare, reply = litellm.ModelResponse(**facts), litellm.ModelResponse(**facts)
    record = SimpleNamespace(target="gpt")
    assert with_record(reply, record) is reply
    assert reply.failover is record
    assert reply.model_dump() == bare.model_dump()
    assert reply.model_dump_json() == bare.model_dump_json()
    assert reply.json() == bare.json()
    assert reply == bare


@in_virtual_time
async def test_acall_wraps_what_a_coroutine_function_returns():
    async def score(text: str, limit: int) -> list[str]:
        return [text] * limit

    service = Router.from_dict(config("score", callables=["score"]), callables={"score": score})
    reply = await service.acall("chat", text="a", limit=2)
    assert isinstance(reply, Reply)
    assert reply.value == ["a", "a"]
    assert reply.failover.target == "score"


@in_virtual_time
async def test_acall_wraps_what_a_plain_function_returns():
    service = Router.from_dict(
        config("score", callables=["score"]), callables={"score": lambda text: text.upper()}
    )
    assert (await service.acall("chat", text="four")).value == "FOUR"


@in_virtual_time
async def test_acall_falls_back_from_a_function_that_raises():
    def broken() -> None:
        raise ConnectionRefusedError

    service = Router.from_dict(
        config("broken", "sound", callables=["broken", "sound"]),
        callables={"broken": broken, "sound": lambda: "served"},
    )
    reply = await service.acall("chat")
    assert (reply.value, reply.failover.attempts[0].failure) == ("served", "connection")


@in_virtual_time
async def test_a_plain_value_that_answers_a_completion_carries_its_record_too():
    async def complete(messages: list[Any]) -> dict[str, Any]:
        return {"choices": [len(messages)]}

    service = Router.from_dict(config("own", callables=["own"]), callables={"own": complete})
    reply = await service.acompletion("chat", HELLO)
    assert reply.failover.target == "own"


@in_virtual_time
async def test_an_unknown_route_is_refused_naming_those_that_exist():
    service = router(ScriptedAdapter(gpt=answers()), "gpt")
    with pytest.raises(ConfigError, match=r"(?s)'chta'.*the config has: chat"):
        await service.acompletion("chta", HELLO)
    with pytest.raises(ConfigError, match="chat"):
        service.decide("chta")


@in_virtual_time
async def test_a_router_is_built_from_a_file_as_from_a_mapping(tmp_path):
    file = tmp_path / "failover.yaml"
    file.write_text(yaml.safe_dump(config("gpt", "claude")), "utf-8")
    adapter = ScriptedAdapter(gpt=answers(), claude=answers())
    for service in (Router.from_file(file, adapter=adapter), Router.from_dict(config("gpt", "claude"))):
        assert [target.name for target in service.decide("chat").order] == ["gpt", "claude"]


@in_virtual_time
async def test_deciding_sends_nothing_and_learns_nothing():
    adapter = ScriptedAdapter(gpt=answers())
    service = router(adapter, "gpt")
    events, before = heard(service), service.snapshot()
    decision = service.decide("chat", HELLO, max_tokens=5)
    assert (decision.route, decision.strategy) == ("chat", "priority")
    assert (adapter.sent, events, service.snapshot()) == ([], [], before)


@in_virtual_time
async def test_a_snapshot_tells_who_is_away_and_for_how_long():
    adapter = ScriptedAdapter(gpt=fails(OVERLOADED), claude=answers(after_s=2.0))
    service = router(adapter, "gpt", "claude", breaker={"failures": 1, "open_s": 9})
    await service.acompletion("chat", HELLO)
    seen = service.snapshot()
    assert (seen.targets["gpt"].breaker, seen.targets["gpt"].away) == ("open", "breaker_open")
    assert seen.targets["gpt"].away_for_s == 7.0
    assert (seen.targets["claude"].away, seen.targets["claude"].total_s) == (None, 2.0)
    assert seen.targets["claude"].input_usd_per_mtok == 2.0
    assert seen.retry_budgets["chat"] > 0


@pytest.mark.parametrize(
    ("fate", "error"),
    [
        (fails(OVERLOADED, status=503), AllTargetsFailedError),
        (fails(FailureKind.BAD_REQUEST, status=400), RequestRejectedError),
        (fails(FailureKind.LOCAL), LocalError),
    ],
)
@in_virtual_time
async def test_an_error_is_chained_to_the_providers_own(fate, error):
    service = router(ScriptedAdapter(gpt=fate), "gpt")
    with pytest.raises(error) as raised:
        await service.acompletion("chat", HELLO)
    assert isinstance(raised.value.__cause__, ScriptedError)
    assert raised.value.failover.attempts[-1].target == "gpt"
    assert raised.value.route == "chat"


@in_virtual_time
async def test_a_deadline_that_passes_is_told_as_such():
    service = router(ScriptedAdapter(gpt=hangs()), "gpt", deadline_s=3)
    with pytest.raises(DeadlineExceededError):
        await service.acompletion("chat", HELLO)
    assert asyncio.get_running_loop().time() == 3.0


@in_virtual_time
async def test_a_call_may_bring_a_deadline_of_its_own():
    service = router(ScriptedAdapter(gpt=hangs()), "gpt", deadline_s=30)
    with pytest.raises(DeadlineExceededError):
        await service.acompletion("chat", HELLO, deadline_s=1.5)
    assert asyncio.get_running_loop().time() == 1.5


@in_virtual_time
async def test_an_error_holds_neither_prompt_nor_credential(monkeypatch):
    monkeypatch.setenv("GPT_KEY", "made-up-credential")
    service = router(
        ScriptedAdapter(gpt=fails(FailureKind.UNAUTHORIZED, status=401)), "gpt", last_resort="fail"
    )
    events = heard(service)
    for error in (AllTargetsFailedError, NoEligibleTargetError):
        with pytest.raises(error) as raised:
            await service.acompletion("chat", [{"role": "user", "content": SECRET}])
        told = [repr(each) + str(each) + repr(vars(each)) for each in causes(raised.value)]
        for text in (*told, repr(events), repr(service.snapshot())):
            assert SECRET not in text
            assert "made-up-credential" not in text


@in_virtual_time
async def test_closing_a_router_closes_its_adapter():
    adapter = ScriptedAdapter(gpt=answers())
    async with router(adapter, "gpt") as service:
        await service.acompletion("chat", HELLO)
        assert adapter.closed == 0
    assert adapter.closed == 1


@in_virtual_time
async def test_routers_of_one_process_do_not_see_each_other():
    tripped = router(
        ScriptedAdapter(gpt=fails(OVERLOADED), claude=answers()), "gpt", "claude", breaker={"failures": 1}
    )
    other = router(ScriptedAdapter(gpt=answers(), claude=answers()), "gpt", "claude")
    events = heard(other)
    await tripped.acompletion("chat", HELLO)
    assert tripped.snapshot().targets["gpt"].breaker == "open"
    assert other.snapshot().targets["gpt"].breaker == "closed"
    assert events == []


@in_virtual_time
async def test_concurrent_calls_learn_of_each_other():
    adapter = ScriptedAdapter(gpt=fails(OVERLOADED, 1.0), claude=answers(after_s=1.0))
    service = router(adapter, "gpt", "claude", breaker={"failures": 3})
    replies = await asyncio.gather(*(service.acompletion("chat", HELLO) for _ in range(3)))
    assert {reply.failover.target for reply in replies} == {"claude"}
    await service.acompletion("chat", HELLO)
    assert adapter.asked().count("gpt") == 3
