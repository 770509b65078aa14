"""What the router of a drill knows of ends: the lists' word, unless the scenario has one of its own."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from failover.chaos.announcing import SOURCE, lifecycles_in
from failover.chaos.scenario import START_EPOCH_S
from failover.config import config_from_dict
from failover.core.vocabulary import ByDate, RetirementShape
from tests.drills.journals import scenario

CONFIG = {
    "providers": {"openai": {}, "mistral": {}},
    "targets": {
        "gpt": {"provider": "openai", "model": "openai/gpt-4.1-nano", "region": "us", "successor": "mistral"},
        "gpt-eu": {"provider": "openai", "model": "openai/gpt-4.1-nano", "region": "eu"},
        "mistral": {"provider": "mistral", "model": "mistral/mistral-large-2512"},
    },
    "routes": {"chat": {"chain": ["gpt", "gpt-eu", "mistral"]}},
}


def known(lifecycle=None, **injection):
    config = CONFIG if lifecycle is None else {**CONFIG, "lifecycle": lifecycle}
    story = scenario({"kind": "deprecation", "at_s": 100, **injection})
    return lifecycles_in(story, config_from_dict(config))


def test_a_scenario_that_says_nothing_leaves_it_to_the_lists():
    assert known(target="gpt")["gpt"].source.startswith("modeldeprecations.dev")


def test_what_a_scenario_announces_replaces_the_lists_for_whom_it_hits():
    found = known(region="us", announced_s=-50, shape="redirect", successor="gpt-9")
    told = found["gpt"]
    assert (told.announced_s, told.retired_s) == (START_EPOCH_S - 50, START_EPOCH_S + 100)
    assert (told.shape, told.successor, told.replacement) == (RetirementShape.REDIRECT, "mistral", "gpt-9")
    assert (told.source, told.by_date) == (SOURCE, ByDate.PASS_OVER)
    assert found["gpt-eu"].source != SOURCE


def test_what_is_announced_does_what_the_config_says_of_dates():
    assert known({"by_date": "bar"}, target="gpt", announced_s=0)["gpt"].by_date is ByDate.BAR


def test_what_nobody_tells_no_list_does_either():
    told = known(target="gpt", announced_s="never")["gpt"]
    assert (told.retired_s, told.due_s, told.successor) == (None, None, "mistral")


def test_an_end_is_not_announced_after_it():
    with pytest.raises(ValidationError, match="announced_s is later than at_s"):
        known(target="gpt", announced_s=101)
