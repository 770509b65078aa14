"""What is wrong with a config although each part of it, alone, is right."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from failover.config.lifecycle_rules import check_lifecycles
from failover.config.policy_schema import PolicySection
from failover.config.price_checks import check_entries
from failover.config.schema import (
    ConfigSection,
    RouteSection,
    TargetSection,
)
from failover.config.spending_section import check_spending
from failover.core.strategies import STRATEGIES
from failover.documents import Complaints, Document, Place, ending, shown


def check_config(
    section: ConfigSection,
    document: Document,
    complaints: Complaints,
    callables: Collection[str] = (),
    strategies: Collection[str] = (),
) -> None:
    """Add every complaint about parts that do not fit together.

    `callables` names the functions handed over in Python, which a target may be without saying so;
    `strategies` names the strategies that were handed over.
    """
    for name, target in section.targets.items():
        _check_target(name, target, document, complaints, callables)
        check_entries(target.prices, ("targets", name, "prices"), document, complaints)
    for name, route in section.routes.items():
        _check_chain(route, ("routes", name, "chain"), document, complaints)
        if isinstance(route.strategy, str):
            what = strategy_complaint(route.strategy, strategies)
            if what:
                complaints.add(document, ("routes", name, "strategy"), what)
        _check_policy(route.policy, ("routes", name, "policy"), document, complaints)
    _check_breakers(section, document, complaints)
    check_lifecycles(section, document, complaints)
    check_spending(section, document, complaints)


def strategy_complaint(name: str, handed_over: Collection[str]) -> str:
    """What is wrong with that name of a strategy; empty when nothing is."""
    if name in STRATEGIES or name in handed_over:
        return ""
    return f"unknown value {shown(name)}{ending(name, [*STRATEGIES, *handed_over])}"


def _check_breakers(section: ConfigSection, document: Document, complaints: Complaints) -> None:
    """A target has one breaker, whichever route asks it: its routes must agree on that."""
    first: dict[str, str] = {}
    for name, route in section.routes.items():
        for _, target in _chained(route):
            other = first.setdefault(target, name)
            if section.routes[other].policy.breaker != route.policy.breaker:
                what = (
                    f"differs from that of route {shown(other)}, and both use the target {shown(target)}: "
                    "a target has one breaker"
                )
                complaints.add(document, ("routes", name, "policy", "breaker"), what)
                break


def _check_target(
    name: str, target: TargetSection, document: Document, complaints: Complaints, callables: Collection[str]
) -> None:
    place: Place = ("targets", name)
    function = target.callable is not None or name in callables
    # A key whose value was refused is there all the same.
    written = document.names(*place)
    if target.model is not None and function:
        complaints.add(document, place, "names both a model and a callable: one target is one of them")
    elif not function and not {"model", "callable"} & set(written):
        complaints.add(document, place, "the key 'model' is missing (or 'callable', for a plain function)")
    known = document.names("providers")
    if target.provider is not None and target.provider not in known:
        what = f"unknown provider {shown(target.provider)}{ending(target.provider, known)}"
        if not known:
            what += "; name it under 'providers', with its credential"
        complaints.add(document, (*place, "provider"), what)
    elif "provider" not in written and not function and "callable" not in written:
        complaints.add(document, place, f"the key 'provider' is missing{ending('', known)}")


def _check_chain(route: RouteSection, place: Place, document: Document, complaints: Complaints) -> None:
    known = document.names("targets")
    seen: set[str] = set()
    for inner, name in _chained(route):
        if name not in known:
            what = f"unknown target {shown(name)}{ending(name, known)}"
            complaints.add(document, (*place, *inner), what)
        elif name in seen:
            complaints.add(document, (*place, *inner), f"the target {shown(name)} stands twice in this chain")
        seen.add(name)


def _chained(route: RouteSection) -> Iterator[tuple[Place, str]]:
    for position, item in enumerate(route.chain):
        if isinstance(item, str):
            yield (position,), item
        else:
            yield from (((position, inner), name) for inner, name in enumerate(item))


def _check_policy(policy: PolicySection, place: Place, document: Document, complaints: Complaints) -> None:
    def at_most(lesser: Place, greater: Place, least: float | None, most: float) -> None:
        places = ((*place, *lesser), (*place, *greater))
        written = [one for one in places if document.at(one) is not None]
        if not written or least is None or least <= most or complaints.blames(document, *places):
            return
        default = "" if places[1] in written else " (its default)"
        what = f"{'.'.join(map(str, lesser))} is {shown(least)}, more than "
        what += f"{'.'.join(map(str, greater))}: {shown(most)}{default}"
        complaints.add(document, written[0], what)

    breaker, backoff = policy.breaker, policy.backoff
    for key in ("attempt_s", "connect_s", "first_token_s", "idle_s"):
        # A limit's default is cut to the deadline; one that was written is meant.
        if key in policy.model_fields_set:
            at_most((key,), ("deadline_s",), getattr(policy, key), policy.deadline_s)
    at_most(("backoff", "initial_s"), ("backoff", "max_s"), backoff.initial_s, backoff.max_s)
    at_most(("breaker", "open_s"), ("breaker", "open_max_s"), breaker.open_s, breaker.open_max_s)
