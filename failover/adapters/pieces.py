"""From litellm's chunks to pieces, and from its replies to doubts: what the router must see of both."""

from __future__ import annotations

from typing import Any

from failover.adapters.doubts import ToolCalls, wrong_model
from failover.adapters.operations import usage_of
from failover.adapters.seam import Outbound, Piece
from failover.adapters.transport import Exchange
from failover.core.failures import Failure
from failover.core.headroom import Headroom
from failover.core.vocabulary import Operation


class PieceReader:
    """Reads one stream, chunk by chunk."""

    def __init__(self, outbound: Outbound, exchange: Exchange, headroom: Headroom | None) -> None:
        self._target = outbound.target
        self._exchange = exchange
        self._tool_calls = ToolCalls(outbound.payload)
        self._headroom = headroom
        self._begun = False

    def piece(self, chunk: Any) -> Piece:
        """What is in a chunk; the chunk itself stays as it is."""
        content, text, called, finish_reason = False, "", False, ""
        for choice in chunk.choices:
            delta = choice.delta
            text += delta.content or ""
            if delta.tool_calls:
                called = True
                self._tool_calls.take_in(choice.index, delta.tool_calls)
            # What a chunk has not is slow to ask for: pydantic looks everywhere.
            content = (
                content or bool(vars(delta).get("reasoning_content")) or _extra(delta, "reasoning_content")
            )
            finish_reason = finish_reason or choice.finish_reason or ""
        return Piece(
            chunk,
            has_token=bool(text or called or content),
            text=text,
            finish_reason=finish_reason,
            usage=usage_of(vars(chunk).get("usage") or _extra(chunk, "usage")),
            tool_call=called,
            doubts=self._doubts(ended=bool(finish_reason)),
            headroom=self._taken_headroom(),
        )

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


def _extra(model: Any, name: str) -> Any:
    extra = model.model_extra
    return extra.get(name) if extra else None
