"""From what somebody asks for to the hunts that look for it: checked, with every complaint in words."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from failover.chaos.scenario import SteadyState
from failover.chaos.search.grids import KindGrid, grid_of, kinds
from failover.chaos.search.hunt import Budget, Hunt
from failover.chaos.search.objectives import DEFAULT, check_targets, objectives
from failover.chaos.search.schedules import Space
from failover.chaos.search.selectors import reaches_of
from failover.chaos.search.trials import Story, Trials
from failover.chaos.workload import arrivals
from failover.chaos.workload_section import Workload
from failover.chaos.world.chance import Chance
from failover.config import Config, load_config
from failover.core.substitution import misfit
from failover.core.vocabulary import Route, Target
from failover.documents import ending, shown
from failover.errors import Complaint, ConfigError
from failover.known_models import with_model_facts

SIZE = {"tokens_in": 800, "tokens_out": 200}
A_DAY_S = 86_400.0
SETTLING_S = 12
"""How long an answer may take at first: until then hardly anything has ended."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to look for, where, and for how long. `route` None: each route of the config in turn."""

    config: Path
    budget: Budget
    route: str | None = None
    objective: tuple[str, ...] = ()
    seed: int = 0
    for_s: int = 300
    rate_per_s: float = 2.0
    stream: bool = False
    kinds: tuple[str, ...] = ()
    faults_max: int = 4
    spare: int = 1
    cassettes: Path | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """One route, ready to be searched. `left_out` are kinds of which nothing is valid here."""

    asked: Asked
    route: Route
    hunt: Hunt
    left_out: tuple[str, ...]

    def command(self, drills: int) -> str:
        """The command line that makes the same search again, in so many drills."""
        asked = self.asked
        words = ["failover", "search", str(asked.config), "--route", self.route.name]
        for expression in asked.objective:
            words += ["--objective", expression]
        words += ["--seed", str(asked.seed), "--drills", str(drills)]
        words += ["--for", str(asked.for_s), "--rate", f"{asked.rate_per_s:g}"]
        words += ["--kinds", ",".join(asked.kinds)] if asked.kinds else []
        words += ["--faults-max", str(asked.faults_max), "--spare", str(asked.spare)]
        words += ["--stream"] if asked.stream else []
        words += ["--cassettes", str(asked.cassettes)] if asked.cassettes is not None else []
        return shlex.join(words)


def prepare(
    asked: Asked,
    progress: Callable[[Hunt], None] = lambda _hunt: None,
    left_out: Callable[[ConfigError], None] = lambda _error: None,
) -> list[Prepared]:
    """A hunt for each route that is asked for, sharing the budget; raises `ConfigError`.

    `left_out` hears of a route that cannot be searched, unless none can: then that is raised.
    """
    routes, expect, chosen = _all_at_once(
        lambda: _routes(asked, with_model_facts(load_config(asked.config))),
        lambda: objectives(asked.objective) or dict(DEFAULT),
        lambda: _kinds(asked.kinds),
    )
    prepared, refused = [], []
    for route in routes:
        try:
            prepared.append(_prepared(asked, route, expect, chosen, progress))
        except ConfigError as error:
            refused.append(error)
    if not prepared:
        raise ConfigError([complaint for error in refused for complaint in error.complaints])
    for refusal in refused:
        left_out(refusal)
    _share(asked.budget, [each.hunt for each in prepared])
    return prepared


def _all_at_once(*steps: Callable[[], Any]) -> list[Any]:
    """What each step gives; raises `ConfigError` with the complaints of all of them."""
    given: list[Any] = []
    complaints: list[Complaint] = []
    for step in steps:
        try:
            given.append(step())
        except ConfigError as error:
            complaints += error.complaints
    if complaints:
        raise ConfigError(complaints)
    return given


