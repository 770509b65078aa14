"""One run of a scenario with one seed, from files to verdict."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from failover.chaos.announcing import lifecycles_in
from failover.chaos.judging.invariants import INVARIANTS, OF_ANY_CLIENT
from failover.chaos.judging.journal import Journal
from failover.chaos.judging.judge import Judge
from failover.chaos.judging.oracle import Oracle
from failover.chaos.judging.verdict import OURS, DrillFacts, Verdict, compose
from failover.chaos.materials import Materials
from failover.chaos.meeting import cassettes_of, latencies_of, meeting, require_noticed, touches
from failover.chaos.modes.replay import Replay
from failover.chaos.modes.simulation import Simulation
from failover.chaos.modes.warming import Canaries
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.chaos.subjects.driver import SubjectDrive
from failover.chaos.subjects.named import NamedSubject
from failover.chaos.workload import Shape, arrivals, expected
from failover.chaos.workload_section import Workload
from failover.chaos.world.chance import Chance
from failover.chaos.world.governed import terms_told
from failover.chaos.world.latency import LatencyModel
from failover.chaos.world.prices import price_events
from failover.chaos.world.repertoire import Repertoire
from failover.chaos.world.successes import Source
from failover.chaos.world.world import World
from failover.config import Config
from failover.core.decide import Facts
from failover.core.events import Event
from failover.core.governance import Oversight
from failover.core.lifecycle import Lifecycle
from failover.core.world_events import InjectionEnded, InjectionStarted, PriceInForce, TermsInForce
from failover.ledger.opening import Ledgers, ledger_of_a_drill
from failover.lifecycles import calendar_of
from failover.price_sources import price_book


def run_drill(  # noqa: PLR0913  # by keyword, and each can be said on the command line
    scenario: Scenario,
    *,
    seed: int,
    mode: str,
    config: Path | None = None,
    cassettes: Path | None = None,
    journal: Path | None = None,
    listeners: Sequence[object] = (),
    subject: NamedSubject | None = None,
    materials: Materials | None = None,
) -> Verdict:
    """Run `scenario` in `mode` (`simulate` or `replay`) and judge it.

    `config` and `cassettes` go before what the scenario names; `journal` is a file to write the
    events to. `listeners` see the events as the judge does: by methods named after them. `subject` is
    a client to be drilled in the router's place, replayed. `materials`: what was read for earlier drills of
    the same files. Raises `ConfigError`, `CassetteError`, `SkippedDrill`.
    """
    began_s = time.perf_counter()
    materials = materials or Materials()
    loaded = materials.config(config or scenario.config_path)
    routes, workload = meeting(scenario, loaded, mode)
    repertoire = materials.repertoire(cassettes_of(scenario, loaded, cassettes))
    latencies = latencies_of(scenario, routes, workload, repertoire)
    world = _world(scenario, loaded, routes, repertoire, seed, latencies)
    lifecycles = lifecycles_in(scenario, loaded)
    canaries = Canaries(loaded, routes, workload.for_s)
    outcomes = materials.outcomes
    told = next((each.oracle_told for each in listeners if hasattr(each, "oracle_told")), None)
    oracle = Oracle(world, outcomes, routes, expected(workload, scenario.trace), told)
    judge = Judge(scenario, routes, (oracle, *listeners), OF_ANY_CLIENT if subject else INVARIANTS)
    try:
        with Journal(judge.see, journal) as written:
            driver: Simulation | Replay | SubjectDrive
            if subject is not None:
                driver = SubjectDrive(world, outcomes, routes, written.record, subject.making)
            elif mode == "simulate":
                facts = _facts(world, loaded, lifecycles)
                driver = Simulation(world, outcomes, loaded.routes.values(), facts, written.record, canaries)
            else:
                driver = Replay(world, outcomes, loaded, written.record, lifecycles, canaries)
            events = _world_events(scenario, routes, world)
            driver.run(arrivals(workload, world.chance, scenario.trace), events, oracle.arrived)
            judgement = judge.finish(driver.now)
            digest = written.sha256()
    finally:
        outcomes.save()
    name = "" if subject is None else subject.name
    found = DrillFacts(
        seed=seed,
        mode=mode,
        events=written.events,
        possible=oracle.possible(),
        episodes=_sources(workload, routes, repertoire),
        journal_sha256=digest,
        wall_s=time.perf_counter() - began_s,
        reproduce=command_line(scenario.path, seed, mode, config, cassettes, name),
        subject=name or OURS,
        gaps=driver.gaps() if isinstance(driver, SubjectDrive) else (),
    )
    return require_noticed(scenario, routes, compose(scenario, judgement, found))


def _world(  # all that makes one
    scenario: Scenario,
    config: Config,
    routes: Routes,
    repertoire: Repertoire,
    seed: int,
    latencies: Mapping[str, LatencyModel],
) -> World:
    return World(
        Chance(seed),
        routes.targets(),
        repertoire,
        scenario.injections,
        price_book(config, dated_by_facts=scenario.is_dated),
        scenario.start_epoch_s,
        latencies=latencies,
        governance=config.governance,
    )


def _facts(world: World, config: Config, lifecycles: Mapping[str, Lifecycle]) -> Facts:
    """What the router of a simulation knows of the world from outside."""
    start_s = world.start_epoch_s
    spending = Ledgers(ledger_of_a_drill(config)).spending(config)
    calendar = calendar_of(config, start_s, lifecycles)
    return Facts(world.prices, start_s, calendar, Oversight(world.governance), spending)


def _world_events(scenario: Scenario, routes: Routes, world: World) -> list[tuple[float, Event]]:
    """What the world does by itself, by time, as far as the workload goes.

    Prices as far as the last call may go: what it uses is charged by the price when it ends.
    """
    start_s = world.start_epoch_s
    until_s = scenario.workload.for_s
    charged_until_s = until_s + (scenario.workload.deadline_s or routes.deadline_max_s())
    timed: list[tuple[float, Event]] = []
    for target in routes.targets():
        told = price_events(target.name, world.prices, start_s, charged_until_s)
        timed += ((event.at_s, event) for event in told)
    names = [target.name for target in routes.targets()]
    terms = terms_told(world.governance, world.real_governance, names, start_s)
    timed += [(event.at_s, event) for event in terms]
    for index, injection in enumerate(scenario.injections):
        if not touches(injection, routes):
            continue  # nothing begins here, and nothing is over when it ends
        words = index, injection.kind, injection.selector
        timed.append((injection.at_s, InjectionStarted(injection.at_s, *words)))
        timed.append((injection.ends_s, InjectionEnded(injection.ends_s, *words)))
    ordered = sorted(timed, key=lambda each: each[0])
    return [
        (at_s, event)
        for at_s, event in ordered
        if at_s <= (charged_until_s if isinstance(event, PriceInForce | TermsInForce) else until_s)
    ]


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


def command_line(
    path: Path,
    seed: int,
    mode: str,
    config: Path | None,
    cassettes: Path | None,
    subject: str = "",
) -> str:
    """The command that runs this very drill again."""
    words = ["failover", "drill", str(path), "--seed", str(seed), "--mode", mode]
    if config is not None:
        words += ["--config", str(config)]
    if cassettes is not None:
        words += ["--cassettes", str(cassettes)]
    if subject:
        words += ["--subject", subject]
    return shlex.join(words)
