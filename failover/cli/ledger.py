"""`failover ledger FILE`: what was spent, by whom, and does it add up?"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from failover.cli.exits import DEVIATED, HOLDS, run
from failover.cli.tables import show
from failover.core.prices import NUSD_PER_USD

if TYPE_CHECKING:
    from failover.ledger.summary import ChargeOf, Sum, Summary

_DAY = click.DateTime(("%Y-%m-%d",))
_GROUPS = ("route", "target", "provider", "credential", "tenant", "tag", "day")
_NAMES_SHOWN = 20


@click.command(name="ledger")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", multiple=True, type=click.Choice(_GROUPS), help="Only these sums; may be given again.")
@click.option("--since", type=_DAY, help="From this day on, UTC.")
@click.option("--until", type=_DAY, help="Up to this day, which is not part of it.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Check every charge against the prices of this config."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def command(
    file: Path,
    *,
    by: tuple[str, ...],
    since: dt.datetime | None,
    until: dt.datetime | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Sum up the charges in the ledger FILE, and check that it adds up. It changes nothing.

    Exit code: 0 when it adds up, 1 when it does not, 2 when FILE is no ledger or cannot be read.
    """
    run(
        lambda: _ledger(
            file, by or _GROUPS, (_epoch_s(since, 0.0), _epoch_s(until, 1e12)), config, as_json=as_json
        )
    )


def _ledger(
    file: Path, by: tuple[str, ...], period: tuple[float, float], config: Path | None, *, as_json: bool
) -> int:
    from failover.ledger.summary import summarize

    charge_of = None if config is None else _charge_of(config)
    now_s = dt.datetime.now(dt.UTC).timestamp()
    summary = summarize(file, now_s, *period, charge_of)
    if as_json:
        click.echo(json.dumps(_plain(file, summary, by), indent=2))
    else:
        _tell(file, summary, by, checked=config is not None)
    return DEVIATED if summary.complaints else HOLDS


def _charge_of(config: Path) -> ChargeOf:
    # pydantic loads here, so that `failover --help` stays quick.
    from failover.config import load_config
    from failover.price_sources import price_book

    return price_book(load_config(config)).charge_nusd


def _epoch_s(day: dt.datetime | None, else_s: float) -> float:
    return else_s if day is None else day.replace(tzinfo=dt.UTC).timestamp()


def _tell(file: Path, summary: Summary, by: tuple[str, ...], *, checked: bool) -> None:
    from failover.ledger.summary import moment

    total = summary.total
    period = ""
    if summary.first_s is not None and summary.last_s is not None:
        period = f", from {moment(summary.first_s)} to {moment(summary.last_s)}"
    click.echo(f"{file}: {total.charges} charges, {_usd(total.cost_nusd)}{period}")
    click.echo(f"estimated, since nobody told the cost: {_usd(total.estimated_nusd)}")
    click.echo(f"reserved now: {_usd(summary.reserved_nusd)}")
    for group in by:
        sums = summary.groups[group]
        if sums:
            show(f"by {group}", (group, "charges", "usd", "share"), _rows(sums, total.cost_nusd))
    for complaint in summary.complaints:
        click.echo(f"DOES NOT ADD UP: {complaint}")
    if not summary.complaints:
        told = (
            f", and {summary.checked} charges are their usage at the prices of the config" if checked else ""
        )
        click.echo(f"it adds up: every sum is that of its charges{told}")


def _rows(sums: Mapping[str, Sum], whole_nusd: int) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (name, str(each.charges), _usd(each.cost_nusd), f"{each.cost_nusd / (whole_nusd or 1):.1%}")
        for name, each in list(sums.items())[:_NAMES_SHOWN]
    ]
    more = len(sums) - _NAMES_SHOWN
    return [*rows, (f"and {more} more", "", "", "")] if more > 0 else rows


def _usd(nusd: int) -> str:
    return f"${nusd / NUSD_PER_USD:.6f}"


def _plain(file: Path, summary: Summary, by: tuple[str, ...]) -> dict[str, Any]:
    return {
        "schema": "failover/ledger@1",
        "file": str(file),
        **_sum(summary.total),
        "reserved_usd": summary.reserved_nusd / NUSD_PER_USD,
        "first_s": summary.first_s,
        "last_s": summary.last_s,
        "by": {group: {name: _sum(each) for name, each in summary.groups[group].items()} for group in by},
        "checked": summary.checked,
        "complaints": list(summary.complaints),
    }


def _sum(each: Sum) -> dict[str, Any]:
    return {
        "charges": each.charges,
        "cost_nusd": each.cost_nusd,
        "cost_usd": each.cost_nusd / NUSD_PER_USD,
        "estimated_usd": each.estimated_nusd / NUSD_PER_USD,
    }
