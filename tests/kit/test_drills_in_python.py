"""Scenarios that are written in code, and judged like files."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from failover import ConfigError
from failover.chaos.drill import run_drill
from failover.chaos.judging.verdict import Conclusion
from failover.chaos.scenario import Expectations, Workload, load_scenario
from failover.cli.drill import command
from failover.testing import DrillFailedError, assert_survives, drill, outage
from tests.drills.worlds import CONFIG, LITELLM_WARNS

pytestmark = LITELLM_WARNS
WORKLOAD = {"route": "chat", "rate_per_s": 2, "for_s": 60}
OUTAGE = outage("openai", at_s=20, for_s=20)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out of images, and what a drill leaves behind, stays with the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "remembered"))
    (tmp_path / "left").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "left"))


def left(folder: Path) -> list[Path]:
    return sorted((folder / "left").rglob("*.yaml"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "failover.yaml"
    file.write_text(CONFIG, "utf-8")
    return file


def test_code_and_file_are_the_same_drill(config: Path, tmp_path: Path) -> None:
    story = {"title": "x", "config": str(config), "workload": WORKLOAD, "inject": [OUTAGE]}
    file = tmp_path / "story.yaml"
    file.write_text(yaml.safe_dump(story), "utf-8")
    from_file = run_drill(load_scenario(file), seed=3, mode="simulate")
    assert (
        drill(config, workload=WORKLOAD, inject=[OUTAGE], seed=3).journal_sha256 == from_file.journal_sha256
    )


def test_parts_may_be_mappings_or_the_classes_of_a_file(config: Path) -> None:
    asked = Workload.model_validate(WORKLOAD)
    expected = Expectations(success_ratio_min=0.5)
    verdict = drill(yaml.safe_load(CONFIG), workload=asked, inject=[OUTAGE], expect=expected)
    plain = drill(config, workload=WORKLOAD, inject=[OUTAGE], expect={"success_ratio_min": 0.5})
    assert verdict.journal_sha256 == plain.journal_sha256
    assert [result.name for result in verdict.expectations] == ["success_ratio_min"]


def test_both_modes_can_be_asked_for(config: Path) -> None:
    options = {"workload": {**WORKLOAD, "for_s": 30}, "inject": [outage("openai", at_s=15)]}
    assert drill(config, mode="replay", **options).mode == "replay"
    with pytest.raises(ValueError, match="this scenario is only for simulate"):
        drill(config, mode="guess", **options)


def test_surviving_gives_the_verdict_of_each_seed_and_leaves_nothing(config: Path, tmp_path: Path) -> None:
    verdicts = assert_survives(config, workload=WORKLOAD, inject=[OUTAGE], seeds=range(3))
    assert [verdict.seed for verdict in verdicts] == [0, 1, 2]
    assert left(tmp_path) == []


def test_failing_says_why_first_and_how_to_see_it_again(config: Path, tmp_path: Path) -> None:
    with pytest.raises(DrillFailedError) as raised:
        assert_survives(
            config,
            workload=WORKLOAD,
            inject=[OUTAGE],
            expect={"latency_p95_max_s": 0.01},
            title="Too slow, we say!",
            cassettes=Path(__file__).parents[2] / "cassettes",
        )
    said = str(raised.value)
    assert said.startswith("failed: expectation latency_p95_max_s: 0.01 was asked")
    assert "FAILED  too-slow-we-say  (simulate, seed 0)" in said
    [line] = [line for line in said.splitlines() if "reproduce: " in line]
    again = CliRunner().invoke(command, shlex.split(line)[3:])
    assert again.exit_code == 1
    assert "latency_p95_max_s: 0.01 was asked" in again.output
    assert [file.name for file in left(tmp_path)] == ["too-slow-we-say.yaml"]


def test_showing_nothing_is_no_survival(config: Path) -> None:
    with pytest.raises(AssertionError, match=r"^nothing was shown: no steady state") as raised:
        assert_survives(config, workload=WORKLOAD, inject=[outage("openai")])
    assert isinstance(raised.value, DrillFailedError)
    assert raised.value.verdict.verdict is Conclusion.UNKNOWN
    with pytest.raises(ValueError, match="seeds is empty"):
        assert_survives(config, workload=WORKLOAD, seeds=())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workload": {"route": "chat", "rate_per_s": -5}}, "rate_per_s: must be greater than 0"),
        ({"workload": {**WORKLOAD, "route": "chta"}}, "has no route 'chta'"),
        ({"inject": [outage(at_s=3)]}, "exactly one of"),
        ({"config": {"targets": object()}}, "a drill takes what a YAML file can hold"),
        ({"config": "nowhere.yaml"}, "there is no such file"),
    ],
    ids=["a negative rate", "no such route", "nothing selected", "no YAML", "no config"],
)
def test_what_is_wrong_is_complained_about_as_in_a_file(config: Path, options, words) -> None:
    with pytest.raises(ConfigError, match=words):
        drill(**{"config": config, "workload": WORKLOAD, **options})
