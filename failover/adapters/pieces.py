"""From litellm's chunks to pieces, and from its replies to doubts: what the router must see of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from failover.adapters.continuation import Continuation, beginning
from failover.adapters.doubts import ToolCalls, wrong_model
from failover.adapters.seam import Outbound, Piece
from failover.adapters.told_usage import LONGEST_READ_BYTES, usage_in
from failover.adapters.transport import Exchange
from failover.adapters.usage import usage_of
from failover.core.failures import Failure
from failover.core.headroom import Headroom
from failover.core.vocabulary import Operation, Usage

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class PieceReader:
    """Reads one stream, chunk by chunk."""

    def __init__(self, outbound: Outbound, exchange: Exchange, headroom: Headroom | None) -> None:
        self._target = outbound.target
        self._exchange = exchange
        self._tool_calls = ToolCalls(outbound.payload)
        self._continuation = _continuation(outbound)
        self._headroom = headroom
        self._begun = False
        # litellm then hands on none, though the wire may tell.
        self._asks_none = "stream_options" in outbound.payload

    def piece(self, chunk: Any) -> Piece:
        """What is in a chunk; the chunk itself stays as it is, but for text that is said a second time."""
        text, called, finish_reason, unsaid = "", False, "", ""
        # Past pydantic, which looks everywhere for what a chunk has not; litellm's fields lie in both places.
        fields = chunk.__dict__
        for choice in fields["choices"]:
            chosen = choice.__pydantic_extra__ or choice.__dict__
            delta = chosen.get("delta")
            delta = choice.delta if delta is None else delta
            has, more = delta.__dict__, delta.__pydantic_extra__ or _NOTHING
            said = more.get("content") or has.get("content")
            if said:
                text = text + said if text else said
            calls = more.get("tool_calls") or has.get("tool_calls")
            if calls:
                called = True
                self._tool_calls.take_in(choice.index, calls)
                unsaid += "".join(map(_arguments, calls))
            thought = has.get("reasoning_content") or more.get("reasoning_content")
            if thought:
                unsaid += thought
            ended = chosen.get("finish_reason") or choice.__dict__.get("finish_reason")
            finish_reason = finish_reason or ended or ""
        if self._continuation is not None and (text or finish_reason):
            text = self._continued(chunk, text, ended=bool(finish_reason))
        usage = fields.get("usage") or (chunk.__pydantic_extra__ or _NOTHING).get("usage")
        begins = not self._begun
        return Piece(
            chunk,
            bool(text or called or unsaid),
            text,
            finish_reason,
            self._told(usage, begins=begins) if begins or usage is not None or self._asks_none else None,
            called,
            () if self._begun and not finish_reason else self._doubts(ended=bool(finish_reason)),
            None if self._headroom is None else self._taken_headroom(),
            unsaid,
        )

    def _told(self, usage: Any, *, begins: bool) -> Usage | None:
        """What is told by now: at the beginning, where some tell the length of the prompt, and at the end."""
        watch = self._exchange.watch
        ended = watch is None or watch.ended or self._exchange.over
        return counted(usage_of(usage), self._exchange) if begins or ended else usage_of(usage)

    def _continued(self, chunk: Any, text: str, *, ended: bool) -> str:
        """The text that the caller does not have yet, which becomes the chunk's: it is changed only here."""
        assert self._continuation is not None  # noqa: S101  # asked only of who continues
        new = self._continuation.new(text)
        if ended:
            new += self._continuation.rest()
        if new != text:
            chunk.choices[0].delta.content = new
        return new

    def _taken_headroom(self) -> Headroom | None:
        """What its headers said is left: told with the first piece."""
        headroom, self._headroom = self._headroom, None
        return headroom

    def _doubts(self, *, ended: bool) -> tuple[Failure, ...]:
        doubts: tuple[Failure, ...] = ()
        if not self._begun:
            self._begun = True
            doubts = wrong_model(self._target, self._exchange.seen())
        return doubts + self._tool_calls.doubts() if ended else doubts


def counted(usage: Usage | None, exchange: Exchange) -> Usage | None:
    """What an answer used: what the wire told goes before `usage`, which is litellm's word.

    Of a stream that tells none, or where litellm does not look, litellm counts by itself.
    """
    seen = exchange.seen()
    told = usage_in(seen) if len(seen) <= LONGEST_READ_BYTES or exchange.watch is not None else None
    if told is not None or usage is None:
        return told
    guessed = exchange.watch is not None and exchange.readable
    return replace(usage, estimated=True) if guessed else usage


def texts_of(value: Any) -> list[str]:
    """What the model wrote in a whole chat: its text, its reasoning, the arguments of its tool calls."""
    found: list[str] = []
    for choice in getattr(value, "choices", None) or ():
        message = getattr(choice, "message", None)
        for name in ("content", "reasoning_content"):
            said = getattr(message, name, None)
            if isinstance(said, str):
                found.append(said)
        found += map(_arguments, getattr(message, "tool_calls", None) or ())
    return found


def _arguments(call: Any) -> str:
    function = call.get("function") if isinstance(call, Mapping) else getattr(call, "function", None)
    told = function.get("arguments") if isinstance(function, Mapping) else getattr(function, "arguments", "")
    return told if isinstance(told, str) else ""


def doubts_of(outbound: Outbound, exchange: Exchange, value: Any) -> tuple[Failure, ...]:
    """What speaks against a whole reply of litellm's."""
    doubts = wrong_model(outbound.target, exchange.seen())
    tool_calls = ToolCalls(outbound.payload)
    if outbound.operation == Operation.RESPONSES:
        tool_calls.take_in_items(value.output)
    for choice in getattr(value, "choices", None) or ():
        message = getattr(choice, "message", None)
        called = getattr(message, "tool_calls", None)
        if called:
            tool_calls.take_in(choice.index, called)
    return doubts + tool_calls.doubts()


def _continuation(outbound: Outbound) -> Continuation | None:
    if not outbound.prefill:
        return None
    return Continuation(beginning(outbound.payload, outbound.prefill))
