"""What goes into the machine of a call (`Message`), and what comes out of it (`Command`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from failover.core.failures import Failure
from failover.core.headroom import Headroom
from failover.core.quick import quick
from failover.core.vocabulary import Target, Usage

if TYPE_CHECKING:
    from failover.errors import CallError


@quick
@dataclass(frozen=True, slots=True)
class Limits:
    """The time limits of one attempt, each at most what is left of the call's deadline."""

    connect_s: float
    first_token_s: float
    idle_s: float
    total_s: float


@quick
@dataclass(frozen=True, slots=True)
class FirstToken:
    """The first token of a streamed attempt arrived; `headroom` is what its headers say is left.

    `held`: it is part of a tool call, which is handed on when it is whole. `doubts`: what speaks
    against the answer so far.
    """

    attempt: int
    held: bool = False
    doubts: tuple[Failure, ...] = ()
    headroom: Headroom | None = None


@quick
@dataclass(frozen=True, slots=True)
class Succeeded:
    """An attempt delivered a complete reply; `usage` None: the provider did not say.

    `doubts`: what speaks against it being what was asked for. The policy says whether it counts.
    """

    attempt: int
    usage: Usage | None = None
    doubts: tuple[Failure, ...] = ()
    headroom: Headroom | None = None


@quick
@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt failed; `usage` is what the broken part used, where known.

    `resumable`: all that the caller has of it is text, which somebody else could continue.
    """

    attempt: int
    failure: Failure
    usage: Usage | None = None
    resumable: bool = False
    headroom: Headroom | None = None


@quick
@dataclass(frozen=True, slots=True)
class Woken:
    """The time of the last `Wake` came. Earlier than that it means nothing."""


@quick
@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The caller cancelled, or closed the stream early. Nobody is to blame.

    `usage`: what the attempt had used whose stream was being read, as far as is known.
    """

    usage: Usage | None = None


Message = FirstToken | Succeeded | Failed | Woken | CallerLeft


@quick
@dataclass(frozen=True, slots=True)
class Send:
    """Send to `target` within `limits`, and report under this attempt number (from 1).

    `stream`: ask for a stream, whatever the caller wants. `resume`: let it continue the partial text
    that the caller has of the attempts before.
    """

    attempt: int
    target: Target
    limits: Limits
    stream: bool = False
    resume: bool = False


@quick
@dataclass(frozen=True, slots=True)
class Wake:
    """Report `Woken` at `at_s`, whatever runs; a later one replaces it."""

    at_s: float


@quick
@dataclass(frozen=True, slots=True)
class Commit:
    """Hand the stream of this attempt to the caller from now on.

    `restart`: the caller has a part of another answer, and must be told to clear it first.
    """

    attempt: int
    restart: bool = False


@quick
@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop this attempt; its outcome no longer matters."""

    attempt: int


@quick
@dataclass(frozen=True, slots=True)
class Return:
    """The call is over: the reply of this attempt is the answer. `restart`: as of a `Commit`."""

    attempt: int
    restart: bool = False


@quick
@dataclass(frozen=True, slots=True)
class Raise:
    """The call is over without a reply."""

    error: CallError


Command = Send | Wake | Commit | Cancel | Return | Raise
