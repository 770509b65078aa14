"""What stands at the end of many drills: which stories a service came through, which not, and why."""

from __future__ import annotations

import pytest
import yaml
from click.testing import CliRunner

from failover.cli.drill import command
from tests.drills.worlds import LITELLM_WARNS

pytestmark = LITELLM_WARNS

CONFIG = """
providers:
  openai:    {credential: env:OPENAI_API_KEY}
  anthropic: {credential: env:ANTHROPIC_API_KEY}
targets:
  gpt:    {provider: openai,    model: openai/gpt-5.6-luna}
  claude: {provider: anthropic, model: anthropic/claude-sonnet-5}
routes:
  chat:  {chain: [gpt, claude]}
  alone: {chain: [gpt]}
"""
OUTAGE = {"kind": "outage", "target": "openai/*", "at_s": 60, "for_s": 60}
WIDTH = 80


@pytest.fixture
def drill(tmp_path, monkeypatch):
    """Drills the stories of these names and facts; what is printed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "remembered"))
    folder = tmp_path / "stories"
    folder.mkdir()
    (folder / "failover.yaml").write_text(CONFIG, "utf-8")

    def run(*words, **stories):
        for name, facts in stories.items():
            story = {
                "title": name,
                "config": "failover.yaml",
                "when_untouched": "skip",
                "workload": {"rate_per_s": 1, "for_s": 180, "route": facts.pop("route", None)},
                "expect": {"success_ratio_min": 0.95},
                **facts,
            }
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(story), "utf-8")
        return CliRunner().invoke(command, [str(folder), "--quiet", *words]).stdout

    return run


def closing(text):
    """The lines from the one that begins it, without those of the drills."""
    lines = text.splitlines()
    return lines[next(index for index, line in enumerate(lines) if line.startswith("Of ")) :]


def test_it_tells_what_was_come_through_what_not_and_what_was_skipped(drill):
    text = drill(
        calm={},
        survived={"route": "chat", "inject": [OUTAGE]},
        lost={"route": "alone", "inject": [{**OUTAGE, "for_s": 600}]},
        elsewhere={"inject": [{**OUTAGE, "target": "groq/*"}]},
        too_early={"route": "chat", "inject": [{**OUTAGE, "at_s": 1}]},
    )
    lines = closing(text)
    assert lines[0] == "Of 5 stories:"
    assert lines[1:3] == ["  came through 2:", "    calm, survived"]
    assert lines[3] == "  did not come through 1:"
    assert lines[4].startswith("    lost: served ")
    assert "nobody could have served more than" in " ".join(" ".join(lines).split())
    assert lines[-6:-4] == ["  nothing was shown in 1:", "    too_early"]
    assert lines[-4].startswith("  skipped 1, nothing that happens in it touches ")
    assert lines[-3:-1] == ["    elsewhere", ""]
    assert lines[-1].startswith("2 passed, 1 failed, 1 unknown, 1 skipped in ")


def test_it_names_the_route_that_lost_most(drill):
    lines = closing(drill(one={}, two={}, both={"inject": [OUTAGE]}))
    assert "(route alone: " in " ".join(lines)


def test_of_several_seeds_it_tells_how_many_failed_and_the_worst(drill):
    asked = {"route": "alone", "inject": [OUTAGE]}
    text = " ".join(
        " ".join(closing(drill("--seeds", "3", "--jobs", "1", one={}, two={}, lost=asked))).split()
    )
    assert (
        "Of 3 stories: came through 2: one, two did not come through 1: lost: failed 3 of 3 times; with seed"
        in text
    )


def test_it_tells_a_limit_of_another_kind_by_its_name(drill):
    slow = {"expect": {"latency_p95_max_s": 0.001}}
    told = " ".join(" ".join(closing(drill(one={}, two={}, slow=slow))).split())
    assert "slow: served 100.00 %, and not as expected: latency_p95_max_s" in told


def test_it_tells_what_a_better_router_could_have_served(drill):
    patient = {**OUTAGE, "share": 0.5}
    asked = {"expect": {"success_ratio_min": 0.9999}, "route": "alone", "inject": [patient]}
    assert " that could have been" in " ".join(closing(drill(one={}, two={}, unlucky=asked)))


@pytest.mark.parametrize("stories", [{"one": {}, "two": {}, "three": {}}, {"lost": {"inject": [OUTAGE]}}])
def test_who_came_through_all_or_drilled_but_one_is_told_no_more_than_the_totals(drill, stories):
    assert "Of " not in drill(**stories)


def test_nothing_is_wider_than_a_terminal(drill):
    stories = {f"a-story-with-quite-a-long-name-{number}": {} for number in range(5)}
    lines = closing(drill(**stories, lost={"route": "alone", "inject": [OUTAGE]}))
    assert max(map(len, lines)) <= WIDTH


def test_of_several_routes_each_has_a_row(drill):
    text = drill(lost={"inject": [OUTAGE]})
    rows = [line.split() for line in text.splitlines() if line.startswith("  route ")]
    assert [row[1] for row in rows] == ["chat:", "alone:"]
