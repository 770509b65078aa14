"""The time limits of one attempt: its own, cut to what is left of the call's deadline."""

from __future__ import annotations

from failover.core.messages import Limits
from failover.core.policy import Policy
from failover.core.vocabulary import Operation, Request, Target

PATIENCE = 1.5
"""How much longer than usual a target may take while somebody else could still be asked."""


_COME_IN_PIECES = frozenset({Operation.COMPLETION, Operation.RESPONSES})


def comes_in_pieces(request: Request, policy: Policy, target: Target) -> bool:
    """Whether `target` is asked for a stream: where the caller wants one, or the policy for a whole reply.

    A plain function gives its answer in one piece, and so does every operation without a stream.
    """
    return request.stream or (
        policy.stream_upstream and request.operation in _COME_IN_PIECES and not target.callable
    )


def is_hurried(left_s: float, usual_s: float | None) -> bool:
    """Whether an attempt may run out of time through no fault of its target, who usually takes `usual_s`.

    A call that waited for a target to come back may ask it in its last second: that the answer does not
    come in time must not open a breaker that has just closed.
    """
    return usual_s is not None and left_s < usual_s * PATIENCE


def limits_of(
    policy: Policy, left_s: float, usual_s: float | None, *, stream: bool, others_left: bool
) -> Limits:
    """The limits of an attempt that starts with `left_s` of the deadline left.

    `usual_s` is what its target usually takes to its first token (of a whole reply: to the end),
    `others_left` whether somebody else could still be asked after it.
    """
    total_s = left_s if policy.attempt_s is None else min(policy.attempt_s, left_s)
    begins_s = total_s
    if policy.attempt_s is None and others_left:
        # A silent target must not eat the time in which another one could still answer; but who
        # usually answers later than that is given the time, or it could never succeed.
        begins_s = min(left_s, max(left_s / 2, (usual_s or 0.0) * PATIENCE))
    if not stream:
        # Only a stream shows its first token; a whole reply shows nothing until it is there.
        return Limits(min(policy.connect_s, begins_s), begins_s, min(policy.idle_s, begins_s), begins_s)
    # Once it flows, stalls are seen by the idle limit: it may flow to the deadline.
    first_token_s = min(policy.first_token_s, begins_s)
    return Limits(min(policy.connect_s, begins_s), first_token_s, min(policy.idle_s, total_s), total_s)
