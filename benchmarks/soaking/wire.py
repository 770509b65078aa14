"""A provider on loopback that speaks OpenAI's chat dialect, badly: a small server on the running loop."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from math import inf
from random import Random
from typing import Any

HEAD = "HTTP/1.1 {status} Told\r\nContent-Type: {kind}\r\n{more}\r\n"
FAILURES = (400, 401, 404, 429, 429, 500, 500, 502, 503, 503, 529)
PAUSE_S = 0.002
SILENT_S = 1.5


class FaultyServer:
    """Answers, refuses, cuts, stalls and hangs up at random. `port` is set by `start`."""

    def __init__(self, seed: int, share: float = 0.25) -> None:
        self._draw = Random(seed)  # noqa: S311  a world to be repeated, and no secret
        self._share = share
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[Any]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def tasks(self) -> set[asyncio.Task[Any]]:
        """Those that wait on open connections."""
        return set(self._serving)

    async def aclose(self) -> None:
        """Listen no more, and hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for each in self._serving:
            each.cancel()
        if self._serving:
            await asyncio.wait(self._serving)
        if self._server is not None:
            await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(
            (int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0
        )
        asked = json.loads(await reader.readexactly(length) or b"{}")
        kind = self._draw.random() / self._share if self._share else inf
        if kind < 0.5:
            status = self._draw.choice(FAILURES)
            body = json.dumps({"error": {"message": "no", "type": "made_up", "code": None}})
            return await self._whole(writer, status, body, "Retry-After: 0.02\r\n" if status == 429 else "")
        if kind < 0.6:
            return False  # hangs up without a word
        if kind < 0.65:
            await asyncio.sleep(SILENT_S)
        if asked.get("stream"):
            return await self._streamed(writer, asked, cut=kind < 1)
        if kind < 1:
            return await self._whole(writer, 200, self._draw.choice(("<html>", "{}", '{"choices": []}')))
        return await self._whole(writer, 200, json.dumps(_reply(asked, "hello")))

    async def _whole(self, writer: asyncio.StreamWriter, status: int, body: str, more: str = "") -> bool:
        more += f"Content-Length: {len(body)}\r\n"
        writer.write((HEAD.format(status=status, kind="application/json", more=more) + body).encode())
        await writer.drain()
        return True

    async def _streamed(self, writer: asyncio.StreamWriter, asked: dict[str, Any], *, cut: bool) -> bool:
        chunked = "Transfer-Encoding: chunked\r\n"
        writer.write(HEAD.format(status=200, kind="text/event-stream", more=chunked).encode())
        for number in range(4):
            if cut and self._draw.random() < 0.3:
                return False
            _part(writer, json.dumps(_chunk(asked, {"role": "assistant", "content": f"word {number} "})))
            await writer.drain()
            await asyncio.sleep(PAUSE_S if self._draw.random() < 0.2 else 0)
        if cut:
            writer.write(b"0\r\n\r\n")  # in good order, and yet without an end of the answer
            return True
        _part(writer, json.dumps(_chunk(asked, {}, "stop")))
        _part(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def _part(writer: asyncio.StreamWriter, data: str) -> None:
    line = f"data: {data}\n\n".encode()
    writer.write(b"%x\r\n%b\r\n" % (len(line), line))


def _reply(asked: dict[str, Any], text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return _envelope(asked, "chat.completion") | {"choices": choices, "usage": usage}


def _chunk(asked: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return _envelope(asked, "chat.completion.chunk") | {"choices": choices}


def _envelope(asked: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "made-up", "object": kind, "created": 1, "model": asked.get("model", "")}
