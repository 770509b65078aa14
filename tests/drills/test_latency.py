"""How long answers take: the model, its tail, the fitted table, and a scenario's own word."""

from __future__ import annotations

import json
import re
from math import exp, log
from pathlib import Path
from statistics import quantiles

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from failover.cassettes.timing import Timing
from failover.chaos.asked_latency import LatencySection
from failover.chaos.drill import run_drill
from failover.chaos.scenario import load_scenario
from failover.chaos.world.chance import Chance
from failover.chaos.world.fitted_latency import FITTED, latency_model
from failover.chaos.world.image import Image
from failover.chaos.world.latency import LONGEST_S, TAIL_LENGTH, LatencyModel
from failover.chaos.world.repertoire import Source, Success, Successes
from failover.chaos.world.world import World
from failover.core.prices import PriceBook
from failover.errors import ConfigError
from tests.drills.worlds import CLAUDE, GPT, LITELLM_WARNS, ROOT, STORY, ByHand, asked, written

pytestmark = LITELLM_WARNS

PLAIN = LatencyModel(0.5, 0.6, 0.01, 0.4, 2.0)
MODELS = st.builds(
    LatencyModel,
    st.floats(0.01, 60.0),
    st.floats(0.0, 3.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 3.0),
    st.floats(0.0, 10.0),
)
DRAWS = 20_000


def drawn(model: LatencyModel, tokens_out: int = 0) -> list[float]:
    return [model.draw(Chance(1), tokens_out, number)[1] for number in range(DRAWS)]


def percentiles(model: LatencyModel, tokens_out: int = 0) -> list[float]:
    return quantiles(drawn(model, tokens_out), n=100)


# The model.


@given(model=MODELS, seed=st.integers(0, 2**32), tokens_out=st.integers(0, 100_000))
def test_the_last_token_never_comes_before_the_first(model, seed, tokens_out) -> None:
    first_token_s, total_s = model.draw(Chance(seed), tokens_out, "gpt", "1", 1)
    assert 0.0 <= first_token_s <= total_s
    assert first_token_s <= LONGEST_S
    assert (first_token_s, total_s) == (round(first_token_s, 6), round(total_s, 6))


@given(model=MODELS, few=st.integers(0, 1_000), more=st.integers(0, 1_000))
def test_a_longer_answer_begins_as_soon_and_ends_later(model, few, more) -> None:
    short, long = (model.draw(Chance(1), tokens, "1") for tokens in (few, few + more))
    assert short[0] == long[0]
    assert short[1] <= long[1]


def test_half_of_the_first_tokens_come_before_the_median() -> None:
    assert percentiles(PLAIN)[49] == pytest.approx(0.5, rel=0.02)


def test_the_pace_differs_between_answers_around_its_median() -> None:
    paced = percentiles(LatencyModel(0.001, 0.0, 0.01, 0.4), tokens_out=1_000)
    assert paced[49] == pytest.approx(10.0, rel=0.02)
    assert log(paced[83] / paced[49]) == pytest.approx(0.4, rel=0.05)


