"""What a scripted target does when it is asked. A script is one line, or a list of them.

The lines of a list are used one after another, the last one again and again. A function of the
`SentRequest` that gives a line is a script as well, and so is an exception, which is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from failover.adapters.wire import ConnectionFault
from failover.testing.staging import SentRequest
from failover.testing.wording import WORDED

Then = Literal["end", "cut", "stall"]

ERROR_AFTER_S = 0.08
"""An error answered at the door takes about a round trip."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of these parts; `value` is what a plain function gives instead of text."""

    parts: tuple[str, ...]
    value: Any
    after_s: float
    gap_s: float = 0.0
    then: Then = "end"
    streamed: bool = False
    tokens_in: int | None = None
    tokens_out: int | None = None


@dataclass(frozen=True, slots=True)
class Replied:
    """A response given by its status; without a `body`, an error in the provider's own words."""

    status: int
    body: Any
    after_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """The connection ends without a response, or never does."""

    fault: ConnectionFault
    after_s: float


Line = Said | Replied | Broken | Exception
Script = Line | Sequence[Line] | Callable[[SentRequest], Line]


def answer(
    value: Any = "Hello.",
    *,
    after_s: float = 0.0,
    tokens_in: int | None = None,
    tokens_out: int | None = None,
) -> Line:
    """A success after `after_s` seconds, in the wire shape of the target's provider.

    Where a stream was asked for it is streamed in one part. Tokens left out are estimated. A plain
    function gives `value` itself, whatever it is.
    """
    text = str(value)
    return Said((text,), value, after_s, tokens_in=tokens_in, tokens_out=tokens_out)


def stream(
    *parts: str,
    after_s: float = 0.0,
    gap_s: float = 0.0,
    then: Then = "end",
    tokens_in: int | None = None,
    tokens_out: int | None = None,
) -> Line:
    """An answer in parts: the first after `after_s`, each further one `gap_s` later.

    `then` is what follows: `end`, as it should; `cut`, the connection breaks; `stall`, silence for ever.
    Where no stream was asked for, the parts come together, after the same time.
    """
    if then not in ("end", "cut", "stall"):
        raise ValueError(f"then={then!r}: a stream can `end`, be `cut` or `stall`")
    return Said(tuple(parts), parts, after_s, gap_s, then, True, tokens_in, tokens_out)  # noqa: FBT003  a flag of its own record


def error(
    status: int,
    *,
    retry_after_s: float | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    after_s: float = ERROR_AFTER_S,
) -> Line:
    """An error response in the words of the target's provider, or with a `body` of your own (JSON or text).

    A plain function raises an exception with this `status_code` and `retry_after`.
    """
    if not 400 <= status <= 599:
        raise ValueError(f"{status} is no error: answer(…) is a success, raw(…) any response")
    if body is None and status not in WORDED:
        known = ", ".join(map(str, sorted(WORDED)))
        raise ValueError(f"no provider's words for {status} are known: give it a body; known: {known}")
    return Replied(status, body, after_s, headers or {}, retry_after_s)


def raw(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, after_s: float = 0.0
) -> Line:
    """Any response: JSON as Python values, or text or bytes as they are. For embeddings, tool calls, ….

    A plain function gives `body` itself.
    """
    return Replied(status, body, after_s, headers or {})


def refused(*, after_s: float = ERROR_AFTER_S) -> Line:
    """Nobody listens: the connection is refused."""
    return Broken(ConnectionFault.REFUSED, after_s)


def reset(*, after_s: float = ERROR_AFTER_S) -> Line:
    """The connection breaks before the response."""
    return Broken(ConnectionFault.RESET, after_s)


def hang() -> Line:
    """Neither an answer nor an error, ever."""
    return Broken(ConnectionFault.HANG, 0.0)


class ScriptedError(Exception):
    """What a scripted plain function raises for an `error(…)`."""

    def __init__(self, status: int, retry_after_s: float | None) -> None:
        self.status_code = status
        self.retry_after = retry_after_s
        super().__init__(f"scripted error {status}")
