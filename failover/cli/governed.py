"""What `decide` and `check` say of governance: who may have which data, as of when, and why not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

from failover.core.governance import UNLABELLED

if TYPE_CHECKING:
    from failover.config import Config
    from failover.core.vocabulary import Route

NAMELESS = "(none named)"


def may_serve(config: Config, route: Route, as_of_s: float) -> Iterator[tuple[str, str, str, str]]:
    """Rows of class, target, whether it may have such data, and why not or until when."""
    governance = config.governance
    for data_class in classes_of(config, route):
        for target in route.targets():
            bar = governance.bar(target.name, data_class, as_of_s)
            if bar is None:
                starts_s = [each.since_s for each in governance.bars(target.name, data_class)]
                soonest_s = min((since_s for since_s in starts_s if since_s > as_of_s), default=None)
                until = "" if soonest_s is None else f"until {date_of(soonest_s)}"
                yield data_class or NAMELESS, target.name, "yes", until
            else:
                free = "" if bar.free_s == float("inf") else f"; from {date_of(bar.free_s)} it may"
                yield data_class or NAMELESS, target.name, "NO", f"{bar.why}{free}"


def classes_of(config: Config, route: Route) -> list[str]:
    """The classes that requests on `route` may be of: all, and none where nothing says which that is."""
    governance = config.governance
    nameless = [] if governance.class_of(UNLABELLED, route.name) else [UNLABELLED]
    return [*governance.classes, *nameless] if governance.is_on else []


def complaints(config: Config, as_of_s: float) -> Iterator[str]:
    """What does not hold: a class that nobody may serve, and reviews that cannot be relied on."""
    governance = config.governance
    for route in config.routes.values():
        for data_class in classes_of(config, route):
            if data_class and nobody_may(config, route, data_class, as_of_s):
                yield f"route {route.name}: nobody may serve data of class {data_class}"
    if governance.is_on:
        yield from _reviews(config, as_of_s)


def nobody_may(config: Config, route: Route, data_class: str, as_of_s: float) -> bool:
    """Whether no target of `route` may have data of that class."""
    bars = (config.governance.bar(each.name, data_class, as_of_s) for each in route.targets())
    return all(bar is not None for bar in bars)


def notes(config: Config, as_of_s: float) -> Iterator[str]:
    """What may well be meant: requests that name no class, where nobody may have data of every class."""
    for route in config.routes.values():
        if UNLABELLED in classes_of(config, route) and nobody_may(config, route, UNLABELLED, as_of_s):
            yield (
                f"route {route.name}: nobody serves requests that name no data class, since nobody may have "
                "data of every class: give the route a 'data_class', or the config a 'default_data_class'"
            )


def _reviews(config: Config, as_of_s: float) -> Iterator[str]:
    governance = config.governance
    limits = [each.reviewed_within_days for each in governance.classes.values()]
    days = min((limit for limit in limits if limit is not None), default=None)
    for name in governance.targets:
        reviewed_s = governance.terms_of(name, as_of_s).reviewed_s
        if reviewed_s is not None and reviewed_s > as_of_s:
            yield f"the terms of {name} were reviewed on {date_of(reviewed_s)}, which is still to come"
        elif days is not None and reviewed_s is None:
            yield f"the terms of {name} were never reviewed"
        elif days is not None and reviewed_s is not None and as_of_s >= reviewed_s + days * 86_400:
            stale = f"{date_of(reviewed_s)}, and {days:g} days are allowed"
            yield f"the last review of the terms of {name} is too old: {stale}"


def date_of(epoch_s: float) -> str:
    """An instant in UTC; midnight is a date alone."""
    at = dt.datetime.fromtimestamp(epoch_s, dt.UTC)
    return f"{at:%Y-%m-%d}" if at.time() == dt.time() else f"{at:%Y-%m-%d %H:%M:%S}Z"
