"""Two configs over the same worlds: what the paired statistics say, and how they are told."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from math import inf

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.console import Console

from failover.chaos.campaign.comparison import MEASURES, Change, compare, compare_measure
from failover.chaos.campaign.interval import PAIRS_MIN, Interval, mean_interval
from failover.chaos.judging.verdict import Conclusion, Figures, Quantiles
from failover.report.comparison import comparison_json, comparison_markdown, comparison_terminal
from tests.drills.journals import calm, verdict_on
from tests.drills.worlds import ROOT

SERVED = next(measure for measure in MEASURES if measure.name == "success_ratio")
SLOW = next(measure for measure in MEASURES if measure.name == "latency_p95_s")
DRILL = verdict_on(calm())
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "comparison.schema.json").read_text("utf-8"))

ratios = st.floats(0.0, 1.0)
pairs_of_ratios = st.lists(st.tuples(ratios, ratios), min_size=1, max_size=12)
many_pairs = st.lists(st.tuples(ratios, ratios), min_size=PAIRS_MIN, max_size=12)


def drill(seed=0, served=1.0, verdict=Conclusion.PASSED, **facts):
    command = f"failover drill scenarios/{facts.get('scenario', 'story')}.yaml --seed {seed} --mode simulate"
    return replace(DRILL, seed=seed, success_ratio=served, verdict=verdict, reproduce=command, **facts)


def worlds(pairs):
    return [(drill(seed, base), drill(seed, other)) for seed, (base, other) in enumerate(pairs)]


def changes(pairs):
    return compare_measure(SERVED, worlds(pairs))


def swapped(change):
    return {Change.BETTER: Change.WORSE, Change.WORSE: Change.BETTER}.get(change, change)


@given(pairs_of_ratios)
def test_the_other_way_round_everything_has_the_other_sign(pairs):
    there, back = changes(pairs), changes([(other, base) for base, other in pairs])
    assert back.difference == -there.difference
    assert back.change is swapped(there.change)
    if there.interval is not None:
        assert back.interval == Interval(-there.interval.high, -there.interval.low)


@given(st.lists(ratios, min_size=1, max_size=12))
def test_the_same_config_changes_nothing(figures):
    same = changes([(figure, figure) for figure in figures])
    assert (same.difference, same.change) == (0.0, Change.SAME)
    assert same.interval in (None, Interval(0.0, 0.0))


@given(many_pairs, st.floats(0.01, 0.5))
def test_what_is_worse_in_every_world_is_found(pairs, by):
    assert changes([(base + by, base) for base, _ in pairs]).change is Change.WORSE
    assert changes([(base, base + by) for base, _ in pairs]).change is Change.BETTER


@given(many_pairs)
def test_the_interval_lies_among_the_differences_and_holds_their_mean(pairs):
    found = changes(pairs)
    differences = [other - base for base, other in pairs]
    assume(len(set(differences)) > 1)
    assert min(differences) - 1e-12 <= found.interval.low <= found.difference + 1e-12
    assert found.difference - 1e-12 <= found.interval.high <= max(differences) + 1e-12


@given(many_pairs, st.randoms(use_true_random=False))
def test_chance_has_a_key(pairs, random):
    random.random()
    assert changes(pairs) == changes(pairs)


def test_noise_around_nothing_is_no_change():
    assert changes([(0.9, 0.9 + sign * 0.01) for sign in (1, -1) * 5]).change is Change.SAME


def test_pairing_finds_what_lies_deep_in_the_noise_between_worlds():
    pairs = [(0.5 + seed / 25, 0.5 + seed / 25 - 0.001 - seed / 1e5) for seed in range(10)]
    assert changes(pairs).change is Change.WORSE


def test_few_pairs_have_a_wider_interval_than_resampling_alone_would_give():
    """Student's interval of these six is 0.78 to each side; plain resampling would give 0.55."""
    found = mean_interval([-1.0, -0.6, -0.2, 0.2, 0.6, 1.0])
    assert found.high == pytest.approx(0.78, abs=0.07)
    assert found.low == pytest.approx(-found.high, abs=0.1)


@pytest.mark.parametrize("count", range(1, PAIRS_MIN))
def test_fewer_than_six_pairs_show_nothing_and_say_so(count):
    found = changes([(0.9, 0.8)] * count)
    assert (found.interval, found.change) == (None, Change.UNCLEAR)


def test_less_latency_is_better():
    pairs = [
        (drill(seed, latency_s=Quantiles(1, 2, 3)), drill(seed, latency_s=Quantiles(1, 1, 3)))
        for seed in range(6)
    ]
    assert compare_measure(SLOW, pairs).change is Change.BETTER


def test_worlds_where_a_side_measured_nothing_do_not_count():
    pairs = [*worlds([(1.0, 0.9)] * 3), (drill(3, None), drill(3, 0.1)), (drill(4, 0.1), drill(4, None))]
    assert compare_measure(SERVED, pairs).seeds == 3
    assert compare_measure(SERVED, pairs[3:]) is None


def failing(pairs, count, side=1):
    """The first `count` drills fail, on one side."""
    return [
        tuple(
            replace(each, verdict=Conclusion.FAILED) if index < count and at == side else each
            for at, each in enumerate(pair)
        )
        for index, pair in enumerate(pairs)
    ]


