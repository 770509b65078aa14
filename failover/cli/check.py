"""`failover check CONFIG`: is it valid, and what can each route survive?"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from failover.cli.exits import DEVIATED, HOLDS, run
from failover.cli.tables import show as _show
from failover.core.policy import Policy
from failover.core.vocabulary import FaultDomain, Route

if TYPE_CHECKING:
    from failover.config import Config


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
    fragile = [route.name for route in config.routes.values() if not _report_route(route)]
    for note in _notes(config):
        click.echo(f"note: {note}")
    if fragile:
        click.echo(f"does not survive the loss of some single provider: {', '.join(fragile)}")
        return DEVIATED
    click.echo("every route survives the loss of any single provider")
    return HOLDS


def _report_route(route: Route) -> bool:
    """Print one route; whether it survives the loss of any single provider."""
    from failover.config.losses import single_losses, unnamed_domains

    losses = single_losses(route)
    _show(
        f"route {route.name}, strategy {route.strategy}",
        ("tier", "target", "provider", "region", "model or callable"),
        list(_chain_rows(route)),
    )
    _show(f"policy of {route.name}", ("key", "value", ""), list(_policy_rows(route.policy)))
    _show(
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
        shown = "half of what is left" if value is None else f"{value:g}" if _real(value) else str(value)
        yield key, shown, "default" if value == defaults[key] else "set"


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
    from failover.price_sources import price_book

    targets = config.targets.values()
    variables = dict.fromkeys(target.credential for target in targets if target.credential)
    absent = [variable for variable in variables if not os.environ.get(variable)]
    if absent:
        yield f"environment variables that are not set: {', '.join(absent)}"
    prices = price_book(config).prices
    unpriced = [target.name for target in targets if target.name not in prices]
    if unpriced:
        yield f"targets whose price is unknown, here and in litellm's map: {', '.join(unpriced)}"
    yield from _price_notes(config)
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


def _price_notes(config: Config) -> Iterator[str]:
    """Where sources contradict each other or are old; that a price is unknown is said already."""
    from failover.price_sources import price_records
    from failover.price_sources.findings import findings
    from failover.price_sources.outlook import outlook

    as_of_s = dt.datetime.now(dt.UTC).timestamp()
    outlooks = [outlook(record, as_of_s) for record in price_records(config)]
    yield from (str(found) for found in findings(config, outlooks, as_of_s) if found.kind != "unknown")
