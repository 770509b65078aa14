"""Targets that answer, fail, stall and break off at random: an adapter, and plain functions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from random import Random
from typing import Any

from failover.adapters.seam import Answer, Outbound, Piece
from failover.core.failures import Failure, FailureKind
from failover.core.headroom import Counted, Headroom, QuotaWindow
from failover.core.vocabulary import Target, Usage

RARE = (
    FailureKind.QUOTA_EXHAUSTED,
    FailureKind.UNAUTHORIZED,
    FailureKind.REGION_BLOCKED,
    FailureKind.MODEL_GONE,
)
"""What keeps targets away for minutes: as often as the others, they would leave nobody to ask."""

KINDS = tuple(kind for kind in FailureKind if kind not in RARE) * 12 + RARE
HEALTH = (0.0, 0.0, 0.02, 0.02, 0.02, 0.1, 0.1, 0.5, 1.0)
"""How often sends to one target fail, while one of its moods lasts."""

MOOD_SENDS = 300
FOR_EVER_S = 3600.0
USAGE = Usage(100, 20)
UNSOUND = Failure(FailureKind.MALFORMED_REPLY, code="unsound_tool_call")
OTHER_MODEL = Failure(FailureKind.WRONG_MODEL)


class FaultyError(Exception):
    """What a faulty provider's client raises."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.kind)


class Said:
    """A reply, or a chunk of one: an object of the provider's own kind."""


class Chance:
    """What becomes of the next send, drawn from one seed. Moods change, so that breakers open and close."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)  # noqa: S311  a world to be repeated, and no secret
        self._moods: dict[str, float] = {}

    def goes_wrong(self, target: str) -> bool:
        """Whether this send to `target` does."""
        if target not in self._moods or self.draw.random() < 1 / MOOD_SENDS:
            self._moods[target] = self.draw.choice(HEALTH)
        return self.draw.random() < self._moods[target]

    def failure(self) -> Failure:
        """Any kind, with whatever a provider may tell along."""
        draw = self.draw
        return Failure(
            draw.choice(KINDS),
            code=draw.choice(("", "invalid", "broken", f"code-{draw.randrange(1000)}")),
            retry_after_s=draw.choice((None, None, 0.0, 0.01, 0.05)),
            parameter=draw.choice(("", "temperature", f"parameter-{draw.randrange(1000)}")),
        )

    def headroom(self) -> Headroom | None:
        """What is left of a quota that is small enough to be used up now and then."""
        if self.draw.random() < 0.5:
            return None
        left = self.draw.choice((0, 1, 50, 1000))
        return Headroom((QuotaWindow("minute", Counted.REQUESTS, left, 1000, 0.05),))

    async def pause(self) -> None:
        """Mostly a turn of the loop, at times nothing at all, seldom some milliseconds."""
        kind = self.draw.random()
        if kind < 0.03:
            await asyncio.sleep(self.draw.uniform(0.0005, 0.004))
        elif kind < 0.8:
            await asyncio.sleep(0.0)


class FaultyAdapter:
    """Every model target of one router. `running`: sends and streams that nobody closed yet."""

    def __init__(self, seed: int) -> None:
        self.chance = Chance(seed)
        self.running = 0

    async def send(self, outbound: Outbound) -> Answer:
        """A whole reply, or one of many failures; at times nothing, for ever."""
        self.running += 1
        try:
            await self.chance.pause()
            await self._fail(outbound.target.name)
            doubts = (OTHER_MODEL,) if self.chance.draw.random() < 0.02 else ()
            return Answer(Said(), USAGE, doubts, self.chance.headroom())
        finally:
            self.running -= 1

    async def stream(self, outbound: Outbound) -> AsyncIterator[Piece]:
        """Pieces that may stop anywhere; some clients need time to close, or grumble about it."""
        draw = self.chance.draw
        self.running += 1
        try:
            await self.chance.pause()
            early = draw.random() < 0.6
            if early:
                await self._fail(outbound.target.name)
            yield Piece(Said(), headroom=self.chance.headroom())
            tool_call = draw.random() < 0.1
            for _ in range(draw.randrange(6)):
                await self.chance.pause()
                yield Piece(Said(), has_token=True, text="" if tool_call else "word ", tool_call=tool_call)
                if not early and draw.random() < 0.3:
                    await self._fail(outbound.target.name)
            if draw.random() < 0.02:
                return
            doubts = (UNSOUND,) if tool_call and draw.random() < 0.3 else ()
            yield Piece(Said(), has_token=True, text="end", doubts=doubts)
            yield Piece(Said(), finish_reason="stop", usage=USAGE)
            if draw.random() < 0.05:
                await self.chance.pause()
        finally:
            self.running -= 1
            if draw.random() < 0.01:
                raise ConnectionResetError

    def assemble(self, outbound: Outbound, chunks: Sequence[Any]) -> Any:
        """One of them is as good as all, at times as bad."""
        if self.chance.draw.random() < 0.01:
            raise ValueError("the chunks make no reply")
        return Said()

    def restart_mark(self, outbound: Outbound) -> Any:
        """A chunk without content."""
        return Said()

    def classify(self, target: Target, error: BaseException) -> Failure:
        """What was meant."""
        if isinstance(error, FaultyError):
            return error.failure
        return Failure(FailureKind.CONNECTION if isinstance(error, OSError) else FailureKind.LOCAL)

    async def aclose(self) -> None:
        """It holds nothing between sends."""

    async def _fail(self, target: str) -> None:
        if not self.chance.goes_wrong(target):
            return
        if self.chance.draw.random() < 0.02:
            await asyncio.sleep(FOR_EVER_S)
        raise FaultyError(self.chance.failure())


def functions(seed: int) -> dict[str, Callable[..., Any]]:
    """Plain functions as targets: coroutines and ordinary ones, that fail in their own ways."""
    chance = Chance(seed)

    def fail(target: str) -> None:
        if chance.goes_wrong(target):
            kind = chance.draw.random()
            if kind < 0.3:
                raise ConnectionRefusedError
            if kind < 0.35:
                raise ValueError("a bug of the function's own")
            raise FaultyError(chance.failure())

    async def awaited(**_: Any) -> int:
        await chance.pause()
        fail("awaited")
        return 1

    async def stalling(**_: Any) -> int:
        await asyncio.sleep(FOR_EVER_S if chance.draw.random() < 0.02 else 0.0)
        fail("stalling")
        return 2

    def plain(**_: Any) -> int:
        fail("plain")
        return 3

    return {"awaited": awaited, "stalling": stalling, "plain": plain}
