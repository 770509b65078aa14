"""What OpenTelemetry is told of a router: one span per call, one per attempt, and metrics that stay few."""

from __future__ import annotations

import asyncio
import builtins
import logging
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracer, SpanKind, StatusCode
from prometheus_client import CollectorRegistry, generate_latest

from failover.adapters.seam import Answer
from failover.core.events import CallEnded, CallStarted, TargetRetired
from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Operation, Target, Usage
from failover.core.world_events import InjectionStarted
from failover.errors import CallError
from failover.router import Router
from failover.telemetry import instrument, log_events
from failover.telemetry.conventions import METRICS, provider_name
from failover.telemetry.meters import Meters
from failover.telemetry.observer import Observer
from tests.edge.scripted import (
    HELLO,
    Fate,
    ScriptedAdapter,
    answers,
    config,
    fails,
    hangs,
    heard,
    in_virtual_time,
    named,
    raises,
    router,
    stop,
    streams,
)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "telemetry.md"
OVERLOADED, LIMITED, GONE = FailureKind.OVERLOADED, FailureKind.RATE_LIMITED, FailureKind.MODEL_GONE
USAGE = Usage(1000, 100)
MIDNIGHT_NS = 1_800_000_000 * 1_000_000_000


@dataclass
class Told:
    """OpenTelemetry in memory: what was exported of spans, and what metrics stand at."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def __post_init__(self) -> None:
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader])

    def spans(self) -> list[ReadableSpan]:
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans() if span.name == name]
        return found

    def points(self, metric: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for each in scope.metrics
            if each.name == metric
            for point in each.data.data_points
        ]

    def counts(self, metric: str, *attributes: str) -> dict[tuple[Any, ...], float]:
        """The value (a histogram's sum) by these attributes."""
        return {
            tuple(point.attributes.get(name) for name in attributes): getattr(
                point, "value", getattr(point, "sum", None)
            )
            for point in self.points(metric)
        }


def told_of(service: Router) -> Told:
    """What OpenTelemetry hears of `service` from now on; its wall clock reads `MIDNIGHT_NS` at each call."""
    told = Told()
    instrument(service, told.tracers, told.meters, wall_ns=lambda: MIDNIGHT_NS)
    return told


def seconds(span: ReadableSpan) -> tuple[float, float]:
    """When a span began and ended, counted from `MIDNIGHT_NS`."""
    return ((span.start_time or 0) - MIDNIGHT_NS) / 1e9, ((span.end_time or 0) - MIDNIGHT_NS) / 1e9


@in_virtual_time
async def test_a_call_is_a_span_and_each_attempt_a_child_of_it():
    adapter = ScriptedAdapter(gpt=fails(OVERLOADED, 1.0), claude=answers(after_s=2.0))
    service = router(adapter, "gpt", "claude")
    told = told_of(service)
    await service.acompletion("chat", HELLO)
    call, first, second = told.span("call chat"), told.span("chat gpt"), told.span("chat claude")
    assert [first.parent, second.parent] == [call.get_span_context()] * 2
    assert call.parent is None
    assert [span.kind for span in (call, first, second)] == [
        SpanKind.INTERNAL,
        SpanKind.CLIENT,
        SpanKind.CLIENT,
    ]
    assert [seconds(span) for span in (call, first, second)] == [(0.0, 3.0), (0.0, 1.0), (1.0, 3.0)]


@in_virtual_time
async def test_an_attempt_speaks_the_conventions_words_and_ours():
    service = router(ScriptedAdapter(gpt=answers(usage=USAGE)), "gpt")
    told = told_of(service)
    await service.acompletion("chat", HELLO)
    assert dict(told.span("chat gpt").attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        "failover.route": "chat",
        "failover.target": "gpt",
        "failover.provider": "gpt-inc",
        "failover.attempt": 1,
        "failover.cause": "first",
        "failover.probe": False,
        "failover.total_limit_s": 60.0,
        "failover.outcome": "success",
        "failover.permit": "success",
        "failover.cost_usd": 0.003,
    }


@in_virtual_time
async def test_a_failed_attempt_is_an_error_with_its_kind_and_a_rescued_call_is_none():
    adapter = ScriptedAdapter(gpt=fails(LIMITED, status=429, retry_after_s=7.0), claude=answers())
    service = router(adapter, "gpt", "claude")
    told = told_of(service)
    await service.acompletion("chat", HELLO)
    failed, call = told.span("chat gpt"), told.span("call chat")
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, "rate_limited")
    asked = ("error.type", "failover.failure", "http.response.status_code", "failover.retry_after_s")
    assert [failed.attributes[name] for name in asked] == ["rate_limited", "rate_limited", 429, 7.0]
    assert call.status.status_code is StatusCode.UNSET
    assert "error.type" not in call.attributes
    assert (call.attributes["failover.target"], call.attributes["failover.fallbacks"]) == ("claude", 1)


