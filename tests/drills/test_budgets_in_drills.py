"""Budgets of a config hold in drills too, in both modes, and an invariant looks after them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from failover.chaos.drill import run_drill
from failover.chaos.judging.invariants.spend_within_budgets import SpendWithinBudgets
from failover.chaos.routes import Routes
from failover.chaos.scenario import load_scenario
from failover.core.events import AttemptStarted, CallStarted
from failover.core.spend import Budget, Per, Spender, SpendScope
from failover.core.spend_events import SpendReserved
from failover.core.vocabulary import AttemptCause
from tests.drills.worlds import CONFIG, GPT, LITELLM_WARNS, STORY, route

BUDGETS = """
budgets:
  - {scope: 'target:gpt', usd: 0.008, per: day}
  - {scope: 'tenant:*', usd: 0.03, per: day}
"""


def drilled(tmp_path: Path, mode: str, budgets: str = BUDGETS) -> Any:
    (tmp_path / "failover.yaml").write_text(CONFIG + budgets, "utf-8")
    (tmp_path / "cassettes").mkdir(exist_ok=True)
    story = STORY.replace(
        "for_s: 60}", "for_s: 60, tenants: 2, tags: [night], tokens_in: 200, tokens_out: 100}"
    )
    (tmp_path / "story.yaml").write_text(
        story.replace("inject:\n", "").replace(story.splitlines()[-1], ""), "utf-8"
    )
    return run_drill(load_scenario(tmp_path / "story.yaml"), seed=1, mode=mode)


@pytest.mark.parametrize("mode", ["simulate", pytest.param("replay", marks=[*LITELLM_WARNS])])
def test_nothing_is_sent_that_does_not_fit(tmp_path: Path, mode: str) -> None:
    verdict = drilled(tmp_path, mode)
    [kept] = [each for each in verdict.invariants if each.name == "spend_within_budgets"]
    assert kept.checked > 0
    assert kept.violations == ()
    assert verdict.errors["BudgetExceededError"] > 0
    assert verdict.targets["gpt"].served > 0
    assert verdict.targets["claude"].served > 0


def test_a_soft_budget_refuses_nothing(tmp_path: Path) -> None:
    soft = BUDGETS.replace("per: day", "per: day, kind: soft")
    verdict = drilled(tmp_path, "simulate", soft)
    assert verdict.errors == {}


HARD = Budget(SpendScope(Spender.ROUTE, "chat"), 100, Per.DAY)
EACH = Budget(SpendScope(Spender.TENANT, "*"), 50, Per.DAY)


@pytest.fixture
def looked(tmp_path: Path) -> SpendWithinBudgets:
    (tmp_path / "failover.yaml").write_text(CONFIG, "utf-8")
    (tmp_path / "cassettes").mkdir()
    (tmp_path / "story.yaml").write_text(STORY, "utf-8")
    chat = route(GPT)
    found = SpendWithinBudgets(
        load_scenario(tmp_path / "story.yaml"), Routes((chat,), {"chat": chat}, (HARD, EACH))
    )
    found.call_started(CallStarted(0.0, "1", "chat", 30.0, ("gpt",), (), (), "completion"))
    return found


def reserve(looked: SpendWithinBudgets, attempt: int, nusd: int, *accounts: str) -> None:
    looked.see(SpendReserved(1.0, "1", attempt, "gpt", nusd, accounts))
    looked.see(AttemptStarted(1.0, "1", attempt, "gpt", AttemptCause.FIRST, probe=False, total_limit_s=9.0))


def test_it_notices_what_does_not_fit(looked: SpendWithinBudgets) -> None:
    reserve(looked, 1, 60, "route:chat")
    reserve(looked, 2, 41, "route:chat")
    told = looked.end(9.0).violations
    assert "101 reserved with it, of 100" in told[0]


def test_it_notices_a_tenant_of_its_own(looked: SpendWithinBudgets) -> None:
    reserve(looked, 1, 51, "route:chat", "tenant:acme")
    assert "of tenant:acme per day" in looked.end(9.0).violations[0]


def test_it_notices_an_attempt_without_a_reservation(looked: SpendWithinBudgets) -> None:
    looked.see(AttemptStarted(1.0, "1", 1, "gpt", AttemptCause.FIRST, probe=False, total_limit_s=9.0))
    assert "nothing is reserved for it on route:chat" in looked.end(9.0).violations[0]


def test_it_notices_a_reservation_that_is_never_settled(looked: SpendWithinBudgets) -> None:
    reserve(looked, 1, 5, "route:chat")
    assert "was never settled" in looked.end(9.0).violations[0]
