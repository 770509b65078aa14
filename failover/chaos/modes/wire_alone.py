"""What an image means to a provider that litellm cannot be played: judged by our classifier alone.

litellm signs requests to some clouds, or reaches them by clients of its own. In production its errors are
classified by the wire all the same, so only what litellm itself would make of a reply is missing here.
"""

from __future__ import annotations

import httpx

from failover.adapters.classify import classify_exception
from failover.adapters.classify_reply import classify_reply
from failover.adapters.told_usage import usage_in
from failover.adapters.wire import ConnectionFault
from failover.chaos.world.events import events_of
from failover.chaos.world.image import Image
from failover.chaos.world.outcome import Course, Outcome, so_far
from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Target


def judged_alone(target: Target, image: Image, *, stream: bool) -> Outcome:
    """The outcome of `image`; of a stream, its first event is taken for its first token."""
    reply = image.reply
    if reply is None:
        return Outcome(_unanswered(target, image))
    failure, usage = classify_reply(target.provider, reply), usage_in(reply.body)
    if failure is None and image.fault is not None:
        failure = Failure(FailureKind.TRUNCATED_STREAM) if stream else _unanswered(target, image)
    if not stream:
        return Outcome(failure, usage)
    events = events_of(reply.body)
    last = max(0, len(events) - 1)
    if not events or (failure is not None and failure.kind is not FailureKind.TRUNCATED_STREAM):
        return Outcome(failure, usage, course=Course(len(events), (), last))
    course = Course(len(events), tuple(range(len(events))), last, so_far=so_far(events, {0: True}))
    return Outcome(failure, usage, course=course)


def _unanswered(target: Target, image: Image) -> Failure:
    refused = image.fault is ConnectionFault.REFUSED
    request = httpx.Request("POST", "https://provider.invalid")
    error = (
        httpx.ConnectError("refused", request=request) if refused else httpx.ReadError("", request=request)
    )
    return classify_exception(target, error)
