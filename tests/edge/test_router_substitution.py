"""The router reads what a request needs, and asks only who can do it."""

from __future__ import annotations

from typing import Any

import pytest

from failover import RequestRejectedError, Router
from failover.core.failures import FailureKind
from failover.core.vocabulary import Decision
from tests.edge.scripted import HELLO, ScriptedAdapter, answers, fails

TARGETS = {
    "gpt": {"provider": "openai", "model": "openai/gpt-5.6-luna"},
    "claude": {"provider": "anthropic", "model": "anthropic/claude-sonnet-5"},
    "mute": {"provider": "openai", "model": "openai/ours", "capabilities": {"tools": False}},
}
CONFIG = {
    "providers": {"openai": {}, "anthropic": {}},
    "targets": TARGETS,
    "routes": {"chat": {"chain": ["mute", "gpt", "claude"]}, "mute": {"chain": ["mute"]}},
}
TOOLS = {"tools": [{"type": "function", "function": {"name": "look"}}]}
BEGUN = [*HELLO, {"role": "assistant", "content": "He"}]


def router(**fates: Any) -> tuple[Router, ScriptedAdapter]:
    adapter = ScriptedAdapter(**fates)
    return Router.from_dict(CONFIG, adapter=adapter), adapter


def lacking(decision: Decision) -> dict[str, str]:
    return {each.target.name: each.reason for each in decision.passed_over}


async def test_a_request_with_tools_goes_past_who_has_none_in_every_fallback() -> None:
    asked, adapter = router(gpt=fails(FailureKind.OVERLOADED), claude=answers(), mute=answers())
    reply = await asked.acompletion("chat", messages=HELLO, **TOOLS)
    assert reply.failover.target == "claude"
    assert [(each.target.name, each.reason) for each in reply.failover.passed_over] == [("mute", "no_tools")]
    assert adapter.asked() == ["gpt", "claude"]


def test_a_decision_tells_the_same_and_sends_nothing() -> None:
    asked, adapter = router()
    assert lacking(asked.decide("chat", messages=HELLO, **TOOLS)) == {"mute": "no_tools"}
    assert lacking(asked.decide("chat", messages=BEGUN)) == {"claude": "no_prefill"}
    assert lacking(asked.decide("chat", messages=HELLO)) == {}
    assert adapter.sent == []


async def test_a_request_that_nobody_can_serve_is_rejected_unsent() -> None:
    asked, adapter = router()
    with pytest.raises(RequestRejectedError, match="mute: no_tools"):
        await asked.acompletion("mute", messages=HELLO, **TOOLS)
    assert adapter.sent == []


async def test_a_refused_parameter_is_refused_once() -> None:
    refusal = fails(FailureKind.UNSUPPORTED_PARAMETER, parameter="seed")
    asked, adapter = router(mute=refusal, gpt=answers())
    for _ in range(3):
        await asked.acompletion("chat", messages=HELLO, seed=1)
    assert adapter.asked() == ["mute", "gpt", "gpt", "gpt"]


def test_a_reload_takes_the_config_s_new_word_for_it() -> None:
    asked, _ = router()
    asked.reload({**CONFIG, "targets": {**TARGETS, "mute": {**TARGETS["mute"], "capabilities": {}}}})
    assert lacking(asked.decide("chat", messages=HELLO, **TOOLS)) == {}
    assert lacking(asked.decide("chat", messages=BEGUN)) == {"claude": "no_prefill"}


def test_what_the_config_says_stays_as_it_was_read() -> None:
    asked, _ = router()
    assert asked.config.targets["claude"].context_window_tokens is None
