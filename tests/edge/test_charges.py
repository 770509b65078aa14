"""What recorded answers cost: as litellm reckons, to the nano-dollar, or for a cause that is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.charges import AGREED, OTHER_ENTRY, ROUNDED, TOLD, Compared, compared, table

RECORDED = Path(__file__).parents[3] / "shared" / "real-cassettes"

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")

KNOWN = {
    "cohere/ok_chat.completions_sync_command-r7b-12-2024_eab029.yaml#0": ROUNDED,
    **{
        f"deepseek/ok_chat.completions_sync_tools_deepseek-reasoner_004f1f.yaml#{n}": OTHER_ENTRY
        for n in range(3)
    },
    "xai/ok_chat.completions_stream_grok-code-fast-1_ac3352.yaml#0": TOLD,
}
"""Who is right in each stands in `docs/charges.md`."""


@pytest.fixture(scope="module")
def found() -> list[Compared]:
    return compared(RECORDED)


def test_our_charges_are_litellms_or_differ_for_a_known_cause(found: list[Compared]) -> None:
    differ = {each.name: each.cause for each in found if each.comparable and each.cause != AGREED}
    assert differ == KNOWN


def test_most_recorded_answers_are_compared(found: list[Compared]) -> None:
    assert len(found) > 150
    assert sum(each.comparable for each in found) > 90
    assert sum(each.cause == AGREED for each in found if each.comparable) > 90


def test_no_kind_of_tokens_is_more_than_all_of_them(found: list[Compared]) -> None:
    for each in found:
        used = each.usage
        cached = used.tokens_in_cached + used.tokens_in_cache_written + used.tokens_in_cache_written_1h
        assert cached <= used.tokens_in, each
        assert max(used.tokens_out_reasoning, used.tokens_out_audio) <= used.tokens_out, each


def test_the_table_says_of_each_who_is_right(found: list[Compared]) -> None:
    told = list(table([each for each in found if each.name in KNOWN]))
    assert len(told) == 2 + len(KNOWN)
    assert all(line.count("|") == told[0].count("|") for line in told)
