"""Governance in a router, a config and on the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from failover import ConfigError, NoEligibleTargetError, Router
from failover.cli import main
from failover.config import config_from_dict
from failover.core.governance import SYNTHETIC
from tests.edge.scripted import ScriptedAdapter, answers, fails, in_virtual_time
from tests.edge.scripted import config as scripted_config

DAY_S = 86_400.0
KEPT = "retention 30 days, at most 0 days allowed"


def config(**told: Any) -> dict[str, Any]:
    """Two targets: `gpt` keeps data for a month, `claude` not at all. What else is told goes over that."""
    plain = scripted_config("gpt", "claude")
    plain["targets"]["gpt"]["terms"] = {"retention_days": 30}
    plain["targets"]["claude"]["terms"] = {"retention_days": 0}
    return {
        **plain,
        "data_classes": {"public": {}, "unretained": {"require": {"retention_days": 0}}},
        "default_data_class": "public",
        **told,
    }


def complaints(**told: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as raised:
        config_from_dict(config(**told))
    return [(each.where, each.what) for each in raised.value.complaints]


# A router.


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "unknown data class 'unretaned'; the config has: public, unretained"),
        (
            {"data_classes": {}, "default_data_class": None},
            "the config has none; define it under 'data_classes'",
        ),
    ],
    ids=["governed", "ungoverned"],
)
def test_a_class_that_nobody_defined_is_the_caller_s_fault_and_nothing_is_sent(told, words) -> None:
    adapter = ScriptedAdapter(gpt=answers(), claude=answers())
    router = Router.from_dict({name: each for name, each in config(**told).items() if each}, adapter=adapter)
    with pytest.raises(ValueError, match=words):
        router.decide("chat", data_class="unretaned")
    with pytest.raises(ValueError, match=words):
        asyncio.run(router.acompletion("chat", messages=[], data_class="unretaned"))
    assert adapter.sent == []


def test_a_request_says_its_class_else_the_route_s_or_the_default_counts() -> None:
    router = Router.from_dict(config())
    assert [each.name for each in router.decide("chat").order] == ["gpt", "claude"]
    decision = router.decide("chat", data_class="unretained")
    assert ([each.name for each in decision.order], decision.data_class) == (["claude"], "unretained")
    routed = config()
    routed["routes"]["chat"]["data_class"] = "unretained"
    assert Router.from_dict(routed).decide("chat").data_class == "unretained"
    assert Router.from_dict(routed).decide("chat", data_class="public").data_class == "public"


@in_virtual_time
async def test_a_reload_binds_the_calls_under_way() -> None:
    adapter = ScriptedAdapter(gpt=fails("overloaded", 5.0), claude=answers())
    first = config()
    first["targets"]["gpt"]["terms"] = {"retention_days": 0}
    router = Router.from_dict(first, adapter=adapter, clock=asyncio.get_running_loop().time)
    call = asyncio.create_task(
        router.acompletion("chat", messages=[], data_class="unretained", deadline_s=20)
    )
    await asyncio.sleep(1.0)
    second = config()
    second["targets"]["claude"]["terms"] = {"retention_days": 1}
    router.reload(second)
    with pytest.raises(Exception, match=r"not asked: claude: forbidden_by_terms \(retention 1 day"):
        await call
    assert set(adapter.asked()) == {"gpt"}


def test_sync_calls_are_governed_alike() -> None:
    adapter = ScriptedAdapter(gpt=answers(), claude=fails("overloaded"))
    told = config()
    told["routes"]["chat"]["policy"] = {"deadline_s": 1}
    with Router.from_dict(told, adapter=adapter) as router, pytest.raises(Exception, match=KEPT):
        router.completion("chat", messages=[], data_class="unretained")
    assert "gpt" not in adapter.asked()


def test_nobody_allowed_is_told_without_content() -> None:
    told = config()
    told["targets"]["claude"]["terms"] = {}
    router = Router.from_dict(told, adapter=ScriptedAdapter())
    with pytest.raises(NoEligibleTargetError) as raised:
        asyncio.run(router.acompletion("chat", messages=[{"content": "hush"}], data_class="unretained"))
    assert KEPT in str(raised.value)
    assert "hush" not in str(raised.value)


# A config.


def test_terms_of_a_target_lie_upon_its_provider_s_key_by_key() -> None:
    told = config()
    told["providers"]["anthropic"] = {"terms": [{"dpa": True}, {"valid_from": "2026-06-09", "dpa": False}]}
    told["targets"]["claude"]["provider"] = "anthropic"
    governance = config_from_dict(told).governance
    before, after = (governance.terms_of("claude", at_s) for at_s in (0.0, 2_000_000_000.0))
    assert (before.dpa, after.dpa, after.retention_days) == (True, False, 0)


def test_words_alone_are_lists_of_one_and_unlimited_is_more_than_any_number() -> None:
    told = config(data_classes={"a": {"require": {"residency": "eu", "retention_days": 3650}}, "public": {}})
    told["targets"]["gpt"]["terms"] = {"residency": ["eu"], "retention_days": "unlimited"}
    told["targets"]["claude"]["terms"] = {"residency": "eu", "retention_days": 0}
    governance = config_from_dict(told).governance
    assert governance.bar("gpt", "a", 0.0).why == "retention without end, at most 3650 days allowed"
    assert governance.bar("claude", "a", 0.0) is None


@pytest.mark.parametrize(
    ("told", "where", "words"),
    [
        ({"default_data_class": "publik"}, "default_data_class", "did you mean 'public'?"),
        (
            {"data_classes": {"public": {"require": {"providers_barred": ["opnai"]}}}},
            "data_classes.public.require.providers_barred.0",
            "unknown provider 'opnai'",
        ),
        (
            {"data_classes": {"public": {"require": {"providers_allowed": "opnai"}}}},
            "data_classes.public.require.providers_allowed",
            "unknown provider 'opnai'",
        ),
        (
            {"data_classes": {"public": {"require": {"trains_on_data": True}}}},
            "data_classes.public.require.trains_on_data",
            "",
        ),
        (
            {"data_classes": {"public": {"require": {"retention_days": -1}}}},
            "data_classes.public.require.retention_days",
            "or 'unlimited', got -1",
        ),
        (
            {"data_classes": {"public": {"require": {"retention_days_max": 1}}}},
            "data_classes.public.require.retention_days_max",
            "'retention_days' means at most so many",
        ),
        ({"organisation": {"sector": "bank"}}, "organisation.sector", "did you mean 'sectors'?"),
        ({"audit": {}}, "audit", "the key 'file' is missing"),
    ],
)
def test_what_cannot_be_meant_is_complained_of(told, where, words) -> None:
    found = dict(complaints(**told))
    assert where in found
    assert words in found[where]


def test_a_safety_key_in_the_wrong_place_is_told_where_it_belongs() -> None:
    told = config()
    told["targets"]["gpt"]["residency"] = "eu"
    [(where, what)] = complaints(**told)
    assert (where, "it is a key of 'terms'" in what) == ("targets.gpt.residency", True)


def test_terms_that_end_before_they_begin_are_complained_of() -> None:
    told = config()
    told["targets"]["gpt"]["terms"] = [{"valid_from": "2026-02-01", "valid_to": "2026-01-01", "dpa": True}]
    assert complaints(**told) == [("targets.gpt.terms.0.valid_to", "must be later than valid_from")]
    told["targets"]["gpt"]["terms"] = told["targets"]["gpt"]["terms"][0]
    assert complaints(**told) == [("targets.gpt.terms.valid_to", "must be later than valid_from")]


def test_owner_limits_bind_what_keeps_a_target_warm_too() -> None:
    told = config(organisation={"sectors": ["us_federal"]})
    told["targets"]["gpt"]["terms"] = {"owner_limits": {"sectors": ["us_federal"]}}
    told["targets"]["claude"]["terms"] = {"owner_limits": {"sectors": []}, "retention_days": 0}
    governance = config_from_dict(told).governance
    assert governance.bar("gpt", SYNTHETIC, 0.0).why == "it bars the sector us_federal"
    assert governance.bar("claude", SYNTHETIC, 0.0) is None


# The command line.

FILE = """
providers:
  openai:    {credential: env:A, terms: {retention_days: 30, trains_on_data: false, reviewed: REVIEWED}}
  anthropic: {credential: env:B, terms: {retention_days: 0, trains_on_data: false, reviewed: 2026-05-01}}
