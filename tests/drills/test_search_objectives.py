"""What a search may be asked to break, and how it says no to the rest."""

from __future__ import annotations

import pytest

from failover.chaos.search.objectives import check_targets, objective_names, objectives, single
from failover.errors import ConfigError


def refused(*expressions):
    with pytest.raises(ConfigError) as refusal:
        objectives(expressions)
    return [str(complaint) for complaint in refusal.value.complaints]


def test_limits_are_those_of_scenarios():
    asked = ["success_ratio_min=0.99", "recovered_within_s = 60", "served_share_min.gpt=0.5"]
    assert objectives([*asked, "served_share_min.claude=0.1"]) == {
        "success_ratio_min": 0.99,
        "recovered_within_s": 60.0,
        "served_share_min": {"gpt": 0.5, "claude": 0.1},
    }


def test_every_limit_of_a_scenario_can_be_asked_for():
    for name in objective_names():
        assert objectives([f"{name}=1"])


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("succes_ratio_min=0.9", "unknown objective 'succes_ratio_min'; did you mean 'success_ratio_min'?"),
        ("success_ratio_min", "'success_ratio_min' gives no number: write success_ratio_min=NUMBER"),
        ("success_ratio_min=most", "'success_ratio_min=most' gives no number"),
        ("success_ratio_min=2", "success_ratio_min: must be at most 1, got 2"),
        ("success_ratio_min=nan", "success_ratio_min: must be a finite number"),
        ("success_ratio_min.gpt=1", "success_ratio_min is about no single target"),
        ("served_share_min=1", "served_share_min is about one target: write served_share_min.TARGET=NUMBER"),
        ("sometimes=retry", "sometimes cannot be searched for"),
    ],
)
def test_whatever_else_is_refused_in_words(expression, words):
    (complaint,) = refused(expression)
    assert complaint.startswith(f"--objective: {words}")


def test_all_complaints_come_at_once():
    assert len(refused("a=1", "success_ratio_min=2", "amplification_max=x")) == 3


def test_a_share_is_of_a_target_of_the_route():
    asked = objectives(["served_share_max.gtp=0.5"])
    with pytest.raises(ConfigError, match="the route has no target 'gtp'; did you mean 'gpt'"):
        check_targets(asked, ["claude", "gpt"])
    check_targets(asked, ["gtp"])


def test_of_several_limits_the_file_keeps_the_one_that_broke():
    asked = objectives(["amplification_max=2", "served_share_min.a=0.5", "served_share_min.b=0.1"])
    assert single(asked, "amplification_max") == {"amplification_max": 2.0}
    assert single(asked, "served_share_min.b") == {"served_share_min": {"b": 0.1}}
    assert single(asked, "retry_allowed") == {}
