"""Budgets of a config under a running router: they hold, are shown, and outlive another config."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from failover import NoEligibleTargetError, Router
from failover.core.failures import FailureKind
from failover.core.vocabulary import Reason, Usage
from failover.errors import BudgetExceededError, LedgerError
from failover.ledger.memory import MemoryLedger
from failover.ledger.summary import summarize
from tests.edge.scripted import HELLO, ScriptedAdapter, answers, config, fails, heard

USED = Usage(1000, 500)
COST_USD = 1000 * 2e-6 + 500 * 10e-6
ASKED = {"messages": HELLO, "max_tokens": 500}
MOST_USD = (64 + 4 * 2) * 2e-6 + 500 * 10e-6


def speakers() -> ScriptedAdapter:
    return ScriptedAdapter(gpt=answers(usage=USED), claude=answers(usage=USED))


def budgeted(*budgets: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {**config("gpt", "claude"), "budgets": list(budgets), **rest}


def service(adapter: ScriptedAdapter, settings: dict[str, Any], **facts: Any) -> Router:
    return Router.from_dict(settings, adapter=adapter, wall=lambda: 1.8e9, rng=lambda: 0.5, **facts)


def day(scope: str, usd: float, **facts: Any) -> dict[str, Any]:
    return {"scope": scope, "usd": usd, "per": "day", **facts}


async def test_a_spent_budget_of_a_target_sends_on_to_the_next() -> None:
    adapter = speakers()
    async with service(adapter, budgeted(day("target:gpt", 0.01))) as router:
        for _ in range(3):
            await router.acompletion("chat", **ASKED)
        assert adapter.asked() == ["gpt", "claude", "claude"]
        assert [each.reason for each in router.decide("chat", **ASKED).passed_over] == [Reason.BUDGET_SPENT]


async def test_the_snapshot_shows_what_is_spent_reserved_and_left() -> None:
    async with service(speakers(), budgeted(day("tenant:*", 1), day("all", 2, kind="soft"))) as router:
        await router.acompletion("chat", tenant="acme", **ASKED)
        acme, everybody = router.snapshot().budgets
    assert (acme.scope, acme.per, acme.zone, acme.hard, acme.limit_usd) == (
        "tenant:acme",
        "day",
        "UTC",
        True,
        1.0,
    )
    assert (acme.spent_usd, acme.reserved_usd) == (pytest.approx(COST_USD), 0.0)
    assert acme.left_usd == pytest.approx(1 - COST_USD)
    assert acme.resets_in_s is not None
    assert 0 < acme.resets_in_s <= 86_400
    assert (everybody.scope, everybody.hard) == ("all", False)


async def test_a_call_may_say_what_it_may_cost() -> None:
    adapter = speakers()
    async with service(adapter, config("gpt", "claude")) as router:
        with pytest.raises(BudgetExceededError, match="the call may cost"):
            await router.acompletion("chat", max_cost_usd=0.001, **ASKED)
        await router.acompletion("chat", max_cost_usd=0.01, **ASKED)
    assert adapter.asked() == ["gpt"]


async def test_many_callers_at_once_do_not_overshoot() -> None:
    adapter = ScriptedAdapter(
        gpt=answers(after_s=0.01, usage=Usage(1, 500)), claude=answers(usage=Usage(1, 500))
    )
    async with service(adapter, budgeted(day("all", round(10 * MOST_USD, 9)))) as router:
        calls = [router.acompletion("chat", **ASKED) for _ in range(30)]
        done = await asyncio.gather(*calls, return_exceptions=True)
        served = [each for each in done if not isinstance(each, BaseException)]
        assert len(served) == 10
        assert {type(each) for each in done if isinstance(each, BaseException)} == {BudgetExceededError}


def test_threads_do_not_overshoot_either() -> None:
    with service(speakers(), budgeted(day("all", round(10 * MOST_USD, 9)))) as router:
        for _ in range(2):
            router.completion("chat", **ASKED)
        assert router.snapshot().budgets[0].spent_usd == pytest.approx(2 * COST_USD)


async def test_alarms_are_events() -> None:
    settings = {**config("gpt"), "alarms": [{"scope": "route:chat", "usd": 0.01, "per": "minute"}]}
    async with service(speakers(), settings) as router:
        events = heard(router)
        for _ in range(3):
            await router.acompletion("chat", **ASKED)
    assert [event.event for event in events].count("spend_alarm_raised") == 1


async def test_another_config_keeps_what_was_spent() -> None:
    adapter = speakers()
    async with service(adapter, budgeted(day("all", 1))) as router:
        await router.acompletion("chat", **ASKED)
        router.reload(budgeted(day("all", 0.008)))
        with pytest.raises(BudgetExceededError):
            await router.acompletion("chat", **ASKED)
        router.reload(config("gpt", "claude"))
        await router.acompletion("chat", **ASKED)
        assert router.snapshot().budgets == ()


async def test_a_call_under_way_is_settled_in_the_ledger_it_began_with(tmp_path: Path) -> None:
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    adapter = ScriptedAdapter(gpt=answers(after_s=0.05, usage=USED), claude=answers())
    async with service(adapter, budgeted(ledger={"sqlite": str(first)})) as router:
        running = asyncio.create_task(router.acompletion("chat", **ASKED))
        await asyncio.sleep(0.01)
        router.reload(budgeted(ledger={"sqlite": str(second)}))
        await running
    assert [summarize(each, 1.8e9).total.charges for each in (first, second)] == [1, 0]


async def test_a_ledger_without_budgets_writes_down_every_charge(tmp_path: Path) -> None:
    path = tmp_path / "spend.db"
    adapter = ScriptedAdapter(gpt=fails(FailureKind.OVERLOADED), claude=answers(usage=USED))
    async with service(adapter, budgeted(ledger={"sqlite": str(path)})) as router:
        await router.acompletion("chat", tenant="acme", tags=["night"], **ASKED)
    found = summarize(path, 1.8e9)
    assert (found.total.charges, found.total.cost_nusd) == (1, 7_000_000)
    assert list(found.groups["target"]) == ["claude"]
    assert list(found.groups["tag"]) == ["night"]


async def test_what_was_spent_outlives_the_router(tmp_path: Path) -> None:
    settings = budgeted(day("all", 0.008), ledger={"sqlite": str(tmp_path / "spend.db")})
    async with service(speakers(), settings) as router:
        await router.acompletion("chat", **ASKED)
    async with service(speakers(), settings) as router:
        with pytest.raises(BudgetExceededError):
            await router.acompletion("chat", **ASKED)


async def test_a_ledger_that_cannot_be_opened_stops_the_router_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    settings = budgeted(ledger={"sqlite": str(tmp_path / "nowhere" / "spend.db")})
    with pytest.raises(LedgerError, match="its folder must exist"):
        service(speakers(), settings)


async def test_a_reload_with_such_a_ledger_changes_nothing(tmp_path: Path) -> None:
    async with service(speakers(), config("gpt", "claude")) as router:
        events, before = heard(router), router.config
        with pytest.raises(LedgerError):
            router.reload(budgeted(ledger={"sqlite": str(tmp_path / "nowhere" / "spend.db")}))
        assert router.config is before
        assert events == []


Ask = Callable[[Router], Awaitable[Any]]


@pytest.mark.parametrize(("on_failure", "served"), [("refuse", False), ("serve", True)])
async def test_while_the_file_is_locked_a_hard_budget_does_as_its_config_says(
    tmp_path: Path, on_failure: str, *, served: bool
) -> None:
    path = tmp_path / "spend.db"
    ledger = {"sqlite": str(path), "on_failure": on_failure, "wait_s": 0.01}
    async with service(speakers(), budgeted(day("all", 1), ledger=ledger)) as router:
        events = heard(router)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            if served:
                await router.acompletion("chat", **ASKED)
            else:
                with pytest.raises(NoEligibleTargetError, match=r"ledger_failed.*spend\.db is locked"):
                    await router.acompletion("chat", **ASKED)
            assert "is locked" in router.snapshot().ledger_trouble
        assert "ledger_failed" in [event.event for event in events]
    assert summarize(path, 1.8e9).total.charges == int(served)


async def test_a_ledger_that_is_handed_over_goes_before_the_one_of_the_config(tmp_path: Path) -> None:
    settings = budgeted(day("all", 0.008), ledger={"sqlite": str(tmp_path / "spend.db")})
    own = MemoryLedger()
    async with service(speakers(), settings, ledger=own) as router:
        await router.acompletion("chat", **ASKED)
    async with service(speakers(), settings, ledger=own) as router:
        with pytest.raises(BudgetExceededError):
            await router.acompletion("chat", **ASKED)
    assert not (tmp_path / "spend.db").exists()