@in_virtual_time
async def test_a_failed_call_names_its_error_and_the_last_kind_of_failure():
    service = router(ScriptedAdapter(gpt=fails(OVERLOADED)), "gpt", attempts=1)
    told = told_of(service)
    with pytest.raises(CallError):
        await service.acompletion("chat", HELLO)
    call = told.span("call chat")
    assert (call.status.status_code, call.status.description) == (StatusCode.ERROR, "overloaded")
    assert call.attributes["error.type"] == "AllTargetsFailedError"
    assert told.counts("failover.calls", "failover.outcome", "error.type") == {
        ("failure", "AllTargetsFailedError"): 1
    }


@in_virtual_time
async def test_who_was_passed_over_stands_on_the_call_with_the_reason():
    policy = {"failures": 1, "open_s": 10}
    adapter = ScriptedAdapter(gpt=fails(OVERLOADED), claude=answers())
    service = router(adapter, "gpt", "claude", breaker=policy)
    told = told_of(service)
    await service.acompletion("chat", HELLO)
    await service.acompletion("chat", HELLO)
    calls = [span.attributes for span in told.spans() if span.name == "call chat"]
    assert sorted(call["failover.passed_over"] for call in calls) == [(), ("gpt: breaker_open",)]
    assert told.counts(
        "failover.breaker.changes", "failover.target", "failover.state_from", "failover.state_to"
    ) == {("gpt", "closed", "open"): 1}


@in_virtual_time
async def test_a_wait_is_an_event_of_the_call_at_the_time_it_began():
    adapter = ScriptedAdapter(gpt=[fails(LIMITED, 1.0, retry_after_s=5.0), answers()])
    service = router(adapter, "gpt")
    told = told_of(service)
    await service.acompletion("chat", HELLO)
    (wait,) = told.span("call chat").events
    assert (wait.name, dict(wait.attributes or {})) == ("failover.wait_started", {"failover.wait_s": 5.0})
    assert (wait.timestamp - MIDNIGHT_NS) / 1e9 == 1.0


@in_virtual_time
async def test_the_first_token_of_a_stream_is_an_event_an_attribute_and_a_metric():
    service = router(ScriptedAdapter(gpt=streams("a", "b", stop(USAGE), gap_s=0.5)), "gpt")
    told = told_of(service)
    async with await service.acompletion("chat", HELLO, stream=True) as stream:
        assert len([chunk async for chunk in stream]) == 3
    span = told.span("chat gpt")
    assert [event.name for event in span.events] == ["failover.first_token_received"]
    assert span.attributes["gen_ai.response.time_to_first_chunk"] == 0.5
    assert told.counts("gen_ai.client.operation.time_to_first_chunk", "failover.target") == {("gpt",): 0.5}


