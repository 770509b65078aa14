"""How a call without a reply ends: which error, and in which words."""

from __future__ import annotations

import datetime as dt

from failover.core.failures import Failure, Scope
from failover.core.prices import NUSD_PER_USD
from failover.core.purse import CALL, Purse
from failover.core.spend import UNPAYABLE, Refusal
from failover.core.substitution import BARRING
from failover.core.vocabulary import PassedOver, Reason
from failover.errors import (
    AllTargetsFailedError,
    BudgetExceededError,
    CallError,
    DeadlineExceededError,
    LocalError,
    NoEligibleTargetError,
    RequestRejectedError,
    StreamInterruptedError,
)

Failures = tuple[tuple[str, Failure], ...]
Passed = tuple[PassedOver, ...]


def _told(failures: Failures) -> str:
    return "; ".join(f"{name}: {_words(failure)}" for name, failure in failures)


def _words(failure: Failure) -> str:
    details = [str(failure.kind)]
    if failure.phase is not None:
        details.append(failure.phase)
    if failure.status is not None:
        details.append(str(failure.status))
    if failure.code:
        details.append(failure.code)
    return " ".join(details)


def _reason(each: PassedOver) -> str:
    return f"{each.target.name}: {each.reason}" + (f" ({each.detail})" if each.detail else "")


def soonest_s(returns_s: list[float], passed_over: Passed, now: float) -> float | None:
    """In how many seconds somebody may be back: `returns_s` are the instants that providers named."""
    instants_s = returns_s + [each.until_s for each in passed_over if each.until_s is not None]
    return max(0.0, min(instants_s) - now) if instants_s else None


def without_reply(  # noqa: PLR0913  # all that a call knows at its end
    route: str,
    failures: Failures,
    passed_over: Passed,
    *,
    broken: int | None,
    stopped: bool,
    deadline_s: float | None,
    retry_after_s: float | None,
    untried: bool,
    purse: Purse | None = None,
) -> CallError:
    """The error that a call ends with, by the first of these that holds.

    `broken`: which failure broke a stream that the caller had begun to read. `stopped`: the last failure
    forbids asking anybody else. `deadline_s`: it passed, and was so long. Else nobody is left. `purse` knows
    what was too much.
    """
    if broken is not None:
        return interrupted(route, failures, passed_over, broken)
    if stopped:
        return refused(route, failures, passed_over)
    if deadline_s is not None:
        return deadline_exceeded(route, deadline_s, failures, passed_over)
    if not failures and purse is not None and (error := unpaid(route, passed_over, purse, retry_after_s)):
        return error
    return exhausted(route, failures, passed_over, retry_after_s, untried=untried)


def interrupted(route: str, failures: Failures, passed_over: Passed, broken: int) -> CallError:
    """A stream broke after its commit point: `failures[broken]`, and nobody after that saved it."""
    name, failure = failures[broken]
    since = failures[broken + 1 :]
    lost = f"; it could not be saved ({_told(since)})" if since else ""
    return StreamInterruptedError(
        f"route {route!r}: the stream of {name} broke after its first token ({_words(failure)}){lost}; "
        "the caller keeps what it already received",
        route=route,
        failures=failures,
        passed_over=passed_over,
    )


def refused(route: str, failures: Failures, passed_over: Passed) -> CallError:
    """The last failure forbids asking anybody else."""
    name, failure = failures[-1]
    if failure.scope is Scope.NOBODY:
        return LocalError(
            f"route {route!r}: {name} failed on our side, before any provider could be blamed "
            f"({_words(failure)}); see the chained exception",
            route=route,
            failures=failures,
            passed_over=passed_over,
        )
    return RequestRejectedError(
        f"route {route!r}: {name} rejects this request ({_words(failure)}); no other target of the "
        "route can take it as it is: change the request",
        route=route,
        failures=failures,
        passed_over=passed_over,
    )


