"""A provider of our own on loopback: real sockets and HTTP/1.1, OpenAI's chat completions, faults by script.

The router reaches it through the real litellm and the real OpenAI client, so that nothing above the
socket is played. Seconds are those of the running loop's clock.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import Any, Self

from failover.adapters.litellm import LitellmAdapter
from failover.router import Router

WORDS = tuple(f"word{number} " for number in range(60))
"""The answer: sixty tokens."""
ANSWER = "".join(WORDS)
TOKENS_IN = 10
PRICES = {"input_usd_per_mtok": 2, "output_usd_per_mtok": 10}
KEY_VARIABLE = "LOOPBACK_KEY"
_PATIENCE_S = 300.0
ENVIRONMENT = {KEY_VARIABLE: "made-up-for-a-test"}


class Break(Enum):
    """How a stream goes wrong after some of its tokens."""

    RESET = "the connection is reset"
    CLOSED = "the connection closes inside the body"
    ENDED = "the body ends as if all had been said"
    STALLED = "nothing more comes"
    GARBLED = "one chunk is no JSON; the others come"
    ERROR = "an error comes as an event"


@dataclass(frozen=True, slots=True)
class Conduct:
    """What the provider does with one request: it refuses (`error`), or answers in `words`.

    `after_s` passes before anything is sent. `resets`: the connection is reset instead of a reply.
    `breaks` goes wrong after `tokens` words. `takes_prefill`: a last message of the assistant is gone
    on with; None: it is refused. `running_usage`: every chunk tells the usage so far, as some servers do.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    after_s: float = 0.0
    resets: bool = False
    words: Sequence[str] = WORDS
    message: Mapping[str, Any] = field(default_factory=dict)
    finish_reason: str = "stop"
    breaks: Break | None = None
    tokens: int = 0
    done: bool = True
    takes_prefill: bool = True
    running_usage: bool = False


def answers(**changes: Any) -> Conduct:
    """The whole answer."""
    return Conduct(**changes)


def refuses(status: int, code: str | None = None, message: str = "no", **headers: str) -> Conduct:
    """An error in OpenAI's shape."""
    error = {"message": message, "type": "error", "param": None, "code": code}
    return Conduct(status, {name.replace("_", "-"): value for name, value in headers.items()}, error)


def resets() -> Conduct:
    """A TCP reset instead of a reply."""
    return Conduct(resets=True)


def hangs() -> Conduct:
    """Silence for ever."""
    return Conduct(after_s=inf)


def breaks(how: Break, tokens: int = 40, **changes: Any) -> Conduct:
    """A stream that goes wrong after so many tokens; asked for whole, the answer is well."""
    return Conduct(breaks=how, tokens=tokens, **changes)


@dataclass(slots=True)
class Received:
    """One request as it came. `sent` counts the tokens that were written; `left`: the client went first."""

    model: str
    stream: bool
    messages: Sequence[Mapping[str, Any]]
    at_s: float
    conduct: Conduct
    sent: int = 0
    left: bool = False

    @property
    def prefill(self) -> str:
        """What the answer is to go on with."""
        last = self.messages[-1] if self.messages else {}
        return str(last.get("content") or "") if last.get("role") == "assistant" else ""


class _ClientLeftError(Exception):
    """The other end closed its connection before it had its answer."""


Conducts = Conduct | Sequence[Conduct] | Callable[[Received], Conduct]