@in_virtual_time
async def test_a_caller_who_leaves_is_no_error():
    service = router(ScriptedAdapter(gpt=hangs()), "gpt")
    told = told_of(service)
    running = asyncio.create_task(service.acompletion("chat", HELLO))
    await asyncio.sleep(1.0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {span.attributes["failover.outcome"] for span in told.spans()} == {"abandoned"}
    assert {span.status.status_code for span in told.spans()} == {StatusCode.UNSET}
    assert told.counts("failover.calls", "failover.outcome") == {("abandoned",): 1}


@in_virtual_time
async def test_a_call_is_a_child_of_the_callers_own_span():
    service = router(ScriptedAdapter(gpt=answers()), "gpt")
    told = told_of(service)
    with told.tracers.get_tracer("service").start_as_current_span("GET /") as caller:
        await service.acompletion("chat", HELLO)
    assert told.span("call chat").parent == caller.get_span_context()


@in_virtual_time
async def test_metrics_count_what_a_fallback_costs():
    adapter = ScriptedAdapter(gpt=fails(OVERLOADED, 1.0), claude=answers(after_s=2.0, usage=USAGE))
    service = router(adapter, "gpt", "claude")
    told = told_of(service)
    await service.acompletion("chat", HELLO)
    by = ("failover.target", "failover.outcome")
    assert told.counts("failover.attempts", *by) == {("gpt", "failure"): 1, ("claude", "success"): 1}
    assert told.counts("gen_ai.client.operation.duration", *by) == {
        ("gpt", "failure"): 1.0,
        ("claude", "success"): 2.0,
    }
    assert told.counts("failover.fallbacks", "failover.target") == {("claude",): 1}
    tokens = told.counts("gen_ai.client.token.usage", "gen_ai.token.type")
    assert tokens == {("input",): 1000, ("output",): 100}
    assert told.counts("failover.cost", "failover.target") == {("claude",): 0.003}
    assert told.counts("failover.calls", "failover.target", "failover.outcome") == {("claude", "success"): 1}
    assert told.counts("failover.call.duration", "failover.route") == {("chat",): 3.0}
    assert told.points("failover.cost.unknown") == []


@in_virtual_time
async def test_an_unknown_price_is_counted_and_never_zero():
    loop = asyncio.get_running_loop()
    unpriced = config("gpt")
    del unpriced["targets"]["gpt"]["prices"]
    adapter = ScriptedAdapter(gpt=answers(usage=USAGE))
    service = Router.from_dict(unpriced, adapter=adapter, clock=loop.time, wall=loop.time)
    told = told_of(service)
    await service.acompletion("chat", HELLO)
    assert "failover.cost_usd" not in told.span("chat gpt").attributes
    assert told.counts("failover.cost.unknown", "failover.target") == {("gpt",): 1}
    assert told.points("failover.cost") == []


@in_virtual_time
async def test_cooldowns_and_retirements_are_counted_per_target():
    adapter = ScriptedAdapter(gpt=fails(LIMITED, retry_after_s=5.0), old=fails(GONE), claude=answers())
    service = router(adapter, "gpt", "old", "claude")
    told = told_of(service)
    for _ in range(4):
        await service.acompletion("chat", HELLO)
        await asyncio.sleep(1000.0)
    assert told.counts("failover.cooldowns", "failover.target", "failover.scope") == {
        ("gpt", "credential_model"): 4
    }
    assert told.counts("failover.targets.retired", "failover.target", "error.type") == {
        ("old", "model_gone"): 1
    }


@in_virtual_time
async def test_a_plain_function_is_an_operation_of_its_own_without_a_model():
    async def rough(text):
        return len(text)

    service = Router.from_dict(config("rough", callables=["rough"]), callables={"rough": rough})
    told = told_of(service)
    await service.acall("chat", text="four")
    span = told.span("call rough")
    assert span.kind is SpanKind.INTERNAL
    assert span.attributes["gen_ai.operation.name"] == "call"
    assert "gen_ai.request.model" not in span.attributes


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (Operation.COMPLETION, "chat"),
        (Operation.RESPONSES, "chat"),
        (Operation.EMBEDDING, "embeddings"),
        (Operation.IMAGE_GENERATION, "image_generation"),
        (Operation.TRANSCRIPTION, "transcription"),
        (Operation.SPEECH, "speech"),
        (Operation.RERANK, "rerank"),
        (Operation.MODERATION, "moderation"),
    ],
)
@in_virtual_time
async def test_spans_and_metrics_say_what_was_asked_for(operation, name):
    service = router(ScriptedAdapter(gpt=answers()), "gpt")
    told = told_of(service)
    arguments = {"speech": ("hello", "alloy"), "rerank": ("hello", ["one"]), "completion": (HELLO,)}
    await getattr(service, f"a{operation}")("chat", *arguments.get(operation, ("hello",)))
    assert told.span(f"{name} gpt").attributes["gen_ai.operation.name"] == name
    assert told.span("call chat").attributes["failover.operation"] == operation
    assert told.counts("failover.calls", "gen_ai.operation.name") == {(name,): 1}


