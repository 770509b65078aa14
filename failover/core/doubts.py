"""What the policy makes of an answer that is complete, but perhaps not what was asked for."""

from __future__ import annotations

from failover.core.failures import Failure, FailureKind
from failover.core.policy import OnDoubt, Policy


def judged(policy: Policy, doubts: tuple[Failure, ...]) -> tuple[Failure | None, tuple[Failure, ...]]:
    """The first doubt that makes the attempt a failure, and those before it that are only told."""
    told: list[Failure] = []
    for doubt in doubts:
        wrong_model = doubt.kind is FailureKind.WRONG_MODEL
        on_doubt = policy.on_wrong_model if wrong_model else policy.on_unsound_tool_call
        if on_doubt is OnDoubt.FAIL:
            return doubt, tuple(told)
        if on_doubt is OnDoubt.WARN:
            told.append(doubt)
    return None, tuple(told)
