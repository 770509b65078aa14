"""What each provider says when it refuses, in its own words, and the kind of failure that is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from failover.adapters.classify_reply import classify_reply
from failover.adapters.wire import WireReply

REFUSALS = Path(__file__).parent / "data" / "refusals.jsonl"
"""One refusal to a line. `wording`: `seen` in recordings, documentation or public issues, else `assumed`."""

ROWS = [json.loads(line) for line in REFUSALS.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    "row", ROWS, ids=[f"{number} {row['provider']} {row['status']}" for number, row in enumerate(ROWS, 1)]
)
def test_a_refusal_in_its_providers_words_is_of_one_kind(row):
    body = row["body"]
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    media = "text/plain" if isinstance(body, str) else "application/json"
    found = classify_reply(row["provider"], WireReply(row["status"], {"content-type": media}, content))
    assert found is not None
    assert found.kind == row["kind"], body


def test_every_refusal_says_where_its_words_are_from():
    assert {row["wording"] for row in ROWS} == {"seen", "assumed"}
