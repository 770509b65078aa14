"""`failover check CONFIG`: is it valid, and what can each route survive?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from failover.cli.exits import DEVIATED, HOLDS, run
from failover.cli.tables import show
from failover.core.policy import Policy
from failover.core.prices import NUSD_PER_USD
from failover.core.vocabulary import FaultDomain, Route

if TYPE_CHECKING:
    from failover.config import Config
    from failover.core.spend import Budget


@click.command(name="check")
@click.argument("config", type=click.Path(path_type=Path))
def command(config: Path) -> None:
    """Validate CONFIG and print what each route can and cannot survive.

    Exit code: 0 when every route survives the loss of any single provider, 1 when one does not,
    2 when CONFIG is invalid.
    """
    run(lambda: _check(config))


def _check(path: Path) -> int:
    # pydantic loads here, so that `failover --help` stays quick.
    from failover.config import load_config

    config = load_config(path)
    _report_budgets(config.budgets)
    fragile = [route.name for route in config.routes.values() if not _report_route(route)]
    for note in _notes(config):
        click.echo(f"note: {note}")
    if fragile:
        click.echo(f"does not survive the loss of some single provider: {', '.join(fragile)}")
        return DEVIATED
    click.echo("every route survives the loss of any single provider")
    return HOLDS


def _report_budgets(budgets: Sequence[Budget]) -> None:
    rows = [
        (
            str(each.scope),
            f"${each.limit_nusd / NUSD_PER_USD:g}",
            each.per.value,
            str(each.zone),
            "hard" if each.hard else "soft",
        )
        for each in budgets
    ]
    if rows:
        show("budgets", ("scope", "limit", "per", "zone", "kind"), rows)
        click.echo()


def _report_route(route: Route) -> bool:
    """Print one route; whether it survives the loss of any single provider."""
    from failover.config.losses import single_losses, unnamed_domains

    losses = single_losses(route)
    show(
        f"route {route.name}, strategy {route.strategy}",
        ("tier", "target", "provider", "region", "model or callable"),
        list(_chain_rows(route)),
    )
    show(f"policy of {route.name}", ("key", "value", ""), list(_policy_rows(route.policy)))
    show(
        f"single losses of {route.name}",
        ("loss of", "name", "survives", "targets left"),
        [
            (loss.domain.value, loss.name, "yes" if loss.survived else "NO", ", ".join(loss.left) or "none")
            for loss in losses
        ],
    )
    for domain, names in unnamed_domains(route).items():
        click.echo(f"not judged: which {domain} these lie in is not said: {', '.join(names)}")
    click.echo()
    return all(loss.survived for loss in losses if loss.domain is FaultDomain.PROVIDER)


def _chain_rows(route: Route) -> Iterator[tuple[str, ...]]:
    for number, tier in enumerate(route.chain, start=1):
        for target in tier:
            what = target.model or target.callable
            yield str(number), target.name, target.provider, target.region or "-", what


def _policy_rows(policy: Policy) -> Iterator[tuple[str, str, str]]:
    defaults = dict(_flat(Policy()))
    for key, value in _flat(policy):
        mark = "default" if value == defaults[key] else "set"
        if value is None:
            shown = _UNSET.get(key, "none")
        elif key.endswith("_nusd"):
            shown = f"{value / NUSD_PER_USD:g}"
        else:
            shown = f"{value:g}" if _real(value) else str(value)
        yield key.replace("_nusd", "_usd"), shown, mark


_UNSET = {"attempt_s": "half of what is left", "hedge": "never", "max_cost_nusd": "no limit"}
"""What a policy means by what it leaves out."""


def _real(value: object) -> bool:
    return isinstance(value, float)


def _flat(policy: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in fields(policy):
        value = getattr(policy, field.name)
        if is_dataclass(value):
            yield from _flat(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value


def _notes(config: Config) -> Iterator[str]:
    """What is no error and yet worth knowing before an outage tells."""
    from failover.config.spending_section import unpriced
    from failover.price_map import model_facts

    targets = config.targets.values()
    variables = dict.fromkeys(target.credential for target in targets if target.credential)
    absent = [variable for variable in variables if not os.environ.get(variable)]
    if absent:
        yield f"environment variables that are not set: {', '.join(absent)}"
    unknown = [
        target.name
        for target in targets
        if target.name not in config.prices and (target.callable or model_facts(target.model).price is None)
    ]
    if unknown:
        yield f"targets whose price is unknown, here and in litellm's map: {', '.join(unknown)}"
    unheld = unpriced(config.budgets, [config.targets[name] for name in unknown])
    if unheld:
        yield f"never asked, since a hard budget cannot be held to an unknown price: {', '.join(unheld)}"
    routed = {target.name for route in config.routes.values() for target in route.targets()}
    idle = [name for name in config.targets if name not in routed]
    if idle:
        yield f"targets that are on no route: {', '.join(idle)}"
    hasty = [
        route.name for route in config.routes.values() if route.policy.attempts == 1 < len(route.targets())
    ]
    if hasty:
        yield f"one attempt in a call, so that no call falls back: {', '.join(hasty)}"
    if config.cassettes is not None and not config.cassettes.is_dir():
        yield f"the folder of cassettes does not exist: {config.cassettes}"
