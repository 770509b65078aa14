"""Exchanges recorded from the real providers: each is an answer in a drill, in both modes alike."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from failover.adapters.operations import METHODS
from failover.adapters.playable import why_unplayable
from failover.cassettes.episodes import Episode, load_folder
from failover.chaos.scenario import load_scenario
from failover.chaos.workload import Shape
from failover.chaos.world.image import Image
from failover.chaos.world.repertoire import CASSETTE_PROVIDERS, ENDPOINTS, Repertoire
from failover.chaos.world.successes import Source
from failover.core.vocabulary import Operation, Target
from tests.drills.two_modes import agreed
from tests.drills.worlds import LITELLM_WARNS, outcomes, target

pytestmark = [*LITELLM_WARNS, pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")]
RECORDED = Path(__file__).parents[3] / "shared" / "real-cassettes"

# litellm counts tokens of a stream without usage; no tokenizer is to be looked for on a network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

LITELLMS_NAMES = {recorded: name for name, recorded in CASSETTE_PROVIDERS.items()}
UNREAD = {
    "a643c3": "litellm takes a client of another kind for Crusoe than the one it is handed",
    "7d576e": "litellm asks for the number of a Snowflake account",
    "03ab98": "litellm makes the stream of an o4-mini itself, out of a whole reply",
    "27dc80": "after its end the stream tells an error",
    "822c08": "litellm cannot read a reply of Groq that tells no service tier",
}
WITHOUT_A_TOKEN = "9fd713"
"""Its third answer ends at once, and says nothing."""


class Recording:
    """A recorded success that some target answers with."""

    def __init__(self, episode: Episode, operation: Operation, of: Target, image: Image) -> None:
        self.episode = episode
        self.operation = operation
        self.target = of
        self.image = image
        self.name = f"{episode.file}#{episode.n}"


def recordings() -> list[Recording]:
    if not RECORDED.is_dir():
        return []
    found = []
    for number, episode in enumerate(load_folder(RECORDED)):
        operation = next((each for each, names in ENDPOINTS.items() if episode.endpoint in names), None)
        if operation is None or any(mark in episode.file for mark in UNREAD):
            continue
        recording = _recording(number, episode, Operation(operation))
        if recording is not None:
            found.append(recording)
    return found


def _recording(number: int, episode: Episode, operation: Operation) -> Recording | None:
    provider = LITELLMS_NAMES.get(episode.provider, episode.provider)
    styles = METHODS[operation].styles
    if styles and provider not in styles:
        return None
    base = "https://drilled.invalid" if provider == "azure" else ""
    of = target(f"target-{number}", f"{provider}/{episode.model}", api_base=base)
    answers = Repertoire([episode]).of(of, Shape(operation), stream=episode.stream)
    recorded = answers.source is Source.RECORDED
    return Recording(episode, operation, of, answers.answers[0].image) if recorded else None


FOUND = recordings()


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
def test_the_recordings_answer_many_operations_of_many_providers() -> None:
    assert len({each.target.provider for each in FOUND}) > 12
    assert {each.operation for each in FOUND} >= {"completion", "responses", "embedding"}
    assert sum(each.episode.stream for each in FOUND) > 20


@pytest.mark.parametrize("recording", FOUND, ids=lambda recording: recording.name)
def test_every_recorded_success_is_one_in_a_drill(recording: Recording) -> None:
    stream = recording.episode.stream
    found = outcomes().of(recording.target, Shape(recording.operation), recording.image, stream=stream)
    assert found.failure is None
    if stream:
        assert found.course is not None
        assert found.course.pieces or WITHOUT_A_TOKEN in recording.name
        assert list(found.course.pieces) == sorted(set(found.course.pieces))
        assert found.course.ended < found.course.events


PLAYED = [each for each in FOUND if why_unplayable(each.target.model) is None]
POLICY = {"deadline_s": 60, "idle_s": 0.2}
KINDS = sorted({(each.operation, each.episode.stream) for each in PLAYED})


@pytest.mark.parametrize(
    ("operation", "stream"),
    [pytest.param(*kind, id=f"{kind[0].value}{' streamed' * kind[1]}") for kind in KINDS],
)
def test_both_modes_agree_on_real_recordings(
    operation: Operation, *, stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A route for each recorded model: some are slow, so that their streams are given up, some fail."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "remembered"))
    played = [each for each in PLAYED if (each.operation, each.episode.stream) == (operation, stream)]
    targets = {each.target.model: each.target for each in played}.values()
    config = {
        "cassettes": str(RECORDED),
        "providers": {of.provider: {"credential": "env:ANY_KEY"} for of in targets},
        "targets": {of.name: _section(of) for of in targets},
        "routes": {of.name: {"chain": [of.name], "policy": POLICY} for of in targets},
    }
    (tmp_path / "failover.yaml").write_text(json.dumps(config), "utf-8")
    rate = len(targets) * 6 / 60
    story = {
        "title": "Whatever was recorded",
        "config": "failover.yaml",
        "workload": {
            "rate_per_s": rate,
            "for_s": 60,
            "operation": operation.value,
            "stream": stream,
            "mix": [{"route": of.name} for of in targets],
        },
        "inject": [
            {"kind": "slowdown", "target": "*", "at_s": 20, "factor": 9, "share": 0.5},
            {"kind": "outage", "target": "*", "at_s": 30, "for_s": 20, "as": "503", "share": 0.3},
        ],
    }
    (tmp_path / "story.yaml").write_text(json.dumps(story), "utf-8")
    told = agreed(load_scenario(tmp_path / "story.yaml"), tmp_path)
    assert told.verdict.episodes["synthetic"] == 0
    assert told.verdict.served


def _section(of: Target) -> dict[str, str]:
    section = {"provider": of.provider, "model": of.model}
    return {**section, "api_base": of.api_base} if of.api_base else section
