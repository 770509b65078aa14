"""The pictures of drills for machines: what the charts are drawn from, and the journal's excerpts."""

from __future__ import annotations

from collections.abc import Sequence

from failover.chaos.pictured import Pictured

SCHEMA = "failover/picture@1"


def picture_report(drills: Sequence[Pictured]) -> str:
    """A JSON list with one `failover/picture@1` object per drill, with a line break at its end."""
    import orjson

    document = [
        {
            "schema": SCHEMA,
            "scenario": drill.verdict.scenario,
            "title": drill.title,
            "seed": drill.verdict.seed,
            "mode": drill.verdict.mode,
            "journal_sha256": drill.verdict.journal_sha256,
            "timeline": drill.timeline,
            "excerpts": drill.excerpts,
        }
        for drill in drills
    ]
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE).decode()
