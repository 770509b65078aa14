"""Which values of an injection's own fields are worth trying: read off its schema, simplest first.

A search wants few values that differ in kind, not many that differ in digits. So each field has a short
grid by its type and by the unit in its name, and what its kind refuses is struck off by asking it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice, product
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from failover.chaos.injections import AnyInjection, Injection
from failover.chaos.search.selectors import Reach, Selector, distinct
from failover.core.vocabulary import FaultDomain

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

DOMAINS = {domain.value for domain in FaultDomain}
WOVEN = {"kind", "at_s", "for_s", "share", "ramp_s"} | DOMAINS
"""What every injection has: schedules draw these themselves."""

SHARES, RAMPS_S = (1.0, 0.5, 0.2), (0, 20, 60)

GRIDS: tuple[tuple[str, Sequence[float]], ...] = (
    ("factor", (2, 10, 0.5)),
    ("share", (0.5, 0.1, 1.0)),
    ("ratio", (0.5, 0.1, 1.0)),
    ("_per_s", (1, 5, 0.2)),
    ("_ms", (10, 500, 5_000)),
    ("_s", (10, 1, 60, 0)),
    ("tokens", (10, 1, 200)),
)
"""By the end of a field's name, or by a part of it."""
PLAIN_GRID = (1, 5, 0.5, 20, 0)

EXCEPTIONS: Mapping[tuple[str, str], Sequence[Any]] = {
    # Twice as slow is what every route survives; half a minute is what deadlines are about.
    ("slowdown", "factor"): (1.0, 3.0, 20.0),
    ("slowdown", "first_token_extra_s"): (0.0, 15.0, 45.0),
    ("rate_limit", "retry_after_s"): (None, 5.0, 30.0, 90.0),
    # Fewer tokens than before are no fault, and cannot creep in.
    ("tokenizer_change", "factor"): (1.3, 2.0),
    ("terms_change", "terms"): ({"retention_days": 30}, {"trains_on_data": True}, {"retention_days": 0}),
    ("terms_change", "known"): (True, False),
    # What is never known is not known later either.
    ("terms_change", "known_after_s"): (0.0,),
}
"""Where the rule by type and name says too little, by kind and field."""

MINIMAL_TRIES = 500


@dataclass(frozen=True, slots=True)
class KindGrid:
    """One kind: the values of its own fields by the key a scenario uses, and what else it takes.

    The first value of each is the simplest, and all first values together are valid.
    """

    kind: str
    is_fault: bool
    fields: Mapping[str, tuple[Any, ...]]
    defaults: Mapping[str, Any]
    selectors: tuple[Selector, ...]
    shares: tuple[float, ...]
    ramps_s: tuple[float, ...]
    endless: tuple[bool, ...]


def kinds() -> dict[str, type[Injection]]:
    """Every registered kind of injection by its name, in the order of registration."""
    union, *_ = get_args(AnyInjection)
    classes: tuple[type[Injection], ...] = get_args(union)
    return {get_args(each.model_fields["kind"].annotation)[0]: each for each in classes}


def grid_of(
    kind: str, model: type[Injection], reaches: Sequence[Reach], names: Sequence[str] = ()
) -> KindGrid | None:
    """What to try of a kind in any of the fault domains `reaches`; None where nothing of it is valid.

    `names` are words that a field of text may mean, models say.
    """
    own = {field.alias or name: field for name, field in model.model_fields.items() if name not in WOVEN}
    grids = {key: tuple(_values(kind, key, field, names)) for key, field in own.items()}
    minimal = _minimal(model, kind, grids, own, reaches)
    if minimal is None:
        return None

    def valid(**change: Any) -> bool:
        return is_valid(model, {**minimal, **change})

    def may_hit(reach: Reach) -> bool:
        domain, name = reach.selector
        plain = {key: value for key, value in minimal.items() if key not in DOMAINS}
        return is_valid(model, {**plain, domain: name})

    return KindGrid(
        kind=kind,
        is_fault=model.is_fault,
        fields={
            key: tuple(_unique([minimal.get(key, values[0]), *filter(_each(valid, key), values)]))
            for key, values in grids.items()
        },
        defaults={key: _default(field) for key, field in own.items()},
        selectors=tuple(reach.selector for reach in distinct(filter(may_hit, reaches))),
        shares=tuple(share for share in SHARES if share == 1.0 or valid(share=share)),
        ramps_s=tuple(ramp_s for ramp_s in RAMPS_S if ramp_s == 0 or valid(ramp_s=ramp_s)),
        endless=tuple(endless for endless in (False, True) if valid(for_s=None if endless else 10)),
    )


