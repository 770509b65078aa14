"""Recording: what went over the wire, as it went, in a file that any vcrpy plays, without a secret."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr
import yaml
from click.testing import CliRunner, Result
from llmock.scenarios import Fail, StreamFault
from llmock.testing import LLMockServer

from failover.cassettes.episodes import load_cassette
from failover.cassettes.player import CassettePlayer
from failover.cassettes.record import Recording, record
from failover.cassettes.scrub import REDACTED
from failover.cli.record import command
from failover.core.failures import FailureKind
from failover.core.vocabulary import Target
from failover.errors import CassetteError, ConfigError
from tests.edge.fake_wire import (
    ENVIRONMENT,
    KEY_VARIABLE,
    OPENAI_STREAM,
    Body,
    FakeProvider,
    streamed,
    target,
    whole_answer,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]
os.environ.setdefault("HF_HUB_OFFLINE", "1")

PROMPT = "Name one thing that floats on water."
KEY = "sk-" + "q7" * 20


@pytest.fixture(scope="module")
def server() -> Iterator[LLMockServer]:
    with LLMockServer() as running:
        yield running


@pytest.fixture
def openai(server: LLMockServer) -> Target:
    server.state.reset()
    return target(api_base=server.base_url("openai"))


def responses(file: Path) -> list[dict[str, Any]]:
    return [each["response"] for each in yaml.safe_load(file.read_text("utf-8"))["interactions"]]


def run(*arguments: object, key: str = KEY) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments], env={KEY_VARIABLE: key})


async def test_any_vcrpy_plays_the_file_with_the_server_gone(tmp_path: Path) -> None:
    file = tmp_path / "chat.yaml"
    with LLMockServer() as server:
        chosen = target(api_base=server.base_url("openai"))
        await record(Recording(chosen, PROMPT, file, stream=True), environment=ENVIRONMENT)
    (interaction,) = yaml.safe_load(file.read_text("utf-8"))["interactions"]
    with vcr.use_cassette(str(file), record_mode="none", match_on=("method", "uri", "body")) as tape:
        async with httpx.AsyncClient() as client:
            reply = await client.post(interaction["request"]["uri"], content=interaction["request"]["body"])
    assert tape.all_played
    assert reply.text == interaction["response"]["body"]["string"]
    assert reply.text.endswith("data: [DONE]\n\n")


async def test_a_recording_says_how_it_was_made(openai: Target, tmp_path: Path) -> None:
    await record(Recording(openai, PROMPT, tmp_path / "chat.yaml"), environment=ENVIRONMENT)
    (response,) = responses(tmp_path / "chat.yaml")
    told = response["failover"]
    assert (told["provider"], told["model"], told["recorded_from"]) == ("openai", openai.model, "127.0.0.1")
    assert told["recorded_at"].endswith("+00:00")
    assert "vcrpy" in told["recorded_with"]
    assert "litellm" in told["recorded_with"]


async def test_a_stream_is_recorded_with_one_time_per_event(openai: Target, tmp_path: Path) -> None:
    await record(Recording(openai, PROMPT, tmp_path / "chat.yaml", stream=True), environment=ENVIRONMENT)
    (episode,) = load_cassette(tmp_path / "chat.yaml")
    timing = episode.timing
    assert timing is not None
    assert episode.stream
    assert len(timing.chunk_offsets_s) == episode.reply.body.count(b"\n\n")
    assert list(timing.chunk_offsets_s) == sorted(timing.chunk_offsets_s)
    assert timing.first_byte_s == timing.chunk_offsets_s[0]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Fail(429, retry_after=7), FailureKind.RATE_LIMITED), (Fail(503), FailureKind.OVERLOADED)],
)
async def test_a_refusal_is_recorded_like_an_answer(
    server: LLMockServer, openai: Target, tmp_path: Path, fault: Fail, kind: FailureKind
) -> None:
    server.state.scenarios.add(fault)
    recorded = await record(Recording(openai, PROMPT, tmp_path / "chat.yaml"), environment=ENVIRONMENT)
    assert recorded.failure is not None
    assert (recorded.status, recorded.failure.kind) == (fault.status, kind)
    (episode,) = load_cassette(tmp_path / "chat.yaml")
    assert episode.reply.status == fault.status


@pytest.mark.parametrize("how", ["disconnect", "truncate"])
async def test_a_cut_stream_is_recorded_as_far_as_it_came(
    server: LLMockServer, openai: Target, tmp_path: Path, how: Any
) -> None:
    server.state.scenarios.add(StreamFault(how, after_chunks=2))
    recording = Recording(openai, PROMPT, tmp_path / "chat.yaml", stream=True)
    recorded = await record(recording, environment=ENVIRONMENT)
    assert recorded.failure is not None
    assert recorded.failure.kind is FailureKind.TRUNCATED_STREAM
    (response,) = responses(tmp_path / "chat.yaml")
    assert "[DONE]" not in response["body"]["string"]
    assert response["failover"]["timing"].get("cut", False) is (how == "disconnect")


async def test_a_compressed_answer_is_recorded_in_clear(tmp_path: Path) -> None:
    squeezed = gzip.compress(whole_answer("in clear").content)
    answer = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Body([squeezed]))
    recording = Recording(target(), PROMPT, tmp_path / "chat.yaml")
    await record(recording, transport=FakeProvider(lambda _: answer), environment=ENVIRONMENT)
    (response,) = responses(tmp_path / "chat.yaml")
    assert "in clear" in response["body"]["string"]
    assert "content-encoding" not in response["headers"]


async def test_what_never_answered_cannot_be_recorded(tmp_path: Path) -> None:
    silent = FakeProvider(lambda _: httpx.ConnectError("refused"))
    recording = Recording(target(), PROMPT, tmp_path / "chat.yaml")
    with pytest.raises(CassetteError, match=r"nothing was recorded"):
        await record(recording, transport=silent, environment=ENVIRONMENT)
    assert not recording.file.exists()


async def test_a_credential_that_is_not_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=KEY_VARIABLE):
        await record(Recording(target(), PROMPT, tmp_path / "chat.yaml"), environment={})


async def test_appending_keeps_what_was_there(server: LLMockServer, openai: Target, tmp_path: Path) -> None:
    recording = Recording(openai, PROMPT, tmp_path / "chat.yaml")
    server.state.scenarios.add(Fail(429, retry_after=7))
    for append in (False, True):
        await record(recording, append=append, environment=ENVIRONMENT)
    episodes = load_cassette(recording.file)
    assert [episode.reply.status for episode in episodes] == [429, 200]
    async with httpx.AsyncClient(transport=CassettePlayer(episodes)) as client:
        played = [
            await client.post(episodes[0].request.url, content=episodes[0].request.body) for _ in range(3)
        ]
    assert [reply.status_code for reply in played] == [429, 200, 429]


@pytest.mark.parametrize("stream", [False, True])
async def test_no_planted_secret_reaches_the_file(tmp_path: Path, *, stream: bool) -> None:
    """In headers both ways, cookies, ids, addresses and bodies; the prompt quotes the key."""
    mail, organisation, account = "someone@" + "example.org", "org-" + "Zy9x" * 6, "arn:aws:iam::" + "42" * 6
    told = f"{KEY} {mail} {organisation} {account} {ENVIRONMENT[KEY_VARIABLE]}"
    headers = {
        "set-cookie": "session=c00kie",
        "openai-organization": "acme-inc",
        "cf-ray": "8f-FRA",
        "x-note": told,
    }
    answer = streamed(OPENAI_STREAM[0].replace(b'"he"', f'"{told}"'.encode()), *OPENAI_STREAM[1:], **headers)
    if not stream:
        answer = whole_answer(told, user_id="someone-else")
        answer.headers.update(headers)
    chosen = target(api_base=f"http://me:pass@provider.invalid/v1/{KEY}")
    recording = Recording(chosen, f"my key is {told}", tmp_path / "chat.yaml", stream=stream)
    await record(recording, transport=FakeProvider(lambda _: answer), environment=ENVIRONMENT)
    text = recording.file.read_text("utf-8").replace("\n", "").replace(" ", "")
    planted = (KEY, mail, organisation, account, ENVIRONMENT[KEY_VARIABLE], "c00kie", "acme-inc", "8f-FRA")
    for secret in (*planted, "someone-else", "me:pass"):
        assert secret not in text
    assert REDACTED in text


@pytest.fixture
def plan(server: LLMockServer, tmp_path: Path) -> Path:
    server.state.reset()
    entry = {
        "provider": "openai",
        "model": "openai/gpt-5.6-luna",
        "api_base": server.base_url("openai"),
        "credential": f"env:{KEY_VARIABLE}",
        "prompt": PROMPT,
        "out": "openai/chat.yaml",
    }
    file = tmp_path / "recordings.yaml"
    file.write_text(yaml.safe_dump({"recordings": [entry, {**entry, "stream": True}]}), "utf-8")
    return file


def test_a_plan_is_recorded_in_its_order(plan: Path) -> None:
    result = run("--plan", plan)
    assert result.exit_code == 0, result.output
    episodes = load_cassette(plan.parent / "openai" / "chat.yaml")
    assert [(episode.reply.status, episode.stream) for episode in episodes] == [(200, False), (200, True)]
    assert [line.split(",")[1] for line in result.stdout.splitlines()] == [" 200 success"] * 2


def test_a_file_that_exists_is_not_touched_unasked(plan: Path) -> None:
    file = plan.parent / "openai" / "chat.yaml"
    file.parent.mkdir()
    file.write_text("mine", "utf-8")
    result = run("--plan", plan)
    assert (result.exit_code, file.read_text("utf-8")) == (2, "mine")
    assert "--append or --overwrite" in result.stderr


def test_a_file_is_replaced_or_added_to_when_asked(plan: Path) -> None:
    file = plan.parent / "openai" / "chat.yaml"
    for existing, count in (("--overwrite", 2), ("--append", 4), ("--overwrite", 2)):
        assert run("--plan", plan, existing).exit_code == 0
        assert len(load_cassette(file)) == count


def test_the_key_is_never_printed(plan: Path, server: LLMockServer) -> None:
    for fault in (None, Fail(401, message=f"Incorrect API key provided: {KEY}")):
        if fault:
            server.state.scenarios.add(fault)
        result = run("--plan", plan, "--overwrite")
        assert KEY not in result.output
        assert KEY not in (plan.parent / "openai" / "chat.yaml").read_text("utf-8")


def test_an_entry_that_cannot_be_recorded_does_not_stop_the_others(plan: Path) -> None:
    content = yaml.safe_load(plan.read_text("utf-8"))
    content["recordings"][0]["api_base"] = "http://127.0.0.1:1/v1"
    plan.write_text(yaml.safe_dump(content), "utf-8")
    result = run("--plan", plan)
    assert (result.exit_code, len(result.stdout.splitlines())) == (2, 1)
    assert "nothing was recorded" in result.stderr


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"credential": KEY}, "env:NAME"),
        ({"prompt": ""}, "prompt"),
        ({"promt": "x"}, "promt"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
def test_a_wrong_plan_is_refused_before_anything_is_sent(plan: Path, change: Any, complaint: str) -> None:
    content = yaml.safe_load(plan.read_text("utf-8"))
    content["recordings"][0].update(change)
    plan.write_text(yaml.safe_dump(content), "utf-8")
    result = run("--plan", plan)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert KEY not in result.output
    assert not (plan.parent / "openai").exists()


@pytest.fixture
def config(server: LLMockServer, tmp_path: Path) -> Path:
    server.state.reset()
    provider = {"credential": f"env:{KEY_VARIABLE}", "api_base": server.base_url("openai")}
    content = {
        "providers": {"openai": provider},
        "targets": {"gpt": {"provider": "openai", "model": "openai/gpt-5.6-luna"}},
        "routes": {"chat": {"chain": ["gpt"]}},
    }
    file = tmp_path / "failover.yaml"
    file.write_text(yaml.safe_dump(content), "utf-8")
    return file


def test_a_target_of_a_config_is_recorded_under_its_name(config: Path) -> None:
    out = config.parent / "cassettes"
    result = run("--config", config, "--target", "gpt", "--prompt", PROMPT, "--out", out, "--stream")
    assert result.exit_code == 0, result.output
    (episode,) = load_cassette(out / "openai" / "gpt-stream.yaml")
    assert episode.stream


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "name a --plan, or all of"),
        (("--target", "gpt"), "name a --plan, or all of"),
        (("--target", "gtp", "--prompt", "x", "--out", "out"), "has no target gtp; it has gpt"),
    ],
)
def test_what_is_asked_for_must_be_complete(config: Path, arguments: tuple[str, ...], complaint: str) -> None:
    result = run(*(("--config", config) if arguments else ()), *arguments)
    assert (result.exit_code, complaint in result.stderr) == (2, True), result.stderr


def test_a_plan_says_everything_itself(plan: Path) -> None:
    result = run("--plan", plan, "--prompt", "x")
    assert (result.exit_code, "--plan says everything" in result.stderr) == (2, True)
