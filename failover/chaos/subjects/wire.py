"""The wire beneath any client: every httpx request of this process meets the world, and is written down.

A request says by its key which target it is meant for; which call it belongs to says the task it is made in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import httpx

from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.modes.playing import played, played_streamed
from failover.chaos.subjects.setting import KEY_PREFIX
from failover.chaos.workload import Asked
from failover.chaos.world.image import Exchange
from failover.chaos.world.outcome import Outcome, pace
from failover.chaos.world.world import World
from failover.core.events import AttemptEnded, AttemptStarted, Event
from failover.core.failures import FailureKind
from failover.core.vocabulary import AttemptCause, Target, Usage
from failover.core.vocabulary import Outcome as Ending
from failover.errors import CassetteError

KEY_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")


@dataclass(slots=True)
class Made:
    """One call of the subject's: its attempts so far."""

    asked: Asked
    deadline_s: float
    asks: dict[str, int] = field(default_factory=dict)
    attempts: int = 0
    running: int = 0
    last: str = ""
    answered_by: str = ""
    cost_nusd: int | None = 0


class Wire:
    """Answers the subject's requests as the world does, and tells the events of its attempts."""

    def __init__(
        self,
        world: World,
        outcomes: Outcomes,
        targets: Mapping[str, Target],
        record: Callable[[Event], None],
    ) -> None:
        self.call: ContextVar[Made] = ContextVar("failover_subject_call")
        self.lost: list[str] = []
        self._world = world
        self._outcomes = outcomes
        self._targets = targets
        self._record = record

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Beneath every async httpx client of this process; nothing reaches a network meanwhile."""
        kind = httpx.AsyncHTTPTransport
        before = kind.handle_async_request

        async def handle(_transport: Any, request: httpx.Request) -> httpx.Response:
            return await self._answered(request)

        kind.handle_async_request = handle  # type: ignore[method-assign,assignment]  # as vcrpy does, to record
        try:
            yield
        finally:
            kind.handle_async_request = before  # type: ignore[method-assign]  # taken back

    async def _answered(self, request: httpx.Request) -> httpx.Response:
        target, made = self._target(request), self.call.get(None)
        if target is None or made is None:
            where = f"{request.method} {request.url.copy_with(query=None)}"
            self.lost.append(where)
            raise CassetteError(f"{where}: nothing is recorded for it: its key names no target of the drill")
        loop = asyncio.get_running_loop()
        stream = await _streams(request)
        ask = made.asks[target.name] = made.asks.get(target.name, 0) + 1
        exchange = self._world.meet(target, made.asked, ask, loop.time(), stream=stream)
        attempt = _Attempt(self._record, self._world, made, target, loop.time())
        outcome = self._outcomes.of(target, made.asked.shape, exchange.image, stream=stream)
        try:
            if not stream or exchange.image.reply is None or outcome.course is None:
                response = await played(exchange.image, request, exchange.total_s)
                attempt.end(outcome, loop.time())
                return response
            response = await played_streamed(exchange.image, request, pace(exchange, outcome.course).at_s)
        except (asyncio.CancelledError, httpx.TimeoutException):
            # The client's own limit: it gave the attempt up, whatever would have come.
            attempt.left(loop.time())
            raise
        except httpx.HTTPError:
            attempt.end(outcome, loop.time())
            raise
        response.stream = _Watched(response.stream, attempt, outcome, exchange)
        return response

    def _target(self, request: httpx.Request) -> Target | None:
        told = [request.headers.get(name, "") for name in KEY_HEADERS]
        told.append(request.url.params.get("key", ""))
        names = (value.rpartition(KEY_PREFIX)[2] for value in told if KEY_PREFIX in value)
        return next((self._targets[name] for name in names if name in self._targets), None)


async def _streams(request: httpx.Request) -> bool:
    body = await request.aread()
    asked = b'"stream":true' in body.replace(b" ", b"")
    return asked or "alt=sse" in str(request.url.query)


class _Attempt:
    """One send, told of when it starts and once when it ends."""

    def __init__(
        self, record: Callable[[Event], None], world: World, made: Made, target: Target, at_s: float
    ) -> None:
        self._record = record
        self._world = world
        self._made = made
        self._target = target
        self._started_s = at_s
        self._first_token_s: float | None = None
        self._over = False
        made.attempts += 1
        self._number = made.attempts
        limit_s = max(0.0, made.deadline_s - at_s)
        call, cause = made.asked.request.id, _cause(made, target)
        record(
            AttemptStarted(at_s, call, self._number, target.name, cause, probe=False, total_limit_s=limit_s)
        )
        made.running += 1
        made.last = target.name

    def begun(self, at_s: float) -> None:
        """Its first event came."""
        if self._first_token_s is None:
            self._first_token_s = at_s - self._started_s

    def end(self, outcome: Outcome, at_s: float) -> None:
        """What came over the wire is what counts, whatever the client made of it."""
        failure = outcome.failure
        kind = None if failure is None else failure.kind
        status = None if failure is None else failure.status
        retry_after_s = None if failure is None else failure.retry_after_s
        ending = Ending.SUCCESS if failure is None else Ending.FAILURE
        self._tell(ending, kind, at_s, outcome.usage, status, retry_after_s)
        if failure is None:
            self._made.answered_by = self._target.name

    def left(self, at_s: float, used: Usage | None = None) -> None:
        """The client went, or its own limit ran out: on the wire both look alike.

        It was sent, and is charged as an attempt of a router of ours: its prompt, and what came.
        """
        usage = Usage(estimated=True) if used is None else used
        if not usage.tokens_in:
            prompt_tokens = self._made.asked.request.tokens_in_at(self._target)
            usage = replace(usage, tokens_in=prompt_tokens, estimated=True)
        self._tell(Ending.ABANDONED, FailureKind.CANCELLED, at_s, usage, None, None)

    def _tell(
        self,
        ending: Ending,
        kind: FailureKind | None,
        at_s: float,
        usage: Usage | None,
        status: int | None,
        retry_after_s: float | None,
    ) -> None:
        if self._over:
            return
        self._over = True
        made, name = self._made, self._target.name
        made.running -= 1
        used = usage or Usage()
        cost_nusd = self._world.prices.charge_nusd(name, usage, self._world.start_epoch_s + at_s)
        spent = made.cost_nusd
        made.cost_nusd = None if spent is None or cost_nusd is None else spent + cost_nusd
        self._record(
            AttemptEnded(
                at_s,
                made.asked.request.id,
                self._number,
                name,
                ending,
                ending,
                kind,
                status,
                retry_after_s,
                self._started_s,
                self._first_token_s,
                used.tokens_in,
                used.tokens_out,
                cost_nusd,
                used.estimated,
                None if used.is_plain() else used,
            )
        )


def _cause(made: Made, target: Target) -> AttemptCause:
    if not made.last:
        return AttemptCause.FIRST
    if made.running:
        return AttemptCause.HEDGE
    return AttemptCause.RETRY if made.last == target.name else AttemptCause.FALLBACK


class _Watched(httpx.AsyncByteStream):
    """A streamed body that tells how far it was read."""

    def __init__(self, inner: Any, attempt: _Attempt, outcome: Outcome, exchange: Exchange) -> None:
        self._inner = inner
        self._attempt = attempt
        self._outcome = outcome
        self._last = (outcome.course.events if outcome.course else 0) - 1
        self._seen = -1
        self._never_ends = exchange.total_s == inf

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        try:
            async for event in self._inner:
                self._seen += 1
                course = self._outcome.course
                if course is not None and course.pieces and self._seen >= course.pieces[0]:
                    self._attempt.begun(loop.time())
                if self._seen >= self._last:
                    self._attempt.end(self._outcome, loop.time())
                yield event
        except httpx.TimeoutException:
            self._attempt.left(loop.time(), self._used())
            raise
        except httpx.HTTPError:
            self._attempt.end(self._outcome, loop.time())
            raise

    def _used(self) -> Usage | None:
        course = self._outcome.course
        known = [each for each in course.so_far if each.event <= self._seen] if course is not None else []
        return known[-1].usage if known else None

    async def aclose(self) -> None:
        """Whoever closes before the end has left."""
        self._attempt.left(asyncio.get_running_loop().time(), self._used())
        await self._inner.aclose()
