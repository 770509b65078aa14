"""Other clients in the router's place: what they do on the wire is judged as a router's is."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from failover.chaos.drill import run_drill
from failover.chaos.judging.verdict import Conclusion, Verdict
from failover.chaos.scenario import START_EPOCH_S, load_scenario
from failover.chaos.subjects.named import NamedSubject, named_subject
from failover.chaos.subjects.setting import Setting, SubjectRequest, SubjectTarget
from failover.errors import ConfigError

CONFIG = """
providers:
  openai:  {credential: env:OPENAI_API_KEY}
  mistral: {credential: env:MISTRAL_API_KEY}
targets:
  gpt:
    {provider: openai, model: openai/gpt-5.6-luna, prices: {input_usd_per_mtok: 1, output_usd_per_mtok: 4}}
  mistral:
    provider: mistral
    model: mistral/mistral-large-2512
    prices: {input_usd_per_mtok: 2, output_usd_per_mtok: 6}
routes:
  chat: {chain: [gpt, mistral], policy: {deadline_s: 20}}
"""
STORY = """
title: The primary goes dark
config: failover.yaml
workload: {route: chat, rate_per_s: 2, for_s: 60, tokens_in: 100, tokens_out: 20}
inject:
  - {kind: outage, target: gpt, at_s: 20, for_s: 20}
"""

Asking = Callable[[httpx.AsyncClient, Setting, SubjectRequest], Awaitable[Any]]


def drilled(tmp_path: Path, asking: Asking, story: str = STORY) -> Verdict:
    """The verdict on a client that asks like this, with one connection pool."""

    @asynccontextmanager
    async def making(setting: Setting) -> AsyncIterator[Any]:
        async with httpx.AsyncClient(timeout=None) as client:  # noqa: S113  # the drill's deadline is the limit
            yield lambda request: asking(client, setting, request)

    (tmp_path / "failover.yaml").write_text(CONFIG, "utf-8")
    file = tmp_path / "story.yaml"
    file.write_text(story, "utf-8")
    return run_drill(load_scenario(file), seed=1, mode="replay", subject=NamedSubject("a client", making))


async def posted(
    client: httpx.AsyncClient, target: SubjectTarget, request: SubjectRequest, key: str = ""
) -> httpx.Response:
    """One request in OpenAI's dialect."""
    asked = {"model": target.model_name, "stream": request.stream, **request.arguments}
    headers = {"authorization": f"Bearer {key or target.key}"}
    return await client.post("https://api.invalid/v1/chat/completions", json=asked, headers=headers)


async def loyal(client: httpx.AsyncClient, setting: Setting, request: SubjectRequest) -> None:
    """Asks the first target and believes whatever it says."""
    (await posted(client, setting.routes[request.route][0], request)).raise_for_status()


async def falling_back(client: httpx.AsyncClient, setting: Setting, request: SubjectRequest) -> None:
    """Asks one after the other."""
    for target in setting.routes[request.route]:
        response = await posted(client, target, request)
        if response.is_success:
            return
    response.raise_for_status()


def test_who_has_no_fallback_fails_with_its_provider(tmp_path: Path) -> None:
    verdict = drilled(tmp_path, loyal)
    assert 0.5 < (verdict.success_ratio or 0.0) < 0.8
    assert verdict.oracle.success_ratio == 1.0
    assert set(verdict.errors) == {"HTTPStatusError"}
    assert verdict.targets["gpt"].failures == {"overloaded": verdict.requests - verdict.served}


def test_who_falls_back_is_seen_to_on_the_wire(tmp_path: Path) -> None:
    verdict = drilled(tmp_path, falling_back, STORY + "expect: {sometimes: [fallback], success_ratio_min: 1}")
    assert verdict.verdict is Conclusion.PASSED
    assert verdict.fallbacks == verdict.targets["mistral"].served > 0
    assert verdict.subject == "a client"
    assert verdict.reproduce.endswith("--subject 'a client'")


def test_what_it_costs_is_what_the_wire_told(tmp_path: Path) -> None:
    verdict = drilled(tmp_path, falling_back)
    assert verdict.targets["gpt"].cost_usd == pytest.approx(verdict.targets["gpt"].served * 180e-6)
    assert verdict.targets["mistral"].cost_usd == pytest.approx(verdict.targets["mistral"].served * 320e-6)


def test_the_same_worlds_meet_a_router_and_another_client(tmp_path: Path) -> None:
    verdict = drilled(tmp_path, loyal)
    ours = run_drill(load_scenario(tmp_path / "story.yaml"), seed=1, mode="simulate")
    assert (verdict.requests, verdict.oracle.success_ratio) == (ours.requests, ours.oracle.success_ratio)


def test_half_an_answer_taken_for_a_whole_one_is_no_service(tmp_path: Path) -> None:
    story = STORY.replace("kind: outage", "kind: malformed_reply, as: garbled")
    verdict = drilled(tmp_path, loyal, story)
    assert set(verdict.errors) == {"UnsoundReply"}


