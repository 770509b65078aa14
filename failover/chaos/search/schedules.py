"""Hypothesis' view of fault schedules: lists of injections, each made of few choices, simplest first.

Hypothesis shrinks the choices that were made, not the values made of them: shorter lists first, then each
choice nearer to its first value. So a schedule is a list of faults and never a coin for each request, every
choice stands in a list whose first entry is the simplest, and no number drawn is larger than 99: what is
larger could depend on constants that Hypothesis finds in whatever else was imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from hypothesis import strategies as st

from failover.chaos.search.grids import KindGrid

Injections = tuple[Mapping[str, Any], ...]
"""A schedule: injections as a scenario file words them, defaults left out."""

LASTING_S = (10, 5, 20, 2, 40, 1, 60, 90, 120, 180, 300, 600, 1200, 3600)
"""How long a fault lasts: short ones are simple, and ten seconds read better than one."""

FOR_EVER = (None, None, None)
"""Listed so often because what is withdrawn, revoked or forbidden seldom comes back."""

STEPS = 90


@dataclass(frozen=True, slots=True)
class Space:
    """What a search may draw: kinds, and whole seconds from `earliest_s` to before `latest_s`."""

    grids: tuple[KindGrid, ...]
    earliest_s: int
    latest_s: int
    for_s: float
    faults_max: int


def schedules(space: Space) -> st.SearchStrategy[Injections]:
    """From one injection to `faults_max` of them. In a list the later one wins where two meet."""
    kinds = st.one_of([_injections(grid, space) for grid in space.grids])
    return st.lists(kinds, min_size=1, max_size=space.faults_max).map(tuple)


def _injections(grid: KindGrid, space: Space) -> st.SearchStrategy[Mapping[str, Any]]:
    lasting = [lasting_s for lasting_s in LASTING_S if lasting_s < space.for_s - space.earliest_s]
    lasts = [*(lasting or [1])] if False in grid.endless else []
    own = {key: st.sampled_from(values) for key, values in grid.fields.items()}
    parts: dict[str, st.SearchStrategy[Any]] = {
        "selector": st.sampled_from(grid.selectors),
        "at_s": _moments(space),
        "for_s": st.sampled_from([*lasts, *FOR_EVER] if True in grid.endless else lasts),
        "share": st.sampled_from(grid.shares),
        "ramp_s": st.sampled_from(grid.ramps_s),
    }
    return st.fixed_dictionaries({**parts, **own}).map(_wording(grid))


def _moments(space: Space) -> st.SearchStrategy[int]:
    """Whole seconds, drawn as a coarse and a fine number, so that both shrink towards the beginning."""
    span = max(1, space.latest_s - space.earliest_s)
    step = max(10, ceil(span / STEPS))
    coarse, fine = st.integers(0, max(0, span // step - 1)), st.integers(0, min(step - 1, 99))
    return st.builds(lambda tens, ones: space.earliest_s + tens * step + ones, coarse, fine)


def _wording(grid: KindGrid) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """As a scenario file says it; what is default is left out."""
    defaults = {**grid.defaults, "for_s": None, "share": 1.0, "ramp_s": 0}

    def worded(drawn: Mapping[str, Any]) -> Mapping[str, Any]:
        domain, name = drawn["selector"]
        said = {key: drawn[key] for key in ("at_s", "for_s", *grid.fields, "share", "ramp_s")}
        kept = {key: value for key, value in said.items() if key == "at_s" or _is_said(value, defaults[key])}
        return {"kind": grid.kind, domain: name, **kept}

    return worded


def _is_said(value: Any, default: Any) -> bool:
    return type(value) is not type(default) if value is None or default is None else value != default
