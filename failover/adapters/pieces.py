"""From litellm's chunks to pieces, and from its replies to doubts: what the router must see of both."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from failover.adapters.continuation import Continuation, beginning
from failover.adapters.doubts import ToolCalls, wrong_model
from failover.adapters.operations import usage_of
from failover.adapters.seam import Outbound, Piece
from failover.adapters.transport import Exchange
from failover.core.failures import Failure
from failover.core.headroom import Headroom
from failover.core.vocabulary import Operation

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

    def piece(self, chunk: Any) -> Piece:
        """What is in a chunk; the chunk itself stays as it is, but for text that is said a second time."""
        content, text, called, finish_reason = None, "", False, ""
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
            content = content or has.get("reasoning_content") or more.get("reasoning_content")
            ended = chosen.get("finish_reason") or choice.__dict__.get("finish_reason")
            finish_reason = finish_reason or ended or ""
        if self._continuation is not None and (text or finish_reason):
            text = self._continued(chunk, text, ended=bool(finish_reason))
        usage = fields.get("usage") or (chunk.__pydantic_extra__ or _NOTHING).get("usage")
        return Piece(
            chunk,
            bool(text or called or content),
            text,
            finish_reason,
            None if usage is None else usage_of(usage),
            called,
            () if self._begun and not finish_reason else self._doubts(ended=bool(finish_reason)),
            None if self._headroom is None else self._taken_headroom(),
        )

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
