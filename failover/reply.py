"""How a reply carries its story: the object callers already know, with a `failover` record on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from failover.core.quick import quick
from failover.core.records import CallRecord


@quick
@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of a plain callable: what it returned, and the story of the call."""

    value: Any
    failover: CallRecord


def with_record(value: Any, record: Any) -> Any:
    """`value` itself, with `record` as its attribute `failover`; a plain value comes in a `Reply`.

    Set past the object's own rules, so that a model's fields and what it dumps stay as they came.
    """
    try:
        object.__setattr__(value, "failover", record)
    except (AttributeError, TypeError):
        return Reply(value, record)
    return value
