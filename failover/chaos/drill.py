"""One run of a scenario with one seed, from files to verdict."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from failover.chaos.judging.invariants import INVARIANTS, OF_ANY_CLIENT
from failover.chaos.judging.journal import Journal
from failover.chaos.judging.judge import Judge
from failover.chaos.judging.oracle import Oracle
from failover.chaos.judging.verdict import OURS, DrillFacts, Verdict, compose
from failover.chaos.materials import Materials
from failover.chaos.meeting import cassettes_of, latencies_of, meeting, require_noticed, touches
from failover.chaos.modes.replay import Replay
from failover.chaos.modes.simulation import Simulation
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.chaos.subjects.driver import SubjectDrive
from failover.chaos.subjects.named import NamedSubject
from failover.chaos.workload import Shape, arrivals, expected
from failover.chaos.workload_section import Workload
from failover.chaos.world.chance import Chance
from failover.chaos.world.governed import terms_told
from failover.chaos.world.repertoire import Repertoire
from failover.chaos.world.successes import Source
from failover.chaos.world.world import World
from failover.core.decide import Facts
from failover.core.events import Event, InjectionEnded, InjectionStarted, PriceInForce, TermsInForce
from failover.core.governance import Oversight
from failover.price_map import price_book


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
    world = World(
        Chance(seed),
        routes.targets(),
        repertoire,
        scenario.injections,
        price_book(loaded),
        scenario.start_epoch_s,
        latencies=latencies_of(scenario, routes, workload, repertoire),
        governance=loaded.governance,
    )
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
                driver = Simulation(world, outcomes, loaded.routes.values(), _facts(world), written.record)
            else:
                driver = Replay(world, outcomes, loaded, written.record)
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


def _facts(world: World) -> Facts:
    """What a router in this world knows: prices as they are, and terms as far as somebody told us."""
    return Facts(world.prices, world.start_epoch_s, Oversight(world.governance))


def _world_events(scenario: Scenario, routes: Routes, world: World) -> list[tuple[float, Event]]:
    """What the world does by itself, by time, as far as the workload goes.

    Prices as far as the last call may go: what it uses is charged by the price when it ends.
    """
    start_s = world.start_epoch_s
    until_s = scenario.workload.for_s
    charged_until_s = until_s + (scenario.workload.deadline_s or routes.deadline_max_s())
    timed: list[tuple[float, Event]] = []
    for target in routes.targets():
        for price in world.prices.prices[target.name]:
            if price.valid_to_s is None or price.valid_to_s > start_s:
                at_s = max(0.0, (price.valid_from_s or start_s) - start_s)
                rates = price.input_nusd_per_mtok, price.output_nusd_per_mtok
                timed.append((at_s, PriceInForce(at_s, target.name, *rates)))
    names = [target.name for target in routes.targets()]
    told = terms_told(world.governance, world.real_governance, names, start_s)
    timed += [(event.at_s, event) for event in told]
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
