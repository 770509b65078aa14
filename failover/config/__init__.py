"""A config file as frozen objects of the core: every complaint at once, with file and line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from failover.config.checks import check_config, strategy_complaint
from failover.config.governing import LOCAL, Audit, audit_of, check_governance, governance_of
from failover.config.json_schema import config_json_schema
from failover.config.lifecycle_rules import LifecycleRules, lifecycle_rules
from failover.config.policy_schema import PolicySection
from failover.config.price_file import PriceFile, book_section, load_price_file
from failover.config.price_section import listed
from failover.config.prices import Billing, PriceTerms, dated_prices
from failover.config.schema import ConfigSection, Provider, RouteSection, TargetSection
from failover.config.spending_section import LedgerFile, alarms_of, budgets_of, ledger_of
from failover.core.alarms import Alarm
from failover.core.capabilities import Capabilities, Capability
from failover.core.governance import Governance
from failover.core.policy import BackoffPolicy, BreakerPolicy, HedgePolicy, Policy, RetryBudgetPolicy
from failover.core.prices import DatedPrice
from failover.core.spend import Budget
from failover.core.strategies import STRATEGIES, CustomStrategy, Strategy
from failover.core.vocabulary import Route, Target, Tiers
from failover.documents import Complaints, Document, Source, load_document, shown, validate

__all__ = [
    "LOCAL_PROVIDER",
    "Audit",
    "Config",
    "config_from_dict",
    "config_json_schema",
    "load_config",
    "with_strategies",
]

LOCAL_PROVIDER = LOCAL
"""The provider of a callable that names none."""


@dataclass(frozen=True, slots=True)
class Config:
    """Targets and routes by name, prices by target's name, and where both were read from.

    `prices` holds only the targets whose price the config tells, in the order they are listed: of
    several in force the last wins; cancelled ones are among them. `price_terms`: the rest of what is said of
    prices. `governance` says who may have which data, `audit` where it is written down who had, `lifecycle`
    what it says of the end of models. `source` is the file's name, `<dict>` for a mapping.
    """

    targets: Mapping[str, Target]
    routes: Mapping[str, Route]
    prices: Mapping[str, tuple[DatedPrice, ...]]
    cassettes: Path | None = None
    source: str = ""
    lifecycle: LifecycleRules = field(default_factory=LifecycleRules)
    governance: Governance = field(default_factory=Governance)
    audit: Audit | None = None
    price_terms: PriceTerms = field(default_factory=PriceTerms)
    budgets: tuple[Budget, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    ledger: LedgerFile | None = None


Strategies = Mapping[str, Strategy]


def load_config(
    path: str | Path, *, callables: Collection[str] = (), strategies: Strategies | None = None
) -> Config:
    """The config in the YAML file at `path`; raises `ConfigError` with every complaint.

    `callables` names the functions that are handed over in Python: a target of such a name is one.
    `strategies` are strategies of your own, by the name that routes call them.
    """
    return _config(Path(path), callables, strategies or {})


def config_from_dict(
    mapping: Mapping[str, Any], *, callables: Collection[str] = (), strategies: Strategies | None = None
) -> Config:
    """The same from a mapping; raises `ConfigError`, whose complaints name no line.

    Here the `strategy` of a route may also be the function itself.
    """
    return _config(mapping, callables, strategies or {})


def with_strategies(config: Config, strategies: Strategies) -> Config:
    """The config with `strategies` in place of their names, and of others that had the same.

    Raises `ConfigError` for a name that is nobody's, and for one of the library's own.
    """
    complaints = Complaints()
    _check_names(strategies, config.source, complaints)
    customs = {name: CustomStrategy(name, rank) for name, rank in strategies.items()}
    routes = {}
    for name, route in config.routes.items():
        routes[name] = route
        if isinstance(route.strategy, str):
            what = strategy_complaint(route.strategy, customs)
            if what:
                complaints.add_line(config.source, 0, what, ("routes", name, "strategy"))
            routes[name] = replace(route, strategy=customs.get(route.strategy, route.strategy))
        elif isinstance(route.strategy, CustomStrategy):
            routes[name] = replace(route, strategy=customs.get(route.strategy.name, route.strategy))
    complaints.raise_if_any()
    return replace(config, routes=routes)


def _check_names(strategies: Mapping[str, object], file: str, complaints: Complaints) -> None:
    for name, rank in strategies.items():
        if name in STRATEGIES:
            what = "is one of the library's own: hand yours over under another name"
            complaints.add_line(file, 0, f"the strategy {shown(name)} {what}")
        elif not callable(rank):
            complaints.add_line(file, 0, f"the strategy {shown(name)} must be a function, got {shown(rank)}")


def _config(source: Source, callables: Collection[str], strategies: Strategies) -> Config:
    complaints = Complaints()
    document = load_document(source, complaints)
    section = validate(document, ConfigSection, complaints) if document else None
    lifecycle = LifecycleRules()
    if document and section:
        check_config(section, document, complaints, callables, strategies)
        check_governance(section, document, complaints)
        _check_names(strategies, document.file, complaints)
        lifecycle = lifecycle_rules(section, document, complaints)
    file = None
    if document and section and book_section(section.price_book).file is not None:
        path = (document.folder or Path()) / str(book_section(section.price_book).file)
        file = load_price_file(path, complaints)
    complaints.raise_if_any()
    # Without complaints there are both.
    built = _built(cast("ConfigSection", section), cast("Document", document), file)
    return with_strategies(replace(built, lifecycle=lifecycle), strategies)


def _built(section: ConfigSection, document: Document, file: PriceFile | None) -> Config:
    terms = _terms(section, document, file)
    targets = {
        name: _target(name, target, section.providers.get(target.provider or LOCAL_PROVIDER, Provider()))
        for name, target in section.targets.items()
    }
    return Config(
        targets=targets,
        routes={name: _route(name, route, targets) for name, route in section.routes.items()},
        prices={
            name: dated_prices(listed(target.prices), terms.billing[name], file, document.file)
            for name, target in section.targets.items()
            if target.prices is not None
        },
        price_terms=terms,
        cassettes=None if section.cassettes is None else (document.folder or Path()) / section.cassettes,
        source=document.file,
        governance=governance_of(section, targets),
        audit=audit_of(section.audit, document.folder),
        budgets=budgets_of(section.budgets),
        alarms=alarms_of(section.alarms),
        ledger=ledger_of(section.ledger, document.folder),
    )


def _target(name: str, section: TargetSection, provider: Provider) -> Target:
    """What the target says itself goes before what its provider says for all."""
    function = section.callable or ("" if section.model else name)
    return Target(
        name=name,
        provider=section.provider or LOCAL_PROVIDER,
        model=section.model or "",
        region=section.region or provider.region or "",
        credential=section.credential or provider.credential or "",
        cloud=section.cloud or provider.cloud or "",
        edge=section.edge or provider.edge or "",
        api_base=section.api_base or provider.api_base or "",
        callable=function,
        context_window_tokens=section.context_window_tokens,
        tokens_per_minute=section.limits.tpm,
        requests_per_minute=section.limits.rpm,
        concurrency=section.limits.concurrency,
        weight=section.weight,
        vector_space=section.vector_space or "",
        capabilities=_capabilities(section),
    )


def _capabilities(section: TargetSection) -> Capabilities:
    told = section.capabilities.model_dump()
    return Capabilities(
        able=frozenset(capability for capability in Capability if told[capability] is True),
        unable=frozenset(capability for capability in Capability if told[capability] is False),
        output_tokens_max=section.output_tokens_max,
        unsupported_parameters=frozenset(section.unsupported_parameters),
    )


def _terms(section: ConfigSection, document: Document, file: PriceFile | None) -> PriceTerms:
    book = book_section(section.price_book)
    return PriceTerms(
        file=file,
        file_name=book.file or "",
        sources=tuple(book.sources),
        stale_days=book.stale_days,
        billing={
            name: Billing(target.billing.service or "", target.billing.region or "", target.region or "")
            for name, target in section.targets.items()
        },
    )


def _route(name: str, section: RouteSection, targets: Mapping[str, Target]) -> Route:
    return Route(
        name=name,
        chain=_chain(section.chain, targets),
        strategy=section.strategy,
        policy=_policy(section.policy),
    )


def _chain(section: list[str] | list[list[str]], targets: Mapping[str, Target]) -> Tiers:
    names = [name for name in section if isinstance(name, str)]
    tiers = [names] if names else [tier for tier in section if isinstance(tier, list)]
    return tuple(tuple(targets[name] for name in tier) for tier in tiers)


def _policy(section: PolicySection) -> Policy:
    plain = section.model_dump()
    plain["max_cost_nusd"] = plain.pop("max_cost_usd")
    return Policy(
        **{
            **plain,
            "backoff": BackoffPolicy(**plain["backoff"]),
            "retry_budget": RetryBudgetPolicy(**plain["retry_budget"]),
            "breaker": BreakerPolicy(**plain["breaker"]),
            "hedge": None if plain["hedge"] is None else HedgePolicy(**plain["hedge"]),
        }
    )
