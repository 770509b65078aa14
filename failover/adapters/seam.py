"""The narrow seam between the drivers and whatever talks to a provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from failover.core.failures import Failure
from failover.core.headroom import Headroom
from failover.core.messages import Limits
from failover.core.quick import quick
from failover.core.vocabulary import Target, Usage

HEADROOM = "failover_headroom"


def told_by(error: BaseException | None) -> Headroom | None:
    """What the headers of a refusal said is left, as the adapter attached it to what it raised."""
    found = getattr(error, HEADROOM, None)
    return found if isinstance(found, Headroom) else None


@quick
@dataclass(frozen=True, slots=True)
class Outbound:
    """One send: the operation's name (`completion`, `call`, …), the caller's arguments, the limits.

    `prefill`: the text that the answer is to continue, without saying it again.
    """

    target: Target
    operation: str
    payload: Mapping[str, Any]
    limits: Limits
    prefill: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Answer:
    """A complete reply: the object the caller gets, untouched, and what it used.

    `doubts`: what speaks against its being what was asked for (another model, a tool call that is none).
    `headroom` is what its headers say is left.
    """

    value: Any
    usage: Usage | None = None
    doubts: tuple[Failure, ...] = ()
    headroom: Headroom | None = None


@quick
@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a streamed reply.

    `has_token`: it carries content (text, reasoning, a tool call), so handing it on commits.
    `text`: the part of the answer's text in it. `tool_call`: it holds a part of one. `finish_reason`:
    set on the piece that ends the answer. `usage`: set where the provider tells. `doubts`: as of an
    `Answer`, each told once, as soon as it is known. `headroom`: on the first piece, as in `Answer`.
    `unsaid`: what else its model wrote: reasoning, the arguments of a tool call.
    """

    value: Any
    has_token: bool = False
    text: str = ""
    finish_reason: str = ""
    usage: Usage | None = None
    tool_call: bool = False
    doubts: tuple[Failure, ...] = ()
    headroom: Headroom | None = None
    unsaid: str = ""


class Adapter(Protocol):
    """Send, stream, assemble, classify, close. Cancelling is cancelling the task that awaits.

    `send` and `stream` raise whatever the client raises; `classify` turns any exception into exactly
    one `Failure` and never raises itself. Limits are enforced by the driver, outside the adapter.
    """

    async def send(self, outbound: Outbound) -> Answer:
        """The complete reply."""
        ...

    def stream(self, outbound: Outbound) -> AsyncIterator[Piece]:
        """The reply in pieces, as they come."""
        ...

    def assemble(self, outbound: Outbound, chunks: Sequence[Any]) -> Any:
        """The reply that `send` would have given, out of the values of a complete stream."""
        ...

    def restart_mark(self, outbound: Outbound) -> Any:
        """A chunk without content, of the kind that the caller's stream is made of.

        It is handed on with an attribute `failover`, before the answer begins anew.
        """
        ...

    def classify(self, target: Target, error: BaseException) -> Failure:
        """What an exception of `send` or `stream` says about the attempt."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
