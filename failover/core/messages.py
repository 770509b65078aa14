"""What goes into the machine of a call (`Message`), and what comes out of it (`Command`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from failover.core.failures import Failure
from failover.core.headroom import Headroom
from failover.core.vocabulary import Limits, Target, Usage

if TYPE_CHECKING:
    from failover.errors import CallError


@dataclass(frozen=True, slots=True)
class FirstToken:
    """The first token of a streamed attempt arrived; `headroom` is what its headers say is left."""

    attempt: int
    headroom: Headroom | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """An attempt delivered a complete reply; `usage` None: the provider did not say."""

    attempt: int
    usage: Usage | None = None
    headroom: Headroom | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt failed; `usage` is what the broken part used, where known."""

    attempt: int
    failure: Failure
    usage: Usage | None = None
    headroom: Headroom | None = None


@dataclass(frozen=True, slots=True)
class Woken:
    """The time of the last `Wake` came."""


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The caller cancelled, or closed the stream early. Nobody is to blame."""


Message = FirstToken | Succeeded | Failed | Woken | CallerLeft


@dataclass(frozen=True, slots=True)
class Send:
    """Send to `target` within `limits`, and report under this attempt number (from 1)."""

    attempt: int
    target: Target
    limits: Limits


@dataclass(frozen=True, slots=True)
class Wake:
    """Report `Woken` at `at_s`."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Commit:
    """Hand the stream of this attempt to the caller from now on."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop this attempt; its outcome no longer matters."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Return:
    """The call is over: the reply of this attempt is the answer."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Raise:
    """The call is over without a reply."""

    error: CallError


Command = Send | Wake | Commit | Cancel | Return | Raise