class LoopbackProvider:
    """Each model behaves by script: in turn, the last one again and again, or as a function says.

    `received` is every request in order, `connections` are those that are open. Use it as `async with`.
    """

    def __init__(self, **scripts: Conducts) -> None:
        self.scripts = scripts
        self.received: list[Received] = []
        self.connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._places: Counter[str] = Counter()
        self._busy = 0
        self._server: asyncio.Server | None = None
        self._ids = itertools.count(1)

    @property
    def api_base(self) -> str:
        """Its address, as an OpenAI client wants it."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/v1"

    def attempts(self, model: str) -> int:
        """How often a model was asked."""
        return sum(1 for each in self.received if each.model == model)

    def waiting(self) -> int:
        """The clients that wait for an answer now."""
        return self._busy

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self.connections.values():
            writer.transport.abort()
        await self.deserted()

    async def deserted(self) -> None:
        """Until no connection is open: the provider learns of a client's leave a moment after it."""
        if self.connections:
            _, open_still = await asyncio.wait(self.connections, timeout=_PATIENCE_S)
            assert not open_still, f"{len(open_still)} connections were left open"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections[task] = writer
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            del self.connections[task]

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its reply; whether the connection may serve another one."""
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if line)
        body = json.loads(await reader.readexactly(int(fields[b"content-length"])))
        received = self._noted(body)
        self._busy += 1
        try:
            return await _Reply(received, next(self._ids), reader, writer).give()
        except (_ClientLeftError, ConnectionError):
            received.left = True
            return False
        finally:
            self._busy -= 1

    def _noted(self, body: Mapping[str, Any]) -> Received:
        now_s = asyncio.get_running_loop().time()
        model = body["model"]
        received = Received(model, bool(body.get("stream")), body["messages"], now_s, Conduct())
        self.received.append(received)
        script = self.scripts[model]
        if isinstance(script, Conduct):
            received.conduct = script
        elif callable(script):
            received.conduct = script(received)
        else:
            received.conduct = script[min(self._places[model], len(script) - 1)]
            self._places[model] += 1
        return received


class _Reply:
    """Carries out one conduct."""

    def __init__(
        self, received: Received, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._received = received
        self._conduct = received.conduct
        self._number = number
        self._reader = reader
        self._writer = writer

    async def give(self) -> bool:
        """Whether the connection may serve another request."""
        conduct, received = self._conduct, self._received
        if conduct.after_s:
            await self._wait(conduct.after_s)
        if conduct.resets:
            return self._reset()
        if conduct.error is not None:
            return await self._json(conduct.status, {"error": conduct.error})
        if received.prefill and not conduct.takes_prefill:
            message = "The conversation must end with a user message: assistant prefill is not supported."
            return await self._json(400, {"error": {"message": message, "type": "invalid_request_error"}})
        if received.stream:
            return await self._stream()
        received.sent = len(self._words())
        message = {"role": "assistant", "content": "".join(self._words()), **conduct.message}
        choice = {"index": 0, "message": message, "finish_reason": conduct.finish_reason}
        return await self._json(
            200, {**self._head("chat.completion"), "choices": [choice], "usage": self._usage()}
        )

    def _words(self) -> Sequence[str]:
        """What is left to say: a prefill ends without white space, so what follows begins with it."""
        words, said = list(self._conduct.words), self._received.prefill
        while words and said.startswith(words[0].rstrip()):
            said = said[len(words.pop(0)) :]
        return [" ", *words] if self._received.prefill and words else words

    async def _stream(self) -> bool:
        conduct, received = self._conduct, self._received
        lines = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", **conduct.headers}
        self._writer.write(_head_of(200, lines))
        for number, word in enumerate(self._words()):
            if conduct.breaks is not None and number == conduct.tokens and not await self._broken(word):
                return False
            received.sent += 1
            await self._event(self._chunk({"content": word}))
        await self._event(self._chunk({}, conduct.finish_reason))
        await self._event({**self._chunk({}), "choices": [], "usage": self._usage()})
        if conduct.done:
            await self._write(b"data: [DONE]\n\n")
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        return True

    async def _broken(self, word: str) -> bool:
        """Go wrong; whether the stream goes on after that."""
        match self._conduct.breaks:
            case Break.RESET:
                return self._reset()
            case Break.ENDED:
                self._writer.write(b"0\r\n\r\n")
            case Break.STALLED:
                await self._wait(inf)
            case Break.ERROR:
                await self._event({"error": {"message": "the server had an error", "type": "server_error"}})
                self._writer.write(b"0\r\n\r\n")
            case Break.GARBLED:
                garbled = json.dumps(self._chunk({"content": word}))[:-9]
                await self._write(b"data: " + garbled.encode() + b"\n\n")
                return True
        await self._writer.drain()
        return False

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        usage = {"usage": self._usage()} if self._conduct.running_usage else {}
        return {**self._head("chat.completion.chunk"), "choices": [choice], **usage}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": f"r{self._number}", "object": kind, "created": 1, "model": self._received.model}

    def _usage(self) -> dict[str, int]:
        sent = self._received.sent
        return {"prompt_tokens": TOKENS_IN, "completion_tokens": sent, "total_tokens": TOKENS_IN + sent}

    async def _json(self, status: int, content: Mapping[str, Any]) -> bool:
        body = json.dumps(content).encode()
        lines = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **self._conduct.headers,
        }
        self._writer.write(_head_of(status, lines) + body)
        await self._writer.drain()
        return True

    async def _event(self, content: Mapping[str, Any]) -> None:
        await self._write(b"data: " + json.dumps(content).encode() + b"\n\n")

    async def _write(self, part: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(part), part))
        await self._writer.drain()

    def _reset(self) -> bool:
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        return False

    async def _wait(self, seconds: float) -> None:
        """Let the time pass; raises when the client goes meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == inf else seconds):
                await self._reader.read(1)
                raise _ClientLeftError


