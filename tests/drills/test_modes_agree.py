"""Two modes, one scenario: what a simulation says happens is what happens in a replay."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from failover.chaos.drill import run_drill
from failover.chaos.finding import find_scenarios
from failover.chaos.meeting import SkippedDrill
from failover.chaos.scenario import Scenario, load_scenario
from tests.drills.worlds import CONFIG, LITELLM_WARNS, SCENARIOS, STORY, hurried, thinned, written

pytestmark = LITELLM_WARNS
REQUESTS = 150
BOTH = [
    scenario
    for scenario in find_scenarios([SCENARIOS])
    if set(scenario.modes) == {"simulate", "replay"} and not scenario.workload.stream
]

Attempts = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out of images stays in the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "remembered"))


def attempts(scenario: Scenario, mode: str, folder: Path) -> Attempts:
    """Target, outcome, failure and charge of each attempt, per call, from the journal."""
    journal = folder / f"{mode}.jsonl"
    try:
        run_drill(scenario, seed=1, mode=mode, journal=journal)
    except SkippedDrill as absent:
        pytest.skip(str(absent))
    found: Attempts = defaultdict(list)
    for line in journal.read_text("utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "attempt_ended":
            told = (event[key] for key in ("attempt", "target", "outcome", "permit", "failure", "cost_nusd"))
            found[event["call"]].append(tuple(told))
    return dict(found)


def both(scenario: Scenario, folder: Path) -> tuple[Attempts, Attempts]:
    return attempts(scenario, "simulate", folder), attempts(scenario, "replay", folder)


@pytest.mark.parametrize("shortened", [thinned, hurried])
@pytest.mark.parametrize("scenario", BOTH, ids=lambda scenario: scenario.name)
def test_both_modes_make_the_same_attempts_and_charges(scenario, shortened, tmp_path: Path) -> None:
    simulated, replayed = both(shortened(scenario, tmp_path, REQUESTS), tmp_path)
    assert len(simulated) > REQUESTS / 2
    assert simulated == replayed


PRICED = CONFIG.replace(
    "claude-sonnet-5}", "claude-sonnet-5, prices: {input_usd_per_mtok: 3, output_usd_per_mtok: 15}}"
)
STORIES = {
    "an outage on the stroke of a request": STORY.replace("for_s: 60}", "for_s: 60, arrivals: constant}"),
    "an outage of everything": STORY.replace("provider: openai", 'provider: "*"'),
    "silence": STORY.replace("for_s: 20}", "for_s: 20, as: hang}"),
    "a refused connection": STORY.replace("for_s: 20}", "for_s: 20, as: refused}"),
    "rate limits with a wait": STORY.replace(
        "kind: outage", "kind: rate_limit, retry_after_s: 3, share: 0.5"
    ),
    "a model withdrawn": STORY.replace("kind: outage", "kind: deprecation"),
    "a price in fractions": STORY.replace("kind: outage", "kind: price_change, factor: 2").replace(
        "10,", "10.3,"
    ),
    "sizes of its own": STORY.replace("for_s: 60}", "for_s: 60, tokens_in: 300, tokens_out: 40}"),
    "slower than the deadline": STORY.replace("kind: outage", "kind: slowdown, factor: 40"),
}


@pytest.mark.parametrize("story", STORIES)
def test_both_modes_agree_on(story, tmp_path: Path) -> None:
    simulated, replayed = both(load_scenario(written(tmp_path, STORIES[story], PRICED)), tmp_path)
    assert len(simulated) > 60
    assert simulated == replayed


def test_both_modes_agree_where_other_routes_share_the_targets(tmp_path: Path) -> None:
    config = PRICED.replace("  chat:", "  another: {chain: [claude]}\n  chat:")
    simulated, replayed = both(load_scenario(written(tmp_path, STORY, config)), tmp_path)
    assert simulated == replayed


def test_both_modes_agree_on_limits(tmp_path: Path) -> None:
    config = PRICED.replace("luna}", "luna, limits: {rpm: 30, concurrency: 2}}")
    simulated, replayed = both(load_scenario(written(tmp_path, STORY, config)), tmp_path)
    by_gpt = [attempt for attempts in simulated.values() for attempt in attempts if attempt[1] == "gpt"]
    assert 20 < len(by_gpt) < 70
    assert simulated == replayed


def test_a_replay_gives_the_same_journal_every_time(tmp_path: Path) -> None:
    scenario = load_scenario(written(tmp_path, STORY, PRICED))
    one, again = (run_drill(scenario, seed=1, mode="replay") for _ in range(2))
    assert one.journal_sha256 == again.journal_sha256
