"""Theme F: error classification, and who may be fallen back to.

Without a test here: 12680, a dead link in documentation, which `tests/test_docs.py` looks for on every page.
35689 as far as it is about wildcard keys: there is one chain per route, and nothing is looked up in it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover import AllTargetsFailedError, CallError, ConfigError, RequestRejectedError
from failover.adapters.classify import classify_exception
from failover.adapters.loading import load_litellm
from failover.config import config_from_dict
from failover.core.failures import DISPOSITIONS, FailureKind
from tests.core.story import BAD_REQUEST, CONTEXT_LENGTH, Story, target
from tests.edge.fake_wire import target as litellm_target
from tests.edge.fake_wire import whole_answer
from tests.edge.scripted import HELLO, ScriptedAdapter, answers, config, fails, in_virtual_time, router
from tests.pains.wire import QUIET, config_over, hosts, wired

pytestmark = QUIET
K = FailureKind
DOCS = Path(__file__).parents[2] / "docs"
AZURE_FILTER = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation"},
    }
}
SGLANG_CONTEXT = {
    "object": "error",
    "message": "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)


async def told(
    status: int, body: Any, model: str = "openai/gpt", **policy: Any
) -> tuple[CallError, list[str]]:
    """How a call ends whose first target answers so, and who was asked."""
    answer = lambda: httpx.Response(status, json=body)  # noqa: E731  it stands for a server
    service, provider = wired({"first": answer, "second": whole_answer}, {"first": model}, **policy)
    async with service:
        with pytest.raises(CallError) as raised:
            await service.acompletion("chat", HELLO)
    return raised.value, hosts(provider)


async def kind_of(status: int, body: Any, model: str = "openai/gpt") -> str | None:
    """What an answer of the first target counts as, and the second answers."""
    answer = lambda: httpx.Response(status, json=body)  # noqa: E731  it stands for a server
    service, _ = wired({"first": answer, "second": whole_answer}, {"first": model})
    async with service:
        return (await service.acompletion("chat", HELLO)).failover.attempts[0].failure


async def test_an_outage_fallback_is_no_way_round_a_safety_refusal():
    """BerriAI/litellm 40406, 42255: a filter's plain 400 is a refusal, and goes to nobody unless asked."""
    error, asked = await told(400, AZURE_FILTER)
    assert isinstance(error, RequestRejectedError)
    assert [failure.kind for _, failure in error.failures] == [K.CONTENT_FILTERED]
    assert asked == ["first"]


async def test_who_asks_for_it_may_take_a_refusal_elsewhere():
    """BerriAI/litellm 42255: the rule for refusals is found by what the refusal is, not by its class."""
    service, provider = wired(
        {"first": lambda: httpx.Response(400, json=AZURE_FILTER), "second": whole_answer},
        on_content_filtered="fallback",
    )
    async with service:
        assert (await service.acompletion("chat", HELLO)).failover.target == "second"
    assert hosts(provider) == ["first", "second"]


async def test_a_server_of_ones_own_says_too_long_in_its_own_words():
    """BerriAI/litellm 10793: sglang's 400 is a matter of the window, and of nothing else."""
    error, asked = await told(400, SGLANG_CONTEXT)
    assert [failure.kind for _, failure in error.failures] == [K.CONTEXT_LENGTH]
    assert asked == ["first"], "nobody else has a window that is known to be larger"


def test_a_prompt_that_was_too_long_goes_to_larger_windows_only():
    """BerriAI/litellm 31557: the fallback that could only refuse it as well is left out."""
    windows = {"small": 8_000, "smaller": 4_000, "large": 200_000}
    story = Story(*(target(name, context_window_tokens=tokens) for name, tokens in windows.items()))
    story.call().sends_to("small").fails(CONTEXT_LENGTH).sends_to("large").succeeds()


@in_virtual_time
async def test_a_prompt_that_cannot_fit_is_not_sent():
    """BerriAI/litellm 31557: what is known beforehand costs no request, in no hop."""
    adapter = ScriptedAdapter(small=answers(), large=answers())
    mapping = config("small", "large")
    mapping["targets"]["small"]["context_window_tokens"] = 1_000
    service = router(adapter, "small", "large")
    service.reload(mapping)
    long = [{"role": "user", "content": "word " * 10_000}]
    assert (await service.acompletion("chat", long)).failover.target == "large"
    assert adapter.asked() == ["large"]


