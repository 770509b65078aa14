"""The cassettes that come with the package: how they were made, and that they hold what they say."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from llmock.testing import LLMockServer

from failover.adapters.classify_reply import classify_reply
from failover.adapters.litellm import LitellmAdapter
from failover.cassettes.episodes import load_folder
from failover.cassettes.player import CassettePlayer
from failover.cassettes.record import record
from failover.cassettes.scrub import secret_shapes
from failover.cli.recordings import load_recordings
from failover.core.failures import FailureKind
from tests.edge.fake_wire import outbound
from tests.edge.shipped.record_all import KEY, VARIABLE, entries, plan_of, queue_fault

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]
os.environ.setdefault("HF_HUB_OFFLINE", "1")

SHIPPED = Path(__file__).parents[2] / "cassettes"
FILES = sorted(path.relative_to(SHIPPED).as_posix() for path in SHIPPED.rglob("*.yaml"))
OUTCOMES = {
    "answer": None,
    "answer-streamed": None,
    "rate-limited": FailureKind.RATE_LIMITED,
    "overloaded": FailureKind.OVERLOADED,
    "model-gone": FailureKind.MODEL_GONE,
    "context-length": FailureKind.CONTEXT_LENGTH,
}
# What differs between two recordings of the same: ids, times, ports, versions and the machine.
_VOLATILE = re.compile(
    r'"(?:id|created|created_at|system_fingerprint|responseId)":\s*(?:"[^"]*"|\d+|null)|127\.0\.0\.1:\d+'
)
_VOLATILE_HEADERS = {"date", "user-agent", "content-length", "host"}


@pytest.fixture(scope="module")
def server() -> Iterator[LLMockServer]:
    with LLMockServer() as running:
        yield running


def interactions(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(file.read_text("utf-8"))["interactions"]
    return found


def comparable(file: Path) -> str:
    """A recording without what differs each time."""
    content = interactions(file)
    for interaction in content:
        for side in ("request", "response"):
            headers = interaction[side]["headers"]
            interaction[side]["headers"] = {
                name: headers[name] for name in headers.keys() - _VOLATILE_HEADERS
            }
        told = interaction["response"].pop("failover")
        interaction["told"] = [told["provider"], told["model"], told["recorded_from"]]
        body = interaction["response"]["body"]["string"]
        interaction["response"]["body"]["string"] = _VOLATILE.sub("", body)
    return _VOLATILE.sub("", json.dumps(content, indent=1, sort_keys=True))


def test_every_entry_has_its_file_and_every_file_its_entry() -> None:
    assert sorted(entry["out"] for entry in entries()) == FILES


@pytest.mark.parametrize("file", FILES)
def test_a_shipped_cassette_says_that_a_mock_answered(file: str) -> None:
    for interaction in interactions(SHIPPED / file):
        told = interaction["response"]["failover"]
        assert "mock" in told["recorded_from"]
        assert told["recorded_with"]
        assert told["recorded_at"].endswith("+00:00")
        assert told["timing"]["total_s"] >= told["timing"]["first_byte_s"] > 0


@pytest.mark.parametrize("file", FILES)
def test_a_shipped_cassette_holds_nothing_of_a_secrets_shape(file: str) -> None:
    text = (SHIPPED / file).read_text("utf-8")
    assert secret_shapes(text) == []
    assert KEY not in text


@pytest.mark.parametrize("episode", load_folder(SHIPPED), ids=lambda episode: str(episode.file))
def test_a_shipped_episode_is_what_its_file_is_called(episode: Any) -> None:
    failure = classify_reply(episode.provider, episode.reply)
    name = Path(episode.file).stem
    assert (failure.kind if failure else None) == OUTCOMES[name]
    assert episode.stream is (name == "answer-streamed")
    if name == "rate-limited":
        assert failure is not None
        assert failure.retry_after_s == 7


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: str(entry["out"]))
async def test_recorded_anew_it_is_the_same(
    server: LLMockServer, entry: dict[str, Any], tmp_path: Path
) -> None:
    """The mock, litellm and the recorder still do what they did when the files were made."""
    server.state.reset()
    queue_fault(server, entry)
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump(plan_of([entry], server.url, tmp_path)), "utf-8")
    (recording,) = load_recordings(plan)
    await record(recording, environment={VARIABLE: KEY})
    assert comparable(recording.file) == comparable(SHIPPED / entry["out"])


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: str(entry["out"]))
async def test_litellm_gets_from_the_player_what_was_recorded(entry: dict[str, Any], tmp_path: Path) -> None:
    """At an address where nothing is: the shipped episode, through the real litellm and the classifier."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump(plan_of([entry], "http://provider.invalid", tmp_path)), "utf-8")
    (recording,) = load_recordings(plan)
    adapter = LitellmAdapter(CassettePlayer(load_folder(SHIPPED / entry["out"])), {VARIABLE: KEY})
    asked = outbound(recording.target, max_tokens=recording.max_tokens)
    failure = None
    try:
        if recording.stream:
            assert [piece async for piece in adapter.stream(asked) if piece.finish_reason]
        else:
            assert (await adapter.send(asked)).value.choices[0].message.content
    except Exception as error:  # noqa: BLE001 - whatever litellm makes of the recorded refusal
        failure = adapter.classify(recording.target, error)
    assert (failure.kind if failure else None) == OUTCOMES[Path(entry["out"]).stem]
