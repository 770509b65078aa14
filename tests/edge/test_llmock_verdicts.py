"""llmock as both targets: whatever it breaks, the caller is served whole, and its verdict finds no fault."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from failover import RequestRejectedError, StreamInterruptedError
from failover.adapters.loading import load_litellm
from tests.edge.llmock_faults import LIVE, MODELS, SAYS, Cell, cells, our_modes
from tests.edge.llmock_matrix import Pair, hear_ours, hear_ours_by_leap

# pydantic's, on litellm's own types and litellm's own use of them.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*ReadOnly:UserWarning", "ignore:Accessing the 'model_:DeprecationWarning"
)

EVERY = list(cells(our_modes()))
UNUSUAL = {"402", "418", "451", "501", "502", "504", "520", "599"}


def telling(cell: Cell) -> bool:
    """What is met in the same way elsewhere is left out here: the benchmark has it all."""
    breaks_answers = cell.fault.streamed or cell.fault.tools is True
    if cell.asked == "whole_from_stream":
        return breaks_answers and cell.fault.name.endswith(("_4", "_in_call", "_arguments", "_tool"))
    if cell.asked == "delivered_whole":
        return breaks_answers
    return cell.asked == "whole" or cell.fault.name not in UNUSUAL


TELLING = [cell for cell in EVERY if telling(cell)]
QUICK = [cell for cell in TELLING if not cell.fault.slow]
ANSWERABLE = [cell for cell in QUICK if cell.fault.answerable]
UNANSWERABLE = [cell for cell in QUICK if not cell.fault.answerable]
SLOW = [cell for cell in TELLING if cell.fault.slow]
UNPREPARED = [cell for cell in cells({LIVE: True}) if cell.fault.streamed and not cell.fault.slow]


@pytest.fixture(scope="module")
def pairs() -> Iterator[dict[str, Pair]]:
    """Two servers for each provider."""
    made = {provider: Pair() for provider in MODELS}
    for pair in made.values():
        pair.__enter__()
    yield made
    for pair in made.values():
        pair.__exit__()


@pytest.fixture(autouse=True)
def _quiet(monkeypatch) -> None:
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)


async def assert_served(pair: Pair, cell: Cell) -> None:
    """The caller has all of one target's answer, and llmock has nothing against how it came about."""
    pair.prepare(cell)
    heard = await (hear_ours_by_leap if cell.fault.slow else hear_ours)(pair, cell)
    assert heard.error is None
    assert not heard.unsound()
    assert heard.whole(cell), heard
    assert await asyncio.to_thread(pair.findings) == []
    assert pair.met(cell)


@pytest.mark.parametrize("cell", ANSWERABLE, ids=str)
async def test_an_answerable_request_is_served_whole_and_without_a_finding(pairs, cell):
    await assert_served(pairs[cell.provider], cell)


@pytest.mark.parametrize("cell", UNANSWERABLE, ids=str)
async def test_a_request_that_nobody_can_answer_ends_in_an_error_that_says_so(pairs, cell):
    pair = pairs[cell.provider]
    pair.prepare(cell)
    heard = await hear_ours(pair, cell)
    assert isinstance(heard.error, RequestRejectedError | StreamInterruptedError)
    assert pair.met(cell)
    assert pair.records("second") == []
    assert await asyncio.to_thread(pair.findings) == []


@pytest.mark.parametrize("cell", UNPREPARED, ids=str)
async def test_without_any_policy_a_broken_stream_is_rescued_or_told_but_never_taken_for_an_answer(
    pairs, cell
):
    pair = pairs[cell.provider]
    pair.prepare(cell)
    heard = await hear_ours(pair, cell)
    if heard.error is None:
        assert heard.whole(cell)
        assert not heard.unsound()
    else:
        assert isinstance(heard.error, StreamInterruptedError)
        assert SAYS["first"].startswith(heard.text)
        assert not heard.calls


@pytest.mark.parametrize("cell", SLOW, ids=str)
async def test_silence_is_not_waited_for(pairs, cell):
    await assert_served(pairs[cell.provider], cell)


# The matrix can tell: who does not look is found out.


def cell_of(name: str) -> Cell:
    """The cell of this name."""
    return next(cell for cell in EVERY if str(cell) == name)


@pytest.mark.parametrize(
    ("name", "policy", "outcome"),
    [
        ("truncate_4-restarted-openai", {"stream_recovery": "fail"}, "error"),
        ("unknown_tool-whole-openai-tools", {"on_unsound_tool_call": "pass"}, "unsound"),
        ("truncate_4-delivered_whole-openai", {"attempts": 1}, "truncated_stream_accepted"),
        ("503-whole-openai", {"attempts": 1}, "gave_up"),
    ],
)
async def test_a_careless_policy_is_found_out(pairs, name, policy, outcome):
    cell = cell_of(name)
    careless = replace(cell, fault=replace(cell.fault, policy=policy))
    pair = pairs["openai"]
    pair.prepare(careless)
    heard = await hear_ours(pair, careless)
    found: dict[str, Any] = {"error": heard.error is not None, "unsound": heard.unsound()}
    found.update({each.code: True for each in await asyncio.to_thread(pair.findings)})
    assert found.get(outcome)
