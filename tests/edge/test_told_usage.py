"""What a provider said that a discarded answer used, read from the wire."""

from __future__ import annotations

import json

import pytest

from failover.adapters.told_usage import USAGE, usage_in, usage_told
from failover.core.vocabulary import Usage
from tests.edge.fake_wire import ANTHROPIC_STREAM, event, openai_chunk


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (b"", None),
        (b"<html>bad gateway</html>", None),
        (openai_chunk({"content": "he"}), None),
        (b"".join(ANTHROPIC_STREAM[:3]), Usage(3, 1)),
        (b"".join(ANTHROPIC_STREAM), Usage(3, 2)),
        (event({"usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 2}}), Usage(7, 2)),
        (event({"usageMetadata": {"promptTokenCount": 7}}), Usage(7, 0)),
        (event({"usage": {"prompt_tokens": 3, "completion_tokens": 1}})[:-4], Usage(3, 1)),
    ],
)
def test_the_latest_counts_are_found_in_every_dialect(body, usage):
    assert usage_in(body) == usage


def test_counts_only_grow():
    counted = [event({"usage": {"prompt_tokens": 3, "completion_tokens": said}}) for said in (1, 2, 12)]
    assert usage_in(b"".join(counted)) == Usage(3, 12)


def test_what_a_model_says_is_no_count():
    said = json.dumps({"usage": {"prompt_tokens": 1_000_000}})
    assert usage_in(openai_chunk({"content": said})) is None


def test_a_limit_of_ours_is_raised_from_the_cancellation_that_holds_it():
    cause, limit = Exception(), TimeoutError()
    setattr(cause, USAGE, Usage(3, 1))
    limit.__cause__ = cause
    assert (usage_told(limit), usage_told(cause), usage_told(TimeoutError()), usage_told(None)) == (
        Usage(3, 1),
        Usage(3, 1),
        None,
        None,
    )
