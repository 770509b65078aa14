"""Where pydantic's error locations lie in a document.

A location also names the branches of unions it passed through (`inject, 2, outage, at_s`); those are no
places in the document. They are told apart by following the schema, since a branch may be named like a key.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, Tag

from failover.documents.complaints import Place, holds

Location = tuple[int | str, ...]


def place_of(model: type[BaseModel], location: Location, value: object) -> Place:
    """The part of a location that is a place in `value`, a document validated as a `model`."""
    place: Place = ()
    shape: Any = model
    for element in location:
        shape, inside = _step(shape, element)
        if shape is None and inside:
            inside = holds(value, element)
        if inside:
            place = (*place, element)
            value = _entered(value, element)
    return place


def section_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """The schema of the mapping at a location, None when it cannot be told."""
    shape: Any = model
    for element in location:
        shape, _inside = _step(shape, element)
    bare = _bare(shape)
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None


def _entered(value: object, element: int | str) -> object:
    if not holds(value, element):
        return None
    return cast("Any", value)[element]


def _bare(shape: Any) -> Any:
    """Without annotations, and without the None of an optional."""
    while get_origin(shape) is Annotated:
        shape = get_args(shape)[0]
    if get_origin(shape) in (Union, types.UnionType):
        branches = [branch for branch in get_args(shape) if branch is not type(None)]
        if len(branches) == 1:
            return _bare(branches[0])
    return shape


def _step(shape: Any, element: int | str) -> tuple[Any, bool]:
    """The shape one element further, and whether that element is a place in the document."""
    shape = _bare(shape)
    if element == "[key]":
        return None, False
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        return _field(shape, element), True
    origin, arguments = get_origin(shape), get_args(shape)
    if origin in (Union, types.UnionType):
        return _branch(arguments, element), False
    if origin in (list, set, frozenset) or (origin is tuple and arguments[-1] is ...):
        return arguments[0], True
    if origin in (dict, Mapping):
        return arguments[1], True
    return None, True


def _field(model: type[BaseModel], element: int | str) -> Any:
    for name, field in model.model_fields.items():
        if element in (name, field.alias):
            return field.annotation
    return None


def _branch(branches: tuple[Any, ...], element: int | str) -> Any:
    """The branch of that tag: a tag is told by the first key that takes fixed words, or by another."""
    for matches in (_marked, _tagged_first, _tagged):
        for branch in branches:
            if matches(branch, element):
                return branch
    nested = (branch for branch in branches if get_origin(_bare(branch)) in (Union, types.UnionType))
    return next((branch for branch in nested if _branch(get_args(_bare(branch)), element) is not None), None)


def _marked(branch: Any, element: int | str) -> bool:
    metadata = get_args(branch)[1:] if get_origin(branch) is Annotated else ()
    return any(isinstance(mark, Tag) and mark.tag == element for mark in metadata)


def _tagged_first(branch: Any, element: int | str) -> bool:
    return element in next(_fixed_words(branch), ())


def _tagged(branch: Any, element: int | str) -> bool:
    return any(element in words for words in _fixed_words(branch))


def _fixed_words(branch: Any) -> Iterator[tuple[Any, ...]]:
    model = _bare(branch)
    if isinstance(model, type) and issubclass(model, BaseModel):
        shapes = (_bare(field.annotation) for field in model.model_fields.values())
        yield from (get_args(shape) for shape in shapes if get_origin(shape) is Literal)
