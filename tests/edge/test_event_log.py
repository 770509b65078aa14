"""Events as log lines: a name, keys and values, and a level that says whether to look."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import get_args

import pytest
import structlog

from failover.core import events
from failover.core.events import (
    AttemptEnded,
    BreakerChanged,
    CallEnded,
    CallStarted,
    TargetRetired,
    WaitStarted,
)
from failover.core.failures import FailureKind
from failover.core.vocabulary import Outcome
from failover.errors import CallError
from failover.telemetry import log_events
from failover.telemetry.event_log import level_of
from tests.edge.scripted import HELLO, ScriptedAdapter, answers, fails, in_virtual_time, router

OVERLOADED = FailureKind.OVERLOADED


def attempt(outcome, failure=None):
    return AttemptEnded(1.0, "1", 1, "gpt", outcome, outcome, failure, None, None, 0.0, None, 0, 0, 0)


def call(error):
    return CallEnded(1.0, "1", "chat", 0.0, None, error, 1, 0)


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (attempt(Outcome.FAILURE, OVERLOADED), "warning"),
        (attempt(Outcome.SUCCESS), "debug"),
        (attempt(Outcome.ABANDONED), "debug"),
        (BreakerChanged(1.0, "gpt", "closed", "open", 11.0), "warning"),
        (BreakerChanged(1.0, "gpt", "half-open", "closed", None), "info"),
        (TargetRetired(1.0, "gpt", FailureKind.MODEL_GONE), "warning"),
        (WaitStarted(1.0, "1", 2.0), "info"),
        (CallStarted(1.0, "1", "chat", 61.0, ("gpt",), (), (), "completion"), "debug"),
        (call("AllTargetsFailedError"), "error"),
        (call("cancelled"), "info"),
        (call(None), "info"),
    ],
)
def test_the_level_says_whether_to_look(event, level):
    assert level_of(event) == level


def test_no_field_collides_with_what_a_log_record_has():
    taken = {*vars(logging.makeLogRecord({})), "message", "asctime", "event"}
    for event in get_args(events.Event):
        assert not taken & {field.name for field in dataclasses.fields(event)}


@in_virtual_time
async def test_structlog_gets_the_name_and_the_fields():
    lines = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(None, processors=[lines], wrapper_class=structlog.BoundLogger)
    service = router(ScriptedAdapter(gpt=fails(OVERLOADED, status=503), claude=answers()), "gpt", "claude")
    log_events(service, logger)
    await service.acompletion("chat", HELLO)
    assert [(line["event"], line["log_level"]) for line in lines.entries] == [
        ("call_started", "debug"),
        ("attempt_started", "debug"),
        ("attempt_ended", "warning"),
        ("attempt_started", "debug"),
        ("attempt_ended", "debug"),
        ("call_ended", "info"),
    ]
    failed = lines.entries[2]
    assert (failed["target"], failed["failure"], failed["status"]) == ("gpt", "overloaded", 503)
    assert json.loads(json.dumps(lines.entries)) == lines.entries


@in_virtual_time
async def test_a_standard_logger_gets_one_line_and_the_same_keys(caplog):
    caplog.set_level(logging.DEBUG, "service")
    service = router(ScriptedAdapter(gpt=fails(OVERLOADED)), "gpt", attempts=1)
    end = log_events(service, logging.getLogger("service"))
    with pytest.raises(CallError):
        await service.acompletion("chat", HELLO)
    end()
    last = caplog.records[-1]
    assert last.levelno == logging.ERROR
    assert last.getMessage() == (
        "call_ended at_s=0.0 call=1 route=chat started_s=0.0 error=AllTargetsFailedError attempts=1 cost_nusd=0"
    )
    assert (vars(last)["event"], vars(last)["error"]) == ("call_ended", "AllTargetsFailedError")
    assert vars(last)["target"] is None


@in_virtual_time
async def test_a_standard_logger_that_is_quiet_is_left_alone(caplog):
    caplog.set_level(logging.WARNING, "service")
    service = router(ScriptedAdapter(gpt=fails(OVERLOADED), claude=answers()), "gpt", "claude")
    end = log_events(service, logging.LoggerAdapter(logging.getLogger("service"), {}))
    await service.acompletion("chat", HELLO)
    end()
    await service.acompletion("chat", HELLO)
    assert [record.getMessage().split()[0] for record in caplog.records] == ["attempt_ended"]