def _head_of(status: int, lines: Mapping[str, str]) -> bytes:
    said = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} as asked\r\n{said}\r\n".encode()


def router_over(
    provider: LoopbackProvider, *chain: str, facts: Mapping[str, Any] | None = None, **options: Any
) -> Router:
    """A router with one route, `chat`, over models of `provider`, which share no fault domain.

    `facts` are keys of targets by name. `rng` draws 0 unless the options say otherwise; the other
    options are the policy. Time is the running loop's.
    """
    clock, rng = asyncio.get_running_loop().time, options.pop("rng", lambda: 0.0)
    targets = {
        name: {
            "provider": f"{name}-inc",
            "model": f"openai/{name}",
            "prices": PRICES,
            **(facts or {}).get(name, {}),
        }
        for name in chain
    }
    # A busy machine may take a while to answer, even to itself: only the limits that a test sets are short.
    long_s = options.setdefault("deadline_s", 600)
    policy = {"connect_s": long_s, "first_token_s": long_s, "idle_s": long_s, **options}
    config = {
        "providers": {
            f"{name}-inc": {"credential": f"env:{KEY_VARIABLE}", "api_base": provider.api_base}
            for name in chain
        },
        "targets": targets,
        "routes": {"chat": {"chain": list(chain), "policy": policy}},
    }
    return Router.from_dict(
        config,
        adapter=LitellmAdapter(environment=ENVIRONMENT),
        clock=clock,
        wall=clock,
        rng=rng,
    )


@dataclass(frozen=True, slots=True)
class Both:
    """The two ends of the wire."""

    provider: LoopbackProvider
    router: Router


@asynccontextmanager
async def served(
    scripts: Mapping[str, Conducts], facts: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[Both]:
    """The provider with these scripts, and a router over their models, in their order."""
    async with (
        LoopbackProvider(**scripts) as provider,
        router_over(provider, *scripts, facts=facts, **options) as service,
    ):
        yield Both(provider, service)


async def warm_up() -> None:
    """One answer of every kind: litellm loads much of itself when it is first needed, for a second or so."""
    async with served({"first": refuses(503), "second": answers()}, breaker={"failures": 99}) as both:
        messages = [{"role": "user", "content": "hello"}]
        await both.router.acompletion("chat", messages)
        async for _ in await both.router.acompletion("chat", messages, stream=True):
            pass
