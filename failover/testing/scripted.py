"""The shipping router over targets that answer as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from failover.adapters.playable import why_unplayable
from failover.adapters.wire import ConnectionFault
from failover.chaos.modes.playing import PAST_EVERY_LIMIT_S
from failover.config import Config, config_from_dict, load_config
from failover.core.strategies import Strategy
from failover.core.vocabulary import Target
from failover.documents import Complaints, ending, load_document
from failover.errors import Complaint, ConfigError
from failover.testing.observed import ObservedRouter
from failover.testing.scripts import Broken, Line, Replied, Said, Script, ScriptedError
from failover.testing.shapes import ScriptError, played
from failover.testing.staging import Played, SentRequest

ConfigSource = Config | str | Path | Mapping[str, Any]


def scripted_router(
    config: ConfigSource,
    scripts: Mapping[str, Script],
    *,
    callables: Mapping[str, Callable[..., Any]] | None = None,
    strategies: Mapping[str, Strategy] | None = None,
    seed: int = 0,
) -> ObservedRouter:
    """The shipping router over targets that follow their `scripts`, by name; use it in a `with` block.

    What a target of a model says passes through the real litellm and the real classifier, in the wire
    shape of its provider; a target that is a plain function is replaced by its script, unless it is
    in `callables`. Whoever is asked without a script ends the call with a `LocalError`. No credential is
    needed and nothing is sent. Off virtual time its waits are real. `seed` decides the jitter of backoffs.

    Raises `ConfigError` for a wrong config, and for a script of no target.
    """
    real = dict(callables or {})
    loaded = _loaded(config, real, strategies or {})
    _check(loaded, scripts)
    lines = {name: _lines(script) for name, script in scripts.items()}
    requests: list[SentRequest] = []

    def play(target: Target, request: SentRequest) -> Played:
        return played(_next(lines, target.name, request), target, request)

    functions = {
        name: _Function(name, lines, requests)
        for name, target in loaded.targets.items()
        if not target.model and (name in scripts or name not in real)
    }
    router = ObservedRouter(
        loaded, play, requests, callables={**real, **functions}, strategies=strategies or {}, seed=seed
    )
    for function in functions.values():
        function.router = router
    return router


Lines = Callable[[SentRequest], Line]


class _Function:
    """A plain function that follows a script."""

    def __init__(self, name: str, lines: Mapping[str, Lines], requests: list[SentRequest]) -> None:
        self.router: ObservedRouter | None = None
        self._name = name
        self._lines = lines
        self._requests = requests

    async def __call__(self, **arguments: Any) -> Any:
        at_s = 0.0 if self.router is None else self.router.now_s
        request = SentRequest(self._name, at_s, "call", arguments)
        self._requests.append(request)
        match _next(self._lines, self._name, request):
            case Exception() as error:
                raise error
            case Broken(fault, after_s):
                await asyncio.sleep(PAST_EVERY_LIMIT_S if fault is ConnectionFault.HANG else after_s)
                raise ConnectionRefusedError if fault is ConnectionFault.REFUSED else ConnectionResetError
            case Replied() as reply:
                await asyncio.sleep(reply.after_s)
                if reply.status >= 400:
                    raise ScriptedError(reply.status, reply.retry_after_s)
                return reply.body
            case Said() as said:
                if said.streamed:
                    return _in_parts(said)
                await asyncio.sleep(said.after_s)
                return said.value


async def _in_parts(said: Said) -> AsyncIterator[str]:
    for number, part in enumerate(said.parts):
        await asyncio.sleep(said.gap_s if number else said.after_s)
        yield part
    if said.then == "stall":
        await asyncio.sleep(PAST_EVERY_LIMIT_S)
    if said.then == "cut":
        raise ConnectionResetError


def _next(lines: Mapping[str, Lines], name: str, request: SentRequest) -> Line:
    if name not in lines:
        scripted = ", ".join(lines) or "none"
        raise ScriptError(f"target {name} was asked, and has no script; scripted: {scripted}")
    return lines[name](request)


def _lines(script: Script) -> Lines:
    if isinstance(script, Sequence):
        if not script:
            raise ValueError("a script is empty: name at least one line, such as answer('Hello')")
        following: Iterator[Line] = chain(script[:-1], repeat(script[-1]))
        return lambda _request: next(following)
    if callable(script):
        return script
    return lambda _request: script


def _loaded(
    config: ConfigSource,
    real: Mapping[str, Callable[..., Any]],
    strategies: Mapping[str, Strategy],
) -> Config:
    if isinstance(config, Config):
        return config
    source = config if isinstance(config, Mapping) else Path(config)
    # What is wrong with the document is complained about when it is loaded, right below.
    document = load_document(source, Complaints())
    targets = () if document is None else document.names("targets")
    plain = {name for name in targets if document and "model" not in document.names("targets", name)}
    names = {*plain, *real}
    if isinstance(config, Mapping):
        return config_from_dict(config, callables=names, strategies=strategies)
    return load_config(config, callables=names, strategies=strategies)


def _check(config: Config, scripts: Mapping[str, Script]) -> None:
    unknown = [
        Complaint("script", 0, name, f"no target is named so{ending(name, config.targets)}")
        for name in scripts
        if name not in config.targets
    ]
    unplayable = [
        Complaint("script", 0, name, f"{config.targets[name].model} cannot be played to: {why}")
        for name in scripts
        if name in config.targets and (why := why_unplayable(config.targets[name].model)) is not None
    ]
    if unknown or unplayable:
        raise ConfigError([*unknown, *unplayable])
