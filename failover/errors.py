"""What can go wrong, told by type: whose fault it is; facts are attributes.

No message holds a credential or a prompt. The provider's own exception is chained as `__cause__`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from failover.core.failures import Failure
    from failover.core.spend import Refusal
    from failover.core.vocabulary import PassedOver


class FailoverError(Exception):
    """The parent of everything this library raises on purpose."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong with a file, where, and what to do: `line` counts from 1, 0 when unknown."""

    file: str
    line: int
    where: str
    what: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.where}: {self.what}" if self.where else f"{place}: {self.what}"


class ConfigError(FailoverError):
    """A config, scenario or plan cannot be used. Holds every complaint at once."""

    def __init__(self, complaints: list[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(str(complaint) for complaint in complaints))


class AuditError(FailoverError):
    """An attempt was not sent, since it could not be written down who would see its data."""


class CassetteError(FailoverError):
    """A cassette cannot be read, or holds no answer for what was asked."""


class LedgerError(FailoverError):
    """The ledger cannot be used: says which file, what is wrong with it, and what to do."""


class CallError(FailoverError):
    """A call ended without a reply. Holds every attempt and every target passed over."""

    def __init__(
        self,
        message: str,
        *,
        route: str,
        failures: tuple[tuple[str, Failure], ...] = (),
        passed_over: tuple[PassedOver, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        self.route = route
        self.failures = failures
        self.passed_over = passed_over
        self.retry_after_s = retry_after_s
        self.failover: Any = None
        super().__init__(message)


class RequestRejectedError(CallError):
    """The caller's fault: no target can take this request as it is."""


class NoEligibleTargetError(CallError):
    """Nothing may be tried, with every reason."""


class AllTargetsFailedError(CallError):
    """Every attempt failed; `retry_after_s` is the soonest time a target may be back."""


class DeadlineExceededError(CallError):
    """The call's deadline passed."""


class BudgetExceededError(CallError):
    """Nobody may be asked for so much money; `refusal` holds the figures of the budget that is to blame.

    `scope` is that budget's (`route:chat`), or `call` for the request's own cap; amounts are nano-dollars,
    None where they are not known. `retry_after_s`: when its window ends.
    """

    def __init__(self, message: str, *, refusal: Refusal, **facts: Any) -> None:
        self.scope = refusal.account
        self.limit_nusd = refusal.limit_nusd
        self.spent_nusd = refusal.spent_nusd
        self.reserved_nusd = refusal.reserved_nusd
        self.asked_nusd = refusal.asked_nusd
        self.resets_s = refusal.resets_s
        super().__init__(message, **facts)


class StreamInterruptedError(CallError):
    """A stream broke after its commit point; `partial_text` is what the caller already had."""

    partial_text: str = ""


class LocalError(CallError):
    """Our own bug, or a bad adapter: nobody is blamed and nobody else is asked."""