def test_a_stream_that_is_cut_and_taken_for_a_whole_one_is_none_either(tmp_path: Path) -> None:
    story = STORY.replace("kind: outage", "kind: truncated_stream").replace("20}\n", "20, stream: true}\n", 1)
    verdict = drilled(tmp_path, loyal, story)
    assert set(verdict.errors) == {"UnsoundReply"}
    assert verdict.served > 0


def test_nobody_is_waited_for_past_the_deadline(tmp_path: Path) -> None:
    verdict = drilled(tmp_path, loyal, STORY.replace("kind: outage", "kind: outage, as: hang"))
    assert set(verdict.errors) == {"DeadlineExceededError"}
    assert (verdict.latency_s.p99 or 0.0) <= 20.0


async def impatient(client: httpx.AsyncClient, setting: Setting, request: SubjectRequest) -> None:
    """Waits a second for the first target, and then asks the next."""
    client.timeout = httpx.Timeout(1.0)
    try:
        await posted(client, setting.routes[request.route][0], request)
    except httpx.ReadTimeout:
        client.timeout = httpx.Timeout(None)
        await posted(client, setting.routes[request.route][1], request)


def test_limits_of_its_own_are_kept_in_the_time_of_the_drill(tmp_path: Path) -> None:
    verdict = drilled(tmp_path, impatient, STORY.replace("kind: outage", "kind: outage, as: hang"))
    assert verdict.success_ratio == 1.0
    assert verdict.targets["gpt"].failures["cancelled"] == verdict.targets["mistral"].served > 0


async def dawdling(_client: httpx.AsyncClient, setting: Setting, request: SubjectRequest) -> None:
    """Its clocks pass with the drill, whichever it reads."""
    clocks = (time.time, time.monotonic, time.perf_counter)
    began = [read() for read in clocks]
    await asyncio.sleep(5.0)
    passed = [read() - then for read, then in zip(clocks, began, strict=True)]
    assert passed == pytest.approx([5.0, 5.0, 5.0])
    assert time.time() == pytest.approx(START_EPOCH_S + 30, abs=60)
    await loyal(_client, setting, request)


def test_clocks_of_its_own_are_those_of_the_drill(tmp_path: Path) -> None:
    before_s = time.time()
    verdict = drilled(tmp_path, dawdling)
    assert "AssertionError" not in verdict.errors
    assert 0.0 <= time.time() - before_s < 600.0


async def misdirected(client: httpx.AsyncClient, setting: Setting, request: SubjectRequest) -> None:
    """Sends with a key that is nobody's."""
    await posted(client, setting.routes[request.route][0], request, key="my-own-key")


def test_a_request_that_nothing_is_recorded_for_makes_the_drill_unknown(tmp_path: Path) -> None:
    story = STORY.replace("for_s: 60", "for_s: 60, deadline_s: 5")
    verdict = drilled(tmp_path, misdirected, story)
    assert verdict.verdict is Conclusion.UNKNOWN
    told = " ".join(verdict.reasons)
    assert "reached no target" in told
    assert "gpt drill-key-gpt, mistral drill-key-mistral" in told
    assert "my-own-key" not in told


def test_what_only_our_journal_knows_is_not_asked_of_others(tmp_path: Path) -> None:
    expect = "expect: {detected_within_s: 1, sometimes: [breaker_opened, fallback], never: [cooldown]}"
    verdict = drilled(tmp_path, falling_back, STORY + expect)
    assert [each.name for each in verdict.expectations] == ["sometimes.fallback"]
    assert {each.name for each in verdict.invariants} == {
        *("calls_end_once", "deadline_kept", "retry_allowed", "retry_after_honoured"),
        *("truncated_never_served", "nothing_forbidden_sent", "preferred_returns"),
    }


async def asking_again(client: httpx.AsyncClient, setting: Setting, request: SubjectRequest) -> None:
    """Asks who said that its key is revoked, again and again."""
    for _ in range(3):
        response = await posted(client, setting.routes[request.route][0], request)
        if response.is_success:
            return
    response.raise_for_status()


def test_a_retry_of_what_must_not_be_retried_breaks_an_invariant_of_any_client(tmp_path: Path) -> None:
    verdict = drilled(tmp_path, asking_again, STORY.replace("kind: outage", "kind: auth_revoked"))
    assert verdict.verdict is Conclusion.FAILED
    [broken] = [each for each in verdict.invariants if each.violations]
    assert broken.name == "retry_allowed"


# By its name on the command line.


def test_a_subject_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "a_client_of_mine.py").write_text("def making(setting): return setting\n", "utf-8")
    found = named_subject("a_client_of_mine:making")
    assert found.name == "a_client_of_mine:making"
    assert found.making.__name__ == "making"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("making", "write it as package.module:function"),
        (":making", "write it as package.module:function"),
        ("no_such_module_anywhere:making", "cannot be imported"),
        ("failover.chaos.subjects.named:makin", "has: .*named_subject"),
    ],
)
def test_a_subject_that_is_not_there_is_a_complaint(name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        named_subject(name)
