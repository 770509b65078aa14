"""The sync API: real threads, a loop of the router's own for the sending, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from failover import AllTargetsFailedError, Router, StreamInterruptedError
from failover.core.failures import FailureKind
from failover.core.vocabulary import Outcome, Usage
from failover.thread_driver import Background
from tests.edge.scripted import (
    CUT,
    HELLO,
    ScriptedAdapter,
    answers,
    config,
    fails,
    hangs,
    heard,
    in_flight,
    named,
    stop,
    streams,
)

OVERLOADED = FailureKind.OVERLOADED
WHOLE = streams("he", "llo", stop(Usage(1000, 100)))


@pytest.fixture
def routers() -> Iterator[Any]:
    """Makes routers over scripted targets, and closes them; afterwards no thread of theirs runs."""
    made: list[Router] = []

    def make(adapter: ScriptedAdapter, *chain: str, **policy: Any) -> Router:
        made.append(Router.from_dict(config(*chain, **policy), adapter=adapter))
        return made[-1]

    yield make
    for router in made:
        router.close()
    assert not [each.name for each in threading.enumerate() if each.name.startswith("failover-sending")]


def test_a_thread_gets_its_reply_without_an_event_loop(routers):
    reply = routers(ScriptedAdapter(gpt=answers("hi")), "gpt").completion("chat", HELLO)
    assert (reply.text, reply.failover.target) == ("hi", "gpt")


def test_a_thread_falls_back_as_a_coroutine_does(routers):
    service = routers(ScriptedAdapter(gpt=fails(OVERLOADED), claude=answers()), "gpt", "claude")
    reply = service.completion("chat", HELLO)
    assert [attempt.target for attempt in reply.failover.attempts] == ["gpt", "claude"]


def test_an_error_carries_the_story_and_the_providers_own_exception(routers):
    service = routers(ScriptedAdapter(gpt=fails(OVERLOADED)), "gpt", attempts=1)
    with pytest.raises(AllTargetsFailedError) as raised:
        service.completion("chat", HELLO)
    assert raised.value.failover.attempts[0].failure == "overloaded"
    assert type(raised.value.__cause__).__name__ == "ScriptedError"


def test_a_silent_target_is_left_at_its_limit(routers):
    adapter = ScriptedAdapter(gpt=hangs(), claude=answers("hi"))
    service = routers(adapter, "gpt", "claude", attempt_s=0.05)
    assert service.completion("chat", HELLO).text == "hi"
    assert adapter.running == 0


def test_a_thread_with_a_running_event_loop_may_call_too(routers):
    service = routers(ScriptedAdapter(gpt=answers("hi")), "gpt")

    async def within() -> Any:
        return service.completion("chat", HELLO), await service.acompletion("chat", HELLO)

    assert [reply.text for reply in asyncio.run(within())] == ["hi", "hi"]


def test_a_stream_is_read_chunk_by_chunk(routers):
    stream = routers(ScriptedAdapter(gpt=WHOLE), "gpt").completion("chat", HELLO, stream=True)
    assert [getattr(chunk, "text", chunk) for chunk in stream] == ["he", "llo", "stop"]
    assert stream.failover.cost_usd == pytest.approx(0.003)


def test_a_stream_that_is_left_early_blames_nobody(routers):
    adapter = ScriptedAdapter(gpt=WHOLE)
    service = routers(adapter, "gpt")
    events = heard(service)
    with service.completion("chat", HELLO, stream=True) as stream:
        next(stream)
    assert list(stream) == []
    assert named(events, "attempt_ended")[0].outcome is Outcome.ABANDONED
    assert (in_flight(service), adapter.running) == ({}, 0)


def test_a_stream_that_breaks_keeps_the_partial_text(routers):
    stream = routers(ScriptedAdapter(gpt=streams("he", CUT)), "gpt").completion("chat", HELLO, stream=True)
    with pytest.raises(StreamInterruptedError) as raised:
        list(stream)
    assert raised.value.partial_text == "he"


def test_a_stream_that_breaks_may_restart_at_the_next_target(routers):
    adapter = ScriptedAdapter(gpt=streams("he", CUT), claude=WHOLE)
    service = routers(adapter, "gpt", "claude", stream_recovery="restart")
    chunks = list(service.completion("chat", HELLO, stream=True))
    marks = [chunk.failover for chunk in chunks if hasattr(chunk, "failover")]
    assert [getattr(chunk, "text", chunk) for chunk in chunks] == ["he", "", "he", "llo", "stop"]
    assert [(mark.event, mark.target) for mark in marks] == [("restart", "claude")]


def test_a_stream_that_is_dropped_settles_its_permit(routers):
    adapter = ScriptedAdapter(gpt=WHOLE)
    service = routers(adapter, "gpt")
    ended = threading.Event()
    service.subscribe(lambda event: ended.set() if event.event == "call_ended" else None)
    service.completion("chat", HELLO, stream=True)
    assert ended.wait(10.0)
    assert in_flight(service) == {}


def test_plain_functions_run_beside_each_other(routers):
    together = threading.Barrier(8, timeout=10.0)

    def score(**_: Any) -> int:
        return together.wait()

    service = Router.from_dict(config("own", callables=["own"]), callables={"own": score})
    with service, ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: service.call("chat"), range(8)))
    assert sorted(reply.value for reply in replies) == list(range(8))


@pytest.mark.parametrize(
    "operation",
    ["embedding", "responses", "image_generation", "transcription", "speech", "rerank", "moderation"],
)
def test_every_operation_has_a_sync_twin(routers, operation):
    asked = {"speech": ["hi", "alloy"], "rerank": ["hi", ["a", "b"]]}.get(operation, ["hi"])
    adapter = ScriptedAdapter(gpt=answers("done"))
    reply = getattr(routers(adapter, "gpt"), operation)("chat", *asked)
    assert reply.text == "done"
    assert [outbound.operation for outbound in adapter.sent] == [operation]


def test_many_threads_share_what_is_learned(routers):
    adapter = ScriptedAdapter(gpt=[fails(OVERLOADED)] * 3 + [answers()], claude=answers())
    service = routers(adapter, "gpt", "claude")
    events = heard(service)
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: service.completion("chat", HELLO), range(200)))
    assert len(replies) == 200
    assert in_flight(service) == {}
    assert len(named(events, "attempt_started")) == len(named(events, "attempt_ended")) == 203
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)


class Interrupted(Background):
    """Control-C comes while a thread waits."""

    def wait(self, futures: Any, timeout_s: float | None) -> None:
        super().wait(futures, 0.01)
        raise KeyboardInterrupt


@pytest.mark.parametrize("stream", [False, True])
def test_an_interrupted_thread_leaves_nothing_running(routers, monkeypatch, stream):
    adapter = ScriptedAdapter(gpt=hangs())
    service = routers(adapter, "gpt")
    events = heard(service)
    monkeypatch.setattr("failover.router.Background", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        service.completion("chat", HELLO, stream=stream)
    assert named(events, "call_ended")[0].error == "cancelled"
    service.close()
    assert (in_flight(service), adapter.running) == ({}, 0)


def test_a_stream_interrupted_while_it_is_read_is_closed(routers, monkeypatch):
    adapter = ScriptedAdapter(gpt=WHOLE)
    service = routers(adapter, "gpt")
    stream = service.completion("chat", HELLO, stream=True)
    next(stream)

    def interrupted(*_: Any) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(Background, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(stream)
    assert (in_flight(service), adapter.running) == ({}, 0)


def test_the_sending_thread_does_not_wait_for_itself():
    told: list[str] = []

    async def own(**_: Any) -> str:
        with pytest.raises(RuntimeError, match="twin") as raised:
            service.call("chat")
        told.append(str(raised.value))
        return "done"

    service = Router.from_dict(config("own", callables=["own"]), callables={"own": own})
    with service:
        assert service.call("chat").value == "done"
    assert len(told) == 1


def test_a_closed_router_serves_again_and_is_closed_again(routers):
    adapter = ScriptedAdapter(gpt=answers("hi"))
    service = routers(adapter, "gpt")
    service.completion("chat", HELLO)
    service.close()
    assert service.completion("chat", HELLO).text == "hi"


FORKING = """
import os
from failover import Router
from failover.adapters.litellm import LitellmAdapter
from tests.edge.fake_wire import ENVIRONMENT, KEY_VARIABLE, FakeProvider, whole_answer

