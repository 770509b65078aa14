"""The shipping router in a world that breaks: for drilling the service around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from failover.adapters.playable import why_unplayable
from failover.adapters.wire import ConnectionFault
from failover.cassettes.episodes import Episode, load_folder
from failover.chaos.injections import AnyInjection
from failover.chaos.workload import Size
from failover.chaos.world.chance import Chance
from failover.chaos.world.image import Exchange
from failover.chaos.world.repertoire import repertoire
from failover.chaos.world.world import World
from failover.config import Config, config_from_dict, load_config
from failover.core.strategies import Strategy
from failover.core.vocabulary import Target
from failover.documents import Section, read_document
from failover.errors import CassetteError, Complaint, ConfigError
from failover.price_map import price_book
from failover.shipped import shipped_folder
from failover.testing.injecting import Injecting
from failover.testing.observed import ObservedRouter, call_of
from failover.testing.staging import Played, SentRequest
from failover.testing.virtual import running_virtual_loop

TOKENS_OUT = 100
"""How long answers without a recorded duration are."""


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
    episodes = _episodes(_folder(loaded, cassettes))
    chance, prices = Chance(seed), price_book(loaded)
    # Recorded streams and whole replies are different recordings, in one and the same world.
    worlds = {
        stream: World(
            chance,
            targets,
            repertoire(targets, episodes, Size(None, None), stream=stream),
            injections,
            prices,
            TOKENS_OUT,
        )
        for stream in (False, True)
    }
    asks: Counter[tuple[str, str]] = Counter()

    def play(target: Target, request: SentRequest) -> Played:
        call = call_of.get()
        asks[call, target.name] += 1
        world, ask = worlds[request.stream], asks[call, target.name]
        exchange = world.exchange(target, call, ask, request.at_s, stream=request.stream)
        return _played(exchange, stream=request.stream)

    return ObservedRouter(
        loaded,
        play,
        [],
        callables=callables or {},
        strategies=strategies or {},
        seed=seed,
        prices=worlds[False].prices,
    )


def _played(exchange: Exchange, *, stream: bool) -> Played:
    """The exchange on the wire: a stream's events come evenly from its first token to its end."""
    image = exchange.image
    if image.reply is None:
        after_s = 0.0 if image.fault is ConnectionFault.HANG else exchange.total_s
        return Played(after_s, fault=image.fault or ConnectionFault.RESET)
    reply = image.reply
    if not stream or reply.status >= 400:
        return Played(exchange.total_s, reply.status, reply.headers, ((0.0, reply.body),))
    separator = b"\n\n" if b"\n\n" in reply.body else b"\n"
    events = [event + separator for event in reply.body.split(separator) if event.strip()]
    gap_s = (exchange.total_s - exchange.first_token_s) / max(1, len(events) - 1)
    pieces = tuple((gap_s if number else 0.0, event) for number, event in enumerate(events))
    return Played(exchange.first_token_s, reply.status, reply.headers, pieces)


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
