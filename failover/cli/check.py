"""`failover check CONFIG`: is it valid, and what can each route survive?"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from failover.cli.check_lifecycle import (
    DAYS,
    as_json,
    day,
    horizon,
    lines,
    target_rows,
    write_json,
)
from failover.cli.check_lifecycle import HEADINGS as ENDS
from failover.cli.exits import DEVIATED, HOLDS, run
from failover.cli.governed import complaints, may_serve, notes
from failover.cli.tables import show
from failover.core.policy import Policy
from failover.core.prices import NUSD_PER_USD
from failover.core.vocabulary import FaultDomain, Route

if TYPE_CHECKING:
    from failover.config import Config
    from failover.core.spend import Budget
    from failover.outlook import Outlook


@click.command(name="check")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--as-of", type=click.DateTime(("%Y-%m-%d",)), help="Ends of models as of this date, UTC (default: now)."
)
@click.option("--until", type=click.DateTime(("%Y-%m-%d",)), help="Look ahead until this date, UTC.")
@click.option("--days", type=click.IntRange(min=0), help=f"Look so many days ahead (default: {DAYS}).")
@click.option("--json", "json_file", metavar="FILE", help="Write the ends as JSON; - is standard output.")
def command(
    config: Path,
    as_of: dt.datetime | None,
    until: dt.datetime | None,
    days: int | None,
    json_file: str | None,
) -> None:
    """Validate CONFIG and print what each route can and cannot survive, and which models end when.

    Exit code: 0 when every route survives the loss of any single provider, has a live target left, and
    somebody may serve each data class on it; 1 when that does not hold, or a legal review is too old; 2 when
    CONFIG is invalid.
    """
    if until is not None and days is not None:
        raise click.UsageError("--until and --days both say how far ahead to look: give one")
    since_s, until_s = horizon(as_of, until, days)
    if until_s < since_s:
        raise click.UsageError("--until lies before the date of --as-of")
    run(lambda: _check(config, since_s, until_s, json_file))


def _check(path: Path, as_of_s: float, until_s: float, json_file: str | None) -> int:
    # pydantic loads here, so that `failover --help` stays quick.
    from failover.config import load_config
    from failover.outlook import outlook

    config = load_config(path)
    ahead = outlook(config, as_of_s, until_s)
    if json_file is not None:
        written = write_json(json_file, as_json(ahead))
        if json_file == "-" or written != HOLDS:
            return written or (HOLDS if ahead.holds and _survives_all(config) else DEVIATED)
    _report_budgets(config.budgets)
    fragile = [route.name for route in config.routes.values() if not _report_route(route)]
    _report_ends(ahead)
    ungoverned = _report_governance(config, as_of_s)
    for note in _notes(config):
        click.echo(f"note: {note}")
    lifeless = [route.route for route in ahead.routes if route.nobody_from_s is not None]
    if lifeless:
        click.echo(f"has no live target until {day(until_s)} or before: {', '.join(lifeless)}")
    if fragile:
        click.echo(f"does not survive the loss of some single provider: {', '.join(fragile)}")
        return DEVIATED
    if lifeless:
        return DEVIATED
    click.echo("every route survives the loss of any single provider")
    return DEVIATED if ungoverned else HOLDS


def _report_governance(config: Config, as_of_s: float) -> bool:
    """Print who may serve which data on which route, and what is wrong with that; whether anything is."""
    for route in config.routes.values():
        rows = list(may_serve(config, route, as_of_s))
        if rows:
            show(f"data on route {route.name}", ("class", "target", "may have it", "why, until when"), rows)
            click.echo()
    for note in notes(config, as_of_s):
        click.echo(f"note: {note}")
    wrong = list(complaints(config, as_of_s))
    for each in wrong:
        click.echo(f"NOT GOVERNED: {each}")
    return bool(wrong)


def _survives_all(config: Config) -> bool:
    from failover.config.losses import single_losses

    losses = [loss for route in config.routes.values() for loss in single_losses(route)]
    return all(loss.survived for loss in losses if loss.domain is FaultDomain.PROVIDER)


def _report_ends(ahead: Outlook) -> None:
    rows = target_rows(ahead)
    if rows:
        title = f"ends of models as of {day(ahead.as_of_s)}, until {day(ahead.until_s)}"
        show(title, ENDS, rows)
    for line in lines(ahead):
        click.echo(line)
    if rows:
        click.echo()


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
    from failover.price_sources import price_book

    targets = config.targets.values()
    variables = dict.fromkeys(target.credential for target in targets if target.credential)
    absent = [variable for variable in variables if not os.environ.get(variable)]
    if absent:
        yield f"environment variables that are not set: {', '.join(absent)}"
    prices = price_book(config).prices
    unknown = [target.name for target in targets if target.name not in prices]
    if unknown:
        yield f"targets whose price is unknown, here and in litellm's map: {', '.join(unknown)}"
    unheld = unpriced(config.budgets, [config.targets[name] for name in unknown])
    if unheld:
        yield f"never asked, since a hard budget cannot be held to an unknown price: {', '.join(unheld)}"
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
