"""`failover prices CONFIG`: what does every target cost, by whose word, and what changes next?"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from failover.cli.exits import DEVIATED, HOLDS, run
from failover.cli.outlets import STANDARD_OUTPUT
from failover.cli.tables import show

if TYPE_CHECKING:
    from failover.config import Config
    from failover.core.prices import DatedPrice, KindRates
    from failover.price_sources.findings import Finding
    from failover.price_sources.outlook import Change, Outlook

NUSD = 1e9


@click.command(name="prices")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--as-of",
    type=click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")),
    help="Prices as of this date or time, UTC (default: now).",
)
@click.option("--model", help="Only targets of this model, or of this name.")
@click.option(
    "--json",
    "machine",
    type=click.Path(path_type=Path),
    help="Write all of it to this file; - is standard output.",
)
def command(config: Path, as_of: dt.datetime | None, model: str | None, machine: Path | None) -> None:
    """Show what every target of CONFIG costs, where the price comes from, and what changes next.

    Exit code: 0 when every price is known and no two sources contradict each other, 1 when not,
    2 when CONFIG is invalid. Nothing is sent, and nothing is fetched.
    """
    moment = dt.datetime.now(dt.UTC) if as_of is None else as_of.replace(tzinfo=dt.UTC)
    run(lambda: _prices(config, moment, model, machine))


def _prices(path: Path, moment: dt.datetime, model: str | None, machine: Path | None) -> int:
    # pydantic loads here, so that `failover --help` stays quick.
    from failover.config import load_config
    from failover.price_sources import price_records
    from failover.price_sources.findings import findings
    from failover.price_sources.outlook import outlook

    config = load_config(path)
    if model is not None:
        _require_known(model, config, path)
    as_of_s = moment.timestamp()
    outlooks = [
        outlook(record, as_of_s)
        for record in price_records(config)
        if model in (None, record.target.model, record.target.name)
    ]
    found = findings(config, outlooks, as_of_s)
    if machine is not None:
        text = json.dumps(_plain(outlooks, found, moment), indent=2) + "\n"
        if machine == STANDARD_OUTPUT:
            click.echo(text, nl=False)
        else:
            _written(machine, text)
    if machine != STANDARD_OUTPUT:
        _show(outlooks, found, moment)
    return DEVIATED if any(each.deviates for each in found) else HOLDS


def _require_known(model: str, config: Config, path: Path) -> None:
    from failover.documents import ending, shown
    from failover.errors import Complaint, ConfigError

    known = {name for target in config.targets.values() for name in (target.name, target.model) if name}
    if model not in known:
        what = f"no target has this model or name{ending(model, sorted(known))}"
        raise ConfigError([Complaint(str(path), 0, f"--model {shown(model)}", what)])


def _written(file: Path, text: str) -> None:
    from failover.errors import Complaint, ConfigError

    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise ConfigError([Complaint(str(file), 0, "", what)]) from error


def _show(outlooks: list[Outlook], found: list[Finding], moment: dt.datetime) -> None:
    click.echo(f"prices as of {moment:%Y-%m-%d %H:%M} UTC, in US dollars for a million tokens")
    show("in force", ("target", "in", "out", "since", "until", "by"), list(_in_force_rows(outlooks)))
    special = [row for each in outlooks for row in _special_rows(each)]
    if special:
        show("what is not billed as plain tokens", ("target", "what", "in", "out"), special)
    changes = [row for each in outlooks for row in _change_rows(each)]
    if changes:
        show("what changes", ("target", "when", "from", "to", "", "by"), changes)
    for each in found:
        click.echo(str(each))
    if not any(each.deviates for each in found):
        click.echo("every price is known, and no two sources contradict each other")


def _in_force_rows(outlooks: list[Outlook]) -> Iterator[tuple[str, ...]]:
    from failover.price_sources.dates import shown_day

    for each in outlooks:
        price, name = each.price, each.record.target.name
        if price is None:
            yield name, "unknown", "unknown", "", "", each.why_unknown
            continue
        since = "not dated" if price.origin.undated else "ever"
        since = since if each.since_s is None else shown_day(each.since_s)
        until = "further notice" if each.until_s is None else shown_day(each.until_s)
        yield name, *_rates(price), since, until, _said_by(price)


def _said_by(price: DatedPrice) -> str:
    from failover.price_sources.dates import shown_day

    origin = price.origin
    words = origin.source
    if origin.as_of_s is not None:
        words += f", of {shown_day(origin.as_of_s)}"
    words += f"; {origin.note}" if origin.note else ""
    words += "; a promotion" if origin.promotion else ""
    return words + ("; announced" if origin.announced else "")


def _rates(price: DatedPrice) -> tuple[str, str]:
    return _usd(price.input_nusd_per_mtok), _usd(price.output_nusd_per_mtok)


def _usd(nusd: int) -> str:
    return f"{nusd / NUSD:.9f}".rstrip("0").rstrip(".")


def _special_rows(each: Outlook) -> Iterator[tuple[str, ...]]:
    price, name = each.price, each.record.target.name
    if price is None:
        return
    for what, side, nusd in _kinds(price.kinds):
        yield name, what, *((_usd(nusd), "") if side == "in" else ("", _usd(nusd)))
    for tier in price.tiers:
        rates = _usd(tier.input_nusd_per_mtok), _usd(tier.output_nusd_per_mtok)
        yield name, f"prompts above {tier.above_tokens} tokens", *rates
    for service, rated in price.services:
        yield name, f"service tier {service}", *_rates(rated)


def _kinds(kinds: KindRates | None) -> Iterator[tuple[str, str, int]]:
    for field in fields(kinds) if kinds is not None else ():
        nusd = getattr(kinds, field.name)
        word = field.name.removesuffix("_nusd_per_mtok")
        if nusd is not None:
            side = "out" if word in ("audio_output", "reasoning") else "in"
            yield word.replace("_", " "), side, nusd


def _change_rows(each: Outlook) -> Iterator[tuple[str, ...]]:
    from failover.price_sources.dates import shown_day

    for change in each.changes:
        before, after = (_told(price) for price in (change.before, change.after))
        said = "" if change.after is None else _said_by(change.after)
        yield each.record.target.name, shown_day(change.at_s), before, after, change.kind, said


def _told(price: DatedPrice | None) -> str:
    if price is None:
        return "unknown"
    return "/".join(_rates(price)) + ("" if price.hours is None else " at some hours")


def _plain(outlooks: list[Outlook], found: list[Finding], moment: dt.datetime) -> dict[str, Any]:
    return {
        "format": "failover/prices@1",
        "as_of": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "targets": [_plain_outlook(each) for each in outlooks],
        "findings": [{"kind": each.kind, "target": each.target, "what": each.what} for each in found],
    }


def _plain_outlook(each: Outlook) -> dict[str, Any]:
    return {
        "target": each.record.target.name,
        "model": each.record.target.model,
        "price": _plain_price(each.price),
        "since": _time(each.since_s),
        "until": _time(each.until_s),
        "why_unknown": each.why_unknown or None,
        "changes": [_plain_change(change) for change in each.changes],
    }


def _plain_change(change: Change) -> dict[str, Any]:
    return {
        "at": _time(change.at_s),
        "kind": change.kind,
        "before": _plain_price(change.before),
        "after": _plain_price(change.after),
    }


def _plain_price(price: DatedPrice | None) -> dict[str, Any] | None:
    if price is None:
        return None
    origin = price.origin
    return {
        **_plain_rates(price.input_nusd_per_mtok, price.output_nusd_per_mtok, price.kinds),
        "tiers": [
            {
                "above_tokens": tier.above_tokens,
                **_plain_rates(tier.input_nusd_per_mtok, tier.output_nusd_per_mtok, tier.kinds),
            }
            for tier in price.tiers
        ],
        "services": {
            name: _plain_rates(rated.input_nusd_per_mtok, rated.output_nusd_per_mtok, rated.kinds)
            for name, rated in price.services
        },
        "valid_from": _time(price.valid_from_s),
        "valid_to": _time(price.valid_to_s),
        "source": origin.source,
        "source_as_of": _time(origin.as_of_s),
        "note": origin.note,
        "state": "cancelled" if origin.cancelled else "announced" if origin.announced else "dated",
        "promotion": origin.promotion,
        "undated": origin.undated,
    }


def _plain_rates(input_nusd: int, output_nusd: int, kinds: KindRates | None) -> dict[str, int]:
    told = {} if kinds is None else {field.name: getattr(kinds, field.name) for field in fields(kinds)}
    told = {name: nusd for name, nusd in told.items() if nusd is not None}
    return {"input_nusd_per_mtok": input_nusd, "output_nusd_per_mtok": output_nusd, **told}


def _time(at_s: float | None) -> str | None:
    return None if at_s is None else dt.datetime.fromtimestamp(at_s, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