def _prepared(
    asked: Asked,
    route: Route,
    expect: Mapping[str, Any],
    chosen: Iterable[str],
    progress: Callable[[Hunt], None],
) -> Prepared:
    targets = route.targets()
    check_targets(expect, (target.name for target in targets))
    workload = {"route": route.name, "rate_per_s": asked.rate_per_s, "for_s": asked.for_s, **SIZE}
    if asked.stream:
        workload["stream"] = True
    able = _able(targets, workload)
    story = Story(
        config=asked.config.absolute(),
        workload=workload,
        expect=expect,
        seed=asked.seed,
        cassettes=None if asked.cassettes is None else asked.cassettes.absolute(),
        targets=able,
        spare=min(asked.spare, max(0, len(able) - 1)),
    )
    trials = Trials(story)
    _be_steady(trials, asked, route)
    grids, left_out = _grids(chosen, targets)
    space = Space(grids, _earliest_s(asked), asked.for_s, asked.for_s, asked.faults_max)
    return Prepared(asked, route, Hunt(trials, space, asked.budget, progress), left_out)


def _able(targets: Iterable[Target], workload: Mapping[str, Any]) -> tuple[Target, ...]:
    """Those who could serve such a workload: to leave anybody else alone helps nobody."""
    _, asked = next(iter(arrivals(Workload.model_validate({**workload, "for_s": A_DAY_S}), Chance(0))))
    return tuple(target for target in targets if misfit(target, asked.request.needs) is None)


def _routes(asked: Asked, config: Config) -> list[Route]:
    if asked.route is None:
        return list(config.routes.values())
    if asked.route not in config.routes:
        what = f"{asked.config} has no route {shown(asked.route)}{ending(asked.route, config.routes)}"
        raise ConfigError([Complaint("--route", 0, "", what)])
    return [config.routes[asked.route]]


def _kinds(names: Iterable[str]) -> list[str]:
    known = kinds()
    wrong = [
        Complaint("--kinds", 0, "", f"unknown kind of injection {shown(name)}{ending(name, known)}")
        for name in names
        if name not in known
    ]
    if wrong:
        raise ConfigError(wrong)
    # In the order of registration, whatever the order they are named in: it decides what is simple.
    return [name for name in known if name in set(names)] or list(known)


def _grids(
    chosen: Iterable[str], targets: tuple[Target, ...]
) -> tuple[tuple[KindGrid, ...], tuple[str, ...]]:
    reaches, models = reaches_of(targets), [target.model for target in targets]
    grids = {name: grid_of(name, kinds()[name], reaches, models) for name in chosen}
    left_out = tuple(name for name, grid in grids.items() if grid is None)
    found = tuple(grid for grid in grids.values() if grid is not None)
    if not found:
        what = f"nothing of {', '.join(left_out)} can be drawn for this route"
        raise ConfigError([Complaint("--kinds", 0, "", what)])
    return found, left_out


def _earliest_s(asked: Asked) -> int:
    """When faults may begin: the steady state must have been shown by then."""
    return ceil(1.5 * SteadyState().requests_min / asked.rate_per_s) + SETTLING_S


def _be_steady(trials: Trials, asked: Asked, route: Route) -> None:
    """A route that does not even work in calm cannot be searched."""
    if 2 * _earliest_s(asked) > asked.for_s:
        what = (
            f"too short: at {asked.rate_per_s:g} requests per second normal behaviour is shown after "
            f"{_earliest_s(asked)} s, and as long again is left for faults from {2 * _earliest_s(asked)} s on"
        )
        raise ConfigError([Complaint("--for", 0, "", what)])
    calm = trials.of(()).verdict
    reasons = () if calm is None else calm.reasons
    gaps = [reason for reason in reasons if reason.startswith("no steady state")]
    if gaps:
        what = f"route {route.name} does not work without any fault, so faults would show nothing: {gaps[0]}"
        raise ConfigError([Complaint(str(asked.config), 0, "", what)])


def _share(budget: Budget, hunts: list[Hunt]) -> None:
    """Each route gets its part, and at least one drill."""
    for hunt in hunts:
        hunt.budget = Budget(
            None if budget.drills is None else max(1, budget.drills // len(hunts)),
            None if budget.seconds is None else budget.seconds / len(hunts),
        )
