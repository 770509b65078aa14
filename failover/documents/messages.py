"""pydantic's findings, in the document's own places and in words for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from failover.documents.complaints import Place, ending, shown
from failover.documents.section import Section, keys_of
from failover.documents.shape import place_of, section_at

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

NOT_YET = "is not supported yet in this version"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with `place`; `remove` is what to leave out to go on, `()` for everything."""

    place: Place
    what: str
    remove: Place


def finding(model: type[BaseModel], details: ErrorDetails, value: object) -> Finding:
    """One of pydantic's error entries about `value`, which was validated as a `model`."""
    kind = details["type"]
    location = details["loc"]
    if kind in ("missing", "extra_forbidden"):
        parent = place_of(model, location[:-1], value)
        section = section_at(model, location[:-1])
        key = str(location[-1])
        if kind == "missing":
            return Finding(parent, f"the key '{key}' is missing", parent)
        return Finding((*parent, key), _unknown_key(section, key), (*parent, key))
    place = place_of(model, location, value)
    context = details.get("ctx", {})
    if location and location[-1] == "[key]":
        return Finding(place, f"the name {_words(kind, context, place[-1])}", place)
    if kind == "union_tag_not_found":
        return Finding(place, f"the key {context['discriminator']} is missing", place)
    if kind == "union_tag_invalid":
        key = str(context["discriminator"]).strip("'")
        inner = (*place, key)
        return Finding(inner, _not_one_of(context["tag"], context["expected_tags"]), place)
    return Finding(place, _words(kind, context, details["input"]), place)


def _unknown_key(section: type[BaseModel] | None, key: str) -> str:
    if section and issubclass(section, Section):
        if key in section.hints:
            return f"unknown key {shown(key)}; {section.hints[key]}"
        if key in section.later:
            return f"{shown(key)} {NOT_YET}"
    return f"unknown key {shown(key)}{ending(key, keys_of(section) if section else ())}"


def _words(kind: str, context: Mapping[str, Any], value: object) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind in ("literal_error", "enum"):
        return _not_one_of(value, context["expected"])
    if context.get("min_length") == 1:
        return "must not be empty"
    said = _SAID.get(kind)
    if said is None:
        return f"is not valid, got {shown(value)}"
    return f"{said(context) if callable(said) else said}, got {_shown_for(kind, value)}"


def _shown_for(kind: str, value: object) -> str:
    if kind.startswith(("too_", "string_too_")):
        return str(len(value)) if isinstance(value, (list, dict, str)) and value else "nothing"
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return f"{shown(value)}; put it in quotes"
    return shown(value)


def _not_one_of(value: object, expected: object) -> str:
    valid = re.findall(r"'([^']*)'", str(expected))
    return f"unknown value {shown(value)}{ending(value, valid)}"


def _limit(words: str, key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda context: f"must {words} {shown(context[key])}"


def _at_least(unit: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda context: f"must have at least {context['min_length']} {unit}"


def _at_most(unit: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda context: f"must have at most {context['max_length']} {unit}"


_NUMBER, _WHOLE, _TEXT = "must be a number", "must be a whole number", "must be text"
_MAPPING, _LIST, _YES_NO = "must be a mapping", "must be a list", "must be true or false"
_SAID: Mapping[str, str | Callable[[Mapping[str, Any]], str]] = {
    "greater_than": _limit("be greater than", "gt"),
    "greater_than_equal": _limit("be at least", "ge"),
    "less_than": _limit("be less than", "lt"),
    "less_than_equal": _limit("be at most", "le"),
    "multiple_of": _limit("be a multiple of", "multiple_of"),
    "finite_number": "must be a finite number",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "string_type": _TEXT,
    "string_sub_type": _TEXT,
    "string_unicode": "must be text that can be written in UTF-8",
    "string_too_short": _at_least("characters"),
    "string_too_long": _at_most("characters"),
    "string_pattern_mismatch": lambda context: f"must match {context['pattern']}",
    "too_short": _at_least("entries"),
    "too_long": _at_most("entries"),
    "bool_type": _YES_NO,
    "bool_parsing": _YES_NO,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dataclass_type": _MAPPING,
    "none_required": "must be left out",
}
