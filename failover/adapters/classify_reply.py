"""From what came over the wire to exactly one failure, or to None for a success. Total: it never raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from failover.adapters.answers import Fault, fault_in_answer
from failover.adapters.evidence import Evidence, evidence_in, evidence_of
from failover.adapters.refusal_rules import kind_of
from failover.adapters.waiting import waiting_s
from failover.adapters.wire import WireReply
from failover.core.failures import Failure, FailureKind, Phase

_SUCCESSES, _FAILURES = range(200, 300), range(400, 600)
_DIGITS = 4


def classify_reply(provider: str, reply: WireReply, now_wall_s: float = 0.0) -> Failure | None:
    """The failure that `reply` is, None where it is a success.

    `provider` selects rows for codes that mean different things at different providers. `now_wall_s` is
    Unix time, for waiting hints that name a moment; unknown (0), the reply's own `Date` is used.
    Source of the rules: docs/failures.md, the providers' error pages, recorded exchanges.
    """
    if reply.status in _SUCCESSES:
        fault = fault_in_answer(reply)
        return None if fault is None else _inside_an_answer(provider, reply, fault, now_wall_s)
    return failure_of(evidence_of(provider, reply), now_wall_s)


def failure_of(evidence: Evidence, now_wall_s: float = 0.0) -> Failure:
    """The failure that a refusal's evidence shows."""
    kind = kind_of(evidence)
    return Failure(
        kind=kind,
        status=evidence.status or None,
        code=evidence.code,
        retry_after_s=waiting_s(evidence.headers, evidence.body, now_wall_s),
        phase=Phase.TOTAL if kind is FailureKind.TIMEOUT else None,
        parameter=evidence.parameter if kind is FailureKind.UNSUPPORTED_PARAMETER else "",
        may_retry=evidence.headers.get("x-should-retry", "").strip().lower() != "false",
    )


def _inside_an_answer(provider: str, reply: WireReply, fault: Fault, now_wall_s: float) -> Failure:
    """An error inside a 200 keeps the status that was sent. In a stream it is a break unless it says more."""
    if fault.kind is not None:
        return Failure(kind=fault.kind, status=reply.status, code=fault.code)
    own_status = _own_status(fault.error)
    evidence = evidence_in(provider, own_status, reply.headers, fault.error, streamed=fault.streamed)
    found = failure_of(evidence, now_wall_s)
    unspecific = found.kind is FailureKind.SERVER_ERROR
    kind = FailureKind.TRUNCATED_STREAM if fault.streamed and unspecific else found.kind
    return replace(found, kind=kind, status=reply.status)


def _own_status(error: Any) -> int:
    """The HTTP status that an in-band error gives itself (Groq `status_code`, OpenRouter `code`); else 0."""
    holders = [error, error.get("error")] if isinstance(error, Mapping) else []
    for holder in holders:
        if not isinstance(holder, Mapping):
            continue
        for key in ("status_code", "code", "status"):
            value = holder.get(key)
            number = (
                int(value)
                if isinstance(value, str) and value.isdecimal() and len(value) <= _DIGITS
                else value
            )
            if isinstance(number, int) and not isinstance(number, bool) and number in _FAILURES:
                return number
    return 0
