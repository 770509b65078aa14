"""One run of a scenario with one seed, from files to verdict."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from failover.adapters.playable import why_unplayable
from failover.cassettes.episodes import load_folder
from failover.chaos.judging.journal import Journal
from failover.chaos.judging.judge import Judge
from failover.chaos.judging.oracle import Oracle
from failover.chaos.judging.verdict import DrillFacts, Verdict, compose
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.modes.replay import Replay
from failover.chaos.modes.simulation import Simulation
from failover.chaos.scenario import Scenario
from failover.chaos.workload import Size
from failover.chaos.world.chance import Chance
from failover.chaos.world.repertoire import Source, Successes, repertoire
from failover.chaos.world.world import START_EPOCH_S, World
from failover.config import Config, load_config
from failover.core.decide import Facts
from failover.core.events import Event, InjectionEnded, InjectionStarted, PriceInForce
from failover.core.prices import PriceBook
from failover.core.vocabulary import Route
from failover.errors import CassetteError, ConfigError
from failover.known_models import with_model_facts
from failover.price_map import price_book
from failover.shipped import shipped_folder

TOKENS_OUT_NOMINAL = 100
"""How long answers are, for their duration, where a workload does not say."""


class SkippedDrill(Exception):  # noqa: N818  # not an error: the drill does not apply here, and says why
    """The scenario does not apply here, for the reason given."""


def run_drill(
    scenario: Scenario,
    *,
    seed: int,
    mode: str,
    config: Path | None = None,
    cassettes: Path | None = None,
    journal: Path | None = None,
    listeners: Sequence[object] = (),
) -> Verdict:
    """Run `scenario` in `mode` (`simulate` or `replay`) and judge it.

    `config` and `cassettes` go before what the scenario names; `journal` is a file to write the
    events to. `listeners` see the events as the judge does: by methods named after them. Raises
    `ConfigError`, `CassetteError`, `SkippedDrill`.
    """
    began_s = time.perf_counter()
    loaded = with_model_facts(load_config(config or scenario.config_path))
    route = _route(scenario, loaded)
    workload = scenario.workload
    episodes = load_folder(_cassettes(scenario, loaded, cassettes))
    size = Size(workload.tokens_in, workload.tokens_out)
    answers = repertoire(route.targets(), episodes, size, stream=workload.stream)
    prices = price_book(loaded)
    tokens_out = TOKENS_OUT_NOMINAL if workload.tokens_out is None else workload.tokens_out
    world = World(Chance(seed), route.targets(), answers, scenario.injections, prices, tokens_out)
    judge = Judge(scenario, route, listeners)
    outcomes = Outcomes(stream=workload.stream)
    oracle = Oracle(world, outcomes, route)
    try:
        with Journal(judge.see, journal) as written:
            driver = (
                Simulation(
                    world,
                    outcomes,
                    route,
                    Facts(world.prices, START_EPOCH_S),
                    written.record,
                    loaded.routes.values(),
                )
                if mode == "simulate"
                else Replay(world, loaded, written.record)
            )
            driver.run(workload, _world_events(scenario, route, world.prices), oracle.look)
            judgement = judge.finish(driver.now)
            digest = written.sha256()
    finally:
        outcomes.save()
    requests = judgement.measures.requests
    facts = DrillFacts(
        seed=seed,
        mode=mode,
        events=written.events,
        oracle_success_ratio=(requests - oracle.unservable) / requests if requests else 1.0,
        episodes=_sources(answers),
        journal_sha256=digest,
        wall_s=time.perf_counter() - began_s,
        reproduce=command_line(scenario.path, seed, mode, config, cassettes),
    )
    return compose(scenario, judgement, facts)


def _route(scenario: Scenario, config: Config) -> Route:
    route = config.routes.get(scenario.workload.route)
    if route is None:
        known = ", ".join(sorted(config.routes))
        what = f"{config.source} has no route {scenario.workload.route!r}; it has: {known}"
        raise ConfigError([scenario.complaint(("workload", "route"), what)])
    unplayable = [
        scenario.complaint(("config",), f"{target.name}, {target.model}, cannot be drilled: {why}")
        for target in route.targets()
        if (why := why_unplayable(target.model)) is not None
    ]
    if unplayable:
        raise ConfigError(unplayable)
    idle = [
        scenario.complaint(
            ("inject", index), f"hits no target of route {route.name!r}: none lies in {injection.selector}"
        )
        for index, injection in enumerate(scenario.injections)
        if not any(injection.hits(target) for target in route.targets())
    ]
    if idle:
        raise ConfigError(idle)
    return route


def _cassettes(scenario: Scenario, config: Config, asked: Path | None) -> Path:
    folder = asked or scenario.cassettes_path or config.cassettes or shipped_folder("cassettes")
    if folder.is_dir():
        return folder
    if asked is None and scenario.when_cassettes_absent == "skip":
        raise SkippedDrill(f"its cassettes are not here: {folder}")
    raise CassetteError(f"{folder}: there is no such folder of cassettes; name one with --cassettes")


def _world_events(scenario: Scenario, route: Route, prices: PriceBook) -> list[tuple[float, Event]]:
    """What the world does by itself, by time, as far as the workload goes."""
    timed: list[tuple[float, Event]] = []
    for target in route.targets():
        for price in prices.prices[target.name]:
            if price.valid_to_s is None or price.valid_to_s > START_EPOCH_S:
                at_s = max(0.0, (price.valid_from_s or START_EPOCH_S) - START_EPOCH_S)
                rates = price.input_nusd_per_mtok, price.output_nusd_per_mtok
                timed.append((at_s, PriceInForce(at_s, target.name, *rates)))
    for index, injection in enumerate(scenario.injections):
        words = index, injection.kind, injection.selector
        timed.append((injection.at_s, InjectionStarted(injection.at_s, *words)))
        timed.append((injection.ends_s, InjectionEnded(injection.ends_s, *words)))
    ordered = sorted(timed, key=lambda each: each[0])
    return [each for each in ordered if each[0] <= scenario.workload.for_s]


def _sources(answers: Mapping[str, Successes]) -> dict[str, int]:
    """How many targets answer with their own recordings, with borrowed ones, and synthetically."""
    counts = Counter(successes.source for successes in answers.values())
    return {source.value: counts[source] for source in Source}


def command_line(path: Path, seed: int, mode: str, config: Path | None, cassettes: Path | None) -> str:
    """The command that runs this very drill again."""
    words = ["failover", "drill", str(path), "--seed", str(seed), "--mode", mode]
    if config is not None:
        words += ["--config", str(config)]
    if cassettes is not None:
        words += ["--cassettes", str(cassettes)]
    return shlex.join(words)
