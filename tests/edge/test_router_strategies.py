"""Strategies of the caller's own: handed over to a router, asked for every call, and never in its way."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from failover import ConfigError, Router
from failover.config import config_from_dict
from tests.edge.scripted import HELLO, ScriptedAdapter, answers, config, in_virtual_time


def named(strategy: Any, *chain: str) -> dict[str, Any]:
    """A config with one route over one tier, ranked by `strategy`."""
    mapping = config(*(chain or ("gpt", "claude")))
    mapping["routes"]["chat"]["strategy"] = strategy
    return mapping


def backwards(states: Sequence[Any], _ranking: Any) -> Sequence[Any]:
    return states[::-1]


def broken(states: Sequence[Any], _ranking: Any) -> Sequence[Any]:
    raise LookupError("no such region")


def forgetful(states: Sequence[Any], _ranking: Any) -> Any:
    """It forgot to return."""


def order(router: Router) -> list[str]:
    return [target.name for target in router.decide("chat", HELLO).order]


def told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "failover"]


@in_virtual_time
async def test_calls_are_ranked_by_the_strategy_that_was_handed_over():
    adapter = ScriptedAdapter(gpt=answers(), claude=answers())
    async with Router.from_dict(named("mine"), strategies={"mine": backwards}, adapter=adapter) as service:
        await service.acompletion("chat", HELLO)
        assert service.decide("chat", HELLO).strategy == "mine"
    assert adapter.asked() == ["claude"]


def test_a_file_names_it_as_a_mapping_does(tmp_path: Path):
    file = tmp_path / "failover.yaml"
    file.write_text(yaml.safe_dump(named("mine")), "utf-8")
    assert order(Router.from_file(file, strategies={"mine": backwards})) == ["claude", "gpt"]


def test_in_python_a_config_may_hold_the_function_itself():
    assert order(Router.from_dict(named(backwards))) == ["claude", "gpt"]
    assert order(Router(config_from_dict(named(backwards)))) == ["claude", "gpt"]


def test_a_config_that_is_there_takes_strategies_too():
    there = config_from_dict(named("mine"), strategies={"mine": broken})
    assert order(Router(there, strategies={"other": backwards})) == ["gpt", "claude"]


def test_a_name_that_nobody_handed_over_is_refused():
    with pytest.raises(ConfigError, match="unknown value 'mien'; did you mean 'mine'"):
        Router.from_dict(named("mien"), strategies={"mine": backwards})
    with pytest.raises(ConfigError, match="unknown value 'mine'"):
        Router.from_dict(named("mine"))


@pytest.mark.parametrize("strategy", [broken, forgetful])
def test_one_that_raises_harms_nobody_and_is_logged_once(strategy: Any, caplog: pytest.LogCaptureFixture):
    @in_virtual_time
    async def calls() -> None:
        adapter = ScriptedAdapter(gpt=answers("served"), claude=answers())
        service = Router.from_dict(named("mine"), strategies={"mine": strategy}, adapter=adapter)
        for _ in range(3):
            assert (await service.acompletion("chat", HELLO)).text == "served"
        assert service.decide("chat", HELLO).strategy_failed

    calls()
    (record,) = told(caplog)
    assert "'mine'" in record.getMessage()
    assert record.exc_info


def test_two_strategies_that_raise_are_each_logged_once(caplog: pytest.LogCaptureFixture):
    mapping = named("mine")
    mapping["routes"] |= {
        "again": dict(mapping["routes"]["chat"]),
        "search": mapping["routes"]["chat"] | {"strategy": "other"},
    }
    service = Router.from_dict(mapping, strategies={"mine": broken, "other": forgetful})
    for route in ("chat", "again", "search", "search"):
        assert service.decide(route, HELLO).strategy_failed
    assert [record.getMessage().split("'")[1] for record in told(caplog)] == ["mine", "other"]


def test_a_strategy_that_works_is_not_logged(caplog: pytest.LogCaptureFixture):
    service = Router.from_dict(named(backwards))
    assert not service.decide("chat", HELLO).strategy_failed
    assert not told(caplog)


@pytest.mark.parametrize("strategy", ["weighted", "least_busy", "balanced"])
@in_virtual_time
async def test_each_strategy_by_name_serves_calls_and_leaves_nothing_in_flight(strategy: str):
    adapter = ScriptedAdapter(gpt=answers(after_s=1.0), claude=answers(after_s=2.0))
    async with Router.from_dict(named(strategy), adapter=adapter) as service:
        for _ in range(20):
            await service.acompletion("chat", HELLO)
        targets: Mapping[str, Any] = service.snapshot().targets
    assert len(adapter.sent) == 20
    assert [target.in_flight for target in targets.values()] == [0, 0]