targets:
  gpt:    {provider: openai, model: openai/gpt-5.4}
  fable:
    provider: anthropic
    model: anthropic/claude-fable-5
    terms: {valid_from: 2026-06-09, retention_days: 30}
data_classes:
  public: {}
  unretained: {require: {retention_days: 0}}
  fresh: {require: {reviewed_within_days: 3650}}
routes:
  chat: {chain: [fable, gpt]}
"""


def said(folder: Path, *arguments: str, text: str = FILE) -> tuple[int, str]:
    file = folder / "failover.yaml"
    file.write_text(text.replace("REVIEWED", "2026-05-01"), "utf-8")
    command, *rest = arguments
    result = CliRunner().invoke(main, [command, str(file), *rest])
    return result.exit_code, result.output


def test_a_decision_tells_who_may_not_have_the_data_and_why_as_of_a_date(tmp_path: Path) -> None:
    code, output = said(tmp_path, "decide", "chat", "--data-class", "unretained", "--as-of", "2026-06-08")
    assert code == 0
    assert "  1. fable" in output
    assert f"passed over: gpt: forbidden_by_terms ({KEPT})" in output
    code, output = said(tmp_path, "decide", "chat", "--data-class", "unretained", "--as-of", "2026-06-09")
    assert f"passed over: fable: forbidden_by_terms ({KEPT})" in output


def test_a_decision_about_no_class_says_what_that_means(tmp_path: Path) -> None:
    _code, output = said(tmp_path, "decide", "chat", "--as-of", "2026-06-08")
    assert "no data class is named: only who may have data of every class is asked" in output
    assert f"if it is unretained: {KEPT}" in output


def test_a_decision_tells_until_when_somebody_is_forbidden(tmp_path: Path) -> None:
    freed = FILE.replace("valid_from: 2026-06-09,", "valid_to: 2026-06-09,")
    told = "decide", "chat", "--data-class", "unretained", "--as-of", "2026-06-08"
    assert f"({KEPT}), until 2026-06-09" in said(tmp_path, *told, text=freed)[1]


def test_a_decision_about_an_unknown_class_is_invalid(tmp_path: Path) -> None:
    code, output = said(tmp_path, "decide", "chat", "--data-class", "unretaned")
    assert (code, "unknown data class 'unretaned'; the config has" in output) == (2, True)


def test_check_says_that_nobody_may_serve_a_class(tmp_path: Path) -> None:
    code, output = said(tmp_path, "check")
    assert code == 1
    assert "NOT GOVERNED: route chat: nobody may serve data of class unretained" in output
    assert "note: route chat: nobody serves requests that name no data class" in output


def test_check_shows_who_may_serve_and_until_when(tmp_path: Path) -> None:
    later = FILE.replace("2026-06-09", "2100-01-01")
    code, output = said(tmp_path, "check", text=later)
    rows = [" ".join(line.split()) for line in output.splitlines()]
    assert code == 0
    assert "unretained fable yes until 2100-01-01" in rows
    assert f"unretained gpt NO {KEPT}" in rows
    freed = FILE.replace("valid_from: 2026-06-09,", "valid_to: 2100-01-01,")
    rows = [" ".join(line.split()) for line in said(tmp_path, "check", text=freed)[1].splitlines()]
    assert f"unretained fable NO {KEPT}; from 2100-01-01 it may" in rows


@pytest.mark.parametrize(
    ("reviewed", "words"),
    [
        ("2100-01-01", "the terms of gpt were reviewed on 2100-01-01, which is still to come"),
        (
            "2001-01-01",
            "the last review of the terms of gpt is too old: 2001-01-01, and 3650 days are allowed",
        ),
        ("null", "the terms of gpt were never reviewed"),
    ],
)
def test_check_complains_of_reviews_that_cannot_be_relied_on(
    tmp_path: Path, reviewed: str, words: str
) -> None:
    text = FILE.replace("2026-06-09", "2100-01-01").replace("REVIEWED", reviewed)
    code, output = said(tmp_path, "check", text=text)
    assert (code, f"NOT GOVERNED: {words}" in output) == (1, True)