@in_virtual_time
async def test_a_doubt_is_an_event_of_the_attempt_that_it_is_about():
    doubt = Failure(FailureKind.WRONG_MODEL, code="gpt-mini")
    doubted = Fate(((1.0, Answer("hello", USAGE, (doubt,))),))
    service = router(ScriptedAdapter(gpt=doubted), "gpt")
    told = told_of(service)
    await service.acompletion("chat", HELLO)
    span = told.span("chat gpt")
    (event,) = span.events
    assert (event.name, dict(event.attributes or {})) == (
        "failover.reply_doubted",
        {"failover.failure": "wrong_model", "failover.code": "gpt-mini"},
    )
    assert (span.attributes["failover.outcome"], span.status.status_code) == ("success", StatusCode.UNSET)


@pytest.mark.parametrize(("gpt_s", "served", "left"), [(50.0, "claude", "gpt"), (2.5, "gpt", "claude")])
@in_virtual_time
async def test_the_spans_of_a_hedge_and_of_what_it_hedges_overlap(gpt_s, served, left):
    usual = [answers(after_s=1.0)] * 40
    adapter = ScriptedAdapter(gpt=[*usual, answers(after_s=gpt_s)], claude=answers(after_s=2.0))
    hedge = {"after_quantile": 0.95, "share": 1.0, "usd_share": None}
    service = router(adapter, "gpt", "claude", hedge=hedge)
    for _ in usual:
        await service.acompletion("chat", HELLO)
    told = told_of(service)
    await service.acompletion("chat", HELLO)
    spans = {"gpt": told.span("chat gpt"), "claude": told.span("chat claude")}
    began = {name: seconds(span)[0] for name, span in spans.items()}
    ended = {name: seconds(span)[1] for name, span in spans.items()}
    assert began["gpt"] < began["claude"] < ended["gpt"] == ended["claude"]
    assert seconds(told.span("call chat")) == (began["gpt"], ended[served])
    outcomes = {name: span.attributes["failover.outcome"] for name, span in spans.items()}
    assert outcomes == {served: "success", left: "abandoned"}
    assert {span.status.status_code for span in told.spans()} == {StatusCode.UNSET}
    by = ("failover.target", "failover.cause", "failover.outcome")
    causes = {"gpt": "first", "claude": "hedge"}
    assert told.counts("failover.attempts", *by) == {
        (served, causes[served], "success"): 1,
        (left, causes[left], "abandoned"): 1,
    }
    assert told.points("failover.fallbacks") == []
    assert told.span("call chat").attributes["failover.target"] == served


@in_virtual_time
async def test_who_stands_back_is_told_on_the_call():
    adapter = ScriptedAdapter(gpt=[fails(OVERLOADED), answers()], claude=answers())
    breaker = {"failures": 1, "open_s": 10, "ramp_s": 100}
    service = router(adapter, "gpt", "claude", breaker=breaker)
    told, events = told_of(service), heard(service)
    await service.acompletion("chat", HELLO)
    await asyncio.sleep(30.0)
    for _ in range(3):
        await service.acompletion("chat", HELLO)
    held = [span.attributes["failover.held_back"] for span in told.spans() if span.name == "call chat"]
    assert held == [event.held_back for event in named(events, "call_started")]
    assert ("gpt",) in held
    assert () in held


