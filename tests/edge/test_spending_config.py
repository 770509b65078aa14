"""Budgets, alarms and a ledger as a config words them, and what is wrong with them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from failover.cli import main
from failover.config import config_from_dict
from failover.core.alarms import Alarm
from failover.core.spend import Budget, OnLedgerFailure, Per, Spender, SpendScope
from failover.errors import ConfigError
from tests.edge.scripted import config


def read(**keys: Any) -> Any:
    return config_from_dict({**config("gpt"), **keys})


def complaint(**keys: Any) -> str:
    with pytest.raises(ConfigError) as raised:
        read(**keys)
    return str(raised.value)


def budget(**facts: Any) -> dict[str, Any]:
    return {"scope": "all", "usd": 5, "per": "day", **facts}


def test_a_budget_is_read_with_its_defaults() -> None:
    [found] = read(budgets=[budget()]).budgets
    assert found == Budget(SpendScope(Spender.ALL), 5_000_000_000, Per.DAY, dt.UTC, hard=True, warn_share=0.8)


def test_a_budget_says_its_scope_window_zone_and_kind() -> None:
    written = budget(
        scope="tenant:*", usd=0.25, per="month", zone="Europe/Berlin", kind="soft", warn_share=0.5
    )
    [found] = read(budgets=[written]).budgets
    scope = SpendScope(Spender.TENANT, "*")
    assert found == Budget(
        scope, 250_000_000, Per.MONTH, ZoneInfo("Europe/Berlin"), hard=False, warn_share=0.5
    )


def test_an_alarm_and_a_ledger_are_read() -> None:
    found = read(
        alarms=[{"scope": "route:chat", "usd": 2, "times": 3}],
        ledger={"sqlite": "spend.db", "on_failure": "serve", "wait_s": 0.5},
    )
    assert found.alarms == (Alarm(SpendScope(Spender.ROUTE, "chat"), 2_000_000_000, Per.HOUR, 3.0),)
    assert (found.ledger.path, found.ledger.on_failure) == (Path("spend.db"), OnLedgerFailure.SERVE)
    assert found.ledger.wait_s == 0.5


def test_a_policy_says_what_a_call_may_cost() -> None:
    found = config_from_dict(config("gpt", max_cost_usd=0.05))
    assert found.routes["chat"].policy.max_cost_nusd == 50_000_000


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (budget(scope="route:chta"), "unknown route 'chta'; did you mean 'chat'?"),
        (budget(scope="provider:nobody"), "unknown provider 'nobody'"),
        (budget(scope="credential:NO_KEY"), "unknown credential 'NO_KEY'"),
        (budget(scope="everything"), "must be 'all', 'route:NAME'"),
        (budget(scope="tag:*"), "'tenant:*' for each tenant its own"),
        (budget(scope="all:x"), "must be 'all'"),
        (budget(scope=5), "must be 'all'"),
        (budget(usd=-1), "must be between 0 and 1000000000 US dollars, got -1"),
        (budget(usd="5 dollars"), "must be a number of US dollars"),
        (budget(per="dya"), "did you mean 'day'?"),
        (budget(zone="Europe/Berlni"), "did you mean 'Europe/Berlin'?"),
        (budget(zone=7), "must be the name of a time zone"),
        (budget(kind="firm"), "kind"),
        (budget(limit=5), "write 'usd'"),
    ],
)
def test_what_is_wrong_with_a_budget_is_said(written: dict[str, Any], says: str) -> None:
    assert says in complaint(budgets=[written])


def test_two_budgets_of_the_same_scope_and_window_are_a_mistake() -> None:
    assert "says the same of all as budgets.0" in complaint(budgets=[budget(), budget(usd=9)])
    assert len(read(budgets=[budget(), budget(per="month"), budget(kind="soft")]).budgets) == 3


def test_a_budget_of_a_route_stands_at_the_top() -> None:
    settings = config("gpt")
    settings["routes"]["chat"]["budgets"] = [budget()]
    with pytest.raises(ConfigError, match="unknown key 'budgets'"):
        config_from_dict(settings)


def test_check_shows_the_budgets_and_whom_they_keep_out_of_traffic(tmp_path: Path) -> None:
    file = tmp_path / "failover.yaml"
    file.write_text(
        "targets: {score: {callable: 'shop:score'}}\nroutes: {scores: {chain: [score]}}\n"
        "budgets: [{scope: all, usd: 5, per: day}]\n",
        "utf-8",
    )
    told = CliRunner().invoke(main, ["check", str(file)]).output
    assert "all    $5     day  UTC   hard" in told
    assert "never asked, since a hard budget cannot be held to an unknown price: score" in told


def test_check_shows_what_a_call_may_cost_in_dollars(tmp_path: Path) -> None:
    file = tmp_path / "failover.yaml"
    routes = "routes: {scores: {chain: [score], policy: {max_cost_usd: 0.05}}, free: {chain: [score]}}\n"
    file.write_text("targets: {score: {callable: 'shop:score'}}\n" + routes, "utf-8")
    lines = CliRunner().invoke(main, ["check", str(file)]).output.splitlines()
    told = [" ".join(line.split()) for line in lines if "max_cost" in line]
    assert told == ["max_cost_usd 0.05 set", "max_cost_usd no limit default"]
