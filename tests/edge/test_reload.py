"""Another config under a running router: at once for new calls, never for those under way."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from failover import ConfigError, Router
from failover.config import config_from_dict
from failover.core.failures import FailureKind
from tests.edge.scripted import (
    HELLO,
    ScriptedAdapter,
    answers,
    config,
    fails,
    heard,
    in_flight,
    in_virtual_time,
    named,
    router,
    running_tasks,
)

OVERLOADED = FailureKind.OVERLOADED


def order(service: Router) -> list[str]:
    """Whom the router would ask now."""
    return [target.name for target in service.decide("chat").order]


def speakers(**fates: Any) -> ScriptedAdapter:
    return ScriptedAdapter(**{"gpt": answers(), "claude": answers(), **fates})


class File:
    """A config file whose every version has a time of change of its own."""

    def __init__(self, path):
        self.path = path
        self.versions = 0

    def write(self, text):
        self.path.write_text(text, "utf-8")
        self.touch()

    def says(self, *chain, **policy):
        self.write(yaml.safe_dump(config(*chain, **policy)))

    def touch(self):
        self.versions += 1
        os.utime(self.path, (self.versions, self.versions))


@pytest.fixture
def file(tmp_path):
    written = File(tmp_path / "failover.yaml")
    written.says("gpt")
    return written


@pytest.fixture
def complaints(caplog):
    """What was logged as an error so far."""
    caplog.set_level(logging.ERROR, "failover")
    return lambda: [record.getMessage() for record in caplog.records]


# reload


async def hear(text: str) -> str:
    return f"heard {text}"


async def repeat(text: str) -> str:
    return text


def last_first(states: Sequence[Any], ranking: Any) -> list[Any]:
    return list(reversed(states))


def as_written(states: Sequence[Any], ranking: Any) -> list[Any]:
    return list(states)


async def test_a_reload_may_bring_the_functions_that_it_needs():
    service = Router.from_dict(config("old", callables=["old"]), callables={"old": repeat})
    with pytest.raises(ConfigError):
        service.reload(config("new", callables=["new"]))
    assert (await service.acall("chat", text="you")).value == "you"
    service.reload(config("new", callables=["new"]), callables={"new": hear})
    assert (await service.acall("chat", text="you")).value == "heard you"
    service.reload(config("new", callables=["new"]))
    assert (await service.acall("chat", text="me")).value == "heard me"


@in_virtual_time
async def test_a_call_under_way_keeps_the_function_it_began_with():
    async def slow(text: str) -> str:
        await asyncio.sleep(1.0)
        raise ConnectionError

    mine = config("first", "second", callables=["first", "second"])
    service = Router.from_dict(mine, callables={"first": slow, "second": repeat})
    running = asyncio.create_task(service.acall("chat", text="you"))
    await asyncio.sleep(0.5)
    service.reload(mine, callables={"first": hear, "second": hear})
    assert (await running).value == "you"
    assert (await service.acall("chat", text="you")).value == "heard you"


@pytest.mark.parametrize("form", ["mapping", "config"])
def test_a_reload_may_bring_another_strategy_of_the_same_name(form):
    mine = config("gpt", "claude")
    mine["routes"]["chat"] |= {"chain": [["gpt", "claude"]], "strategy": "mine"}
    service = Router.from_dict(mine, strategies={"mine": as_written}, adapter=speakers())
    assert order(service) == ["gpt", "claude"]
    service.reload(mine if form == "mapping" else service.config, strategies={"mine": last_first})
    assert order(service) == ["claude", "gpt"]
    service.reload(service.config)
    assert order(service) == ["claude", "gpt"]


def test_a_function_that_is_not_where_the_config_says_changes_nothing():
    service = Router.from_dict(config("gpt"), adapter=speakers())
    events = heard(service)
    lost = {
        "targets": {"lost": {"callable": "no_such_module:function"}},
        "routes": {"chat": {"chain": ["lost"]}},
    }
    with pytest.raises(ConfigError, match="no_such_module"):
        service.reload(lost)
    assert service.snapshot().targets.keys() == {"gpt"}
    service.reload(config("gpt"))
    assert [event.event for event in events] == ["config_reloaded"]


def test_a_refused_reload_brings_no_functions_either():
    mine = config("gpt", "claude")
    mine["routes"]["chat"] |= {"chain": [["gpt", "claude"]], "strategy": "mine"}
    service = Router.from_dict(mine, strategies={"mine": as_written}, adapter=speakers())
    with pytest.raises(ConfigError, match="another"):
        service.reload(mine, strategies={"another": last_first})
    service.reload(mine)
    assert order(service) == ["gpt", "claude"]


@in_virtual_time
async def test_calls_that_begin_after_a_reload_go_by_the_new_config(file):
    service = router(speakers(), "gpt")
    file.says("claude")
    for source in (config("claude", "gpt"), config_from_dict(config("gpt", "claude")), file.path):
        service.reload(source)
        assert order(service) == [target.name for target in service.config.routes["chat"].targets()]
    assert order(service) == ["claude"]


@in_virtual_time
async def test_a_call_under_way_ends_under_the_config_it_began_with():
    service = router(speakers(gpt=fails(OVERLOADED, 2.0)), "gpt", "claude")
    running = asyncio.create_task(service.acompletion("chat", HELLO))
    await asyncio.sleep(1.0)
    service.reload(config("mistral"))
    assert (await running).failover.target == "claude"


@in_virtual_time
async def test_a_call_under_way_falls_back_to_a_function_that_a_reload_took_away():
    async def broken() -> None:
        await asyncio.sleep(2.0)
        raise ConnectionRefusedError

    functions = {"broken": broken, "sound": lambda: "served"}
    loop = asyncio.get_running_loop()
    service = Router.from_dict(
        config("broken", "sound", callables=["broken", "sound"]),
        functions,
        adapter=ScriptedAdapter(),
        clock=loop.time,
    )
    running = asyncio.create_task(service.acall("chat"))
    await asyncio.sleep(1.0)
    service.reload(config("gpt"))
    assert (await running).value == "served"


@in_virtual_time
async def test_a_function_that_a_reload_names_otherwise_is_replaced():
    named_so = {"targets": {"own": {"callable": "math:floor"}}, "routes": {"chat": {"chain": ["own"]}}}
    service = Router.from_dict(named_so, adapter=ScriptedAdapter())
    named_so["targets"]["own"]["callable"] = "fractions:Fraction"
    service.reload(named_so)
    assert (await service.acall("chat", numerator=3)).value == 3


@in_virtual_time
async def test_what_was_learned_survives_for_targets_that_did_not_change():
    service = router(speakers(gpt=fails(OVERLOADED)), "gpt", "claude", breaker={"failures": 1})
    await service.acompletion("chat", HELLO)
    service.reload(config("claude", "gpt", breaker={"failures": 1}))
    assert service.snapshot().targets["gpt"].breaker == "open"
    service.reload(config("claude", "gpt", breaker={"failures": 2}))
    assert service.snapshot().targets["gpt"].breaker == "closed"


@in_virtual_time
async def test_a_send_under_way_is_counted_across_a_reload():
    service = router(speakers(gpt=answers(after_s=5.0)), "gpt")
    running = asyncio.create_task(service.acompletion("chat", HELLO))
    await asyncio.sleep(1.0)
    service.reload(config("claude", "gpt"))
    assert in_flight(service) == {"gpt": 1}
    await running
    assert in_flight(service) == {}


@in_virtual_time
async def test_an_invalid_config_raises_every_complaint_and_changes_nothing():
    service = router(speakers(), "gpt")
    events, before = heard(service), service.config
    bad = config("gpt") | {"routes": {"chat": {"chain": ["gtp"], "strategy": "fastest"}}}
    with pytest.raises(ConfigError) as raised:
        service.reload(bad)
    assert len(raised.value.complaints) == 2
    assert (service.config, events) == (before, [])


@in_virtual_time
async def test_a_function_that_cannot_be_found_changes_nothing():
    service = router(speakers(), "gpt")
    own = {"targets": {"own": {"callable": "math:flor"}}, "routes": {"chat": {"chain": ["own"]}}}
    with pytest.raises(ConfigError, match="math has no flor"):
        service.reload(own)
    assert order(service) == ["gpt"]


@in_virtual_time
async def test_the_adapter_of_models_stays_open_across_a_reload():
    adapter = speakers()
    service = router(adapter, "gpt")
    service.reload(config("claude"))
    await service.acompletion("chat", HELLO)
    assert (adapter.asked(), adapter.closed) == (["claude"], 0)
    await service.aclose()
    assert adapter.closed == 1


@in_virtual_time
async def test_functions_handed_over_at_the_start_serve_the_new_config_too(file):
    mine = config("gpt", "own", callables=["own"])
    mine["routes"]["chat"] |= {"chain": [["gpt", "own"]], "strategy": "backwards"}
    file.write(yaml.safe_dump(mine))
    service = Router.from_dict(
        mine,
        {"own": lambda **_asked: "mine"},
        {"backwards": lambda states, _ranking: states[::-1]},
        adapter=speakers(),
    )
    for source in (mine, file.path, service.config):
        service.reload(source)
        assert (await service.acompletion("chat", HELLO)).value == "mine"


@in_virtual_time
async def test_new_prices_are_in_force_after_a_reload():
    service = router(speakers(), "gpt")
    dearer = config("gpt")
    dearer["targets"]["gpt"]["prices"] = {"input_usd_per_mtok": 7, "output_usd_per_mtok": 8}
    service.reload(dearer)
    assert service.snapshot().targets["gpt"].input_usd_per_mtok == 7.0


@in_virtual_time
async def test_a_reload_and_what_follows_it_is_told_to_who_listened_before():
    service = router(speakers(), "gpt")
    events = heard(service)
    service.reload(config("gpt", "claude"))
    [told] = named(events, "config_reloaded")
    assert (told.kept, told.renewed) == (("gpt",), ("claude",))
    await service.acompletion("chat", HELLO)
    assert events[-1].event == "call_ended"


# watch


@in_virtual_time
async def test_a_changed_file_is_in_force_after_the_next_look(file):
    service = router(speakers(), "gpt")
    service.watch(file.path, every_s=5.0)
    await asyncio.sleep(1.0)
    file.says("claude")
    await asyncio.sleep(3.9)
    assert order(service) == ["gpt"]
    await asyncio.sleep(0.2)
    assert order(service) == ["claude"]
    await service.aclose()


@in_virtual_time
async def test_a_file_that_changed_before_the_watch_began_is_in_force_from_its_first_look(file):
    service = router(speakers(), "claude")
    service.watch(file.path)
    await asyncio.sleep(0.1)
    assert order(service) == ["gpt"]
    await service.aclose()


@in_virtual_time
async def test_a_file_that_does_not_change_is_not_reloaded(file):
    service = Router.from_file(file.path, adapter=speakers())
    events = heard(service)
    service.watch(file.path)
    await asyncio.sleep(1000.0)
    assert events == []
    await service.aclose()


@in_virtual_time
async def test_touching_the_file_gives_another_chance_to_who_was_retired_until_a_reload(file):
    file.says("gpt", "claude")
    service = Router.from_file(
        file.path,
        adapter=speakers(gpt=fails(FailureKind.REGION_BLOCKED)),
        clock=asyncio.get_running_loop().time,
    )
    service.watch(file.path)
    await asyncio.sleep(1.0)
    await service.acompletion("chat", HELLO)
    assert order(service) == ["claude"]
    file.touch()
    await asyncio.sleep(10.0)
    assert order(service) == ["gpt", "claude"]
    await service.aclose()


@in_virtual_time
async def test_an_invalid_file_is_complained_of_once_and_the_config_before_it_stays(file, complaints):
    service = router(speakers(), "gpt")
    service.watch(file.path)
    for _ in range(3):
        file.write("targets: {gpt: {modle: x}}\nroutes: {chat: {chain: [gtp]}}\n")
        await asyncio.sleep(10.0)
    [told] = complaints()
    assert "modle" in told
    assert "gtp" in told
    assert order(service) == ["gpt"]
    await service.aclose()


@in_virtual_time
async def test_a_file_that_breaks_again_after_it_was_mended_is_complained_of_again(file, complaints):
    service = router(speakers(), "gpt")
    service.watch(file.path)
    for _ in range(2):
        file.write("routes: [")
        await asyncio.sleep(10.0)
        file.says("claude")
        await asyncio.sleep(10.0)
    assert len(complaints()) == 2
    assert order(service) == ["claude"]
    await service.aclose()


@in_virtual_time
async def test_a_file_that_is_gone_for_a_while_is_followed_when_it_is_back(file, complaints):
    service = router(speakers(), "gpt")
    service.watch(file.path)
    await asyncio.sleep(1.0)
    file.path.unlink()
    await asyncio.sleep(20.0)
    assert ["there is no such file" in told for told in complaints()] == [True]
    file.says("claude")
    await asyncio.sleep(5.0)
    assert order(service) == ["claude"]
    await service.aclose()


@in_virtual_time
async def test_a_watch_survives_whatever_a_file_raises(file, complaints, monkeypatch):
    service = router(speakers(), "gpt")
    monkeypatch.setattr(service, "_read", lambda _path: 1 / 0)
    service.watch(file.path)
    await asyncio.sleep(1.0)
    monkeypatch.undo()
    file.says("claude")
    await asyncio.sleep(5.0)
    assert "ZeroDivisionError" in complaints()[0]
    await service.aclose()


@in_virtual_time
async def test_a_watch_ends_when_it_is_told_to_when_another_begins_and_when_the_router_closes(file):
    service = router(speakers(), "gpt")
    others = running_tasks()
    service.watch(file.path)()
    await asyncio.sleep(0.0)
    assert running_tasks() == others
    service.watch(file.path)
    service.watch(file.path)
    await asyncio.sleep(0.0)
    assert len(running_tasks() - others) == 1
    await service.aclose()
    assert running_tasks() == others


@in_virtual_time
async def test_a_file_is_looked_at_after_more_than_no_time(file):
    with pytest.raises(ValueError, match="every_s must be more than 0 seconds"):
        router(speakers(), "gpt").watch(file.path, every_s=0)
