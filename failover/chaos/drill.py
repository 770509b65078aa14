"""One run of a scenario with one seed, from files to verdict."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from failover.adapters.playable import why_unplayable
from failover.cassettes.episodes import load_folder
from failover.chaos.asked_latency import asked_latencies, idle_latencies
from failover.chaos.injections import Injection
from failover.chaos.judging.invariants import INVARIANTS, OF_ANY_CLIENT
from failover.chaos.judging.journal import Journal
from failover.chaos.judging.judge import Judge
from failover.chaos.judging.oracle import Oracle
from failover.chaos.judging.verdict import OURS, Conclusion, DrillFacts, Verdict, compose
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.modes.replay import Replay
from failover.chaos.modes.simulation import Simulation
from failover.chaos.route_operations import operation_of
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.chaos.subjects.driver import SubjectDrive
from failover.chaos.subjects.named import NamedSubject
from failover.chaos.workload import Shape, arrivals, expected
from failover.chaos.workload_section import Workload
from failover.chaos.world.chance import Chance
from failover.chaos.world.latency import LatencyModel
from failover.chaos.world.repertoire import Repertoire
from failover.chaos.world.successes import Source
from failover.chaos.world.world import World
from failover.config import Config, load_config
from failover.core.decide import Facts
from failover.core.events import Event, InjectionEnded, InjectionStarted, PriceInForce
from failover.core.vocabulary import Route
from failover.errors import CassetteError, Complaint, ConfigError
from failover.known_models import with_model_facts
from failover.price_map import price_book
from failover.shipped import shipped_folder


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
    subject: NamedSubject | None = None,
) -> Verdict:
    """Run `scenario` in `mode` (`simulate` or `replay`) and judge it.

    `config` and `cassettes` go before what the scenario names; `journal` is a file to write the
    events to. `listeners` see the events as the judge does: by methods named after them. `subject` is
    a client to be drilled in the router's place, replayed. Raises `ConfigError`, `CassetteError`,
    `SkippedDrill`.
    """
    began_s = time.perf_counter()
    loaded = with_model_facts(load_config(config or scenario.config_path))
    routes, workload = _routes(scenario, loaded, mode)
    repertoire = Repertoire(load_folder(_cassettes(scenario, loaded, cassettes)))
    world = World(
        Chance(seed),
        routes.targets(),
        repertoire,
        scenario.injections,
        price_book(loaded),
        scenario.start_epoch_s,
        latencies=_latencies(scenario, routes, workload, repertoire),
    )
    outcomes = Outcomes()
    told = next((each.oracle_told for each in listeners if hasattr(each, "oracle_told")), None)
    oracle = Oracle(world, outcomes, routes, expected(workload, scenario.trace), told)
    invariants = INVARIANTS if subject is None else OF_ANY_CLIENT
    judge = Judge(scenario, routes, (oracle, *listeners), invariants)
    try:
        with Journal(judge.see, journal) as written:
            driver: Simulation | Replay | SubjectDrive
            if subject is not None:
                driver = SubjectDrive(world, outcomes, routes, written.record, subject.making)
            elif mode == "simulate":
                facts = Facts(world.prices, world.start_epoch_s)
                driver = Simulation(world, outcomes, loaded.routes.values(), facts, written.record)
            else:
                driver = Replay(world, outcomes, loaded, written.record)
            requests = arrivals(workload, world.chance, scenario.trace)
            driver.run(requests, _world_events(scenario, routes, world), oracle.arrived)
            judgement = judge.finish(driver.now)
            digest = written.sha256()
    finally:
        outcomes.save()
    found = DrillFacts(
        seed=seed,
        mode=mode,
        events=written.events,
        possible=oracle.possible(),
        episodes=_sources(workload, routes, repertoire),
        journal_sha256=digest,
        wall_s=time.perf_counter() - began_s,
        reproduce=_reproduce(scenario, seed, mode, config, cassettes, subject),
        subject=OURS if subject is None else subject.name,
        gaps=driver.gaps() if isinstance(driver, SubjectDrive) else (),
    )
    return _require_noticed(scenario, routes, compose(scenario, judgement, found))


def _routes(scenario: Scenario, config: Config, mode: str) -> tuple[Routes, Workload]:
    """The routes that are called, and the workload on them."""
    played = [route for route in config.routes.values() if _is_played(route)]
    if not played and not any(part.route for part in scenario.workload.parts()):
        raise SkippedDrill(f"no route of {config.source} can be played: plain functions have no wire")
    operations = {route.name: operation_of(route) for route in played}
    workload = scenario.workload.on(list(operations), operations)
    told = scenario.trace.routes if scenario.trace else ()
    names = list(dict.fromkeys([*(part.route or "" for part in workload.parts()), *told]))
    unknown = [
        scenario.complaint(("workload", "route"), _no_route(config, name))
        for name in names
        if name not in config.routes
    ]
    if unknown:
        raise ConfigError(unknown)
    routes = Routes(tuple(config.routes[name] for name in names), config.routes)
    idle = list(_idle(scenario, routes))
    if scenario.when_untouched == "skip" and idle and len(idle) == len(scenario.injections):
        raise SkippedDrill(f"nothing that happens in it touches {config.source}")
    if idle and scenario.when_untouched == "refuse":
        raise ConfigError(idle)
    if mode == "replay":
        _require_playable(routes)
    return routes, workload


def _is_played(route: Route) -> bool:
    """Plain functions are called as they are: there is no wire to play."""
    return not any(target.callable for target in route.targets())


def _no_route(config: Config, name: str) -> str:
    known = ", ".join(sorted(config.routes))
    return f"{config.source} has no route {name!r}; it has: {known}"


def _require_playable(routes: Routes) -> None:
    """A simulation may do without litellm: its classifier then judges alone."""
    for target in routes.targets():
        why = why_unplayable(target.model)
        if why is not None:
            raise SkippedDrill(f"{target.name}, {target.model}, cannot be replayed: {why}; simulate it")


def _idle(scenario: Scenario, routes: Routes) -> Iterator[Complaint]:
    names = ", ".join(route.name for route in routes.called)
    for index, injection in enumerate(scenario.injections):
        if not _touches(injection, routes):
            what = f"hits no target of route {names}: none lies in {injection.selector}"
            yield scenario.complaint(("inject", index), what)


def _touches(injection: Injection, routes: Routes) -> bool:
    return any(injection.hits(target) for target in routes.targets())


def _require_noticed(scenario: Scenario, routes: Routes, verdict: Verdict) -> Verdict:
    """What hits only who is never asked shows nothing, and harms nobody: such a story is skipped too."""
    met = verdict.coverage.injections
    unnoticed = bool(met and verdict.requests) and not any(each.exercised for each in met)
    shown_nothing = verdict.verdict is Conclusion.UNKNOWN and len(verdict.reasons) == 1
    if scenario.when_untouched == "skip" and unnoticed and shown_nothing:
        hit = [t.name for t in routes.targets() if any(each.hits(t) for each in scenario.injections)]
        raise SkippedDrill(f"it hits only {', '.join(hit)}, and nobody asked: it would not have been noticed")
    return verdict


def _latencies(
    scenario: Scenario, routes: Routes, workload: Workload, repertoire: Repertoire
) -> dict[str, LatencyModel]:
    timed = {
        target.name
        for target in routes.targets()
        if all(
            repertoire.of(target, Shape(operation), stream=stream).timed
            for operation, stream in workload.kinds()
        )
    }
    idle = idle_latencies(scenario.latency, routes.targets(), timed)
    if idle:
        raise ConfigError([scenario.complaint(("latency", name), why) for name, why in idle.items()])
    return asked_latencies(scenario.latency, routes.targets())


def _cassettes(scenario: Scenario, config: Config, asked: Path | None) -> Path:
    folder = asked or scenario.cassettes_path or config.cassettes or shipped_folder("cassettes")
    if folder.is_dir():
        return folder
    if asked is None and scenario.when_cassettes_absent == "skip":
        raise SkippedDrill(f"its cassettes are not here: {folder}")
    raise CassetteError(f"{folder}: there is no such folder of cassettes; name one with --cassettes")


def _world_events(scenario: Scenario, routes: Routes, world: World) -> list[tuple[float, Event]]:
    """What the world does by itself, by time, as far as the workload goes."""
    start_s = world.start_epoch_s
    timed: list[tuple[float, Event]] = []
    for target in routes.targets():
        for price in world.prices.prices[target.name]:
            if price.valid_to_s is None or price.valid_to_s > start_s:
                at_s = max(0.0, (price.valid_from_s or start_s) - start_s)
                rates = price.input_nusd_per_mtok, price.output_nusd_per_mtok
                timed.append((at_s, PriceInForce(at_s, target.name, *rates)))
    for index, injection in enumerate(scenario.injections):
        if not _touches(injection, routes):
            continue  # nothing begins here, and nothing is over when it ends
        words = index, injection.kind, injection.selector
        timed.append((injection.at_s, InjectionStarted(injection.at_s, *words)))
        timed.append((injection.ends_s, InjectionEnded(injection.ends_s, *words)))
    ordered = sorted(timed, key=lambda each: each[0])
    return [each for each in ordered if each[0] <= scenario.workload.for_s]


def _sources(workload: Workload, routes: Routes, repertoire: Repertoire) -> dict[str, int]:
    """How many targets answer with their own recordings, with borrowed ones, and synthetically.

    For each operation, streamed or not, that the workload asks for.
    """
    counts = Counter(
        repertoire.of(target, Shape(operation), stream=stream).source
        for operation, stream in workload.kinds()
        for target in routes.targets()
    )
    return {source.value: counts[source] for source in Source}


def _reproduce(
    scenario: Scenario,
    seed: int,
    mode: str,
    config: Path | None,
    cassettes: Path | None,
    subject: NamedSubject | None,
) -> str:
    words = ["failover", "drill", str(scenario.path), "--seed", str(seed), "--mode", mode]
    if config is not None:
        words += ["--config", str(config)]
    if cassettes is not None:
        words += ["--cassettes", str(cassettes)]
    if subject is not None:
        words += ["--subject", subject.name]
    return shlex.join(words)
