"""The pictures of drills for machines: what the charts are drawn from, and the journal's excerpts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from failover.chaos.judging.excerpts import Excerpt
from failover.chaos.judging.timeline import Timeline
from failover.chaos.pictured import Pictured

SCHEMA = "failover/picture@1"


@dataclass(frozen=True, slots=True)
class Picture:
    """One drill: `journal_sha256` is that of its verdict."""

    schema: str
    scenario: str
    title: str
    seed: int
    mode: str
    journal_sha256: str
    timeline: Timeline
    excerpts: tuple[Excerpt, ...]


def picture_report(drills: Sequence[Pictured]) -> str:
    """A JSON list with one `failover/picture@1` object per drill, with a line break at its end."""
    import orjson

    document = [_picture(drill) for drill in drills]
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE).decode()


def pictures_json_schema() -> dict[str, Any]:
    """The JSON Schema of the list."""
    from pydantic import TypeAdapter

    return TypeAdapter(list[Picture]).json_schema() | {"title": "failover pictures"}


def _picture(drill: Pictured) -> Picture:
    verdict = drill.verdict
    about = verdict.scenario, drill.title, verdict.seed, verdict.mode, verdict.journal_sha256
    return Picture(SCHEMA, *about, drill.timeline, drill.excerpts)