config = {
    "providers": {"one": {"credential": "env:" + KEY_VARIABLE, "api_base": "http://one.invalid/v1"}},
    "targets": {"gpt": {"provider": "one", "model": "openai/m"}},
    "routes": {"chat": {"chain": ["gpt"]}},
}
adapter = LitellmAdapter(FakeProvider(lambda _: whole_answer()), ENVIRONMENT)
service = Router.from_dict(config, adapter=adapter)
hello = [{"role": "user", "content": "hello"}]
service.completion("chat", hello)
child = os.fork()
service.completion("chat", hello)
service.close()
if child:
    _, status = os.waitpid(child, 0)
    assert status == 0
    print("both closed")
else:
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_of_a_fork_calls_and_closes_by_itself():
    run = subprocess.run(  # noqa: S603  # our own interpreter and program
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stdout.splitlines()[-1:] == ["both closed"], run.stderr


def test_closing_on_an_event_loop_says_which_way_to_close():
    service = Router.from_dict(config("gpt"), adapter=ScriptedAdapter(gpt=answers()))

    async def close() -> None:
        with pytest.raises(RuntimeError, match="aclose"):
            service.close()
        service.completion("chat", HELLO)
        await service.aclose()

    asyncio.run(close())
    assert not [each for each in threading.enumerate() if each.name == "failover-sending"]


def test_a_file_is_watched_without_an_event_loop(tmp_path: Path):
    path = tmp_path / "failover.yaml"
    path.write_text("targets: {own: {callable: own}}\nroutes: {chat: {chain: [own]}}\n")
    with Router.from_file(path, callables={"own": lambda: 1}) as service:
        reloaded = threading.Event()
        service.subscribe(lambda event: reloaded.set() if event.event == "config_reloaded" else None)
        path.write_text("targets: {own: {callable: own}}\nroutes: {speech: {chain: [own]}}\n")
        unwatch = service.watch(path, every_s=0.01)
        assert reloaded.wait(10.0)
        assert service.call("speech").value == 1
        unwatch()
