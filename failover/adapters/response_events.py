"""Streamed responses: what the events of OpenAI's Responses API hold, which litellm makes for everybody.

Measured with litellm 1.106.2: OpenAI, Azure and xAI stream the events themselves; for Anthropic, Gemini and
Mistral litellm makes them of a streamed chat, and ends a stream that was cut with events of its own making.
For models that its map says cannot stream, it asks for the whole and cuts that up.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from enum import Enum
from typing import Any

from failover.adapters.operations import METHODS
from failover.adapters.pieces import PieceReader, counted
from failover.adapters.seam import Piece
from failover.adapters.usage import usage_of
from failover.core.vocabulary import Operation

RESTART = "failover.restart"
"""The type of the event that says: clear what you have. No provider has one of this name."""

_ENDS = frozenset({"response.completed", "response.incomplete"})
_TEXT = "response.output_text.delta"
_CONTENT = (".delta", ".partial_image")
_ITEMS = frozenset({"response.output_item.added", "response.output_item.done"})
_CALLS = frozenset({"function_call", "custom_tool_call"})
_OF_CALLS = ("response.function_call_arguments.", "response.custom_tool_call_input.")


class EventReader(PieceReader):
    """Reads one streamed response, event by event."""

    def piece(self, event: Any) -> Piece:
        """What is in an event; the event itself stays as it is."""
        kind = _kind(event)
        if kind in _ENDS:
            return self._end(event)
        delta = kind.endswith(_CONTENT)
        # An item is announced before anything of it comes: with a tool call, its name.
        begun = kind in _ITEMS and getattr(event.item, "type", None) in _CALLS
        return Piece(
            event,
            has_token=delta or (begun and kind.endswith(".added")),
            text=event.delta if kind == _TEXT else "",
            unsaid=event.delta if delta and kind != _TEXT and isinstance(event.delta, str) else "",
            tool_call=begun or kind.startswith(_OF_CALLS),
            doubts=self._doubts(ended=False),
            headroom=self._taken_headroom(),
        )

    def _end(self, event: Any) -> Piece:
        response = event.response
        self._tool_calls.take_in_items(response.output)
        return Piece(
            event,
            finish_reason=response.status or "completed",
            usage=counted(usage_of(response.usage), self._exchange),
            doubts=self._doubts(ended=True),
            headroom=self._taken_headroom(),
        )


def assembled(events: Sequence[Any]) -> Any:
    """The response that a complete stream ends with. Raises `ValueError` where it ends with none."""
    response = getattr(events[-1], "response", None) if events else None
    if response is None or METHODS[Operation.RESPONSES].lacks(response):
        raise ValueError("the events make no response")
    return response


def restart_event() -> Any:
    """An event of litellm's, of a type that no provider sends."""
    types: Any = importlib.import_module("litellm.types.llms.openai")
    return types.GenericEvent(type=RESTART)


def _kind(event: Any) -> str:
    kind = event.type
    return str(kind.value if isinstance(kind, Enum) else kind)