@in_virtual_time
async def test_no_metric_carries_what_grows_with_the_calls():
    adapter = ScriptedAdapter(gpt=fails(OVERLOADED), claude=answers(usage=USAGE))
    service = router(adapter, "gpt", "claude")
    told = told_of(service)
    await service.acompletion("chat", HELLO)
    few = {metric.name: len(told.points(metric.name)) for metric in METRICS}
    for _ in range(20):
        await service.acompletion("chat", HELLO)
    for metric in METRICS:
        assert len(told.points(metric.name)) <= few[metric.name] + 2
        assert not [point for point in told.points(metric.name) if "failover.call" in point.attributes]


@in_virtual_time
async def test_who_ends_it_hears_no_more_and_leaves_no_span_open():
    service = router(ScriptedAdapter(gpt=answers(after_s=5.0)), "gpt")
    told = Told()
    end = instrument(service, told.tracers, told.meters)
    running = asyncio.create_task(service.acompletion("chat", HELLO))
    await asyncio.sleep(1.0)
    end()
    end()
    await running
    await service.acompletion("chat", HELLO)
    assert [span.attributes["failover.forgotten"] for span in told.spans()] == [True, True]
    assert told.points("failover.calls") == []


def test_calls_that_never_end_are_forgotten_from_the_oldest_on():
    told = Told()
    service = Router.from_dict(config("gpt"), adapter=ScriptedAdapter())
    tracer, meters = told.tracers.get_tracer("x"), Meters(told.meters.get_meter("x"))
    observer = Observer(lambda: service.config, tracer, meters, lambda: MIDNIGHT_NS, most_calls=2)
    for number in range(4):
        observer(CallStarted(float(number), str(number), "chat", 60.0, ("gpt",), (), (), "completion"))
    for number in range(4):
        observer(CallEnded(9.0, str(number), "chat", float(number), "gpt", None, 0, 0))
    calls = [span.attributes for span in told.spans()]
    assert {call["failover.call"]: "failover.forgotten" in call for call in calls} == {
        "0": True,
        "1": True,
        "2": False,
        "3": False,
    }
    assert told.counts("failover.calls") == {(): 2}


@in_virtual_time
async def test_a_call_that_ended_is_held_no_longer(caplog):
    service = router(ScriptedAdapter(gpt=fails(OVERLOADED), claude=answers()), "gpt", "claude")
    told = Told()
    end = instrument(service, told.tracers, told.meters)
    await service.acompletion("chat", HELLO)
    end()
    assert not caplog.records  # the SDK warns of a span that is ended twice
    assert len(told.spans()) == 3


@in_virtual_time
async def test_a_call_keeps_the_names_of_the_config_it_began_with():
    service = router(ScriptedAdapter(gpt=answers(after_s=1.0)), "gpt")
    told = told_of(service)
    running = asyncio.create_task(service.acompletion("chat", HELLO))
    await asyncio.sleep(0.5)
    service.reload(config("claude"))
    await running
    assert told.counts("failover.attempts", "failover.target", "gen_ai.request.model") == {("gpt", "gpt"): 1}


