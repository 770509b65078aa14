"""A scenario meets a config: which routes are called, on which recordings, and whether it applies at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from failover.adapters.playable import why_unplayable
from failover.chaos.asked_latency import asked_latencies, idle_latencies
from failover.chaos.injections import Injection
from failover.chaos.judging.verdict import Conclusion, Verdict
from failover.chaos.route_operations import operation_of
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.chaos.workload import Shape
from failover.chaos.workload_section import Workload
from failover.chaos.world.latency import LatencyModel
from failover.chaos.world.repertoire import Repertoire
from failover.config import Config
from failover.config.governing import is_label, unknown_class
from failover.core.vocabulary import Route
from failover.errors import CassetteError, Complaint, ConfigError
from failover.shipped import shipped_folder


class SkippedDrill(Exception):  # noqa: N818  # not an error: the drill does not apply here, and says why
    """The scenario does not apply here, for the reason given."""


def meeting(scenario: Scenario, config: Config, mode: str) -> tuple[Routes, Workload]:
    """The routes that are called, and the workload on them.

    Raises `ConfigError` where the two do not fit, `SkippedDrill` where the scenario does not apply.
    """
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
    routes = Routes(tuple(config.routes[name] for name in names), config.routes, config.budgets)
    plain = [route.name for route in routes.called if not _is_played(route)]
    if plain:
        what = f"route {', '.join(plain)} calls plain functions, which cannot be drilled: no wire to play"
        raise ConfigError([scenario.complaint(("workload", "route"), what)])
    unlabelled = [*_unknown_classes(scenario, config, workload)]
    if unlabelled and scenario.when_untouched == "skip":
        raise SkippedDrill(f"{config.source} has no such data: {unlabelled[0].what}")
    if unlabelled:
        raise ConfigError(unlabelled)
    idle = list(_idle(scenario, routes, governed=config.governance.is_on))
    if scenario.when_untouched == "skip" and idle and len(idle) == len(scenario.injections):
        raise SkippedDrill(f"nothing that happens in it touches {config.source}")
    if idle and scenario.when_untouched == "refuse":
        raise ConfigError(idle)
    if mode == "replay":
        _require_playable(routes)
    return routes, workload


def touches(injection: Injection, routes: Routes) -> bool:
    """Whether it hits any target of the routes."""
    return any(injection.hits(target) for target in routes.targets())


def require_noticed(scenario: Scenario, routes: Routes, verdict: Verdict) -> Verdict:
    """What hits only who is never asked shows nothing, and harms nobody: such a story is skipped too."""
    met = verdict.coverage.injections
    unnoticed = bool(met and verdict.requests) and not any(each.exercised for each in met)
    shown_nothing = verdict.verdict is Conclusion.UNKNOWN and len(verdict.reasons) == 1
    if scenario.when_untouched == "skip" and unnoticed and shown_nothing:
        hit = [t.name for t in routes.targets() if any(each.hits(t) for each in scenario.injections)]
        raise SkippedDrill(f"it hits only {', '.join(hit)}, and nobody asked: it would not have been noticed")
    return verdict


def _unknown_classes(scenario: Scenario, config: Config, workload: Workload) -> Iterator[Complaint]:
    told = scenario.trace.data_classes if scenario.trace else ()
    for name in dict.fromkeys([*(part.data_class or "" for part in workload.parts()), *told]):
        if not is_label(config.governance, name):
            place = ("workload", "data_class")
            yield scenario.complaint(place, f"{unknown_class(config.governance, name)} ({config.source})")


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


def _idle(scenario: Scenario, routes: Routes, *, governed: bool) -> Iterator[Complaint]:
    names = ", ".join(route.name for route in routes.called)
    for index, injection in enumerate(scenario.injections):
        if not touches(injection, routes):
            what = f"hits no target of route {names}: none lies in {injection.selector}"
            yield scenario.complaint(("inject", index), what)
        elif injection.changes_terms and not governed:
            what = "changes terms, and the config asks nothing of any: it has no 'data_classes'"
            yield scenario.complaint(("inject", index), what)


def latencies_of(
    scenario: Scenario, routes: Routes, workload: Workload, repertoire: Repertoire
) -> dict[str, LatencyModel]:
    """The latencies that the scenario asks for; raises `ConfigError` where one would change nothing."""
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


def cassettes_of(scenario: Scenario, config: Config, asked: Path | None) -> Path:
    """The folder of cassettes that counts; raises `CassetteError` or `SkippedDrill` where it is missing."""
    folder = asked or scenario.cassettes_path or config.cassettes or shipped_folder("cassettes")
    if folder.is_dir():
        return folder
    if asked is None and scenario.when_cassettes_absent == "skip":
        raise SkippedDrill(f"its cassettes are not here: {folder}")
    raise CassetteError(f"{folder}: there is no such folder of cassettes; name one with --cassettes")
