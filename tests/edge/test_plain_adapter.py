"""Any function as a target: its value is the answer, its error is judged by what it says of itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from failover.adapters.plain import CallableAdapter, resolve
from failover.adapters.seam import Outbound
from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Target
from failover.errors import CassetteError, ConfigError
from tests.edge.fake_wire import LIMITS

_K = FailureKind
SCORER = Target("scorer", "local", callable="scoring:score")


def called(**payload: Any) -> Outbound:
    return Outbound(SCORER, "call", payload, LIMITS)


def test_a_name_resolves_to_its_function() -> None:
    assert resolve("json:dumps") is __import__("json").dumps


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("json.dumps", "must read `package.module:function`"),
        ("no_such_module:f", "module no_such_module cannot be imported"),
        ("json:no_such", "json has no no_such"),
        ("json:__name__", "is a str, which cannot be called"),
    ],
)
def test_a_name_that_leads_nowhere_says_where_it_stopped(name: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        resolve(name)


async def test_a_coroutine_function_is_awaited() -> None:
    async def score(text: str) -> int:
        return len(text)

    assert (await CallableAdapter(score).send(called(text="four"))).value == 4


async def test_an_object_with_an_async_call_is_awaited() -> None:
    class Scorer:
        async def __call__(self, text: str) -> int:
            return len(text)

    assert (await CallableAdapter(Scorer()).send(called(text="four"))).value == 4


async def test_a_plain_function_runs_in_a_thread() -> None:
    answer = await CallableAdapter(threading.current_thread).send(called())
    assert answer.value is not threading.main_thread()


async def test_a_name_is_as_good_as_a_function() -> None:
    assert (await CallableAdapter("string:capwords").send(called(s="a b"))).value == "A B"


async def test_an_async_iterator_streams_its_items_and_then_ends() -> None:
    async def words() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    pieces = [piece async for piece in CallableAdapter(words).stream(called())]
    assert [piece.value for piece in pieces if piece.has_token] == ["a", "b"]
    assert [piece.finish_reason for piece in pieces] == ["", "", "stop"]


class _SaysSoError(Exception):
    failure = Failure(_K.QUOTA_EXHAUSTED)


class _AnsweredError(Exception):
    def __init__(self, status_code: int, retry_after: float | None = None) -> None:
        self.status_code = status_code
        self.retry_after = retry_after
        super().__init__("answered")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (_SaysSoError(), _K.QUOTA_EXHAUSTED),
        (_AnsweredError(429), _K.RATE_LIMITED),
        (_AnsweredError(503), _K.OVERLOADED),
        (TimeoutError(), _K.TIMEOUT),
        (ConnectionResetError(), _K.CONNECTION),
        (OSError("no route to host"), _K.CONNECTION),
        (httpx.ConnectError("refused"), _K.CONNECTION),
        (asyncio.CancelledError(), _K.CANCELLED),
        (CassetteError("nothing is recorded"), _K.LOCAL),
        (ValueError("our own bug"), _K.LOCAL),
        (KeyError("our own bug"), _K.LOCAL),
        (BaseException(), _K.LOCAL),
    ],
)
def test_an_error_is_judged_by_what_it_says_of_itself(error: BaseException, kind: FailureKind) -> None:
    assert CallableAdapter(len).classify(SCORER, error).kind is kind


def test_an_errors_waiting_hint_is_kept() -> None:
    assert CallableAdapter(len).classify(SCORER, _AnsweredError(429, retry_after=2.5)).retry_after_s == 2.5