def deadline_exceeded(route: str, deadline_s: float, failures: Failures, passed_over: Passed) -> CallError:
    """Time ran out; `deadline_s` is the length that was allowed."""
    story = _told(failures) or "nobody was ready in time"
    return DeadlineExceededError(
        f"route {route!r}: the deadline of {deadline_s:g} s passed ({story})",
        route=route,
        failures=failures,
        passed_over=passed_over,
    )


def unpaid(route: str, passed_over: Passed, purse: Purse, retry_after_s: float | None) -> CallError | None:
    """Nobody was asked, and only money speaks against those who could; None: something else does too."""
    reasons = {each.reason for each in passed_over}
    told = "; ".join(f"{each.target.name}: {each.reason}" for each in passed_over)
    if Reason.LEDGER_FAILED in reasons:
        return NoEligibleTargetError(
            f"route {route!r}: no target may be tried now ({told}), since hard budgets cannot be held to: "
            f"{purse.trouble}",
            route=route,
            passed_over=passed_over,
            retry_after_s=retry_after_s,
        )
    refusal = purse.refusal
    if refusal is None or not reasons <= BARRING | UNPAYABLE:
        return None
    return BudgetExceededError(
        f"route {route!r}: {_too_much(refusal)} ({told})",
        refusal=refusal,
        route=route,
        passed_over=passed_over,
        retry_after_s=retry_after_s,
    )


def _too_much(refusal: Refusal) -> str:
    """Which limit, how it stands, and what to do."""
    limit = f"${(refusal.limit_nusd or 0) / NUSD_PER_USD:.6g}"
    if refusal.asked_nusd is None or refusal.spent_nusd is None or refusal.reserved_nusd is None:
        whose = (
            "a call that may cost" if refusal.account == CALL else f"the hard budget of {refusal.account},"
        )
        return f"nobody knows what a target costs, so it cannot be held to {whose} {limit}: give it `prices`"
    spent, reserved, asked = (
        f"${each / NUSD_PER_USD:.6g}"
        for each in (refusal.spent_nusd, refusal.reserved_nusd, refusal.asked_nusd)
    )
    if refusal.account == CALL:
        return (
            f"the call may cost {limit}, {spent} is spent and {reserved} reserved, and one attempt may cost "
            f"{asked}: allow more, or bound the answer with max_tokens"
        )
    begins = ""
    if refusal.resets_s is not None:
        begins = (
            f"; it begins anew at {dt.datetime.fromtimestamp(refusal.resets_s, dt.UTC):%Y-%m-%d %H:%M:%SZ}"
        )
    return (
        f"the budget of {refusal.account} has no room: of {limit}, {spent} is spent and {reserved} reserved, "
        f"and one attempt may cost {asked}{begins}"
    )


def exhausted(
    route: str, failures: Failures, passed_over: Passed, retry_after_s: float | None, *, untried: bool
) -> CallError:
    """Nobody is left to ask: every attempt failed, or none could be made.

    `untried`: somebody else could take this request, though not now.
    """
    hint = "" if retry_after_s is None else f"; a target may be back in {retry_after_s:.1f} s"
    if not failures:
        reasons = "; ".join(_reason(each) for each in passed_over)
        if passed_over and all(each.reason in BARRING for each in passed_over):
            return RequestRejectedError(
                f"route {route!r}: no target can do what this request asks ({reasons}); change the request, "
                "or say in the config what its targets can do",
                route=route,
                passed_over=passed_over,
            )
        return NoEligibleTargetError(
            f"route {route!r}: no target may be tried now ({reasons}){hint}",
            route=route,
            passed_over=passed_over,
            retry_after_s=retry_after_s,
        )
    if not untried and all(failure.scope is Scope.REQUEST for _, failure in failures):
        return refused(route, failures, passed_over)
    barred = [_reason(each) for each in passed_over if each.reason is Reason.FORBIDDEN_BY_TERMS]
    others = f"; not asked: {'; '.join(dict.fromkeys(barred))}" if barred else ""
    return AllTargetsFailedError(
        f"route {route!r}: every target that could be asked failed ({_told(failures)}){others}{hint}",
        route=route,
        failures=failures,
        passed_over=passed_over,
        retry_after_s=retry_after_s,
    )
