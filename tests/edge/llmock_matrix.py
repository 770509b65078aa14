"""Two targets of one provider, the first with a fault, and llmock's verdict on who asked them.

Each target is a llmock server of its own: the first has the fault, the second is well. What was heard is
held against what the servers say; how the servers were asked is judged by llmock itself.

llmock groups attempts by path and body, so a fallback looks to it like a retry, or like giving up. Therefore
its rules are put to the question that they ask:

- `MANNERS` is about one provider: each server judges its own traffic, a fallback is a client of its own.
- `OUTCOMES` asks whether the client went on after a failure: judged over both servers as one call, in which
  a fallback is going on. A truncated stream that was rescued by another target is not "accepted".

One warning is harmless: `malformed_chunk_ignored` where another attempt followed. llmock knows only whether
its last byte went out, and a short stream is out before its reader can stop. Who asked no further is told.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Self

import httpx
from llmock.scenarios import Fail, Reply, StreamFault, ToolCall
from llmock.testing import LLMockServer
from llmock.verdict import Finding, judge

from failover import Router
from failover.adapters.litellm import LitellmAdapter
from tests.edge.llmock_faults import (
    CALLS,
    HELLO,
    KEYS,
    MODELS,
    NO_QUOTA,
    PATIENCE_S,
    SAYS,
    TARGETS,
    TOOL,
    WAYS,
    Cell,
)

LONG_S = 10.0
BEFORE_SILENCE_S = 0.08
"""Enough, mostly, for what is said before the silence; it falls silent sooner for who reads more slowly."""

SETTLED_S = 0.3
"""How long a server may take to notice that its client left."""

MANNERS = frozenset(
    {"retry_after_ignored", "retried_non_retryable", "retry_storm", "no_backoff", "no_read_timeout"}
)
OUTCOMES = frozenset({"truncated_stream_accepted", "malformed_chunk_ignored", "gave_up"})


class Pair:
    """Two servers, the first of which will be broken."""

    def __init__(self) -> None:
        self.servers = {target: LLMockServer() for target in TARGETS}

    def __enter__(self) -> Self:
        for server in self.servers.values():
            server.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers.values():
            server.stop()

    def prepare(self, cell: Cell) -> None:
        """Forget what was; the fault is in the first server, and both have something to say."""
        for target, server in self.servers.items():
            server.state.reset()
            server.state.limiter.configure(cell.fault.quota if target == "first" else NO_QUOTA)
            calls = (ToolCall("look_up", CALLS[target]),) if cell.tools else ()
            if target == "first" or cell.fault.everywhere:
                for behavior in cell.fault.behaviors:
                    said = isinstance(behavior, Reply)
                    server.state.scenarios.add(replace(behavior, tool_calls=calls) if said else behavior)
            server.state.scenarios.add(Reply(SAYS[target], calls, times=None))

    def base(self, target: str, provider: str) -> str:
        """The address as litellm wants it: for Gemini with the version of its API."""
        return self.servers[target].base_url(provider) + ("/v1beta" if provider == "gemini" else "")

    def records(self, target: str) -> list[Any]:
        """What this server was asked and is done with, in order."""
        return self.servers[target].state.journal.records(wait=SETTLED_S)

    def met(self, cell: Cell) -> bool:
        """Whether the fault was met; True for one that llmock keeps no record of.

        Silence may be left before it is recorded, and a quota that its headers tell is better not met at
        all: then the other server was asked.
        """
        if cell.fault.slow or cell.fault.asks > 1:
            return bool(self.records("second"))
        recorded = any(isinstance(each, Fail | StreamFault) for each in cell.fault.behaviors)
        recorded = recorded or cell.fault.quota is not NO_QUOTA
        return not recorded or any(record.fault for record in self.records("first"))

    def findings(self) -> list[Finding]:
        """What llmock has against who asked, apart from what did the caller no harm."""
        journals = [self.records(target) for target in TARGETS]
        alone = [finding for journal in journals for finding in judge(journal).findings]
        told = [finding for finding in alone if finding.code in MANNERS]
        in_order = sorted(chain(*journals), key=lambda record: record.started_at)
        together = [replace(record, fingerprint="", seq=place) for place, record in enumerate(in_order)]
        told += [
            finding
            for finding in judge(together).findings
            if finding.code in OUTCOMES
            and not (finding.code == "malformed_chunk_ignored" and finding.seqs[-1] + 1 < len(together))
        ]
        return told


@dataclass
class Heard:
    """What the caller was handed as a success, or the error instead."""

    text: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict)
    error: BaseException | None = None

    def take_in(self, part: Any) -> None:
        """A message, or a delta of one."""
        self.text += part.content or ""
        for place, call in enumerate(part.tool_calls or ()):
            index = getattr(call, "index", None)
            name_and_arguments = self.calls.setdefault(place if index is None else index, ["", ""])
            name_and_arguments[0] += call.function.name or ""
            name_and_arguments[1] += call.function.arguments or ""

    def take_in_chunk(self, chunk: Any) -> None:
        """A chunk of a stream; the mark of a restart clears what was heard before."""
        if getattr(chunk, "failover", None) is not None:
            self.text, self.calls = "", {}
            return
        for choice in chunk.choices:
            self.take_in(choice.delta)

    def unsound(self) -> bool:
        """A call of a tool that was not offered, or arguments that are no JSON object."""
        return not all(name == "look_up" and _parsed(text) is not None for name, text in self.calls.values())

    def whole(self, cell: Cell) -> bool:
        """All that one of the targets says, and no less."""
        called = [_parsed(arguments) for _, arguments in self.calls.values()]
        return any(
            self.text == SAYS[target] and called == ([CALLS[target]] if cell.tools else [])
            for target in TARGETS
        ) or self._as_sent(cell, called)

    def _as_sent(self, cell: Cell, called: list[Any]) -> bool:
        """Broken arguments that llmock itself makes whole.

        Where a dialect carries arguments as an object, it sends the empty one, which is sound.
        """
        broken = cell.fault.name == "malformed_arguments"
        return broken and self.text == SAYS["first"] and called == [{}]


def our_router(pair: Pair, cell: Cell, patience_s: float = PATIENCE_S) -> Router:
    """A route over both servers, with the policy of somebody who reads the documentation.

    `patience_s`: how long silence is borne, where it is the fault.
    """
    config = {
        "providers": {
            target: {
                "credential": f"env:{target.upper()}_TEST_KEY",
                "api_base": pair.base(target, cell.provider),
            }
            for target in TARGETS
        },
        "targets": {
            target: {"provider": target, "model": MODELS[cell.provider], **_room(cell, target)}
            for target in TARGETS
        },
        "routes": {"chat": {"chain": list(TARGETS), "policy": _policy(cell, patience_s)}},
    }
    # Nothing here is encrypted, and to load certificates is half of what a short life of a router costs.
    wire = httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return Router.from_dict(config, adapter=LitellmAdapter(wire, KEYS))


def _room(cell: Cell, target: str) -> dict[str, Any]:
    if not cell.fault.roomier:
        return {}
    tokens = 8_000 if target == "first" else 1_000_000
    return {"context_window_tokens": tokens, "limits": {"tpm": tokens}}


def _policy(cell: Cell, patience_s: float) -> dict[str, Any]:
    patience = {"first_token_s": patience_s, "idle_s": patience_s} if cell.fault.slow else {}
    if cell.fault.slow and not WAYS[cell.asked].streamed_upstream:
        patience = {"attempt_s": patience_s}
    return {"deadline_s": 60, **patience, **WAYS[cell.asked].policy, **cell.fault.policy}


async def hear_ours(pair: Pair, cell: Cell, patience_s: float = PATIENCE_S) -> Heard:
    """What the caller of our router gets at the last time of asking, read to its end."""
    heard = Heard()
    async with our_router(pair, cell, patience_s) as service:
        for _ in range(cell.fault.asks):
            heard = await _heard(service, cell)
    return heard


async def hear_ours_by_leap(pair: Pair, cell: Cell) -> Heard:
    """The same where the fault is silence, which is not waited for: the loop's clock leaps over it.

    So the patience can be long enough for the slowest machine to answer within it.
    """
    call = asyncio.create_task(hear_ours(pair, cell, LONG_S))
    journal, loop = pair.servers["first"].state.journal, asyncio.get_running_loop()
    while not (call.done() or journal.in_flight):  # noqa: ASYNC110  # the server's thread has no event for it
        await asyncio.sleep(0.005)
    await asyncio.sleep(BEFORE_SILENCE_S)
    now_s = loop.time
    loop.time = lambda: now_s() + LONG_S + 1  # type: ignore[method-assign]  # this loop is the test's own
    return await call


async def _heard(service: Router, cell: Cell) -> Heard:
    heard = Heard()
    options: dict[str, Any] = {"tools": [TOOL]} if cell.tools else {}
    try:
        if WAYS[cell.asked].stream:
            async for chunk in await service.acompletion("chat", HELLO, stream=True, **options):
                heard.take_in_chunk(chunk)
        else:
            reply = await service.acompletion("chat", HELLO, **options)
            heard.take_in(reply.choices[0].message)
    except Exception as error:  # noqa: BLE001  # what it is, is for the caller to judge
        heard.error = error
    return heard


def _parsed(arguments: str) -> Any:
    try:
        value = json.loads(arguments)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