def test_a_target_that_the_config_lost_and_the_harness_do_no_harm():
    told = Told()
    service = Router.from_dict(config("gpt"), adapter=ScriptedAdapter())
    meters = Meters(told.meters.get_meter("x"))
    observer = Observer(lambda: service.config, NoOpTracer(), meters, lambda: 0)
    observer(InjectionStarted(0.0, 0, "outage", "gpt"))
    observer(TargetRetired(0.0, "gone", GONE))
    assert told.counts("failover.targets.retired", "failover.target") == {("gone",): 1}


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Target("a", "mine", "anthropic/claude"), "anthropic"),
        (Target("a", "mine", "mistral/large"), "mistral_ai"),
        (Target("a", "mine", "openai/gpt"), "openai"),
        (Target("a", "mine", "openai/qwen", api_base="http://here"), "mine"),
        (Target("a", "groq", "openai/llama", api_base="http://there"), "groq"),
        (Target("a", "openai", "gpt"), "openai"),
        (Target("a", "mine", "openrouter/openai/gpt"), "openrouter"),
        (Target("a", "local"), "local"),
    ],
)
def test_a_provider_goes_by_its_conventional_name(target, name):
    assert provider_name(target) == name


@in_virtual_time
async def test_no_prompt_reply_or_credential_is_told(monkeypatch, caplog):
    prompt, reply, key = "the-planted-prompt", "the-planted-reply", "the-planted-key"
    monkeypatch.setenv("GPT_KEY", key)
    caplog.set_level("DEBUG")

    quoting = RuntimeError(f"cannot serve {prompt} with {key}")
    quoting.failure = Failure(OVERLOADED, status=503)
    adapter = ScriptedAdapter(gpt=raises(quoting), claude=[answers(reply, usage=USAGE), raises(quoting)])
    service = router(adapter, "gpt", "claude")
    told, registry = told_of(service), CollectorRegistry()
    instrument(service, told.tracers, MeterProvider([PrometheusMetricReader(registry=registry)]))
    log_events(service, logging.getLogger("service"))
    messages = [{"role": "user", "content": prompt}]
    await service.acompletion("chat", messages, api_key=key)
    with pytest.raises(CallError):
        await service.acompletion("chat", messages, api_key=key)
    everything = "".join(
        [
            *(span.to_json() for span in told.spans()),
            *(str(told.points(metric.name)) for metric in METRICS),
            generate_latest(registry).decode(),
            *(f"{record.getMessage()} {vars(record)}" for record in caplog.records),
        ]
    )
    assert "claude" in everything
    assert "AllTargetsFailedError" in everything
    assert not [secret for secret in (prompt, reply, key) if secret in everything]


@in_virtual_time
async def test_prometheus_collects_it_with_units_in_the_names():
    registry = CollectorRegistry()
    service = router(ScriptedAdapter(gpt=fails(OVERLOADED), claude=answers(usage=USAGE)), "gpt", "claude")
    instrument(service, Told().tracers, MeterProvider([PrometheusMetricReader(registry=registry)]))
    await service.acompletion("chat", HELLO)
    text = generate_latest(registry).decode()
    shown = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    assert {
        "gen_ai_client_operation_duration_seconds",
        "gen_ai_client_token_usage",
        "failover_calls_total",
        "failover_attempts_total",
        "failover_fallbacks_total",
        "failover_cost_USD_total",
    } <= shown
    assert re.search(r'failover_calls_total\{[^}]*failover_target="claude"[^}]*\} 1\.0', text)


def test_the_page_names_every_metric_and_every_attribute():
    page = PAGE.read_text("utf-8")
    names = {metric.name for metric in METRICS}
    for path in (ROOT / "failover" / "telemetry").glob("*.py"):
        names |= set(re.findall(r'"((?:gen_ai|failover|error|http)\.[a-z_.]+)"', path.read_text("utf-8")))
    assert sorted(name for name in names if f"`{name}`" not in page) == []


def test_without_opentelemetry_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name.split(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    service = Router.from_dict(config("gpt"), adapter=ScriptedAdapter())
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=re.escape("pip install 'failover[telemetry]'")):
        instrument(service)


def test_nothing_of_opentelemetry_is_loaded_before_it_is_asked_for():
    script = "import failover.telemetry, sys\nprint(*sys.modules)"
    done = subprocess.run(  # noqa: S603  our own interpreter and our own words
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"opentelemetry", "structlog", "litellm", "prometheus_client"}