def is_valid(model: type[BaseModel], fields: Mapping[str, Any]) -> bool:
    """Whether a scenario file may say so."""
    try:
        model.model_validate(fields)
    except ValidationError:
        return False
    return True


def _each(valid: Any, key: str) -> Any:
    return lambda value: valid(**{key: value})


def _minimal(
    model: type[Injection],
    kind: str,
    grids: Mapping[str, tuple[Any, ...]],
    own: Mapping[str, FieldInfo],
    reaches: Sequence[Reach],
) -> dict[str, Any] | None:
    """The simplest valid injection: its required fields only, where that will do."""
    required = [key for key in grids if own[key].is_required()]
    for keys in (required, list(grids)):
        for values in islice(product(*(grids[key] for key in keys)), MINIMAL_TRIES):
            for domain, pattern in (reach.selector for reach in reaches):
                fields = {"kind": kind, domain: pattern, "for_s": 10, **dict(zip(keys, values, strict=True))}
                for tried in (fields, {key: fields[key] for key in fields if key != "for_s"}):
                    if is_valid(model, tried):
                        return tried
    return None


def _values(kind: str, key: str, field: FieldInfo, names: Sequence[str]) -> Iterable[Any]:
    if (kind, key) in EXCEPTIONS:
        return EXCEPTIONS[kind, key]
    first = [] if field.is_required() else [_default(field)]
    return _unique([*first, *_candidates(key, field.annotation, names)])


def _candidates(key: str, annotation: Any, names: Sequence[str]) -> Iterator[Any]:
    """What a field of this type may sensibly be, unchecked."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _candidates(key, arguments[0], names)
    elif origin is Literal:
        yield from arguments
    elif origin in (Union, UnionType):
        for each in arguments:
            yield from _candidates(key, each, names)
    elif origin in (tuple, list, Sequence) and arguments:
        yield from ([value] for value in _candidates(key, arguments[0], names))
    elif isinstance(annotation, type):
        yield from _of_type(key, annotation, names)


def _of_type(key: str, annotation: type, names: Sequence[str]) -> Iterator[Any]:
    if issubclass(annotation, Enum):
        yield from (member.value for member in annotation)
    elif annotation is bool:
        yield from (False, True)
    elif annotation in (int, float):
        yield from (annotation(value) for value in _grid(key) if annotation(value) == value)
    elif annotation is str:
        yield from (*names, "anything")
    elif annotation is NoneType:
        yield None
    elif issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        parts = {
            field.alias or name: next(iter(_values("", field.alias or name, field, names)), None)
            for name, field in fields
            if field.is_required()
        }
        yield parts


def _grid(key: str) -> Sequence[float]:
    return next((grid for part, grid in GRIDS if key.endswith(part) or f"{part}_" in key), PLAIN_GRID)


def _default(field: FieldInfo) -> Any:
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    return default.value if isinstance(default, Enum) else default


def _unique(values: Iterable[Any]) -> list[Any]:
    """In order, also where values cannot be hashed; 1 and 1.0 are one."""
    kept: list[Any] = []
    for value in values:
        if value not in kept:
            kept.append(value)
    return kept
