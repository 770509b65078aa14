"""Outcomes: what the real litellm and the real classifier make of an image, found out once."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from failover.adapters.wire import ConnectionFault, WireReply
from failover.chaos.injections.outage import FAULTS
from failover.chaos.modes import observing
from failover.chaos.modes.outcomes import Outcomes, cache_folder
from failover.chaos.workload import Shape
from failover.chaos.world.image import Image
from failover.chaos.world.outcome import Outcome
from failover.chaos.world.repertoire import Repertoire
from failover.chaos.world.successes import Source
from failover.chaos.world.synthetic import synthetic_success
from failover.chaos.world.wire_shapes import error_image
from failover.core.failures import Failure, FailureKind, Phase
from failover.core.vocabulary import Operation, Target, Usage
from tests.drills.worlds import (
    AS_RECORDED,
    CONFIG,
    GPT,
    LITELLM_WARNS,
    MEANT,
    ROOT,
    STORY,
    outcomes,
    target,
    written,
)

pytestmark = LITELLM_WARNS

MODELS = [
    "openai/gpt-5.6-luna",
    "anthropic/claude-sonnet-5",
    "gemini/gemini-2.5-flash",
    "mistral/mistral-large-2512",
    "groq/openai/gpt-oss-120b",
    "perplexity/sonar",
]
OFFLINE = "a drill looked up an address"
SAYS_NOTHING_USED = Outcome(usage=Usage(0, 2, estimated=True))
"""Its two tokens are our own count."""


def answer(text: str = "an answer") -> Image:
    """An image that nobody has seen before."""
    body = json.loads(synthetic_success(GPT.model).body)
    body["choices"][0]["message"]["content"] = text
    return Image(text, reply=WireReply(200, {"content-type": "application/json"}, json.dumps(body).encode()))


def found_out(asked: Target, image: Image, *, stream: bool = False, by: Outcomes | None = None) -> Outcome:
    """What a plain chat with `asked` comes to that meets `image`."""
    return (by or outcomes()).of(asked, AS_RECORDED, image, stream=stream)


def failure(asked: Target, image: Image, *, stream: bool = False) -> Failure:
    """The same, where it is one."""
    found = found_out(asked, image, stream=stream).failure
    assert found is not None
    return found


class Counting:
    """Stands before the real litellm and counts what reaches it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 0
        self._observed = observing.observed
        monkeypatch.setattr(observing, "observed", self)

    def __call__(self, asked: Target, shape: Shape, image: Image, *, stream: bool) -> Outcome:
        self.passed += 1
        return self._observed(asked, shape, image, stream=stream)


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address is looked up."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(OFFLINE)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# Each image means what it should, in every dialect.


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", MEANT)
@pytest.mark.parametrize("model", MODELS)
def test_an_error_is_the_failure_that_was_meant(model, status, stream) -> None:
    asked = target("asked", model)
    wait_s = 7.0 if status == 429 else None
    found = failure(asked, error_image(asked.provider, status, wait_s), stream=stream)
    assert (found.kind, found.status, found.retry_after_s) == (MEANT[status], status, wait_s)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", [ConnectionFault.REFUSED, ConnectionFault.RESET])
@pytest.mark.parametrize("model", MODELS)
def test_a_broken_connection_is_one(model, fault, stream) -> None:
    found = failure(target("asked", model), FAULTS[fault], stream=stream)
    assert found.kind is FailureKind.CONNECTION