@pytest.mark.parametrize("tail_factor", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_the_body_is_the_same_whatever_the_tail(tail_factor) -> None:
    found = percentiles(LatencyModel(0.5, 0.6, 0.01, 0.4, tail_factor))
    assert found[:88] == percentiles(PLAIN)[:88]


def test_beyond_the_slowest_tenth_the_tail_is_a_power_law() -> None:
    """Ten times rarer is later by the same factor each time: a log-normal's factors shrink."""
    model = LatencyModel(0.5, 0.6, 0.01, 0.4, 3.0)
    ordered = sorted(drawn(model))
    p90, p99, p999 = (ordered[int(DRAWS * share)] for share in (0.9, 0.99, 0.999))
    factor = exp(0.6 * TAIL_LENGTH * 3.0 * log(10.0))
    assert p99 / p90 == pytest.approx(factor, rel=0.1)
    assert p999 / p99 == pytest.approx(factor, rel=0.4)


def test_without_spread_nothing_varies_and_there_is_no_tail() -> None:
    assert set(drawn(LatencyModel(0.5, 0.0, 0.01, 0.0, 5.0), tokens_out=100)) == {1.5}


def test_a_draw_of_a_model_is_what_it_was_in_every_version() -> None:
    assert PLAIN.draw(Chance(1), 100, "gpt", "1", 1) == (0.644425, 1.506413)


def test_first_tokens_and_paces_are_drawn_independently() -> None:
    pairs = [Chance(1).normals("pair", number) for number in range(DRAWS)]
    assert abs(sum(one * other for one, other in pairs) / DRAWS) < 0.02


# The fitted table.


@pytest.mark.parametrize(
    ("model", "pattern"),
    [
        ("openai/gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini*"),
        ("openai/gpt-4o", "openai/gpt-4o*"),
        ("azure/gpt-5-mini", "openai/gpt-5-mini*"),
        ("openai/gpt-5-2025-08-07", "openai/gpt-5"),
        ("openai/gpt-5.6-luna", "openai/gpt-5.*"),
        ("openai/davinci-002", "openai/*"),
        ("vertex_ai/gemini-2.5-pro", "gemini/gemini-2.5-pro*"),
        ("gemini/gemma-4", "gemini/*"),
        ("vertex_ai/claude-opus-4", "*"),
        ("anthropic/claude-opus-4-6", "anthropic/*"),
        ("mistral/mistral-large-2512", "*"),
        ("", "*"),
    ],
)
def test_a_target_answers_like_its_family_else_its_provider_else_everybody(model, pattern) -> None:
    (expected,) = [row for patterns, row in FITTED if pattern == patterns[0]]
    assert latency_model(model) is expected


def test_every_row_of_the_table_can_be_reached() -> None:
    for patterns, row in FITTED:
        for pattern in patterns:
            name = pattern.replace("[134]", "4").replace("*", "")
            assert any(latency_model(name + ending) is row for ending in ("", "-x")), pattern


def test_the_documented_figures_are_those_of_the_table() -> None:
    page = (ROOT / "docs" / "scenarios.md").read_text("utf-8")
    line = re.compile(
        r"^\| `([^`]+)`[^|]*\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", re.MULTILINE
    )
    told = [(found[0], LatencyModel(*map(float, found[1:]))) for found in line.findall(page)]
    assert told == [(patterns[0], row) for patterns, row in FITTED]


# A scenario's own word.


def test_what_is_told_counts_and_the_rest_stays_as_fitted() -> None:
    told = LatencySection(first_token_s=2.0, tail_factor=0.0)
    assert told.over(PLAIN) == LatencyModel(2.0, 0.6, 0.01, 0.4, 0.0)
    assert LatencySection().over(PLAIN) == PLAIN


def test_a_world_answers_as_quickly_as_it_is_told() -> None:
    answers = {each.name: Successes(Source.SYNTHETIC, (Success(Image("x")),)) for each in (GPT, CLAUDE)}
    told = {"gpt": LatencyModel(3.0, 0.0, 0.02)}
    world = World(Chance(1), (GPT, CLAUDE), ByHand(answers), (), PriceBook(), latencies=told)
    found = world.exchange(GPT, asked(), 1, 0.0, stream=True)
    assert (found.first_token_s, found.total_s) == (3.0, 5.0)
    other = world.exchange(CLAUDE, asked(), 1, 0.0, stream=True)
    expected = latency_model(CLAUDE.model).draw(Chance(1), 100, "claude", "1", 1)
    assert (other.first_token_s, other.total_s) == expected


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        (Timing(0.5, 2.0, (0.5, 1.0, 2.0)), (0.5, 2.0)),
        (Timing(None, 2.0), (2.0, 2.0)),
        (Timing(0.5), (3.0, 5.0)),
        (None, (3.0, 5.0)),
    ],
)
def test_a_recording_that_tells_its_end_goes_before_every_model(timing, expected) -> None:
    answers = {"gpt": Successes(Source.RECORDED, (Success(Image("x"), timing),))}
    told = {"gpt": LatencyModel(3.0, 0.0, 0.02)}
    world = World(Chance(1), (GPT,), ByHand(answers), (), PriceBook(), latencies=told)
    found = world.exchange(GPT, asked(), 1, 0.0, stream=True)
    assert (found.first_token_s, found.total_s) == expected


