"""The shipping router in a world that breaks: for drilling the service around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from failover.adapters.playable import why_unplayable
from failover.adapters.wire import ConnectionFault
from failover.cassettes.episodes import Episode, load_folder
from failover.chaos.injections import AnyInjection
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.workload import Asked, Shape
from failover.chaos.world.chance import Chance
from failover.chaos.world.events import events_of
from failover.chaos.world.image import Exchange
from failover.chaos.world.outcome import Course, pace
from failover.chaos.world.repertoire import Repertoire
from failover.chaos.world.world import World
from failover.config import Config, config_from_dict, load_config
from failover.core.strategies import Strategy
from failover.core.vocabulary import Operation, Target
from failover.documents import Section, read_document
from failover.errors import CassetteError, Complaint, ConfigError
from failover.price_sources import price_book
from failover.shipped import shipped_folder
from failover.testing.injecting import Injecting
from failover.testing.observed import ObservedRouter, request_of
from failover.testing.staging import Played, SentRequest
from failover.testing.virtual import running_virtual_loop


class _Injections(Section):
    inject: tuple[AnyInjection, ...] = ()


def drilled_router(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    inject: Sequence[Injecting] = (),
    seed: int = 0,
    cassettes: str | Path | None = None,
    callables: Mapping[str, Callable[..., Any]] | None = None,
    strategies: Mapping[str, Strategy] | None = None,
) -> ObservedRouter:
    """The shipping router in the world of a drill, for your own code to use; only on virtual time.

    Targets answer as recorded in `cassettes` (left out: the config's, else the shipped ones), as fast
    as they were recorded or as the latency models draw, except that `inject` happens, at seconds
    since the router was made. The same seed and the same calls give the same world. Requests pass
    through the real litellm and the real classifier, as in the mode `replay`; nothing is sent.
    `callables` are plain functions, which no injection reaches.

    Raises `ConfigError` for a wrong config or injection, `CassetteError`, and `RuntimeError` off virtual
    time.
    """
    running_virtual_loop("drilled_router")
    loaded = _loaded(config, callables or {}, strategies or {})
    targets = [target for target in loaded.targets.values() if target.model]
    injections = read_document({"inject": [dict(each) for each in inject]}, _Injections, file="inject").inject
    _check(loaded, targets, injections)
    repertoire = Repertoire(_episodes(_folder(loaded, cassettes)))
    prices, terms = price_book(loaded, dated_by_facts=False), loaded.governance
    world = World(Chance(seed), targets, repertoire, injections, prices, governance=terms)
    return ObservedRouter(
        replace(loaded, governance=world.governance),
        _Stage(world).play,
        [],
        callables=callables or {},
        strategies=strategies or {},
        seed=seed,
        prices=world.prices,
    )


class _Stage:
    """A world to play to: it counts how often each request asked each target."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._outcomes = Outcomes()
        self._shapes: dict[str, Shape] = {}
        self._asks: Counter[tuple[str, str]] = Counter()

    def play(self, target: Target, sent: SentRequest) -> Played:
        """What the world answers."""
        request = request_of.get()
        shape = self._shapes.setdefault(sent.operation, Shape(Operation(sent.operation)))
        self._asks[request.id, target.name] += 1
        ask = self._asks[request.id, target.name]
        asked = Asked(request, "", shape)
        exchange = self._world.meet(target, asked, ask, sent.at_s, stream=sent.stream)
        image = exchange.image
        if not sent.stream or image.reply is None or exchange.first_token_s == inf:
            return _whole(exchange)
        outcome = self._outcomes.of(target, shape, image, stream=True)
        self._outcomes.save()
        return _streamed(exchange, outcome.course)


def _whole(exchange: Exchange) -> Played:
    image = exchange.image
    if image.reply is None or exchange.total_s == inf:
        after_s = 0.0 if exchange.total_s == inf else exchange.total_s
        never = ConnectionFault.HANG if exchange.total_s == inf else ConnectionFault.RESET
        return Played(after_s, fault=image.fault or never)
    return Played(exchange.total_s, image.reply.status, image.reply.headers, ((0.0, image.reply.body),))


def _streamed(exchange: Exchange, course: Course | None) -> Played:
    """Event by event, at the pace that a drill plays them."""
    image = exchange.image
    assert image.reply is not None  # noqa: S101  # asked only of a reply
    assert course is not None  # noqa: S101  # every streamed reply has one
    paced = pace(exchange, course)
    pieces: list[tuple[float, bytes]] = []
    before_s = paced.at_s(0)
    for number, event in enumerate(events_of(image.reply.body)):
        at_s = paced.at_s(number)
        if at_s == inf:
            return Played(paced.at_s(0), 200, image.reply.headers, tuple(pieces), stalled=True)
        pieces.append((at_s - before_s, event))
        before_s = at_s
    cut = image.fault is ConnectionFault.RESET
    return Played(paced.at_s(0), image.reply.status, image.reply.headers, tuple(pieces), cut=cut)


def _loaded(
    config: str | Path | Mapping[str, Any] | Config,
    callables: Mapping[str, Callable[..., Any]],
    strategies: Mapping[str, Strategy],
) -> Config:
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return config_from_dict(config, callables=callables, strategies=strategies)
    return load_config(config, callables=callables, strategies=strategies)


def _check(config: Config, targets: Sequence[Target], injections: Sequence[AnyInjection]) -> None:
    complaints = [
        Complaint(config.source, 0, f"targets.{target.name}", f"{target.model} cannot be drilled: {why}")
        for target in targets
        if (why := why_unplayable(target.model)) is not None
    ]
    complaints += [
        Complaint(
            "inject", 0, f"inject.{index}", f"hits no target of the config: none lies in {injection.selector}"
        )
        for index, injection in enumerate(injections)
        if not any(injection.hits(target) for target in targets)
    ]
    if complaints:
        raise ConfigError(complaints)


def _folder(config: Config, asked: str | Path | None) -> Path:
    folder = Path(asked) if asked is not None else config.cassettes or shipped_folder("cassettes")
    if not folder.is_dir():
        raise CassetteError(f"{folder}: there is no such folder of cassettes; name one with cassettes=")
    return folder.resolve()


@cache
def _episodes(folder: Path) -> tuple[Episode, ...]:
    """Read once for all tests of a process: recordings do not change under them."""
    return load_folder(folder)
