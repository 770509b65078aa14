"""How a call without a reply ends: which error, and in which words."""

from __future__ import annotations

from failover.core.failures import Failure, Scope
from failover.core.substitution import BARRING
from failover.core.vocabulary import PassedOver, Reason
from failover.errors import (
    AllTargetsFailedError,
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


def without_reply(
    route: str,
    failures: Failures,
    passed_over: Passed,
    *,
    broken: int | None,
    stopped: bool,
    deadline_s: float | None,
    retry_after_s: float | None,
    untried: bool,
) -> CallError:
    """The error that a call ends with, by the first of these that holds.

    `broken`: which failure broke a stream that the caller had begun to read. `stopped`: the last failure
    forbids asking anybody else. `deadline_s`: it passed, and was so long. Else nobody is left.
    """
    if broken is not None:
        return interrupted(route, failures, passed_over, broken)
    if stopped:
        return refused(route, failures, passed_over)
    if deadline_s is not None:
        return deadline_exceeded(route, deadline_s, failures, passed_over)
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
