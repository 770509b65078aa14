"""What will break, as of a date: which models end when, and which routes have nobody left from then on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from failover.canaries import warm_rules
from failover.config import Config
from failover.core.capabilities import Capability
from failover.core.decide import space_of
from failover.core.lifecycle import Contradiction, Lifecycle, Stage, days_until
from failover.core.vocabulary import Route, Target
from failover.core.warmth import CANARY_USAGE, WarmRules, monthly_nusd
from failover.known_models import with_model_facts
from failover.lifecycles import known_lifecycles
from failover.price_sources import price_as_of, price_book


@dataclass(frozen=True, slots=True)
class TargetOutlook:
    """The end of one target's model. `days_left` counts a begun day too; negative: it ended so long ago.

    `advice` says what to do, in words.
    """

    target: Target
    lifecycle: Lifecycle
    stage: Stage
    days_left: int | None
    routes: tuple[str, ...]
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RouteOutlook:
    """Who of a route is left at the end of the horizon, and since when it has nobody, or one provider only.

    Times are epoch seconds; None: not inside the horizon.
    """

    route: str
    live: tuple[str, ...]
    nobody_from_s: float | None
    one_provider_from_s: float | None
    provider: str


@dataclass(frozen=True, slots=True)
class WarmOutlook:
    """What keeping one target warm costs in 30 days, if nobody else asks it; None: its price is unknown."""

    target: str
    monthly_nusd: int | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """All of it: what ends until `until_s` or did before `as_of_s`, and of whom no date is known."""

    as_of_s: float
    until_s: float
    targets: tuple[TargetOutlook, ...]
    routes: tuple[RouteOutlook, ...]
    contradictions: tuple[Contradiction, ...]
    undated: tuple[str, ...]
    warm: tuple[WarmOutlook, ...] = ()
    warm_max_nusd: int = 0

    @property
    def holds(self) -> bool:
        """Whether every route has somebody left."""
        return all(route.nobody_from_s is None for route in self.routes)


def outlook(config: Config, as_of_s: float, until_s: float) -> Outlook:
    """What the config meets from `as_of_s` until `until_s`, by all that is known of its models."""
    config = with_model_facts(config)
    known = known_lifecycles(config)
    targets = [
        _target(config, target, known.lifecycles, as_of_s)
        for name, target in config.targets.items()
        if _matters(known.lifecycles.get(name), as_of_s, until_s)
    ]
    undated = [
        name
        for name, target in config.targets.items()
        if target.model and not _is_dated(known.lifecycles.get(name))
    ]
    rules = warm_rules(config)
    return Outlook(
        as_of_s,
        until_s,
        tuple(sorted(targets, key=lambda each: each.lifecycle.retired_s or inf)),
        tuple(_route(route, known.lifecycles, as_of_s, until_s) for route in config.routes.values()),
        known.contradictions,
        tuple(undated),
        () if rules is None else tuple(_warm(config, rules, as_of_s)),
        0 if rules is None else rules.max_nusd_per_month,
    )


def _warm(config: Config, rules: WarmRules, as_of_s: float) -> Iterator[WarmOutlook]:
    prices = price_book(config)
    for name in rules.targets:
        quote_nusd = prices.quote_nusd(name, CANARY_USAGE, as_of_s)
        yield WarmOutlook(name, None if quote_nusd is None else monthly_nusd(rules.every_s, quote_nusd))


def _is_dated(lifecycle: Lifecycle | None) -> bool:
    return lifecycle is not None and bool(lifecycle.retired_s or lifecycle.source)


def _matters(lifecycle: Lifecycle | None, as_of_s: float, until_s: float) -> bool:
    if lifecycle is None:
        return False
    ends = lifecycle.retired_s is not None and lifecycle.retired_s <= until_s
    return ends or lifecycle.stage(as_of_s) in {Stage.DEPRECATED, Stage.RETIRED}


def _target(
    config: Config, target: Target, lifecycles: Mapping[str, Lifecycle], as_of_s: float
) -> TargetOutlook:
    lifecycle = lifecycles[target.name]
    routes = [route for route in config.routes.values() if target in route.targets()]
    left = None if lifecycle.retired_s is None else days_until(lifecycle.retired_s, as_of_s)
    return TargetOutlook(
        target,
        lifecycle,
        lifecycle.stage(as_of_s),
        left,
        tuple(route.name for route in routes),
        tuple(_advice(config, target, lifecycles, as_of_s)),
    )


def _advice(
    config: Config, target: Target, lifecycles: Mapping[str, Lifecycle], as_of_s: float
) -> Iterator[str]:
    lifecycle = lifecycles[target.name]
    if lifecycle.successor:
        successor = config.targets[lifecycle.successor]
        yield f"its successor {successor.name} takes its place{_lacks(target, successor, config)}"
        end_s = lifecycles.get(successor.name, Lifecycle()).due_s
        if end_s is not None and end_s <= (lifecycle.due_s or inf):
            yield f"its successor {successor.name} does not outlive it: name another"
        return
    model = lifecycle.replacement
    if not model:
        yield "nobody named a successor: choose a model, add a target of it, and name it as 'successor'"
        return
    prefix = target.model.partition("/")[0]
    full = f"{prefix}/{model}"
    holders = [name for name, each in config.targets.items() if each.model in {full, model}]
    if holders:
        where = _where(target, holders, config)
        yield f"{', '.join(holders)} has the model that its provider recommends{where}"
    else:
        price = _at_price(target.model, full, config, as_of_s)
        yield f"add a target of {full}, which its provider recommends{price}"


def _where(target: Target, holders: list[str], config: Config) -> str:
    """In which chains of the target nobody of those stands yet."""
    lacking = [
        name
        for name, route in config.routes.items()
        if target in route.targets() and not any(each.name in holders for each in route.targets())
    ]
    join = f"add it to the chain of {', '.join(lacking)}, and " if lacking else ""
    return f": {join}name it as 'successor'"


def _at_price(model: str, other: str, config: Config, as_of_s: float) -> str:
    old, new = (price_as_of(each, config.price_terms, as_of_s) for each in (model, other))
    if new is None:
        return "; nobody knows its price"
    if old is None or not old.output_nusd_per_mtok:
        return ""
    times = new.output_nusd_per_mtok / old.output_nusd_per_mtok
    if times == 1.0:
        return ", at the same price"
    return f", at {times:.2g} times the price of output"


def _lacks(target: Target, successor: Target, config: Config) -> str:
    """In what it does less, as far as is known; empty: in nothing that is known."""
    lacks = [
        str(each).replace("_", " ")
        for each in Capability
        if each in target.capabilities.able and each in successor.capabilities.unable
    ]
    for what, old, new in (
        ("window", target.context_window_tokens, successor.context_window_tokens),
        ("answer", target.capabilities.output_tokens_max, successor.capabilities.output_tokens_max),
    ):
        if old is not None and new is not None and new < old:
            lacks.append(f"a {what} of {new} tokens for {old}")
    is_space = bool(target.vector_space) or "embed" in target.model
    if is_space and space_of(target) != space_of(successor):
        lacks.append("another vector space: embeddings never go there")
    return f", and cannot do all of its work: {'; '.join(lacks)}" if lacks else ", and can do its work"


def _route(route: Route, lifecycles: Mapping[str, Lifecycle], as_of_s: float, until_s: float) -> RouteOutlook:
    ends_s = {
        target.name: inf if due_s is None else due_s
        for target in route.targets()
        for due_s in [lifecycles.get(target.name, Lifecycle()).due_s]
    }
    live = [target for target in route.targets() if ends_s[target.name] > until_s]
    nobody_s = max(ends_s.values())
    by_provider: dict[str, float] = {}
    for target in route.targets():
        by_provider[target.provider] = max(ends_s[target.name], by_provider.get(target.provider, -inf))
    last_but_one_s = sorted(by_provider.values())[-2] if len(by_provider) > 1 else inf
    lonely = last_but_one_s <= until_s and nobody_s > until_s
    return RouteOutlook(
        route.name,
        tuple(target.name for target in live),
        nobody_s if nobody_s <= until_s else None,
        last_but_one_s if lonely else None,
        live[0].provider if lonely else "",
    )
