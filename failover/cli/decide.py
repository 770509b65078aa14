"""`failover decide CONFIG ROUTE`: in which order would its targets be tried, and why?"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from failover.cli.exits import HOLDS, run
from failover.core.capabilities import Capability, Needs

if TYPE_CHECKING:
    from failover.config import Config
    from failover.core.vocabulary import Decision, Request, Route

TOKENS_IN, TOKENS_OUT = 1000, 256


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
    type=click.DateTime(("%Y-%m-%d",)),
    help="Prices and ends of models as of this date, UTC (default: now).",
)
def command(
    config: Path, route: str, *, tokens_out: int, stream: bool, as_of: dt.datetime | None, **asked: Any
) -> None:
    """Explain the decision that a fresh router with CONFIG would make for a request on ROUTE.

    Nothing is sent. A running router also knows breakers, cooldowns and latencies: ask its `decide`.
    """
    run(lambda: _decide(config, route, _needs(**asked), tokens_out, stream=stream, as_of=as_of))


def _needs(
    tokens_in: int, max_tokens: int | None, needed: tuple[str, ...], parameters: tuple[str, ...]
) -> Needs:
    return Needs(frozenset(map(Capability, needed)), frozenset(parameters), tokens_in, max_tokens or 0)


def _decide(
    path: Path, name: str, needs: Needs, tokens_out: int, *, stream: bool, as_of: dt.datetime | None
) -> int:
    # pydantic loads here, so that `failover --help` stays quick.
    from failover.config import load_config
    from failover.core.vocabulary import Request
    from failover.errors import Complaint, ConfigError
    from failover.known_models import with_model_facts

    config = with_model_facts(load_config(path))
    route = config.routes.get(name)
    if route is None:
        known = ", ".join(sorted(config.routes))
        raise ConfigError([Complaint(str(path), 0, f"route {name!r}", f"no such route; known: {known}")])
    request = Request("decide", needs.tokens_in, tokens_out, stream=stream, needs=needs)
    moment = dt.datetime.now(dt.UTC) if as_of is None else as_of.replace(tzinfo=dt.UTC)
    _explain(config, route, request, moment)
    return HOLDS


def _explain(config: Config, route: Route, request: Request, moment: dt.datetime) -> None:
    from failover.core.decide import Facts, decide
    from failover.core.learned import Learned
    from failover.core.vocabulary import Usage
    from failover.lifecycles import calendar_of, put_into_force
    from failover.price_map import price_book

    prices = price_book(config)
    learned = Learned([route])
    calendar = put_into_force(calendar_of(config, moment.timestamp()), learned)
    facts = Facts(prices, moment.timestamp(), calendar)
    decision = decide(route, request, learned, facts, 0.0, lambda: 0.5)
    click.echo(
        f"route {route.name}, strategy {route.strategy}, {request.tokens_in} tokens in, "
        f"{request.tokens_out} expected out, prices as of {moment:%Y-%m-%d %H:%M} UTC"
    )
    expected = Usage(request.tokens_in, request.tokens_out or 0)
    for place, target in enumerate(decision.order, start=1):
        quote = prices.quote_nusd(target.name, expected, moment.timestamp())
        price = "price unknown" if quote is None else f"quote ${quote / 1e9:.6f}"
        click.echo(f"  {place}. {target.name:<16} {target.model or target.callable:<40} {price}")
    _passed_over(decision)


def _passed_over(decision: Decision) -> None:
    for each in decision.passed_over:
        successor = f" (successor {each.successor})" if each.successor else ""
        click.echo(f"  passed over: {each.target.name}: {each.reason}{successor}")
    click.echo(
        "a fresh router: no breaker is open, nobody is cooling down or stands back, no latency is known yet"
    )
