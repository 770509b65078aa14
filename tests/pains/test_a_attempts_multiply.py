"""Theme A: attempts multiply, and counts surprise.

Every issue of this theme has a test here.
"""

from __future__ import annotations

import pytest

from failover import AllTargetsFailedError, CallError, ConfigError, RequestRejectedError
from failover.adapters.loading import load_litellm
from failover.config import config_from_dict
from failover.core.failures import FailureKind
from tests.edge.fake_wire import refusal, whole_answer
from tests.edge.scripted import HELLO, ScriptedAdapter, answers, config, fails, in_virtual_time, router
from tests.pains.wire import QUIET, hosts, wired

pytestmark = QUIET
DOWN = fails(FailureKind.SERVER_ERROR, status=500)


@in_virtual_time
async def test_a_fallback_does_not_begin_the_retries_anew():
    """BerriAI/litellm 19985, 25285: each target is asked at most twice, and the chain is walked once."""
    adapter = ScriptedAdapter(gpt=DOWN, claude=DOWN, mistral=DOWN)
    with pytest.raises(AllTargetsFailedError):
        await router(adapter, "gpt", "claude", "mistral", attempts=100).acompletion("chat", HELLO)
    assert adapter.asked() == ["gpt", "claude", "mistral"] * 2


@pytest.mark.parametrize("attempts", [1, 2, 4])
@in_virtual_time
async def test_the_most_attempts_is_one_number_for_the_whole_call(attempts):
    """BerriAI/litellm 6498, 6501, 18968, 35483: it is obeyed, and with 1 nobody is asked again."""
    adapter = ScriptedAdapter(gpt=DOWN, claude=DOWN, mistral=DOWN)
    with pytest.raises(AllTargetsFailedError):
        await router(adapter, "gpt", "claude", "mistral", attempts=attempts).acompletion("chat", HELLO)
    assert len(adapter.sent) == attempts


async def test_no_layer_beneath_multiplies_an_attempt(monkeypatch):
    """BerriAI/litellm 850, 34129, 25285, 35483 and litellm-docs 734.

    Whatever is set in litellm, for litellm or for the SDK below it, an attempt is one request.
    """
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)
    monkeypatch.setattr(load_litellm(), "num_retries", 3)
    service, provider = wired({"gpt": lambda: refusal(500)}, attempts=1)
    async with service:
        with pytest.raises(AllTargetsFailedError):
            await service.acompletion("chat", HELLO, num_retries=3, max_retries=3)
    assert len(provider.requests) == 1


@in_virtual_time
async def test_a_request_that_is_wrong_is_not_walked_down_the_chain():
    """BerriAI/litellm 35303, 36148: an error of the client's own is told at once, and blames no target."""
    adapter = ScriptedAdapter(gpt=fails(FailureKind.BAD_REQUEST, status=400), claude=answers())
    service = router(adapter, "gpt", "claude", breaker={"failures": 1})
    for _ in range(20):
        with pytest.raises(RequestRejectedError):
            await service.acompletion("chat", HELLO)
    assert adapter.asked() == ["gpt"] * 20
    assert service.snapshot().targets["gpt"].away is None


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-5", "gemini/gemini-2.5-flash"])
async def test_one_malformed_tool_call_in_a_conversation_takes_no_target_down(monkeypatch, model):
    """BerriAI/litellm 35303: litellm cannot translate it; that blames nobody, and who takes it serves."""
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)
    call = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": '{"of": '}}
    answer = {"role": "tool", "tool_call_id": "1", "content": "?"}
    poison = [*HELLO, {"role": "assistant", "content": None, "tool_calls": [call]}, answer]
    hosts_of = {"strict": lambda: refusal(500), "lenient": whole_answer}
    service, provider = wired(hosts_of, {"strict": model}, breaker={"failures": 1})
    async with service:
        for _ in range(3):
            assert (await service.acompletion("chat", poison)).failover.target == "lenient"
        assert service.snapshot().targets["strict"].away is None
    assert hosts(provider) == ["lenient"] * 3


def test_a_chain_cannot_lead_back_to_where_it_came_from():
    """BerriAI/litellm 6498, 36148: fallbacks are one flat list, so there is no graph to go round in."""
    with pytest.raises(ConfigError, match="gpt"):
        config_from_dict({**config("gpt", "claude"), "routes": {"chat": {"chain": ["gpt", "claude", "gpt"]}}})


@in_virtual_time
async def test_an_outage_is_retried_out_of_one_budget_for_all_calls():
    """BerriAI/litellm 19985, 1210: a hundred calls together do not become hundreds of attempts more."""
    adapter = ScriptedAdapter(gpt=DOWN, claude=DOWN)
    service = router(adapter, "gpt", "claude", breaker={"failures": 10**6, "min_requests": 10**6})
    for _ in range(100):
        with pytest.raises(CallError):
            await service.acompletion("chat", HELLO)
    assert 200 < len(adapter.sent) <= 300, "without a budget it would be 400"


@in_virtual_time
async def test_reply_and_error_give_an_account_of_every_attempt():
    """BerriAI/litellm 1210, 2755: who was asked, what came of it, how long it took."""
    adapter = ScriptedAdapter(
        gpt=fails(FailureKind.SERVER_ERROR, 1.0, status=500), claude=[answers(after_s=2.0), DOWN]
    )
    service = router(adapter, "gpt", "claude", attempts=2)
    story = (await service.acompletion("chat", HELLO)).failover
    with pytest.raises(AllTargetsFailedError) as raised:
        await service.acompletion("chat", HELLO)
    for told in (story, raised.value.failover):
        assert [attempt.target for attempt in told.attempts] == ["gpt", "claude"]
    assert [(each.failure, each.duration_s) for each in story.attempts] == [
        ("server_error", 1.0),
        (None, 2.0),
    ]