def compared(pairs):
    return compare("base.yaml", "other.yaml", pairs)


EQUAL = worlds([(0.99, 0.99)] * 7)
CASES = {
    "nothing": (EQUAL, Change.SAME),
    "a drill fails": (failing(EQUAL, 1), Change.WORSE),
    "a drill passes": (failing(EQUAL, 1, side=0), Change.BETTER),
    "fewer are served": (worlds([(0.99, 0.98)] * 7), Change.WORSE),
    "more are served": (worlds([(0.98, 0.99)] * 7), Change.BETTER),
    "more are served and a drill fails": (failing(worlds([(0.98, 0.99)] * 7), 1), Change.WORSE),
    "fewer are served in few worlds": (worlds([(0.99, 0.98)] * 2), Change.UNCLEAR),
}


@pytest.mark.parametrize("case", CASES)
def test_survivability_is_whether_drills_pass_and_requests_are_served(case):
    pairs, change = CASES[case]
    assert compared(pairs).change is change


def test_what_turned_is_counted_and_named():
    found = compared([*failing(EQUAL, 2), *failing(worlds([(1.0, 1.0)] * 2), 1, side=0)])
    assert (found.drills, found.no_longer_pass, found.now_pass) == (9, 2, 1)
    assert [(each.seed, each.base.value, each.other.value) for each in found.turned] == [
        (0, "passed", "failed"),
        (1, "passed", "failed"),
        (0, "failed", "passed"),
    ]
    assert "of 9 drills 2 passed and no longer do, 1 did not pass and now does" in found.answer


def test_an_unknown_drill_no_longer_passes():
    lost = [(EQUAL[0][0], replace(EQUAL[0][1], verdict=Conclusion.UNKNOWN))]
    assert compared(lost).no_longer_pass == 1


def test_scenarios_and_modes_are_told_apart():
    found = compared([*EQUAL, (drill(scenario="a"), drill(scenario="a")), (drill(mode="replay"),) * 2])
    assert [(each.scenario, each.mode, each.seeds) for each in found.scenarios] == [
        ("story", "simulate", 7),
        ("a", "simulate", 1),
        ("story", "replay", 1),
    ]


def shown(comparison, width=80):
    file = io.StringIO()
    comparison_terminal(Console(file=file, width=width, highlight=False, markup=False), comparison)
    return file.getvalue()


MIXED = failing(worlds([(0.99 - seed / 1000, 0.98) for seed in range(7)]), 2)


def test_the_terminal_shows_one_table_and_ends_with_the_answer():
    text = shown(compared(MIXED))
    assert "story  (simulate, 7 seeds)" in text
    assert "passed          7         5          -2" in text
    assert "served   98.700 %  98.000 %      -0.700  [-" in text
    assert "the same in every world: regret" in text
    assert "story (simulate): passed, now failed with seeds 0, 1" in text
    assert " ".join(text.split()).endswith("more requests served.") is False
    assert "What does this change do to survivability? It makes it worse: of 7 drills 2" in " ".join(
        text.split()
    )
    assert max(map(len, text.splitlines())) <= 100


def test_one_seed_says_that_it_has_no_interval():
    text = shown(compared(worlds([(0.99, 0.98)])))
    assert "none: 1 seed   unclear" in text
    assert "six seeds at least are needed" in " ".join(text.split())


def test_nothing_changed_takes_a_line():
    assert "  the same in every world\n" in shown(compared(EQUAL))


HOSTILE = "[red]x[/red]|`<b>&\x1b[31m"


def test_markup_in_names_is_text_everywhere():
    pair = drill(scenario=HOSTILE), drill(scenario=HOSTILE, served=0.5, verdict=Conclusion.FAILED)
    found = compare(HOSTILE, HOSTILE, [pair])
    assert r"[red]x[/red]|`<b>&\x1b[31m  (simulate, 1 seed)" in shown(found)
    markdown = comparison_markdown(found)
    assert "\x1b" not in markdown
    assert r"\[red\]x\[/red\]\|\`\<b\>\&\\x1b\[31m" in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {8}


def test_markdown_says_the_answer_first():
    lines = comparison_markdown(compared(MIXED)).splitlines()
    assert lines[0] == "### What does this change do to survivability?"
    assert lines[2].startswith("**It makes it worse: of 7 drills 2 passed")
    assert "Base: `base.yaml`. Other: `other.yaml`." in lines[4]
    assert any(line.startswith("  - `failover drill scenarios/story.yaml --seed 0") for line in lines)


def test_without_a_base_each_scenarios_own_config_is_said():
    assert "each scenario's own config" in comparison_markdown(compare("", "other.yaml", EQUAL))


@pytest.mark.parametrize("case", CASES)
def test_json_follows_the_published_schema(case):
    document = json.loads(comparison_json(compared(CASES[case][0])))
    jsonschema.validate(document, SCHEMA)
    assert list(document) == list(SCHEMA["properties"])


def test_what_was_not_measured_is_left_out():
    nothing = {"latency_s": Quantiles(), "cost_per_1k_usd": None, "regret": Figures(None)}
    found = compared([(drill(**nothing), drill(**nothing))])
    assert {each.name for each in found.scenarios[0].measures} == {"success_ratio", "amplification"}
    assert all(each.base < inf for each in found.scenarios[0].measures)
