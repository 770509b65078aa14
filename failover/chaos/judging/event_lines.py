"""An event as a line that people read: who did what, without the journal's field names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from failover.core.calendar_events import RetirementAhead, RetirementReached
from failover.core.events import (
    AttemptEnded,
    AttemptStarted,
    BreakerChanged,
    CallEnded,
    CallStarted,
    CooldownStarted,
    Event,
    FateShared,
    FirstTokenReceived,
    OutageSuspected,
    ReplyDoubted,
    TargetRetired,
    WaitStarted,
)
from failover.core.prices import NUSD_PER_USD
from failover.core.spend_events import (
    BudgetReached,
    LedgerFailed,
    LedgerRecovered,
    ReservationExceeded,
    SpendAlarmEnded,
    SpendAlarmRaised,
    SpendRefused,
    SpendReserved,
)
from failover.core.vocabulary import AttemptCause, ByDate
from failover.core.world_events import InjectionEnded, InjectionStarted, PriceInForce, TermsInForce

CAUSES = {
    AttemptCause.FIRST: "",
    AttemptCause.RETRY: ", a retry",
    AttemptCause.FALLBACK: ", a fallback",
    AttemptCause.HEDGE: ", a hedge: the one before is silent",
    AttemptCause.LAST_RESORT: ", a last resort: nobody else is left",
    AttemptCause.KEEP_WARM: ", a canary that keeps it warm",
}


FOLLOWS = {
    ByDate.BAR: "it is not asked any more",
    ByDate.PASS_OVER: "asked only where nobody else is left",
}


def event_line(event: Event) -> str:
    """`call 17: attempt 1 at gpt failed after 0.21 s: overloaded (status 503)`; without its time."""
    tell = _LINES.get(type(event))
    return tell(event) if tell else event.event.replace("_", " ")


def _call_started(event: CallStarted) -> str:
    line = f"call {event.call}: a request arrives; to be tried: {', '.join(event.order) or 'nobody'}"
    if event.held_back:
        line += f"; held back for now: {', '.join(event.held_back)}"
    if event.passed_over:
        line += "; passed over: " + ", ".join(f"{name} ({reason})" for name, reason in event.passed_over)
    return f"{line}; deadline {event.deadline_s:.3f} s"


def _attempt_started(event: AttemptStarted) -> str:
    probe = ", a probe of its breaker" if event.probe else ""
    why = CAUSES.get(event.cause, f", {event.cause}")
    limit = f"{event.total_limit_s:.3f} s"
    return f"call {event.call}: attempt {event.attempt} is sent to {event.target}{why}{probe}; limit {limit}"


def _attempt_ended(event: AttemptEnded) -> str:
    about = f"call {event.call}: attempt {event.attempt} at {event.target}"
    after = f"after {event.at_s - event.started_s:.3f} s"
    if event.failure is None:
        return f"{about} ended {after}: {event.outcome}, {_cost(event.cost_nusd)}"
    status = "" if event.status is None else f" (status {event.status})"
    hint = "" if event.retry_after_s is None else f", asked to come back in {event.retry_after_s:g} s"
    return f"{about} failed {after}: {event.failure}{status}{hint}"


def _call_ended(event: CallEnded) -> str:
    attempts = "1 attempt" if event.attempts == 1 else f"{event.attempts} attempts"
    took = f"{event.at_s - event.started_s:.3f} s, {attempts}, {_cost(event.cost_nusd)}"
    if event.target is None:
        return f"call {event.call}: NOT served: {event.error} after {took}"
    return f"call {event.call}: served by {event.target} after {took}"


def _breaker_changed(event: BreakerChanged) -> str:
    until = "" if event.open_until_s is None else f" until {event.open_until_s:.3f} s"
    return f"breaker of {event.target}: {event.state_from} -> {event.state_to}{until}"


def _fate_shared(event: FateShared) -> str:
    names, domain = ", ".join(event.targets), f"{event.scope} {event.domain}"
    if event.until_s == event.at_s:
        return f"{names} may be probed again: another target of {domain} answered"
    return f"{names} kept away too, until {event.until_s:.3f} s at the latest: shares {domain}"


def _retirement_ahead(event: RetirementAhead) -> str:
    return f"{event.target} ends in {event.days_left} days ({event.shape}){_by(event)}"


def _retirement_reached(event: RetirementReached) -> str:
    follows = FOLLOWS.get(event.by_date, "nothing follows from the date alone")
    return f"the end of {event.target} has come ({event.shape}): {follows}{_by(event)}"


def _by(event: RetirementAhead | RetirementReached) -> str:
    successor = f"; successor {event.successor}" if event.successor else ""
    return f"{successor}; source: {event.source}"


def _price_in_force(event: PriceInForce) -> str:
    if event.input_nusd_per_mtok is None or event.output_nusd_per_mtok is None:
        return f"price of {event.target}: not known from now on"
    rates = event.input_nusd_per_mtok, event.output_nusd_per_mtok
    costs = " and ".join(f"${rate / NUSD_PER_USD:g}" for rate in rates)
    return f"price of {event.target}: {costs} for a million tokens in and out"


def _terms_in_force(event: TermsInForce) -> str:
    known = _classes(event.forbidden)
    hidden = [each for each in event.really_forbidden if each not in event.forbidden]
    line = f"terms of {event.target}: {'it may have all data' if not known else f'not for {known}'}"
    return f"{line}; nobody told us, but not for {_classes(hidden)} either" if hidden else line


def _classes(names: Iterable[str]) -> str:
    return ", ".join(name or "data of no class" for name in names)


def _spend_reserved(event: SpendReserved) -> str:
    held = f" of {', '.join(event.accounts)}" if event.accounts else ""
    about = f"call {event.call}: {_cost(event.reserved_nusd)}{held} kept free"
    return f"{about} for attempt {event.attempt} at {event.target}"


def _spend_refused(event: SpendRefused) -> str:
    line = f"call {event.call}: {event.target} is not asked: {event.reason}"
    if event.limit_nusd is None:
        return line
    line += f"; {event.account or 'all'} may cost {_cost(event.limit_nusd)}"
    if event.asked_nusd is None:
        return line
    told = f"{_cost(event.spent_nusd)} spent, {_cost(event.reserved_nusd)} reserved"
    return f"{line}: {told}, {_cost(event.asked_nusd)} asked"


def _reservation_exceeded(event: ReservationExceeded) -> str:
    about = f"call {event.call}: attempt {event.attempt} at {event.target} cost {_cost(event.cost_nusd)}"
    return f"{about}, more than was reserved for it: {_cost(event.reserved_nusd)}"


def _budget_reached(event: BudgetReached) -> str:
    kind = "hard" if event.hard else "soft"
    told = f"{_cost(event.spent_nusd)} of {_cost(event.limit_nusd)} per {event.per}"
    return f"{event.spent_share:.0%} of the {kind} budget of {event.account} is spent: {told}"


def _spend_alarm_raised(event: SpendAlarmRaised) -> str:
    told = f"{_cost(event.spent_nusd)} in the last {event.per}, more than {_cost(event.limit_nusd)}"
    return f"ALARM: {event.account} spent {told}"


def _cost(cost_nusd: int | None) -> str:
    return "cost not known" if cost_nusd is None else f"${cost_nusd / NUSD_PER_USD:.6f}"


_LINES: Mapping[type[Event], Callable[[Any], str]] = {
    CallStarted: _call_started,
    AttemptStarted: _attempt_started,
    AttemptEnded: _attempt_ended,
    CallEnded: _call_ended,
    BreakerChanged: _breaker_changed,
    FateShared: _fate_shared,
    PriceInForce: _price_in_force,
    RetirementAhead: _retirement_ahead,
    RetirementReached: _retirement_reached,
    TermsInForce: _terms_in_force,
    FirstTokenReceived: lambda event: f"call {event.call}: the first token of {event.target} arrives",
    ReplyDoubted: lambda event: (
        f"call {event.call}: the answer of {event.target} is doubted: {event.failure} ({event.code})"
    ),
    WaitStarted: lambda event: (
        f"call {event.call}: waits until {event.until_s:.3f} s, nobody may be asked now"
    ),
    CooldownStarted: lambda event: (
        f"{', '.join(event.targets)} left alone until {event.until_s:.3f} s (asked of this {event.scope})"
    ),
    OutageSuspected: lambda event: (
        f"{event.target} is suspected of an outage: {event.failure}, refusal {event.evidence}"
    ),
    TargetRetired: lambda event: f"{event.target} is retired: {event.failure}",
    InjectionStarted: lambda event: f"INJECTION begins: {event.kind} of {event.selector}",
    InjectionEnded: lambda event: f"INJECTION ends: {event.kind} of {event.selector}",
    SpendReserved: _spend_reserved,
    SpendRefused: _spend_refused,
    ReservationExceeded: _reservation_exceeded,
    BudgetReached: _budget_reached,
    SpendAlarmRaised: _spend_alarm_raised,
    SpendAlarmEnded: lambda event: f"the alarm on {event.account} per {event.per} ends",
    LedgerFailed: lambda event: f"the ledger fails: {event.what}",
    LedgerRecovered: lambda _: "the ledger answers again",
}
