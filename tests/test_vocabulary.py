"""One word, one meaning: the enum's value is the config key is the event name is the documented word."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from failover.core import (
    calendar_events,
    capabilities,
    events,
    failures,
    policy,
    spend_events,
    vocabulary,
    world_events,
)
from failover.core.failures import DISPOSITIONS, FailureKind

ROOT = Path(__file__).parents[1]
FAILURES_PAGE = ROOT / "docs" / "failures.md"

# A fraction, a duration, money, tokens: whoever reads `0.5` in a config knows of what.
UNITS = ("_s", "_share", "_quantile", "_per_s", "_per_mtok", "_usd", "_nusd", "_tokens", "_factor")
# Inside a table whose name says the whole: `retry_budget: {share: 0.2}`.
UNITLESS_WORDS = {"share", "weight"}
TIME_WORDS = {
    *("after", "age", "deadline", "delay", "duration", "interval", "latency"),
    *("period", "timeout", "ttl", "until", "wait", "window"),
}


def _enums() -> list[tuple[str, ast.ClassDef]]:
    """Every enum of the package, read without importing anything heavy."""
    return [
        (path.relative_to(ROOT).as_posix(), node)
        for path in sorted((ROOT / "failover").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).split(".")[-1].endswith("Enum") for base in node.bases)
    ]


def _dataclasses(module: ModuleType) -> list[type[Any]]:
    return [
        thing
        for _, thing in inspect.getmembers(module, inspect.isclass)
        if thing.__module__ == module.__name__ and dataclasses.is_dataclass(thing)
    ]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


NOUNS = [thing for room in (policy, capabilities, vocabulary, failures) for thing in _dataclasses(room)]
EVENTS = [
    thing for room in (events, calendar_events, spend_events, world_events) for thing in _dataclasses(room)
]


@pytest.mark.parametrize("enum", [pytest.param(node, id=f"{file} {node.name}") for file, node in _enums()])
def test_a_member_is_spelt_like_its_value(enum: ast.ClassDef) -> None:
    """`MODEL_GONE` is `model_gone` wherever it is written."""
    members = [
        (ast.unparse(node.targets[0]), ast.literal_eval(node.value))
        for node in enum.body
        if isinstance(node, ast.Assign)
    ]
    assert members
    for name, value in members:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", value), f"{value!r} is no lower_snake word"
        assert name == value.upper(), f"{enum.name}.{name} is written {value!r}: call both the same"


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_is_named_after_its_class(event: type[Any]) -> None:
    """Whoever greps a journal for `breaker_changed` finds the class, and the other way round."""
    assert event.event == _snake(event.__name__)


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_says_when_and_is_part_of_the_union(event: type[Any]) -> None:
    """A journal is ordered by `at_s`, and a listener that matches on `Event` misses none."""
    assert "at_s" in {field.name for field in dataclasses.fields(event)}
    assert event in get_args(events.Event)


@pytest.mark.parametrize("thing", [*NOUNS, *EVENTS])
def test_nouns_and_events_are_frozen(thing: type[Any]) -> None:
    """What was decided or happened does not change afterwards."""
    assert thing.__dataclass_params__.frozen
    assert hasattr(thing, "__slots__")


def test_every_failure_kind_has_exactly_one_disposition() -> None:
    """The table is total: no failure is without consequence, and no row without failure."""
    assert list(DISPOSITIONS) == list(FailureKind)


def test_the_documented_failures_are_those_of_the_table() -> None:
    """`docs/failures.md` has a table whose first column names each kind once."""
    assert FAILURES_PAGE.is_file(), "write the table of failure kinds into docs/failures.md, kind first"
    rows = re.findall(r"^\| *`([a-z_]+)` *\|", FAILURES_PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(kind.value for kind in FailureKind)


def _quantities() -> list[tuple[str, str, str]]:
    return [
        (thing.__name__, field.name, str(field.type))
        for thing in [*NOUNS, *EVENTS]
        for field in dataclasses.fields(thing)
        if re.search(r"\b(?:int|float)\b", str(field.type))
    ]


@pytest.mark.parametrize(("owner", "name", "kind"), _quantities())
def test_a_quantity_carries_its_unit(owner: str, name: str, kind: str) -> None:
    """Every fraction and duration says of what: `deadline_s`, `failure_share`. A plain int is a count."""
    if "float" in kind or TIME_WORDS & set(name.split("_")):
        assert name.endswith(UNITS) or name in UNITLESS_WORDS, f"{owner}.{name} needs one of {UNITS}"


def test_no_two_classes_share_a_name() -> None:
    """A noun, an event and an enum that are called alike would be told apart by nobody."""
    names = [thing.__name__ for thing in [*NOUNS, *EVENTS]] + [
        name
        for module in (policy, capabilities, vocabulary, failures, events)
        for name, thing in inspect.getmembers(module, inspect.isclass)
        if thing.__module__ == module.__name__ and issubclass(thing, Enum)
    ]
    assert len(names) == len(set(names))