@pytest.mark.parametrize(
    ("timings", "timed"),
    [([Timing(0.1, 2.0)], True), ([Timing(0.1, 2.0), None], False), ([Timing(0.1)], False)],
)
def test_answers_are_timed_when_no_latency_would_ever_be_drawn(timings, timed) -> None:
    answers = tuple(Success(Image("x"), timing) for timing in timings)
    assert Successes(Source.RECORDED, answers).timed is timed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a story is written; what was found out of images is remembered next to it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "remembered"))
    return tmp_path


def drilled(folder: Path, latency: str) -> float | None:
    file = written(folder, f"{STORY}latency: {latency}\n")
    return run_drill(load_scenario(file), seed=1, mode="simulate").latency_s.p50


def test_a_scenario_says_how_quickly_its_targets_answer(folder: Path) -> None:
    quick = "{first_token_s: 0.5, spread: 0, token_s: 0.001, token_spread: 0}"
    assert drilled(folder, f"{{gpt: {quick}, claude: {quick}}}") == pytest.approx(0.6, rel=0.005)
    assert drilled(folder, "{}") != pytest.approx(0.6, rel=0.1)


@pytest.mark.parametrize(
    ("latency", "complaint"),
    [
        ("{gtp: {token_s: 1}}", "latency.gtp: the drill has no target 'gtp'; did you mean 'gpt'?"),
        ("{gpt: {token_s: -1}}", "latency.gpt.token_s: must be at least 0, got -1"),
        ("{gpt: {first_token_s: 0}}", "latency.gpt.first_token_s: must be greater than 0, got 0"),
        ("{gpt: {first_token_s: .inf}}", "latency.gpt.first_token_s: must be a finite number, got inf"),
        ("{gpt: {spread: 4}}", "latency.gpt.spread: must be at most 3, got 4"),
        ("{gpt: {first_token_ms: 4}}", "did you mean 'first_token_s'?"),
        ("{gpt: 4}", "latency.gpt: must be a mapping, got 4"),
    ],
)
def test_a_latency_that_cannot_be_is_refused_with_its_line(folder: Path, latency, complaint) -> None:
    with pytest.raises(ConfigError) as found:
        drilled(folder, latency)
    (said,) = found.value.complaints
    assert complaint in str(said)
    assert said.line == 8


def test_a_latency_that_recordings_overrule_is_refused(folder: Path) -> None:
    """Else it would be accepted, and change nothing."""
    cassette = folder / "cassettes" / "own.yaml"
    cassette.parent.mkdir()
    reply = {
        "id": "1",
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    timing = {"first_byte_s": 0.2, "total_s": 0.9}
    interaction = {
        "request": {
            "method": "POST",
            "uri": "https://api.openai.com/v1/chat/completions",
            "headers": {},
            "body": json.dumps({"model": "gpt-5.6-luna"}),
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"content-type": ["application/json"]},
            "body": {"string": json.dumps(reply)},
        },
        "failover": {"provider": "openai", "model": "gpt-5.6-luna", "timing": timing},
    }
    cassette.write_text(yaml.safe_dump({"version": 1, "interactions": [interaction]}), "utf-8")
    with pytest.raises(ConfigError, match=r"latency\.gpt: its recordings tell their own timing"):
        drilled(folder, "{gpt: {token_s: 1}}")