def test_silence_is_a_timeout_without_waiting_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can find it out: it would take for ever."""
    monkeypatch.setattr(observing, "observed", None)
    found = failure(GPT, FAULTS[ConnectionFault.HANG])
    assert found == Failure(FailureKind.TIMEOUT, phase=Phase.TOTAL)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", [*MODELS, "ollama_chat/llama3"])
def test_who_is_in_no_cassette_answers_with_a_success(model, stream) -> None:
    """Else a target that no cassette knows would be down by itself."""
    asked = target("asked", model)
    made_up = Repertoire([]).of(asked, AS_RECORDED, stream=stream)
    assert made_up.source is Source.SYNTHETIC
    assert found_out(asked, made_up.answers[0].image, stream=stream).failure is None


@pytest.mark.parametrize("body", [b"", b"{", b'{"choices": []}', b"<html>come back later</html>"])
def test_a_success_that_says_nothing_is_malformed(body) -> None:
    reply = WireReply(200, {"content-type": "application/json"}, body)
    assert failure(GPT, Image("odd", reply=reply)).kind is FailureKind.MALFORMED_REPLY


@pytest.mark.parametrize("model", ["cohere/command-a-03-2025", "replicate/meta/llama-3"])
def test_a_provider_that_litellm_reaches_by_a_client_of_its_own_is_not_sent_to(
    model, litellm: Counting
) -> None:
    """A drill sends nothing anywhere: what cannot be played is judged by our classifier alone."""
    assert failure(target("asked", model), error_image("cohere", 503)).kind is FailureKind.OVERLOADED
    assert litellm.passed == 0


# Found out once.


def test_an_image_passes_litellm_once(litellm: Counting, tmp_path: Path) -> None:
    found, image = Outcomes(tmp_path), answer()
    assert {found_out(GPT, image, by=found) for _ in range(5)} == {SAYS_NOTHING_USED}
    assert litellm.passed == 1


def test_it_may_be_found_out_while_an_event_loop_runs(tmp_path: Path) -> None:
    """A replay asks on its own loop what nobody could have served; a caller may drill from a coroutine."""

    async def ask() -> object:
        return found_out(GPT, answer(), by=Outcomes(tmp_path))

    assert asyncio.run(ask()) == SAYS_NOTHING_USED


@pytest.mark.parametrize(
    "image", [answer("kept"), error_image("openai", 429, 7.0), FAULTS[ConnectionFault.RESET]]
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_next_drill_reads_what_the_last_one_found_out(
    image, stream, litellm: Counting, tmp_path: Path
) -> None:
    first = Outcomes(tmp_path)
    found = found_out(GPT, image, stream=stream, by=first)
    first.save()
    assert found_out(GPT, image, stream=stream, by=Outcomes(tmp_path)) == found
    assert litellm.passed == 1


def test_two_drills_at_once_keep_what_both_found_out(litellm: Counting, tmp_path: Path) -> None:
    one, other = (Outcomes(tmp_path) for _ in range(2))
    found_out(GPT, answer("one"), by=one)
    found_out(GPT, answer("other"), by=other)
    one.save()
    other.save()
    last = Outcomes(tmp_path)
    found_out(GPT, answer("one"), by=last)
    found_out(GPT, answer("other"), by=last)
    assert litellm.passed == 2


@pytest.mark.parametrize(
    ("asked", "shape", "image", "stream"),
    [
        (GPT, AS_RECORDED, answer("other words"), False),
        (GPT, AS_RECORDED, error_image("openai", 500), False),
        (target("gpt", "openai/gpt-5.6-sol"), AS_RECORDED, answer(), False),
        (GPT, Shape(Operation.RESPONSES), answer(), False),
        (GPT, AS_RECORDED, answer(), True),
    ],
    ids=["content", "status", "model", "operation", "stream"],
)
def test_what_is_remembered_is_of_this_content_only(asked, shape, image, stream, litellm, tmp_path) -> None:
    first = Outcomes(tmp_path)
    found_out(GPT, answer(), by=first)
    first.save()
    Outcomes(tmp_path).of(asked, shape, image, stream=stream)
    assert litellm.passed == 2


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"text"', "\x00", '{"k": [1]}'])
def test_a_corrupt_file_is_ignored(content: str, tmp_path: Path) -> None:
    first = Outcomes(tmp_path)
    found_out(GPT, answer(), by=first)
    first.save()
    (file,) = tmp_path.iterdir()
    file.write_text(content, "utf-8")
    again = Outcomes(tmp_path)
    assert found_out(GPT, answer(), by=again) == SAYS_NOTHING_USED
    again.save()
    assert json.loads(file.read_text("utf-8"))


@pytest.mark.parametrize("entry", [None, [], [1], "text", {"failure": {"kind": "no such kind"}}])
def test_a_corrupt_entry_is_found_out_anew(entry: object, tmp_path: Path) -> None:
    first = Outcomes(tmp_path)
    found_out(GPT, answer(), by=first)
    first.save()
    (file,) = tmp_path.iterdir()
    file.write_text(json.dumps(dict.fromkeys(json.loads(file.read_text("utf-8")), entry)), "utf-8")
    assert found_out(GPT, answer(), by=Outcomes(tmp_path)) == SAYS_NOTHING_USED


def test_a_folder_that_cannot_be_written_harms_nobody(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("", "utf-8")
    found = Outcomes(in_the_way / "cache")
    assert found_out(GPT, answer(), by=found) == SAYS_NOTHING_USED
    found.save()
    assert in_the_way.read_text("utf-8") == ""


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    Outcomes(tmp_path / "cache").save()
    assert not (tmp_path / "cache").exists()


def test_outcomes_live_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "failover"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "failover"


def test_a_drill_with_a_warm_cache_imports_no_litellm(tmp_path: Path) -> None:
    scenario = written(tmp_path, STORY, CONFIG)
    code = (
        "import sys; from pathlib import Path\n"
        "from failover.chaos.drill import run_drill\n"
        "from failover.chaos.scenario import load_scenario\n"
        f"run_drill(load_scenario(Path({str(scenario)!r})), seed=1, mode='simulate')\n"
        "print('litellm' in sys.modules)"
    )
    imported = [
        subprocess.run(  # noqa: S603  our own interpreter and words
            [sys.executable, "-c", code],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert imported == ["True", "False"]
