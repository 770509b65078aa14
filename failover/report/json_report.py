"""Verdicts for machines: a JSON list with one `failover/verdict@1` object per drill."""

from __future__ import annotations

from collections.abc import Sequence

from failover.chaos.judging.verdict import Verdict, to_json


def json_report(verdicts: Sequence[Verdict]) -> str:
    """The list as text, keys in the order of the fields, with a line break at its end."""
    import orjson

    document = [to_json(verdict) for verdict in verdicts]
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
