"""A scripted adapter: targets answer by script, on the running loop's clock, so that time may be virtual."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from failover.adapters.seam import Answer, Outbound, Piece
from failover.chaos.modes.virtual_loop import run_virtual
from failover.core.events import Event
from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Target, Usage
from failover.router import Router

FOR_EVER_S = 1e9
HELLO = [{"role": "user", "content": "hello"}]
PRICES = {"input_usd_per_mtok": 2, "output_usd_per_mtok": 10}


class ScriptedError(Exception):
    """What a scripted provider's client raises."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.kind)


class Said:
    """A reply as a provider's client makes it: an object of its own kind."""

    def __init__(self, text: str) -> None:
        self.text = text


Item = Answer | Piece | Failure | BaseException
"""A failure is raised as a `ScriptedError`, made anew each time; an exception is raised as it is."""


@dataclass(frozen=True)
class Fate:
    """What becomes of one send: each item comes after its gap in seconds; then the stream ends."""

    steps: tuple[tuple[float, Item], ...]


def answers(text: str = "hello", after_s: float = 0.0, usage: Usage | None = None) -> Fate:
    """A whole reply."""
    return Fate(((after_s, Answer(Said(text), usage)),))


def fails(kind: FailureKind, after_s: float = 0.0, **facts: Any) -> Fate:
    """A failure of this kind; for a stream, before its first piece."""
    return Fate(((after_s, Failure(kind, **facts)),))


def raises(error: BaseException, after_s: float = 0.0) -> Fate:
    """An exception of any type."""
    return Fate(((after_s, error),))


def hangs() -> Fate:
    """Neither an answer nor an error, ever."""
    return fails(FailureKind.LOCAL, FOR_EVER_S)


def streams(*items: Item | str, gap_s: float = 0.0) -> Fate:
    """A stream of these items, each after the same gap; a word is a token. Nothing else ends it."""
    return paced(*((gap_s, item) for item in items))


def paced(*steps: tuple[float, Item | str]) -> Fate:
    """The same with a gap of its own for each item."""
    return Fate(tuple((gap_s, token(item) if isinstance(item, str) else item) for gap_s, item in steps))


def token(text: str) -> Piece:
    """A chunk with content."""
    return Piece(Said(text), has_token=True, text=text)


ROLE = Piece("role only")
"""The chunk that most providers send first: it carries no token."""

CUT = Failure(FailureKind.TRUNCATED_STREAM)


def stop(usage: Usage | None = None) -> Piece:
    """The chunk that ends an answer."""
    return Piece("stop", finish_reason="stop", usage=usage)


class ScriptedAdapter:
    """Each target meets its fates in turn, the last one again and again.

    `sent` is every send in order, `running` the sends that have not ended, `closed` the closings.
    """

    def __init__(
        self, chosen: Callable[[Outbound], Fate] | None = None, **fates: Fate | Sequence[Fate]
    ) -> None:
        self._chosen = chosen or self._in_turn
        self._fates = {name: [fate] if isinstance(fate, Fate) else list(fate) for name, fate in fates.items()}
        self.sent: list[Outbound] = []
        self.running = 0
        self.closed = 0

    def _in_turn(self, outbound: Outbound) -> Fate:
        fates = self._fates[outbound.target.name]
        return fates.pop(0) if len(fates) > 1 else fates[0]

    def asked(self) -> list[str]:
        """The targets that were sent to, in order."""
        return [outbound.target.name for outbound in self.sent]

    async def send(self, outbound: Outbound) -> Answer:
        async with aclosing(self._items(outbound)) as items:
            item = await anext(items)
            assert isinstance(item, Answer)
            return item

    async def stream(self, outbound: Outbound) -> AsyncIterator[Piece]:
        async with aclosing(self._items(outbound)) as items:
            async for item in items:
                assert isinstance(item, Piece)
                yield item

    async def _items(self, outbound: Outbound) -> AsyncGenerator[Answer | Piece, None]:
        self.sent.append(outbound)
        self.running += 1
        try:
            for gap_s, item in self._chosen(outbound).steps:
                if gap_s:
                    await asyncio.sleep(gap_s)
                if isinstance(item, Failure):
                    raise ScriptedError(item)
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.running -= 1

    def assemble(self, outbound: Outbound, chunks: Sequence[Any]) -> Any:
        return Said("".join(getattr(chunk, "text", "") for chunk in chunks))

    def restart_mark(self, outbound: Outbound) -> Any:
        return Said("")

    def classify(self, target: Target, error: BaseException) -> Failure:
        return getattr(error, "failure", Failure(FailureKind.LOCAL))

    async def aclose(self) -> None:
        self.closed += 1


def config(*chain: str, callables: Sequence[str] = (), **policy: Any) -> dict[str, Any]:
    """A config with one route, `chat`, over targets that share no fault domain; each has `PRICES`."""
    names = [name for name in chain if name not in callables]
    models = {
        name: {"provider": f"{name}-inc", "model": f"openai/{name}", "prices": PRICES} for name in names
    }
    return {
        "providers": {f"{name}-inc": {"credential": f"env:{name.upper()}_KEY"} for name in names},
        "targets": {**models, **{name: {"callable": name} for name in callables}},
        "routes": {"chat": {"chain": list(chain), "policy": policy}},
    }


def router(adapter: ScriptedAdapter, *chain: str, **policy: Any) -> Router:
    """A router over the scripted targets, on the running loop's clock; chance plays no part."""
    loop = asyncio.get_running_loop()
    return Router.from_dict(
        config(*chain, **policy), adapter=adapter, clock=loop.time, wall=loop.time, rng=lambda: 0.5
    )


def heard(router: Router) -> list[Event]:
    """Every event from now on."""
    events: list[Event] = []
    router.subscribe(events.append)
    return events


def named(events: Sequence[Event], name: str) -> list[Any]:
    """The events of one kind."""
    return [event for event in events if event.event == name]


def in_flight(router: Router) -> Mapping[str, int]:
    """The sends under way that the router counts, where there are any."""
    counts = {name: target.in_flight for name, target in router.snapshot().targets.items()}
    return {name: count for name, count in counts.items() if count}


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and everything it was raised from."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, run on a loop whose time jumps."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    return run


def running_tasks() -> set[asyncio.Task[Any]]:
    """The tasks on the loop, but for those of litellm's finalizers.

    A client of litellm's that nobody holds any more closes itself on whichever loop runs when the garbage
    collector comes: one that another test left may do so here.
    """
    return {
        task
        for task in asyncio.all_tasks()
        if getattr(task.get_coro(), "__qualname__", "") != "AsyncClient.aclose"
    }
