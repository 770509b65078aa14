"""What a search tries to break: the invariants always, and the limits that are named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from failover.chaos.judging.verdict import Verdict
from failover.chaos.scenario import Expectations
from failover.documents import Complaints, Document, ending, shown, validate

DEFAULT: Mapping[str, float] = {"regret_success_ratio_max": 0.02}
"""Where no limit is named. `docs/search.md` argues for it."""

OPTION = "--objective"


def objectives(expressions: Iterable[str]) -> Mapping[str, Any]:
    """`["success_ratio_min=0.99", "served_share_min.gpt=0.5"]` as the `expect` of a scenario.

    Raises `ConfigError` with every complaint. `sometimes` is no objective: nobody who looks for
    trouble is surprised that something never happened.
    """
    complaints = Complaints()
    expect: dict[str, Any] = {}
    for expression in expressions:
        name, _, text = (part.strip() for part in expression.partition("="))
        key, _, target = name.partition(".")
        value = _number(text)
        if key not in LIMITS or bool(target) is not (key in BY_TARGET):
            complaints.add_line(OPTION, 0, _unknown(name))
        elif value is None:
            what = f"{shown(expression)} gives no number: write {name}=NUMBER"
            complaints.add_line(OPTION, 0, what)
        elif target:
            expect.setdefault(key, {})[target] = value
        else:
            expect[key] = value
    validate(Document(OPTION, expect), Expectations, complaints)
    complaints.raise_if_any()
    return expect


def objective_names() -> tuple[str, ...]:
    """Every name an objective may have; NAME stands for a target's."""
    return tuple(f"{name}.NAME" if name in BY_TARGET else name for name in LIMITS)


def single(expect: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Of an `expect` only the limit called `name`, as a verdict calls it; nothing for an invariant."""
    key, _, target = name.partition(".")
    if key not in expect:
        return {}
    return {key: {target: expect[key][target]} if target else expect[key]}


def check_targets(expect: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise `ConfigError` where a limit names a target that the route does not have."""
    complaints, known = Complaints(), list(names)
    for key in BY_TARGET & expect.keys():
        for target in expect[key]:
            if target not in known:
                what = f"{key}: the route has no target {shown(target)}{ending(target, known)}"
                complaints.add_line(OPTION, 0, what)
    complaints.raise_if_any()


def margins(verdict: Verdict) -> Iterator[tuple[str, float]]:
    """For each limit how near it is to being broken: the more, the nearer."""
    for each in verdict.expectations:
        if each.measured is not None:
            yield each.name, -each.measured if "_min" in each.name else each.measured


def _limits() -> tuple[tuple[str, ...], frozenset[str]]:
    fields = Expectations.model_fields
    defaults = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
    plain = [name for name, default in defaults.items() if default is None]
    by_target = [name for name, default in defaults.items() if isinstance(default, Mapping)]
    return (*plain, *by_target), frozenset(by_target)


LIMITS, BY_TARGET = _limits()


def _unknown(name: str) -> str:
    key = name.partition(".")[0]
    if key == "sometimes":
        return "sometimes cannot be searched for: it is about one story, not about all of them"
    if key in BY_TARGET:
        return f"{key} is about one target: write {key}.TARGET=NUMBER"
    if key in LIMITS:
        return f"{key} is about no single target: write {key}=NUMBER"
    return f"unknown objective {shown(name)}{ending(key, LIMITS)}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