@pytest.mark.parametrize(
    ("chain", "complaint"),
    [
        (["gtp", "claude"], "did you mean 'gpt'"),
        ({"gpt": ["claude"]}, "chain"),
        ([["gpt"], [["claude"]]], "chain"),
    ],
    ids=["an unknown name", "a mapping", "a list too deep"],
)
def test_a_malformed_chain_is_refused_before_anything_runs(chain, complaint):
    """BerriAI/litellm 39655, 35689: there is one list, and it is looked at when the config is read."""
    mapping = {**config("gpt", "claude"), "routes": {"chat": {"chain": chain}}}
    with pytest.raises(ConfigError, match=complaint):
        config_from_dict(mapping)


@pytest.mark.parametrize(
    "model", ["openai/gpt", "deepseek/deepseek-v4-flash", "xai/grok-4.3", "perplexity/sonar"]
)
async def test_a_bad_key_is_a_bad_key_whichever_provider_says_so(model):
    """BerriAI/litellm 38318: the status is read from the wire, so none needs a branch of its own."""
    assert await kind_of(401, {"error": {"message": "Invalid API key"}}, model) == K.UNAUTHORIZED


@pytest.mark.parametrize("model", ["openai/gpt", "anthropic/claude-sonnet-5", "gemini/gemini-2.5-flash"])
async def test_a_lost_connection_is_no_500(model):
    """BerriAI/litellm 33995, 36077: whatever litellm shows it as, it is asked again once, at once."""
    refused = lambda: httpx.ConnectError("refused")  # noqa: E731  it stands for a server
    service, provider = wired({"first": refused, "second": whole_answer}, {"first": model})
    async with service:
        story = (await service.acompletion("chat", HELLO)).failover
    assert [attempt.failure for attempt in story.attempts] == [K.CONNECTION, K.CONNECTION, None]
    assert hosts(provider) == ["first", "first", "second"]


async def test_a_key_that_is_not_set_is_the_configs_fault_and_no_500(monkeypatch):
    """BerriAI/litellm 35944: nothing is sent, and the variable is named."""
    service, provider = wired({"gpt": whole_answer})
    mapping = config_over("gpt")
    mapping["providers"]["gpt-inc"]["credential"] = "env:NEVER_SET"
    service.reload(mapping)
    async with service:
        with pytest.raises(CallError) as raised:
            await service.acompletion("chat", HELLO)
    assert "NEVER_SET" in str(raised.value.__cause__)
    assert provider.requests == []
    assert service.snapshot().targets["gpt"].away is None


def bare(kind: type) -> Exception:
    """An exception of this class that says nothing but its class."""
    return type(kind.__name__, (kind,), {"__init__": lambda _: None, "__str__": lambda _: "no"})()


def test_no_class_of_litellm_falls_through_to_a_500_that_is_retried():
    """BerriAI/litellm 38318, 33995: each is asked again only where its kind says so; every kind has a row."""
    exceptions = load_litellm().exceptions
    classes = [each for each in vars(exceptions).values() if isinstance(each, type)]
    own = [each for each in classes if each.__module__ == exceptions.__name__ and issubclass(each, Exception)]
    kinds = {each.__name__: classify_exception(litellm_target(), bare(each)).kind for each in own}
    servers = {name for name, kind in kinds.items() if kind is K.SERVER_ERROR}
    assert servers <= {"InternalServerError", "BadGatewayError", "MidStreamFallbackError"}
    assert (kinds["AuthenticationError"], kinds["BadRequestError"]) == (K.UNAUTHORIZED, K.BAD_REQUEST)
    assert set(DISPOSITIONS) == set(K)


def test_the_documentation_of_fallbacks_is_the_rule_itself():
    """BerriAI/litellm 13802: what the page says of each kind is what the table does."""
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| `(\w+)` \| `(\w+)` \|", (DOCS / "failures.md").read_text("utf-8"), re.MULTILINE
    )
    told_of = {kind: (scope, stays_away) for kind, scope, stays_away in rows}
    assert told_of == {kind: (row.scope, row.stay_away) for kind, row in DISPOSITIONS.items()}


def test_a_request_that_is_wrong_is_told_as_the_callers_fault():
    """BerriAI/litellm 40406: no other target is asked to swallow it."""
    story = Story("gpt", "claude")
    error = story.call().sends_to("gpt").fails(BAD_REQUEST, status=400).raises(RequestRejectedError)
    assert [(name, failure.status) for name, failure in error.failures] == [("gpt", 400)]


@in_virtual_time
async def test_an_error_names_every_hop_and_not_only_the_first():
    """BerriAI/litellm 33995, 36077: each target with its kind, status and code."""
    adapter = ScriptedAdapter(gpt=fails(K.UNAUTHORIZED, status=401), claude=fails(K.OVERLOADED, status=529))
    with pytest.raises(AllTargetsFailedError, match=r"gpt: unauthorized 401; claude: overloaded 529"):
        await router(adapter, "gpt", "claude", attempts=2).acompletion("chat", HELLO)
