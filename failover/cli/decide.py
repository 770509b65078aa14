"""`failover decide CONFIG ROUTE`: in which order would its targets be tried, and why?"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from failover.cli.exits import HOLDS, run
from failover.cli.governed import date_of
from failover.core.capabilities import Capability, Needs
from failover.core.vocabulary import Reason, Request

if TYPE_CHECKING:
    from failover.config import Config
    from failover.core.vocabulary import Decision, Route

TOKENS_IN, TOKENS_OUT = 1000, 256
NAMELESS = "no data class is named: only who may have data of every class is asked"


@click.command(name="decide")
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("route")
@click.option("--tokens-in", default=TOKENS_IN, show_default=True, help="Tokens of the prompt.")
@click.option("--tokens-out", default=TOKENS_OUT, show_default=True, help="Expected tokens of the answer.")
@click.option("--max-tokens", type=int, help="Longest answer that the request asks for.")
@click.option(
    "--need",
    "needed",
    multiple=True,
    type=click.Choice([each.value for each in Capability]),
    help="What the request needs of its target; may be given several times.",
)
@click.option("--parameter", "parameters", multiple=True, help="A parameter that the request sets; the same.")
@click.option("--stream", is_flag=True, help="A streamed request: ranked by its first token.")
@click.option(
    "--as-of",
    type=click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ")),
    help="Prices, terms and ends of models as of then, UTC (default: now).",
)
@click.option("--data-class", default="", help="The class of the request's data (default: the route's).")
def command(
    config: Path,
    route: str,
    *,
    tokens_out: int,
    stream: bool,
    as_of: dt.datetime | None,
    data_class: str,
    **asked: Any,
) -> None:
    """Explain the decision that a fresh router with CONFIG would make for a request on ROUTE.

    Nothing is sent. A running router also knows breakers, cooldowns and latencies: ask its `decide`.
    """
    needs = _needs(**asked)
    request = Request("decide", needs.tokens_in, tokens_out, stream, needs=needs, data_class=data_class)
    run(lambda: _decide(config, route, request, as_of))


def _needs(
    tokens_in: int, max_tokens: int | None, needed: tuple[str, ...], parameters: tuple[str, ...]
) -> Needs:
    return Needs(frozenset(map(Capability, needed)), frozenset(parameters), tokens_in, max_tokens or 0)


def _decide(path: Path, name: str, request: Request, as_of: dt.datetime | None) -> int:
    # pydantic loads here, so that `failover --help` stays quick.
    from failover.config import load_config
    from failover.config.governing import is_label, unknown_class
    from failover.errors import Complaint, ConfigError
    from failover.known_models import with_model_facts
    from failover.tokens import Length

    config = with_model_facts(load_config(path))
    route = config.routes.get(name)
    if route is None:
        known = ", ".join(sorted(config.routes))
        raise ConfigError([Complaint(str(path), 0, f"route {name!r}", f"no such route; known: {known}")])
    if not is_label(config.governance, request.data_class):
        what = unknown_class(config.governance, request.data_class)
        raise ConfigError([Complaint(str(path), 0, "--data-class", what)])
    count = Length(request.tokens_in)
    request = replace(request, tokens_out_max=request.needs.tokens_out or None, count=count)
    moment = dt.datetime.now(dt.UTC) if as_of is None else as_of.replace(tzinfo=dt.UTC)
    _explain(config, route, request, moment)
    return HOLDS


def _explain(config: Config, route: Route, request: Request, moment: dt.datetime) -> None:
    from failover.core.decide import Facts, decide
    from failover.core.governance import Oversight
    from failover.core.learned import Learned
    from failover.core.strategies import quote_nusd
    from failover.lifecycles import calendar_of, put_into_force
    from failover.price_sources import price_book
    from failover.tokens import measure_of

    prices = price_book(config)
    learned, epoch_s = Learned(config.routes.values()), moment.timestamp()
    calendar = put_into_force(calendar_of(config, epoch_s), learned)
    facts = Facts(prices, epoch_s, calendar, Oversight(config.governance))
    decision = decide(route, request, learned, facts, 0.0, lambda: 0.5)
    click.echo(
        f"route {route.name}, strategy {route.strategy}, {request.tokens_in} tokens in, "
        f"{request.expected_out(0.0)} expected out, prices as of {moment:%Y-%m-%d %H:%M} UTC"
    )
    if config.governance.is_on:
        named = f"data class {decision.data_class}" if decision.data_class else NAMELESS
        click.echo(f"  {named}, terms as of the same")
    for place, target in enumerate(decision.order, start=1):
        quote = quote_nusd(request, target, request.expected_out(0.0), prices, moment.timestamp())
        price = "price unknown" if quote is None else f"quote ${quote / 1e9:.6f}"
        if target.model:
            price += f", ≈ {request.tokens_in_at(target)} tokens in ({measure_of(target.model)})"
        click.echo(f"  {place}. {target.name:<16} {target.model or target.callable:<40} {price}")
    _passed_over(decision, moment)


def _passed_over(decision: Decision, moment: dt.datetime) -> None:
    for each in decision.passed_over:
        why = f" ({each.detail})" if each.detail else ""
        why += f" (successor {each.successor})" if each.successor else ""
        free = each.reason is Reason.FORBIDDEN_BY_TERMS and each.until_s is not None
        until = f", until {date_of(moment.timestamp() + (each.until_s or 0.0))}" if free else ""
        click.echo(f"  passed over: {each.target.name}: {each.reason}{why}{until}")
    click.echo(
        "a fresh router: no breaker is open, nobody is cooling down or stands back, no latency is known yet"
    )
