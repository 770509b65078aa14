"""What a subject is told before a drill, and what it is asked in one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from failover.core.vocabulary import Route, Target


@dataclass(frozen=True, slots=True)
class SubjectTarget:
    """One target as another client needs it. `key` tells the harness whom a request is meant for.

    `model` is litellm's name, `provider` the prefix of it and `model_name` the rest. `api_base` is empty
    unless the config names one.
    """

    name: str
    provider: str
    model: str
    model_name: str
    key: str
    api_base: str


@dataclass(frozen=True, slots=True)
class Setting:
    """The routes of a config: for each, its targets in the author's order, and its deadline in seconds."""

    routes: Mapping[str, tuple[SubjectTarget, ...]]
    deadlines_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SubjectRequest:
    """One request: `arguments` are litellm's for `operation` (`messages`, `max_tokens`, `input`, …).

    With `stream` the subject reads the stream to its end before it returns.
    """

    route: str
    operation: str
    arguments: Mapping[str, Any]
    stream: bool
    deadline_s: float


Subject = Callable[[SubjectRequest], Awaitable[Any]]
"""Answers a request or raises. What it returns is not looked at: what it was answered with is."""

Making = Callable[[Setting], AbstractAsyncContextManager[Subject]]
"""Makes a subject for a drill, inside its event loop and its time, and closes it at the end."""

KEY_PREFIX = "drill-key-"


def setting_of(routes: tuple[Route, ...]) -> Setting:
    """What a subject is told of these routes."""
    return Setting(
        {route.name: tuple(_told(target) for target in route.targets()) for route in routes},
        {route.name: route.policy.deadline_s for route in routes},
    )


def _told(target: Target) -> SubjectTarget:
    provider, _, model_name = target.model.partition("/")
    key = f"{KEY_PREFIX}{target.name}"
    return SubjectTarget(target.name, provider, target.model, model_name, key, target.api_base)
