"""The part of `failover check` on the end of models: what will break, when, and what to do."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from failover.catalogue import EARLIEST
from failover.cli.exits import HOLDS, INVALID
from failover.cli.outlets import write_report
from failover.core.lifecycle import days_until
from failover.core.vocabulary import ByDate, RetirementShape

if TYPE_CHECKING:
    from failover.outlook import Outlook, RouteOutlook, TargetOutlook

DAYS = 90
"""How far ahead is looked, unless asked otherwise."""

AFTERWARDS = {
    RetirementShape.HARD_ERROR: "refused",
    RetirementShape.REDIRECT: "answered and billed as its successor",
    RetirementShape.ACCESS_NARROWED: "refused to who does not use it",
    RetirementShape.ALIAS_MOVED: "another model under this name",
    RetirementShape.PARAMETER_REMOVED: "some parameters are refused",
    RetirementShape.SILENT_DOWNGRADE: "a smaller model under this name",
}
BY_DATE = {
    ByDate.PASS_OVER: "asked only where nobody else is left",
    ByDate.BAR: "not asked any more",
    ByDate.IGNORE: "asked until it refuses",
}
HEADINGS = ("target", "model", "stage", "ends", "days left", "then", "by the date alone", "source")


def horizon(as_of: dt.datetime | None, until: dt.datetime | None, days: int | None) -> tuple[float, float]:
    """From when until when is looked, in epoch seconds; a date is its first moment in UTC."""
    begins = dt.datetime.now(dt.UTC) if as_of is None else as_of.replace(tzinfo=dt.UTC)
    if until is not None:
        return begins.timestamp(), until.replace(tzinfo=dt.UTC).timestamp()
    return begins.timestamp(), (begins + dt.timedelta(days=DAYS if days is None else days)).timestamp()


def target_rows(outlook: Outlook) -> list[tuple[str, ...]]:
    """A row for each target whose model ends, or has ended."""
    return [_row(each) for each in outlook.targets]


def _row(each: TargetOutlook) -> tuple[str, ...]:
    cycle = each.lifecycle
    left = "-" if each.days_left is None else str(each.days_left)
    acts = BY_DATE[cycle.by_date if cycle.shape.ends and cycle.retired_s is not None else ByDate.IGNORE]
    what = each.target.model or each.target.callable
    ends = "no date" if cycle.retired_s is None else day(cycle.retired_s)
    if EARLIEST in cycle.source:
        ends += " or later"
    source = cycle.source.partition(" (")[0]
    return each.target.name, what, each.stage.value, ends, left, AFTERWARDS[cycle.shape], acts, source


def lines(outlook: Outlook) -> Iterator[str]:
    """What follows from the table, in words."""
    for each in outlook.targets:
        where = f" (on {', '.join(each.routes)})" if each.routes else " (on no route)"
        for advice in each.advice:
            yield f"{each.target.name}{where}: {advice}"
    for route in outlook.routes:
        yield from _route_lines(route, outlook)
    for other in outlook.contradictions:
        used = "that it does not end" if other.used_s is None else day(other.used_s)
        yield (
            f"sources contradict each other on {other.target}: {other.used_source} says {used}, which is "
            f"used; {other.other_source} says {'-' if other.other_s is None else day(other.other_s)}"
        )
    yield from _warm_lines(outlook)
    if outlook.undated:
        yield f"no source has a date of the end of: {', '.join(outlook.undated)}"


def _warm_lines(outlook: Outlook) -> Iterator[str]:
    """What keeping standbys warm costs at most."""
    if not outlook.warm:
        return
    known = [each.monthly_nusd for each in outlook.warm if each.monthly_nusd is not None]
    most = f"at most ${sum(known) / 1e9:.4f} in 30 days, limit ${outlook.warm_max_nusd / 1e9:g}"
    yield (
        f"kept warm: {', '.join(each.target for each in outlook.warm)}: {most}; the service must call "
        "keep_warm_every() once"
    )
    if sum(known) > outlook.warm_max_nusd:
        yield "kept warm: the limit is reached before the month ends, and whoever is cold then stays cold"
    unknown = [each.target for each in outlook.warm if each.monthly_nusd is None]
    if unknown:
        yield f"NOT kept warm, since nobody knows their price: {', '.join(unknown)}"


def _route_lines(route: RouteOutlook, outlook: Outlook) -> Iterator[str]:
    if route.nobody_from_s is not None:
        left = days_until(route.nobody_from_s, outlook.as_of_s)
        when = f"in {left} days" if left > 0 else "already"
        yield f"route {route.route} HAS NO LIVE TARGET from {day(route.nobody_from_s)} on, {when}"
    elif route.one_provider_from_s is not None:
        since = day(route.one_provider_from_s)
        yield f"route {route.route} depends on {route.provider} alone from {since} on"


def day(at_s: float) -> str:
    """A date, with the time where it is not midnight in UTC."""
    moment = dt.datetime.fromtimestamp(at_s, dt.UTC)
    return f"{moment:%Y-%m-%d}" if moment.time() == dt.time() else f"{moment:%Y-%m-%d %H:%M} UTC"


def as_json(outlook: Outlook) -> dict[str, Any]:
    """The same for machines; `failover/lifecycle@1`. Instants are ISO 8601 in UTC."""
    return {
        "schema": "failover/lifecycle@1",
        "as_of": _iso(outlook.as_of_s),
        "until": _iso(outlook.until_s),
        "holds": outlook.holds,
        "targets": [
            {
                "target": each.target.name,
                "model": each.target.model,
                "routes": list(each.routes),
                "stage": each.stage.value,
                "announced": _iso(each.lifecycle.announced_s),
                "deprecated": _iso(each.lifecycle.deprecated_s),
                "retired": _iso(each.lifecycle.retired_s),
                "days_left": each.days_left,
                "shape": each.lifecycle.shape.value,
                "by_date": each.lifecycle.by_date.value,
                "successor": each.lifecycle.successor or None,
                "replacement": each.lifecycle.replacement or None,
                "source": each.lifecycle.source,
                "advice": list(each.advice),
            }
            for each in outlook.targets
        ],
        "routes": [
            {
                "route": each.route,
                "live": list(each.live),
                "no_live_target_from": _iso(each.nobody_from_s),
                "days_until_no_live_target": _days(each.nobody_from_s, outlook.as_of_s),
                "one_provider_from": _iso(each.one_provider_from_s),
                "provider": each.provider or None,
            }
            for each in outlook.routes
        ],
        "contradictions": [
            {
                "target": each.target,
                "used": _iso(each.used_s),
                "used_source": each.used_source,
                "other": _iso(each.other_s),
                "other_source": each.other_source,
            }
            for each in outlook.contradictions
        ],
        "undated": list(outlook.undated),
        "kept_warm": [
            {
                "target": each.target,
                "monthly_usd": None if each.monthly_nusd is None else each.monthly_nusd / 1e9,
            }
            for each in outlook.warm
        ],
    }


def write_json(file: str, found: dict[str, Any]) -> int:
    """Write it to a file, or to standard output; the exit code where that cannot be."""
    try:
        write_report(Path(file), json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        click.echo(f"error: {file}: cannot be written: {error.strerror or 'no access'}", err=True)
        return INVALID
    return HOLDS


def _iso(at_s: float | None) -> str | None:
    return None if at_s is None else f"{dt.datetime.fromtimestamp(at_s, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _days(at_s: float | None, since_s: float) -> int | None:
    return None if at_s is None else days_until(at_s, since_s)
